"""Codes: words, lengths, packing, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import Code, quantized_code, sign_code
from georecall.constructions.codes.code import code_length

SEEDS = st.integers(0, 2**32 - 1)


@given(n=st.integers(1, 5000), bits=st.integers(1, 16))
def test_the_code_length_is_the_least_that_tells_the_attributes_apart(n, bits):
    m = code_length(n, bits)
    assert 2 ** (bits * m) >= n
    assert m == 1 or 2 ** (bits * (m - 1)) < n


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (2**20, 20), (2**20 + 1, 21)])
def test_sign_codes_take_ceil_log2_of_n_signs(n, m):
    assert code_length(n) == m


@given(n=st.integers(1, 600), longer=st.integers(0, 3))
def test_a_sign_code_writes_the_bits_of_the_number_as_signs(n, longer):
    code = sign_code(n, length=code_length(n) + longer)
    assert (code.lo, code.hi, code.spread, code.n_words) == (-1, 1, 2, n)
    assert code.length == code_length(n) + longer
    assert code.n_distinct == n
    assert set(np.unique(code.words)) <= {-1, 1}
    for a, word in enumerate(code.words.tolist()):
        assert sum((u + 1) // 2 << j for j, u in enumerate(word)) == a


@given(n=st.integers(1, 600), bits=st.integers(1, 16), longer=st.integers(0, 2))
def test_a_quantized_code_writes_the_number_in_base_2_to_the_bits(n, bits, longer):
    code = quantized_code(n, bits=bits, length=code_length(n, bits) + longer)
    assert (code.lo, code.hi) == (0, 2**bits - 1)
    assert code.n_distinct == n
    for a, word in enumerate(code.words.tolist()):
        assert sum(digit << (bits * j) for j, digit in enumerate(word)) == a


def test_a_code_may_be_longer_than_a_machine_integer():
    assert sign_code(5, length=200).words[:, 3:].tolist() == [[-1] * 197] * 5
    assert quantized_code(5, bits=16, length=20).words[:, 1:].max() == 0


@given(n=st.integers(2, 300))
def test_a_sign_code_one_coordinate_too_short_makes_words_collide(n):
    m = code_length(n) - 1
    if m:
        code = sign_code(n, length=m)
        assert code.n_distinct == 2**m < n
        assert code.nearest_squared_distance() == 0


@given(n=st.integers(2, 300))
def test_the_nearest_word_of_a_sign_code_differs_in_one_sign(n):
    assert sign_code(n).nearest_squared_distance() == 4


def test_the_nearest_distance_can_be_asked_of_some_words():
    code = Code([[0, 0], [0, 5], [9, 0], [9, 1]], lo=0, hi=9)
    assert code.nearest_squared_distance() == 1
    assert code.nearest_squared_distance(np.array([0, 1])) == 25
    assert code.nearest_squared_distance(np.array([1, 3])) == 1


@pytest.mark.parametrize(
    ("words", "lo", "hi", "n_levels"),
    [
        ([[-1, 1]], -1, 1, 2),
        ([[1, 1]], -1, 1, 2),
        ([[0, 1]], -1, 1, 3),
        ([[0, 7], [7, 0]], 0, 7, 2),
        ([[0, 6], [7, 0]], 0, 7, 8),
        ([[3, 3]], 0, 4, 5),
    ],
)
def test_levels_are_two_where_only_the_extremes_occur(words, lo, hi, n_levels):
    assert Code(words, lo=lo, hi=hi).n_levels == n_levels


@given(seed=SEEDS, m=st.integers(1, 9), bits=st.integers(1, 12))
def test_packing_sums_groups_with_weights_1_2_4(seed, m, bits):
    code = Code(np.random.default_rng(seed).integers(-2, 2, size=(5, m)), lo=-2, hi=1)
    packed = code.packed(bits)
    assert packed.length == -(-m // bits)
    largest_group = min(bits, m)
    assert (packed.lo, packed.hi) == (-2 * (2**largest_group - 1), 2**largest_group - 1)
    for word, sums in zip(code.words.tolist(), packed.words.tolist(), strict=True):
        groups = [word[j : j + bits] for j in range(0, m, bits)]
        assert sums == [sum(u << j for j, u in enumerate(group)) for group in groups]


@pytest.mark.parametrize(("lo", "hi"), [(1, 3), (-3, -1)])
def test_a_short_group_may_lie_nearer_to_zero_than_the_others(lo, hi):
    packed = Code([[lo, lo, lo], [hi, hi, hi]], lo=lo, hi=hi).packed(2)
    assert packed.words.tolist() == [[3 * lo, lo], [3 * hi, hi]]
    assert (packed.lo, packed.hi) == (min(lo, 3 * lo), max(hi, 3 * hi))


@given(n=st.integers(2, 200), bits=st.integers(1, 10))
def test_packed_sign_words_stay_distinct_and_at_least_2_apart(n, bits):
    packed = sign_code(n).packed(bits)
    assert packed.n_distinct == n
    assert packed.nearest_squared_distance() == 4


@pytest.mark.parametrize(
    ("words", "bounds", "message"),
    [
        ([1, -1], {}, r"shape \(attributes, coordinates\), got \(2,\)"),
        ([], {}, r"got \(0,\)"),
        ([[], []], {}, r"got \(2, 0\)"),
        ([[0.5, 1.0]], {}, "must hold integers"),
        ([[float("nan"), 1.0]], {}, "must hold integers"),
        ([[1, 1]], {"lo": 1, "hi": 1}, "needs lo < hi, got 1 and 1"),
        ([[1, -1]], {"lo": 1, "hi": -1}, "needs lo < hi"),
        ([[2, 1]], {}, r"must lie in -1\.\.1, got 1\.\.2"),
        ([[-2, 1]], {}, r"must lie in -1\.\.1, got -2\.\.1"),
        ([[0, 1]], {"hi": 1 << 26}, r"2 coordinates in -1\.\.67108864 have squared distances beyond 2\^52"),
        ([[0, 1]], {"lo": -(1 << 26)}, "squared distances beyond"),
    ],
)
def test_words_that_are_no_code_are_refused(words, bounds, message):
    with pytest.raises(ValueError, match=message):
        Code(words, **bounds)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sign_code(0), "at least one attribute, got 0"),
        (lambda: sign_code(3, length=0), "at least one coordinate, got 0"),
        (lambda: quantized_code(3, bits=0), "bits must be from 1 to 16, got 0"),
        (lambda: quantized_code(3, bits=17), "bits must be from 1 to 16, got 17"),
        (lambda: quantized_code(3, bits=2, length=-1), "at least one coordinate, got -1"),
    ],
)
def test_codes_that_cannot_be_made_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_words_may_be_as_far_apart_as_is_compared_exactly():
    far = 1 << 25
    assert Code([[-far], [far]], -far, far).nearest_squared_distance() == 1 << 52


def test_a_code_may_hold_equal_words_and_says_so():
    code = Code([[1, 1], [1, 1], [-1, 1]])
    assert (code.n_words, code.n_distinct) == (3, 2)


def test_a_code_does_not_change_with_the_array_it_was_made_from():
    words = np.array([[1, -1]])
    code = Code(words)
    words[0, 0] = -1
    assert code.words.tolist() == [[1, -1]]
    with pytest.raises(ValueError, match="read-only"):
        code.words[0, 0] = -1


def test_integers_may_come_as_floats():
    assert Code(np.array([[1.0, -1.0]])).words.dtype == np.int64
