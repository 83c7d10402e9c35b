import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall.bounds import margin, rankin, readout_dimension, welch


def icosahedron() -> np.ndarray:
    g = (1 + math.sqrt(5)) / 2
    points = [(0, a, b * g) for a in (1, -1) for b in (1, -1)]
    points = [tuple(np.roll(p, shift)) for p in points for shift in range(3)]
    return np.array(points) / math.hypot(1, g)


def roots(kind: str) -> np.ndarray:
    """Roots of D4 and E8, unit vectors: 24 and 240 at angles of at least 60 degrees."""
    d = {"D4": 4, "E8": 8}[kind]
    vectors = []
    for i, j in itertools.combinations(range(d), 2):
        for a, b in itertools.product((1, -1), repeat=2):
            vector = np.zeros(d)
            vector[i], vector[j] = a, b
            vectors.append(vector)
    if kind == "E8":
        signs = [s for s in itertools.product((0.5, -0.5), repeat=8) if sum(x < 0 for x in s) % 2 == 0]
        vectors += [np.array(s) for s in signs]
    return np.array(vectors) / math.sqrt(2)


def gram(points: np.ndarray) -> np.ndarray:
    return (points @ points.T)[~np.eye(len(points), dtype=bool)]


def simplex(N: int) -> np.ndarray:
    points = np.eye(N) - 1 / N
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("N", [2, 3, 4, 10])
def test_the_simplex_meets_rankin(N):
    mu = rankin(n_attributes=N)
    assert 1 - gram(simplex(N)).max() == pytest.approx(mu.lower_float)
    assert rankin(n_attributes=N, dimension=N - 1) == mu
    assert rankin(margin=Fraction(N, N - 1)).compare(N) == 0
    assert rankin(n_attributes=N, margin=Fraction(N, N - 1)).compare(N - 1) == 0
    assert readout_dimension(N, Fraction(N, N - 1)).compare(N - 1) == 0


@pytest.mark.parametrize("d", [1, 2, 3, 7])
def test_the_cross_polytope_meets_rankin(d):
    assert rankin(n_attributes=2 * d, margin=1).compare(d) == 0
    assert rankin(n_attributes=2 * d + 1, margin=1).compare(d + 1) == 0
    assert rankin(dimension=d, margin=1).compare(2 * d) == 0
    assert rankin(n_attributes=2 * d, dimension=d).compare(1 if 2 * d >= d + 2 else 2) == 0


@pytest.mark.parametrize("N", [2, 3, 4, 100])
def test_on_a_line_rankin_is_the_truth(N):
    mu = rankin(n_attributes=N, dimension=1)
    assert mu.compare(Fraction(2, (N - 1) ** 2)) == 0
    assert margin(N, mu.lower).compare(1) == 0


@given(st.integers(5, 300), st.integers(2, 6))
def test_of_many_attributes_the_margin_is_reached_below_and_excluded_above(N, d):
    mu = rankin(n_attributes=N, dimension=d)
    if 2 * d < N:
        assert readout_dimension(N, mu.lower * Fraction(999, 1000)).lower <= d
        if mu.upper < 1:
            assert margin(N, mu.upper + Fraction(1, 10**6)).lower > d


@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 10**6))
def test_random_readouts_never_beat_rankin(N, d, seed):
    rng = np.random.default_rng(seed)
    u, y = rng.standard_normal((2, N, d))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    y = 0.8 * u + 0.2 * y / np.linalg.norm(y, axis=1, keepdims=True)
    logits = y @ u.T
    mu = min(logits[a, a] - logits[a, b] for a, b in itertools.permutations(range(N), 2))
    assert mu <= rankin(n_attributes=N, dimension=d).upper_float + 1e-12


def test_welch_is_an_equality_for_equiangular_tight_frames():
    lines = icosahedron()
    lines = lines[[i for i in range(12) if tuple(lines[i]) > tuple(-lines[i])]]
    assert len(lines) == 6
    coherence = np.abs(gram(lines)).max()
    assert coherence == pytest.approx(1 / math.sqrt(5))
    assert welch(n_attributes=6, dimension=3).lower_float == pytest.approx(coherence)
    assert welch(n_attributes=10, dimension=9).compare(Fraction(1, 9)) == 0  # a simplex
    assert welch(n_attributes=16, dimension=6).compare(Fraction(1, 3)) == 0
    assert welch(n_attributes=16, coherence=Fraction(1, 3)).compare(6) == 0
    assert welch(dimension=6, coherence=Fraction(1, 3)).compare(16) == 0


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("N", "d"), [(4, 3), (20, 3), (100, 4), (3, 5)])
def test_random_vectors_never_beat_welch(N, d, order):
    rng = np.random.default_rng(N * d)
    for _ in range(20):
        points = rng.standard_normal((N, d))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        assert (
            np.abs(gram(points)).max() >= welch(n_attributes=N, dimension=d, order=order).lower_float - 1e-12
        )


def test_welch_of_few_vectors_is_void():
    assert welch(n_attributes=3, dimension=5).compare(0) == 0


@given(st.integers(2, 10**4), st.integers(1, 50), st.integers(1, 3))
def test_the_directions_of_welch_agree(N, d, order):
    c = welch(n_attributes=N, dimension=d, order=order, digits=40)
    assert c.narrower_than(40)
    if c.lower > 0:
        assert int(welch(n_attributes=N, coherence=min(1, c.upper), order=order).lower) <= d
        looser = c.lower * Fraction(999, 1000)
        assert int(welch(n_attributes=N, coherence=looser, order=order).lower) > d - (c.lower == 1)


@pytest.mark.parametrize(
    ("points", "mu"),
    [
        (icosahedron(), 1 - 1 / math.sqrt(5)),
        (roots("D4"), 0.5),
        (roots("E8"), 0.5),
        (
            np.array([[math.cos(a), math.sin(a)] for a in np.arange(5) * 2 * math.pi / 5]),
            1 - math.cos(0.4 * math.pi),
        ),
    ],
)
def test_readout_dimension_encloses_that_of_known_spherical_codes(points, mu):
    assert 1 - gram(points).max() == pytest.approx(mu)
    N, d = points.shape
    least = readout_dimension(N, Fraction(mu) - Fraction(1, 10**9))
    assert least.lower <= d <= least.upper
    assert margin(N, Fraction(mu)).lower <= d


def test_the_leech_lattice_too():
    least = readout_dimension(196560, Fraction(1, 2))
    assert margin(196560, Fraction(1, 2)).ceiling().compare(12) == 0
    assert least.lower == 22  # of 24: the cap bound nearly doubles the volume floor
    assert least.upper >= 24


@given(st.integers(2, 10**5), st.fractions(Fraction(1, 1000), 1))
@settings(max_examples=2 * settings.default.max_examples // 3)
def test_readout_dimension_is_at_least_the_volume_floor(N, mu):
    least = readout_dimension(N, mu)
    assert margin(N, mu).ceiling().lower <= least.lower <= least.upper
    assert readout_dimension(N + 1, mu).upper >= least.lower


def test_greedy_codes_reach_the_upper_end():
    N, mu = 20, Fraction(1, 4)
    d = int(readout_dimension(N, mu).upper)
    rng = np.random.default_rng(0)
    chosen: list[np.ndarray] = []
    for _ in range(100_000):
        point = rng.standard_normal(d)
        point /= np.linalg.norm(point)
        if all(point @ other <= 1 - mu for other in chosen):
            chosen.append(point)
        if len(chosen) == N:
            break
    assert len(chosen) == N


def cap_excess(d: int, s: float) -> float:
    """E (t - sqrt(s))_+ for a coordinate t of a uniform point of the sphere in R^(d+1), by quadrature."""
    weight, _ = scipy.integrate.quad(lambda t: math.sin(t) ** (d - 1), 0, math.pi)
    root = math.sqrt(s)
    mass, _ = scipy.integrate.quad(
        lambda t: (math.cos(t) - root) * math.sin(t) ** (d - 1), 0, math.acos(root)
    )
    return mass / weight


@pytest.mark.parametrize(("mu", "d"), [(0.5, 2), (0.5, 7), (0.9, 4), (0.1, 3)])
def test_the_cap_bound_is_its_formula(mu, d):
    most = mu / (2 * math.sqrt(1 - mu)) / cap_excess(d, 1 - mu)
    assert readout_dimension(math.floor(most * 1.0001) + 1, mu).lower > d
    fits = math.floor(most * 0.9999)
    assert readout_dimension(fits, mu).lower <= max(d, math.ceil(margin(fits, mu).upper))


@pytest.mark.parametrize(("N", "mu", "d"), [(5, 1 - math.cos(math.pi / 4), 2), (5, 0.5, 3), (9, 0.25, 3)])
def test_the_greedy_bound_is_its_formula(N, mu, d):
    """Arcs of angle pi / 4 cover 1/4 of the circle, caps of height mu cover mu / 2 of the sphere in R^3."""
    assert readout_dimension(N, mu * 0.999).upper == d
    assert readout_dimension(N, mu * 1.001).upper == d + 1


def test_rankin_at_a_given_dimension():
    assert rankin(margin=Fraction(3, 2), dimension=1).compare(2) == 0
    assert rankin(margin=Fraction(3, 2), dimension=5).compare(3) == 0
    assert rankin(n_attributes=4, dimension=3).compare(Fraction(4, 3)) == 0
    assert rankin(n_attributes=5, dimension=3).compare(1) == 0


@pytest.mark.parametrize("N", [3, 5, 50])
def test_dimension_one_is_known_exactly(N):
    assert readout_dimension(N, Fraction(2, (N - 1) ** 2)).compare(1) == 0
    assert readout_dimension(N, Fraction(2, (N - 1) ** 2) + Fraction(1, 10**9)).lower == 2
