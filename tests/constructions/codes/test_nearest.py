"""Nearest other words, against comparison of every pair in Python's integers."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.constructions.codes import comparison, nearest
from georecall.constructions.codes.code import sign_code
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.codes.spans import Spans
from georecall.theory.tools.blocks import fold

SEEDS = st.integers(0, 2**32 - 1)


def by_pairs(words):
    rows = [[int(entry) for entry in row] for row in words]
    return [
        min(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for j, y in enumerate(rows) if j != i)
        for i, x in enumerate(rows)
    ]


@given(
    seed=SEEDS,
    n=st.integers(2, 20),
    m=st.integers(1, 5),
    values=st.sampled_from(
        [(-1, 1), (0, 1, 2, 3), (0, 3), (-7, 0, 2, 11), (-(2**23) + 1, 0, 2**23 - 1), (5,)]
    ),
)
def test_the_nearest_distance_is_that_of_the_nearest_pair(seed, n, m, values):
    words = np.random.default_rng(seed).choice(values, size=(n, m))
    assert nearest_squared_distances(words).tolist() == by_pairs(words)


@given(seed=SEEDS, n=st.integers(2, 12), m=st.integers(1, 3), asked=st.lists(st.integers(0, 11), max_size=6))
def test_asked_about_some_words_it_answers_for_those_among_all(seed, n, m, asked):
    words = np.random.default_rng(seed).integers(-3, 4, size=(n, m))
    asked = np.array([i % n for i in asked], dtype=np.int64)
    everywhere = by_pairs(words)
    assert nearest_squared_distances(words, asked).tolist() == [everywhere[i] for i in asked]


def test_words_without_a_neighbour_are_compared_with_all():
    words = np.array([[0, 0, 0], [1, 1, 0], [9, 9, 9], [9, 9, 8], [4, 4, 4]])
    assert nearest_squared_distances(words).tolist() == [2, 2, 1, 1, 34]


def test_blocks_of_words_give_the_same_distances(monkeypatch):
    words = np.random.default_rng(3).integers(0, 50, size=(40, 4))
    whole = nearest_squared_distances(words)
    monkeypatch.setattr(comparison, "_BLOCK", 100)  # two words at a time
    assert nearest_squared_distances(words).tolist() == whole.tolist() == by_pairs(words)


def test_all_sign_words_have_a_neighbour_one_sign_away():
    words = np.array(list(product((-1, 1), repeat=10)))
    assert set(nearest_squared_distances(words).tolist()) == {4}


def test_words_that_coincide_are_at_distance_0():
    words = np.array([[1, 1], [0, 0], [1, 1], [0, 1]])
    assert nearest_squared_distances(words).tolist() == [0, 1, 0, 1]


def test_one_word_has_no_nearest_other():
    with pytest.raises(ValueError, match="needs two words, got 1"):
        nearest_squared_distances(np.array([[1, 0]]))


def test_long_words_of_large_entries_are_exact():
    """64 entries around 2^24: their squares pass 2^53, their distances do not."""
    words = np.repeat(np.random.default_rng(0).integers(2**23, 2**24 - 9, size=(1, 64)), 3, axis=0)
    words[1, :2] += 1
    words[2] += np.random.default_rng(1).integers(5, 9, size=64)
    assert nearest_squared_distances(words).tolist() == by_pairs(words)


@pytest.mark.parametrize("entry", [2**26 + 1, -(2**26) - 1, 2**40, -(2**63), 2**63 - 1])
def test_words_too_far_apart_for_exact_products_are_refused(entry):
    with pytest.raises(ValueError, match=r"2\^52"):
        nearest_squared_distances(np.array([[entry], [0]]))


@pytest.mark.parametrize("n", [2, 3, 5, 8, 21, 64, 100])
@pytest.mark.parametrize("distance", [1, 3, 5])
def test_a_linear_code_needs_no_pairs(n, distance):
    words = distance_code(n, distance).words
    m = words.shape[1]
    spans = Spans.of(lambda some: words.T[:, some], n, m, np.ones(m, dtype=int))
    described = comparison._bits(spans, np.arange(m))
    found = comparison._in_linear_code(lambda some: words.T[:, some], n, np.arange(n), described)
    wanted = [min((words[a] != words[b]).sum() for b in range(n) if b != a) for a in range(n)]
    assert [w for w, f in zip(wanted, found, strict=True) if f >= 0] == found[found >= 0].tolist()
    assert n & (n - 1) or (found >= 0).all()


def test_a_code_with_one_bit_changed_is_not_linear():
    words = distance_code(16, 3).words.copy()
    words[11, 2] *= -1
    wanted = [min(((words[a] - words[b]) ** 2).sum() for b in range(16) if b != a) for a in range(16)]
    assert nearest.nearest_squared_distances(words).tolist() == wanted


@given(seed=st.integers(0, 10**6), n=st.integers(2, 300), digits=st.integers(1, 3), extra=st.integers(0, 2))
def test_neighbours_that_follow_from_the_bits_are_those_that_are_found_one_by_one(seed, n, digits, extra):
    """Words that are linear in the bits of their number, sometimes with one changed, swapped or repeated."""
    rng = np.random.default_rng(seed)
    bits = (n - 1).bit_length()
    m = -(-bits // digits) + extra
    basis = (
        rng.integers(1 << digits, size=(bits, m)) if seed % 3 else _digits(1 << np.arange(bits), m, digits)
    )
    words = np.zeros((n, m), dtype=np.int64)
    for i in range(bits):
        words[(np.arange(n) >> i & 1) == 1] ^= basis[i]
    if seed % 4 == 0:
        words[rng.integers(n)] = words[rng.integers(n)]
    if seed % 4 == 1:
        words[rng.integers(n), rng.integers(m)] ^= 1
    squares = ((words[:, None] - words) ** 2).sum(axis=2)
    np.fill_diagonal(squares, 1 << 40)
    assert np.array_equal(nearest_squared_distances(words), squares.min(axis=1))


def _digits(numbers, m, digits):
    return np.stack([numbers >> digits * j & (1 << digits) - 1 for j in range(m)], axis=1)


@pytest.mark.parametrize("n", [2, 64, 1000])
def test_sign_codes_are_seen_to_be_linear_and_what_is_changed_anywhere_is_not(n):
    words = sign_code(n).words.copy()

    def follows(words):
        columns, counts = (lambda some: words.T[:, some]), np.ones(words.shape[1], dtype=int)
        spans = Spans.of(columns, *words.shape, counts)
        return nearest._all_have_a_neighbour(columns, n, spans, counts, fold)

    assert follows(words)
    for a in range(0, n, 1 + n // 50) if n > 2 else ():
        changed = words.copy()
        changed[a, a % words.shape[1]] *= -1
        assert not follows(changed)
