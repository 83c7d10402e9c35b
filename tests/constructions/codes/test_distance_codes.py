"""Codes with distance: the distance is what it is said to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.constructions.codes.code import Code
from georecall.constructions.codes.distance_codes import (
    distance_code,
    gilbert_varshamov_length,
    greedy_code,
    random_linear_code,
)


def least_distance(code: Code) -> int:
    """By comparing all pairs."""
    differ = (code.words[:, None] != code.words[None]).sum(axis=2)
    return int(differ[~np.eye(len(differ), dtype=bool)].min())


@given(st.integers(2, 60), st.integers(1, 6))
def test_greedy_words_are_at_least_the_distance_apart(n_attributes: int, distance: int) -> None:
    code = greedy_code(n_attributes, distance=distance)
    assert code.n_words == n_attributes
    assert set(np.unique(code.words)) <= {-1, 1}
    assert least_distance(code) >= distance


@given(st.integers(1, 14), st.integers(1, 7))
def test_greedy_codes_are_no_longer_than_gilbert_and_varshamov_promise(k: int, distance: int) -> None:
    length = gilbert_varshamov_length(1 << k, distance)
    if length <= 16:
        assert greedy_code(1 << k, distance=distance).length <= length


@pytest.mark.parametrize(
    ("words", "distance", "length"),
    [(16, 3, 7), (16, 4, 8), (4096, 8, 24), (2, 5, 5), (8, 4, 7), (128, 2, 8)],
    ids=["Hamming", "extended Hamming", "Golay", "repetition", "simplex", "parity"],
)
def test_greedy_finds_the_known_codes(words: int, distance: int, length: int) -> None:
    assert greedy_code(words, distance=distance).length == length


def test_greedy_refuses_a_length_that_is_too_short() -> None:
    with pytest.raises(ValueError, match="length 6 has 16 words at distance 3"):
        greedy_code(16, distance=3, length=6)


@given(st.integers(2, 80), st.integers(1, 12), st.integers(0, 99))
def test_random_linear_words_are_at_least_the_distance_apart(n: int, distance: int, seed: int) -> None:
    code = random_linear_code(n, distance=distance, rng=np.random.default_rng(seed))
    assert code.n_words == n
    assert least_distance(code) >= distance


def test_random_linear_gives_up_with_a_word() -> None:
    with pytest.raises(ValueError, match="none of 5 random linear codes of length 10 has distance 9"):
        random_linear_code(64, distance=9, length=10, rng=np.random.default_rng(0), tries=5)


def test_long_codes_have_their_distance_too() -> None:
    code = distance_code(500, 40)
    assert code.length > 64
    assert code.nearest_squared_distance() >= 4 * 40


@pytest.mark.parametrize(("n", "distance"), [(0, 1), (4, 0)])
def test_nonsense_is_refused(n: int, distance: int) -> None:
    with pytest.raises(ValueError, match=r"\|A\| >= 1 and distance >= 1"):
        greedy_code(n, distance=distance)
