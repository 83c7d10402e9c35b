import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounds import (
    balls,
    counting,
    multi_hop_entropy,
    multi_hop_untyped,
    precision,
    untyped_floors,
    untyped_walks,
)

SIZES = [
    *((2, R, k) for R in (1, 2, 3) for k in (2, 3)),
    *((3, 1, k) for k in (1, 2, 3)),
    *((3, 2, k) for k in (1, 2, 3, 4)),
    *((3, 3, k) for k in (2, 3)),
    *((4, 1, k) for k in (2, 3)),
    *((4, 2, k) for k in (2, 3, 4)),
    (5, 1, 2),
]


def all_tables(N: int, R: int) -> np.ndarray:
    """All R-tuples of bijections, shape ((N!)^R, R, N)."""
    bijections = np.array(list(itertools.permutations(range(N))))
    which = np.indices((len(bijections),) * R).reshape(R, -1)
    return np.stack([bijections[row] for row in which], axis=1)


def exact_entropy(N: int, R: int, k: int, T: int) -> float:
    """The entropy of all k-hop answers of T subjects, by trying all (N!)^R tables."""
    tables = all_tables(N, R)
    every = np.arange(len(tables))
    answers = np.empty((len(tables), R**k * T), dtype=np.int8)
    for i, word in enumerate(itertools.product(range(R), repeat=k)):
        for subject in range(T):
            at = np.full(len(tables), subject)
            for relation in word:
                at = tables[every, relation, at]
            answers[:, i * T + subject] = at
    _, counts = np.unique(answers, axis=0, return_counts=True)
    return math.log2(counts.sum()) - float((counts * np.log2(counts)).sum() / counts.sum())


def check_floors(N: int, R: int, k: int) -> None:
    for T in range(1, N + 1):
        exact = exact_entropy(N, R, k, T)
        for name, floor in untyped_floors(N, R, k, T).items():
            assert floor.lower_float <= exact + 1e-9, (name, T)
            assert floor.narrower_than(29), (name, T)


@pytest.mark.parametrize(("N", "R", "k"), SIZES)
def test_no_untyped_floor_is_above_the_exact_entropy(N, R, k):
    check_floors(N, R, k)


@pytest.mark.slow
@pytest.mark.parametrize(("N", "R", "k"), [(4, 3, 2), (4, 3, 3), (5, 2, 2), (5, 2, 3), (5, 2, 4), (6, 1, 3)])
def test_no_untyped_floor_is_above_the_exact_entropy_at_larger_sizes(N, R, k):
    check_floors(N, R, k)


def test_the_exact_values_of_theory():
    assert [exact_entropy(3, 2, 2, T) for T in (1, 2, 3)] == pytest.approx([4.364, 4.517, 4.517], abs=5e-4)


@pytest.mark.parametrize(
    ("N", "R", "k", "T"),
    [
        (3, 2, 3, 1),
        (4, 2, 2, 1),
        (4, 2, 3, 1),
        (4, 2, 4, 1),
        (4, 2, 4, 2),
        (4, 2, 3, 4),
        (5, 1, 4, 2),
        (3, 3, 3, 1),
    ],
)
def test_the_search_has_the_law_found_by_enumeration(N, R, k, T):
    seen: dict[str, Counter[int]] = {
        name: Counter() for name in ("early", "before", "all", "skipping", "unhit")
    }
    tables = all_tables(N, R)
    for table in tables:
        layers, hit = [set(range(T))], set()
        for _ in range(k - 1):
            images = {int(table[r, x]) for r in range(R) for x in layers[-1]}
            hit |= images
            layers.append(images.difference(*layers))
        v = [len(set().union(*layers[: t + 1])) for t in range(k)]
        w = v[k - 3] if k > 2 else 0
        values = {"early": w, "before": v[k - 2], "all": v[k - 1], "skipping": w + len(layers[k - 1])}
        for name, value in values.items():
            seen[name][value] += 1
        if 0 not in hit:
            seen["unhit"][v[k - 1]] += 1
    with precision(160):
        laws = vars(untyped_walks.search(N, R, k, T)) | {
            "unhit": untyped_walks.search(N, R, k, T, avoid=True).all
        }
        for name, counts in seen.items():
            for value in set(counts) | set(laws[name]):
                probability = balls.ball(Fraction(counts[value], len(tables)))
                assert laws[name].get(value, balls.ball(0)).contains(probability), (name, value)


@given(st.integers(3, 40), st.integers(2, 3), st.integers(2, 4), st.data())
@settings(max_examples=30, deadline=None)
def test_the_new_floors_sharpen_that_of_theory(N, R, k, data):
    T = data.draw(st.integers(1, N))
    floors = untyped_floors(N, R, k, T)
    best = max(floor.upper for floor in floors.values())
    assert best >= (R - 1) * counting(N, 1).lower * (T == N)  # THEORY.md's alternative at T = N
    if (
        k == 2
    ):  # "seeds" contains "walks", but for log2 N for each orbit expected among the subjects, 2 at most
        assert floors["seeds"].upper >= floors["walks"].lower - Fraction(2 * math.log2(N))


def test_how_much_sharper():
    walks_alone = untyped_floors(256, 2, 2, 1)["walks"]
    assert walks_alone.lower_float == pytest.approx(31.779, abs=5e-4)
    best = multi_hop_untyped(256, 2, 2)
    assert best.lower_float == pytest.approx(31.878, abs=5e-4)
    assert best.below(multi_hop_entropy(256, 2, 2, 1).upper) is True
    whole = untyped_floors(256, 2, 2, 256)
    everything = 2 * counting(256, 1).lower  # all there is to know
    assert whole["labels"].upper < everything * Fraction(501, 1000)  # log2 N!
    assert whole["full table"].lower > everything * Fraction(99, 100)
    assert whole["seeds"].lower > everything * Fraction(997, 1000)


def test_one_hop_is_the_counting_floor():
    floors = untyped_floors(20, 3, 1, 20)
    assert list(floors) == ["walks"]
    assert floors["walks"].lower <= counting(20, 3).upper
    assert floors["walks"].upper >= counting(20, 3).lower


@pytest.mark.parametrize(("N", "R", "k"), [(7, 2, 2), (9, 2, 3), (16, 3, 2)])
def test_the_best_number_of_subjects_is_found(N, R, k):
    for given_bits in ({"other_bits": 0}, {"other_bits": 20}, {"subject_bits": 8}):
        best = multi_hop_untyped(N, R, k, **given_bits)
        each = [multi_hop_untyped(N, R, k, subjects_asked=T, **given_bits) for T in range(1, N + 1)]
        assert best.lower == max(floor.lower for floor in each)
        assert best.unit == ("bits" if "subject_bits" in given_bits else "bits per subject")


@given(st.integers(17, 60), st.integers(2, 3), st.integers(2, 3))
@settings(max_examples=15, deadline=None)
def test_the_untyped_floor_is_below_what_is_used_and_below_the_typed_one(N, R, k):
    floor = multi_hop_untyped(N, R, k)
    m = math.ceil(math.log2(N))
    assert floor.below(R**k * m) is True  # C5(a)
    assert floor.lower <= multi_hop_entropy(N, R, k, 1).upper
    assert floor.lower_float <= multi_hop_untyped(N, R + 1, k).upper_float
    assert multi_hop_untyped(N, R, k, subject_bits=R * m).below(N * R * m) is True  # C5(b)


@given(st.integers(17, 200))
@settings(max_examples=20, deadline=None)
def test_the_untyped_floor_grows_with_n(N):
    assert multi_hop_untyped(N, 2, 2).below(multi_hop_untyped(N + 1, 2, 2)) is True


@pytest.mark.parametrize(
    ("N", "R", "k", "T"), [(60, 2, 3, 5), (60, 3, 3, 2), (80, 2, 4, 10), (500, 2, 3, 100)]
)
@pytest.mark.parametrize("affordable", [0, 4000])
def test_what_is_not_followed_is_pruned_or_bracketed(monkeypatch, affordable, N, R, k, T):
    followed = untyped_floors(N, R, k, T)
    monkeypatch.setattr(untyped_walks, "AFFORDABLE", affordable)
    rough = untyped_floors(N, R, k, T)
    for name, exact in followed.items():
        assert rough[name].lower <= exact.upper, name
        assert exact.lower <= rough[name].upper, name
    if affordable == 0:
        assert rough["walks"].width > 1


def test_pruning_loses_little_and_says_so(monkeypatch):
    followed = untyped_walks.search
    with precision(184):
        whole = followed(80, 2, 4, 10)
        monkeypatch.setattr(untyped_walks, "AFFORDABLE", 25_000)
        pruned = followed(80, 2, 4, 10)
        assert pruned.pruned
        assert not whole.pruned
        assert pruned.lost < balls.ball(Fraction(1, 50))
        assert whole.lost < balls.flint().arb(2) ** -100
        for v, mass in pruned.all.items():
            assert not mass > whole.all[v]
            assert not mass + pruned.lost < whole.all[v]
        monkeypatch.setattr(untyped_walks, "AFFORDABLE", 400)
        assert followed(80, 2, 4, 10) is None


@pytest.mark.parametrize(
    ("N", "R", "k", "T"), [(60, 2, 3, 5), (300, 2, 4, 20), (1000, 3, 3, 30), (4096, 2, 3, 500)]
)
def test_brackets_hold_what_the_search_finds(N, R, k, T):
    ends = untyped_walks.brackets(N, R, k, T, Fraction(1, 2**60))
    assert ends[:2] == [(0, 0), (T, T)]
    rng = np.random.default_rng(1)
    for _ in range(20):
        table = [rng.permutation(N) for _ in range(R)]
        reached = layer = set(range(T))
        for low, high in ends[2:]:
            layer = {int(pi[x]) for pi in table for x in layer} - reached
            reached = reached | layer
            assert low <= len(reached) <= high


def test_large_sizes_are_affordable():
    floors = untyped_floors(10**12, 4, 6, 1)
    assert all(floor.narrower_than(20) for floor in floors.values())
    assert floors["labels"].lower_float > 0.999 * 4**6 * math.log2(10**12)
    assert untyped_floors(10**6, 4, 3, 10**4)["seeds"].lower > 0


@pytest.mark.slow
def test_six_hops_among_4096_entities():
    best = multi_hop_untyped(2**12, 4, 6)
    assert best.width < 10
    assert 41000 < best.lower_float < 41010
