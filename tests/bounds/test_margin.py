import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from georecall.bounds import margin, selector
from georecall.bounds.margin import integer_root


def smallest_margin(points: np.ndarray) -> float:
    """The smallest margin of u_a = y_a = points[a] with bias -|u_a|^2 / 2, from the logits."""
    logits = points @ points.T - (points**2).sum(axis=1) / 2
    right = np.diag(logits)
    return float(min(right[a] - logits[a, b] for a, b in itertools.permutations(range(len(points)), 2)))


def spread_out(N: int, d: int, seed: int) -> np.ndarray:
    """N points of the unit ball of R^d, far apart: repulsion, ever more by the nearest pair alone."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(N, 1)

    def inside(flat: np.ndarray) -> np.ndarray:
        points = flat.reshape(N, d)
        return points / np.maximum(1, np.linalg.norm(points, axis=1, keepdims=True))

    def energy(flat: np.ndarray, power: int) -> float:
        points = inside(flat)
        squares = ((points[first] - points[second]) ** 2).sum(axis=1) + 1e-9
        return float(scipy.special.logsumexp(-power * np.log(squares))) / power

    flat = rng.uniform(-1, 1, N * d)
    for power in (4, 32, 128):
        flat = scipy.optimize.minimize(energy, flat, args=(power,), method="L-BFGS-B").x
    return inside(flat)


@pytest.mark.parametrize(
    ("N", "d"), [(2, 1), (3, 1), (3, 2), (5, 2), (7, 2), (4, 3), (6, 3), (13, 3), (10, 4)]
)
def test_c7i_is_not_beaten_by_optimised_codes(N, d):
    mu = max(smallest_margin(spread_out(N, d, seed)) for seed in range(2))
    assert mu > 0
    floor = margin(
        N, min(Fraction(mu), Fraction(N, N - 1))
    )  # the optimiser's rounding may pass Rankin's bound
    assert floor.lower <= d
    assert floor.ceiling().lower <= d


@pytest.mark.parametrize("N", [2, 3, 4, 9, 100])
def test_c7i_is_an_equality_in_dimension_one(N):
    points = np.linspace(-1, 1, N)[:, None]
    mu = Fraction(2, (N - 1) ** 2)
    assert smallest_margin(points) == pytest.approx(float(mu))
    assert margin(N, mu).compare(1) == 0
    assert margin(N, mu * Fraction(999, 1000)).below(1) is True
    assert mu == 2 or margin(N, mu * Fraction(1001, 1000)).below(1) is False


def test_the_packing_of_the_proof_holds_for_readouts_that_are_not_the_unembedding():
    rng = np.random.default_rng(0)
    for _ in range(200):
        u, y = rng.uniform(-1, 1, (2, 4, 2)) / math.sqrt(2)  # in the unit disc
        b = rng.standard_normal(4) / 5
        logits = y @ u.T + b
        mu = min(logits[i, i] - logits[i, j] for i, j in itertools.permutations(range(4), 2))
        if mu > 0:
            p = u + y
            assert all(
                ((p[i] - p[j]) ** 2).sum() >= 8 * mu - 1e-12 for i, j in itertools.combinations(range(4), 2)
            )


@given(st.integers(2, 10**9), st.fractions(Fraction(1, 1000), 1))
def test_c7i_grows_with_the_number_of_attributes_and_with_the_margin(N, mu):
    assert margin(N, mu).below(margin(N + 1, mu)) is True
    assert margin(N, mu).below(margin(N, mu / 2)) is False
    assert margin(N, mu).lower_float == pytest.approx(math.log(N) / math.log(1 + math.sqrt(2 / mu)))


@given(st.integers(2, 10**6), st.floats(1e-6, 1.0))
def test_the_least_whole_dimension_is_always_decided(N, mu):
    least = margin(N, mu).ceiling()
    assert least.is_exact
    d = int(least.lower)
    assert (1 + math.sqrt(2 / mu)) ** d >= N * (1 - 1e-9)
    assert (1 + math.sqrt(2 / mu)) ** (d - 1) <= N * (1 + 1e-9)


def test_whole_floors_are_exact():
    assert margin(81, Fraction(1, 2)).compare(4) == 0  # base 3
    assert margin(1, Fraction(1, 2)).compare(0) == 0
    assert selector(256, 3, 2, 3, 85).compare(3) == 0  # base 256
    assert selector(8, 2, 1, Fraction(1, 2), 3).compare(3) == 0  # base 4, 8^2 = 4^3
    assert selector(1, 5, 1, 1, 1).compare(0) == 0


@given(
    st.integers(2, 10**6),
    st.integers(1, 16),
    st.fractions(Fraction(1, 100), 2),
    st.fractions(1, 100),
    st.fractions(1, 10),
)
def test_c7ii_is_its_formula_and_grows_with_n_and_r(N, R, mu, rho, L):
    floor = selector(N, R, mu, rho, L)
    value = R * math.log(N) / math.log(1 + 2 * rho * L / mu)
    assert floor.lower_float == pytest.approx(value)
    assert floor.upper_float == pytest.approx(value)
    assert floor.below(selector(N + 1, R, mu, rho, L)) is True
    assert floor.below(selector(N, R + 1, mu, rho, L)) is True


@pytest.mark.parametrize(("m", "R"), [(1, 1), (2, 3), (8, 4), (16, 8)])
def test_c7ii_is_below_the_block_superposition(m, R):
    """C1' with all 2^m sign codes: blocks of +-1, so radius sqrt(R m); what is read is the asked block, which
    is 1-Lipschitz; with unit unembeddings u / sqrt(m) the margin is 2 / sqrt(m)."""
    floor = selector(2**m, R, Fraction(2.0 / math.sqrt(m)), Fraction(math.sqrt(R * m)), 1)
    assert floor.at_most(R * m) is True


@given(st.integers(1, 10**40), st.integers(1, 50))
def test_integer_roots(n, s):
    root = integer_root(n, s)
    assert root**s <= n < (root + 1) ** s
