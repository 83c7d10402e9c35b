"""The numbers of zero-forced superposition against enumeration."""

import itertools
import math

import numpy as np
import pytest

from georecall.theory.numbers.dense import closed_form_length, table_failure
from georecall.theory.numbers.zero_forced import (
    failure,
    gaussian_length,
    generic_length,
    pair_bound,
    proved_length,
)


def enumerated(m: int, R: int) -> float:
    """The mean of exp(-m / (2q)) over all sign vectors; 1 where G is singular (R = 2: without a solution)."""
    total = 0.0
    for X in itertools.product(itertools.product((-1, 1), repeat=m), repeat=R):
        G = np.array(X) @ np.array(X).T / m
        solved = np.linalg.pinv(G) @ np.ones(R)
        singular = np.linalg.matrix_rank(G) < R
        exists = np.allclose(G @ solved, 1)
        total += math.exp(-m / 2 / solved.sum()) if exists and not (singular and R == 3) else 1
    return total / 2 ** (m * R)


def estimated(m: int, R: int, *, rng: np.random.Generator) -> tuple[float, float]:
    """The mean of exp(-m / (2q)) over 20,000 draws of random sign vectors, and its standard error."""
    X = rng.integers(2, size=(20_000, R, m), dtype=np.int8) * 2.0 - 1.0
    G = X @ X.transpose(0, 2, 1) / m
    values = np.exp(-m / (2 * np.linalg.pinv(G, hermitian=True).sum(axis=(1, 2))))
    return float(values.mean()), float(values.std() / math.sqrt(len(X)))


@pytest.mark.parametrize(("m", "R"), [(3, 1), (2, 2), (4, 2), (2, 3), (3, 3)])
def test_the_expectation_is_what_enumeration_gives_and_never_below(m: int, R: int) -> None:
    exact = enumerated(m, R)
    assert exact <= pair_bound(m, R) <= exact * (1 + 1e-8)


def test_the_estimate_agrees_with_the_sum_and_lies_below_the_gaussian_formula() -> None:
    rng = np.random.default_rng(0)
    mean, error = estimated(24, 3, rng=rng)
    assert abs(mean - pair_bound(24, 3)) < 5 * error
    mean, error = estimated(24, 4, rng=rng)
    assert mean + 5 * error < (1 + 1 / 4) ** (-(24 - 3) / 2)


@pytest.mark.parametrize("R", [1, 2, 3, 4, 8])
def test_the_length_is_the_least_at_which_the_bound_is_kept(R: int) -> None:
    m = proved_length(32, 32, R, 0.1)
    assert failure(32, 32, R, m) <= 0.1 < failure(32, 32, R, m - 1)


@pytest.mark.parametrize(("exponent", "R", "below"), [(8, 64, False), (20, 128, False), (100, 20, True)])
def test_what_is_proved_falls_below_c2_at_many_relations_and_subjects_alone(
    exponent: int, R: int, below: bool
) -> None:
    sizes = 2**exponent, 2**exponent, R, 0.5
    assert (proved_length(*sizes) < closed_form_length(*sizes)) == below
    assert gaussian_length(*sizes) < 0.65 * closed_form_length(*sizes)


def test_every_table_at_once_takes_longer_than_one() -> None:
    m = generic_length(8, 3, 0.1)
    assert m > closed_form_length(8, 8, 3, 0.1)
    assert table_failure(8**3, 8, 3, m) <= 0.1


def test_numbers_that_are_not_computed_are_refused() -> None:
    with pytest.raises(ValueError, match="R from 1 to 3"):
        pair_bound(10, 4)
