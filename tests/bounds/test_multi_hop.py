import importlib
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from georecall.bounds import Enclosure, counting, multi_hop, multi_hop_entropy, precision
from georecall.bounds.arithmetic import balls
from georecall.bounds.walks import typed as typed_walks

typed = importlib.import_module("georecall.bounds.multi_hop")  # the package's name for it is the function's

SIZES = [
    (2, 1, 2),
    (2, 2, 1),
    (2, 2, 2),
    (2, 2, 3),
    (2, 3, 2),
    (3, 1, 2),
    (3, 1, 3),
    (3, 2, 1),
    (3, 2, 2),
    (3, 3, 2),
    (4, 1, 2),
    (4, 2, 1),
    (5, 1, 2),
]


def exact_entropy(N: int, R: int, k: int, T: int) -> float:
    """The entropy of all k-hop answers of T subjects, by trying all (N!)^(R k) tables."""
    bijections = np.array(list(itertools.permutations(range(N))))
    tables = np.indices((len(bijections),) * (R * k)).reshape(
        R * k, -1
    )  # which bijection, relation by relation
    keys = np.zeros(tables.shape[1], dtype=object if N ** (R**k * T) > 2**62 else np.int64)
    for word in itertools.product(range(R), repeat=k):
        for subject in range(T):
            at = np.full(tables.shape[1], subject)
            for hop, relation in enumerate(word):
                at = bijections[tables[hop * R + relation], at]
            keys = keys * N + at
    _, counts = np.unique(keys, return_counts=True)
    return math.log2(counts.sum()) - float((counts * np.log2(counts)).sum() / counts.sum())


def assert_agrees(entropy, exact: float) -> None:
    assert entropy.width < Fraction(1, 10**29)
    assert entropy.lower_float == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("N", "R", "k"), SIZES)
def test_c6_typed_is_the_exact_entropy(N, R, k):
    for T in range(1, N + 1):
        assert_agrees(multi_hop_entropy(N, R, k, T), exact_entropy(N, R, k, T))


@pytest.mark.slow
@pytest.mark.parametrize(("N", "R", "k"), [(4, 2, 2), (3, 2, 3), (4, 1, 4), (2, 2, 5), (2, 3, 4), (6, 1, 2)])
def test_c6_typed_is_the_exact_entropy_at_larger_sizes(N, R, k):
    for T in range(1, N + 1):
        assert_agrees(multi_hop_entropy(N, R, k, T), exact_entropy(N, R, k, T))


def test_the_values_of_theory():
    values = [multi_hop_entropy(3, 2, 2, T).lower_float for T in (1, 2, 3)]
    assert values == pytest.approx([5.422, 7.755, 7.755], abs=5e-4)
    assert multi_hop_entropy(256, 2, 2, 1).lower_float == pytest.approx(31.963, abs=5e-4)
    assert multi_hop(256, 2, 2).lower_float == pytest.approx(31.9887, abs=5e-5)
    assert multi_hop(256, 2, 2).below(32) is True  # which C5(a) uses


@pytest.mark.parametrize(("N", "R", "k", "T"), [(6, 2, 3, 2), (5, 3, 3, 1), (7, 2, 4, 3)])
def test_the_chain_of_hypergeometrics_in_exact_rationals(N, R, k, T):
    law, total = {T: Fraction(1)}, R * math.log2(math.perm(N, T))
    for _ in range(k - 1):
        after: dict[int, Fraction] = {}
        for n, p in law.items():
            union = {n: p}
            for _ in range(R - 1):
                step: dict[int, Fraction] = {}
                for u, q in union.items():
                    for new in range(n + 1):
                        ways = math.comb(N - u, new) * math.comb(u, n - new)
                        if ways:
                            step[u + new] = step.get(u + new, Fraction(0)) + q * Fraction(
                                ways, math.comb(N, n)
                            )
                union = step
            for u, q in union.items():
                after[u] = after.get(u, Fraction(0)) + q
        law = after
        total += (R - 1) * sum(float(p) * math.log2(math.perm(N, n)) for n, p in law.items())
    assert_agrees(multi_hop_entropy(N, R, k, T), total)


def test_all_subjects_give_the_closed_form():
    N, R, k = 40, 3, 4
    entropy = multi_hop_entropy(N, R, k, N)
    assert entropy.lower <= (k * (R - 1) + 1) * counting(N, 1).upper
    assert entropy.upper >= (k * (R - 1) + 1) * counting(N, 1).lower


@given(st.integers(2, 24), st.integers(1, 4), st.integers(1, 4), st.data())
@settings(max_examples=2 * settings.default.max_examples // 3)
def test_c6_typed_is_monotone_and_concave(N, R, k, data):
    T = data.draw(st.integers(1, N))
    here = multi_hop_entropy(N, R, k, T)
    for other in ((N + 1, R, k, T), (N, R + 1, k, T), (N, R, k + 1, T)):
        assert here.below(multi_hop_entropy(*other)) is not False or R == 1
    before, after = (multi_hop_entropy(N, R, k, t) for t in (T - 1, min(N, T + 1)))
    assert 2 * here.upper >= before.lower + after.lower or T == N
    assert before.lower <= here.upper


def brute_force_best(N: int, R: int, k: int, **given_bits) -> float:
    return max(multi_hop(N, R, k, subjects_asked=T, **given_bits).lower_float for T in range(1, N + 1))


@given(st.integers(2, 14), st.integers(1, 3), st.integers(1, 3), st.integers(0, 60))
@settings(max_examples=2 * settings.default.max_examples // 3)
def test_the_best_number_of_subjects_is_found(N, R, k, bits):
    by_others = multi_hop(N, R, k, other_bits=bits)
    assert by_others.unit == "bits per subject"
    assert by_others.lower_float == pytest.approx(brute_force_best(N, R, k, other_bits=bits), abs=1e-12)
    by_subject = multi_hop(N, R, k, subject_bits=bits)
    assert by_subject.unit == "bits"
    assert by_subject.lower_float == pytest.approx(brute_force_best(N, R, k, subject_bits=bits), abs=1e-12)
    assert max(by_others.width, by_subject.width) < Fraction(1, 10**25)


@pytest.mark.parametrize(("N", "R", "k"), [(100, 2, 2), (60, 2, 4), (150, 3, 3), (300, 2, 2)])
@pytest.mark.parametrize(
    "given_bits", [{"other_bits": b} for b in (10, 100, 700)] + [{"subject_bits": b} for b in (5, 12, 40)]
)
def test_the_search_starts_within_one_of_the_best_number_of_subjects(monkeypatch, N, R, k, given_bits):
    asked, original = [], multi_hop_entropy
    monkeypatch.setattr(
        typed, "multi_hop_entropy", lambda N, R, k, T, digits: asked.append(T) or original(N, R, k, T)
    )
    known, unit = typed.given_bits(given_bits.get("other_bits"), given_bits.get("subject_bits"))
    best = typed.by_entropy(N, R, k, known, unit, 30)
    assert len(set(asked)) == len(asked) <= 4
    around = [T for T in range(asked[0] - 1, asked[0] + 2) if 1 <= T <= N]
    assert best in [typed.by_entropy(N, R, k, known, unit, 30, T) for T in around]


@st.composite
def concave_entropies(draw):
    """H(0) = 0, .., H(N), concave and nondecreasing, and enclosures of them, some of them wide."""
    N = draw(st.integers(1, 14))
    steps = draw(st.lists(st.integers(0, 40), min_size=N, max_size=N))
    H = [0, *itertools.accumulate(sorted(steps, reverse=True))]
    ends = st.sampled_from([Fraction(0), Fraction(1, 8), Fraction(3), Fraction(12)])
    return H, [
        Enclosure.exactly(0, "bits"),
        *(Enclosure(h - draw(ends), h + draw(ends), "bits") for h in H[1:]),
    ]


UNITS = st.sampled_from(["bits", "bits per subject"])


def between(*ends: tuple[int, int]) -> list[Enclosure]:
    return [Enclosure(Fraction(low), Fraction(high), "bits") for low, high in ends]


@given(concave_entropies(), st.integers(0, 60), UNITS)
@example(([0, 4, 4], between((0, 0), (0, 12), (4, 4))), 1, "bits")  # the other size may be better: 1,
@example(([0, 4, 8], between((0, 0), (4, 4), (0, 12))), 1, "bits")  # or 2
@settings(max_examples=3 * settings.default.max_examples)
def test_wherever_the_search_starts_the_best_floor_of_a_concave_entropy_is_enclosed(entropies, known, unit):
    H, enclosures = entropies
    N = len(H) - 1
    exact = max(
        typed.spare(Enclosure.exactly(H[T], "bits"), T, Fraction(known), unit).lower for T in range(1, N + 1)
    )
    for start in range(1, N + 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(typed, "multi_hop_entropy", lambda N, R, k, T, digits: enclosures[T])
            patch.setattr(typed, "_mean_field_best", lambda *_, start=start: start)
            assert typed.by_entropy(N, 2, 2, Fraction(known), unit, 30).contains(exact)
        below = typed._below_chords(lambda T: enclosures[T], start, N, Fraction(known), unit)
        assert below.contains(exact)


@pytest.mark.parametrize(
    ("ends", "best", "known", "lower", "upper"),
    [
        # N = 10, a step of isqrt(0.9 N) = 3 from the middle: each chord in turn has the best floor, at
        ({2: (4, 5), 5: (10, "10.9"), 8: (13, 14)}, 5, 0, 13, Fraction(50, 3)),  # 10
        ({2: (4, 5), 5: (10, "10.9"), 8: (13, 14)}, 5, 1, 5, Fraction(17, 2)),  # 7
        ({2: (4, 5), 5: (10, "10.9"), 8: (13, 14)}, 5, 2, 0, Fraction(7, 2)),  # 3
        ({2: (4, 5), 5: (10, "10.9"), 8: (13, 14)}, 5, 4, -4, Fraction(-2, 3)),  # 1
        # from the last size, and next to the first, where H(0) = 0 is known
        ({7: (8, 9), 10: (10, "10.9")}, 10, "0.5", 5, Fraction(69, 10)),  # 8, as H(8) <= H(10)
        ({7: (8, 9), 10: (10, "10.9")}, 10, 1, 1, 6),  # 1
        ({0: (0, 0), 2: (4, "4.9"), 5: (9, 10)}, 2, 2, 0, Fraction(9, 5)),  # 4
    ],
)
def test_chords_say_how_large_a_floor_may_be_beside_three_sizes(ends, best, known, lower, upper):
    """By hand: lines from a lower end through an upper one, three sizes further on, up to the next line."""
    entropies = {T: Enclosure(*map(Fraction, pair), "bits") for T, pair in ends.items()}
    assert typed._below_chords(entropies.__getitem__, best, 10, Fraction(known), "bits") == Enclosure(
        Fraction(lower), Fraction(upper), "bits"
    )


@pytest.mark.parametrize("unit", ["bits", "bits per subject"])
def test_chords_give_nothing_away_where_the_entropy_is_a_line(unit):
    line = [Enclosure.exactly(7 * T, "bits") for T in range(13)]
    for known, best in itertools.product((0, 3, 7, 9), range(1, 13)):
        below = typed._below_chords(line.__getitem__, best, 12, Fraction(known), unit)
        assert below.upper == max(typed.spare(line[T], T, Fraction(known), unit).lower for T in range(1, 13))


def test_the_constructions_stand_above_the_floor():
    for N, R, k in [(256, 2, 2), (64, 3, 2), (16, 2, 3)]:
        m = math.ceil(math.log2(N))
        assert multi_hop(N, R, k).below(R**k * m) is True  # C5(a), composed: no other bits
        assert multi_hop(N, R, k, subject_bits=R * m).below((k - 1) * N * R * m) is True  # C5(b), sequential


def test_sequential_memories_are_of_the_right_order():
    N, R, k = 4096, 4, 2
    floor = multi_hop(N, R, k, subject_bits=R * 12)
    assert floor.lower_float > 0.6 * (k - 1) * N * R * 12


@pytest.mark.parametrize(
    ("affordable", "taken", "loss"),
    [(0, "_bracketed", Fraction(1, 5)), (7000, "thin_below", Fraction(1, 1000))],
)
@pytest.mark.parametrize(("N", "R", "k", "T"), [(200, 2, 5, 30), (300, 4, 3, 12), (400, 2, 4, 150)])
def test_what_is_not_followed_is_bracketed(monkeypatch, affordable, taken, loss, N, R, k, T):
    followed = multi_hop_entropy(N, R, k, T)
    calls, original = [], getattr(typed_walks, taken)
    monkeypatch.setattr(typed_walks, taken, lambda *given: (calls.append(given), original(*given))[1])
    monkeypatch.setattr(typed_walks, "_AFFORDABLE", affordable)
    bracketed = multi_hop_entropy(N, R, k, T)
    assert calls
    assert bracketed.lower <= followed.lower <= followed.upper <= bracketed.upper
    assert bracketed.width < loss * followed.lower


@pytest.mark.parametrize("bits", [50, 400])
def test_the_best_number_of_subjects_is_bracketed_too(monkeypatch, bits):
    followed = [multi_hop(64, 2, 3, other_bits=bits), multi_hop(64, 2, 3, subject_bits=bits // 20)]
    monkeypatch.setattr(typed_walks, "_AFFORDABLE", 0)
    bracketed = [multi_hop(64, 2, 3, other_bits=bits), multi_hop(64, 2, 3, subject_bits=bits // 20)]
    for exact, wide in zip(followed, bracketed, strict=True):
        assert wide.lower <= exact.lower
        assert exact.upper <= wide.upper


@given(st.lists(st.integers(1, 1000), min_size=3, max_size=60), st.integers(3, 20))
def test_thinning_brackets_every_concave_mean(weights, states):
    with precision(128):
        masses = {5 + 2 * i: balls.ball(Fraction(w, sum(weights))) for i, w in enumerate(weights)}
        below, above = typed_walks.thin_below(masses, states), typed_walks.thin_above(masses, states)
        assert len(below) <= states
        for g in (lambda n: balls.ball(n), lambda n: balls.log2(n), lambda n: balls.ball(min(n, 40))):
            means = [
                sum((p * g(n) for n, p in law.items()), start=balls.ball(0)) for law in (below, masses, above)
            ]
            assert not means[0] > means[1]
            assert not means[1] > means[2]


def test_the_likely_stretch_leaves_out_lowest_sizes_of_mass_below_1_over_n_squared():
    def stretch(**masses: str) -> tuple[int, int, float, float]:
        law = {int(size[1:]): balls.ball(Fraction(mass)) for size, mass in masses.items()}
        a, b, held, mean = typed_walks._likely_stretch(10, law)
        return a, b, float(held.mid()), float(mean.mid())

    with precision(64):
        assert stretch(n1="0.004", n2="0.004", n3="0.004", n4="0.988") == pytest.approx(
            (3, 4, 0.992, 3.964 / 0.992)
        )
        assert stretch(n1="0.004", n2="0.5", n3="0.496") == pytest.approx((2, 3, 0.996, 2.488 / 0.996))
        assert stretch(n7="0.001") == pytest.approx((7, 7, 0.001, 7))


def test_drifts_are_the_extreme_means_give_or_take_the_excess(monkeypatch):
    """By hand: unions of subsets of 10 out of 100, one after the other, each off by 2 at most."""
    asked = []
    monkeypatch.setattr(typed_walks, "excess", lambda n, delta: asked.append((n, delta)) or 2)
    lows, highs = [17, 23, 28, 33], [20, 30, 39, 48]
    for R, low, high in zip(range(2, 6), lows, highs, strict=True):
        assert typed_walks._drift(100, R, 10, Fraction(1, 8)) == (low, high)
        assert asked.pop() == (10, Fraction(1, 8) / (R - 1))
    assert typed_walks._drift(100, 1, 10, Fraction(1, 8)) == (10, 10)


@pytest.mark.parametrize("N", [1, 2, 3, 4, 1000, 2**40])
def test_what_is_given_away_at_every_hop_is_rare(N):
    assert Fraction(1, 4096 * N * N) <= typed_walks.rare(N) < Fraction(1, 1000 * N * N)


@pytest.mark.parametrize("n", [1, 10, 10**6])
@pytest.mark.parametrize("delta", [Fraction(1, 3), Fraction(1, 2**60), Fraction(3, 1000)])
def test_the_excess_is_hoeffdings(n, delta):
    s = typed_walks.excess(n, delta)
    assert math.exp(-2 * s**2 / n) <= delta
    assert s <= math.sqrt(n * (math.log(2) - math.log(delta)) / 2 * 1.002) + 3


def test_a_grid_halves_the_stretch_of_the_largest_mass_times_squared_width():
    """Equal masses: the wide stretch at the low end before the narrow one at the high end."""
    with precision(64):
        masses = {n: balls.ball(1) for n in (0, 10, 20, 30, 40, 41, 42, 43, 44)}
        assert typed_walks._grid(masses, 2) == [0, 44]
        assert typed_walks._grid(masses, 4) == [0, 20, 40, 44]
        assert len(typed_walks._grid(masses, 6)) == 6
        assert typed_walks._grid(masses, 9) == sorted(masses)
        masses[43] = balls.ball(1000)
        assert typed_walks._grid(masses, 4) == [0, 40, 42, 44]


def test_what_is_followed_in_full_is_said_to_be_and_thinned_laws_keep_to_the_budget(monkeypatch):
    sizes, original = [], typed_walks._next

    def spy(N, R, below, above, *, same):
        sizes.append((len(below), len(above), same))
        return original(N, R, below, above, same=same)

    monkeypatch.setattr(typed_walks, "_next", spy)
    with precision(184):
        assert typed_walks.expected_labels(200, 2, 4, 30)[1] is True
        assert all(same for *_, same in sizes)
        sizes.clear()
        monkeypatch.setattr(typed_walks, "_AFFORDABLE", 20_000)
        monkeypatch.setattr(typed_walks, "_cost_of_a_state", lambda *_: 200)  # 100 states, 32 of them spent
        assert typed_walks.expected_labels(200, 2, 4, 30)[1] is False
        assert sizes[:2] == [(1, 1, True), (31, 32, True)]
        below, above, same = sizes[2]  # of 80 states two laws of half of what is left
        assert max(below, above) <= 68 // 2
        assert not same


def test_large_sizes_are_affordable():
    big = multi_hop(2**20, 4, 4)
    assert big.narrower_than(30)
    assert big.below(4**4 * 20) is True
    assert big.lower_float > 0.999 * 4**4 * 20
    huge = multi_hop_entropy(10**12, 2, 4, 10**11)
    assert huge.width < huge.lower / 10**9


@pytest.mark.slow
def test_six_hops_among_4096_entities():
    floor = multi_hop(2**12, 4, 6)
    assert floor.narrower_than(30)
    closed = 4 * (math.lgamma(4097) - math.lgamma(4097 - 4**5)) / math.log(2)  # R log2(N!/(N - R^(k-1))!)
    assert floor.lower_float == pytest.approx(closed, abs=1e-5)
    assert closed > 44102.747494  # what entropy gives
