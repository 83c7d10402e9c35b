import itertools
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from georecall.bounds import precision
from georecall.bounds.arithmetic import balls
from georecall.bounds.walks import unions


def by_hypergeometrics(P: int, n: int, count: int, start: int) -> dict[int, Fraction]:
    """The law of the union's size, exactly, one subset after the other."""
    law = {start: Fraction(1)}
    for _ in range(count):
        after: dict[int, Fraction] = {}
        for u, p in law.items():
            for new in range(n + 1):
                ways = math.comb(P - u, new) * math.comb(u, n - new)
                if ways:
                    after[u + new] = after.get(u + new, Fraction(0)) + p * Fraction(ways, math.comb(P, n))
        law = after
    return law


def test_the_union_law_by_enumeration():
    P, n, start = 5, 2, 1
    subsets = [set(s) for s in itertools.combinations(range(P), n)]
    counts: dict[int, int] = {}
    for pair in itertools.product(subsets, repeat=2):
        size = len(set(range(start)).union(*pair))
        counts[size] = counts.get(size, 0) + 1
    assert by_hypergeometrics(P, n, 2, start) == {
        size: Fraction(count, len(subsets) ** 2) for size, count in counts.items()
    }


@given(st.data())
def test_the_union_law_encloses_the_exact_one(data):
    P = data.draw(st.integers(1, 40))
    n, count, start = (data.draw(st.integers(0, top)) for top in (P, 4, P))
    exact = by_hypergeometrics(P, n, count, start)
    with precision(160):
        law = unions.union_law(P, n, count, start)
        for size, mass in law.masses.items():
            assert mass.contains(rational(exact.get(size, Fraction(0)))), size
        missing = sum((p for size, p in exact.items() if size not in law.masses), start=Fraction(0))
        assert law.lost.contains(rational(missing))


def rational(value: Fraction) -> Any:
    """Exactly: a ball around it may stick out of another that holds it."""
    return balls.flint().fmpq(value.numerator, value.denominator)


@pytest.mark.parametrize(
    ("P", "n", "count"), [(4096, 200, 3), (10**5, 3 * 10**4, 3), (10**12, 50, 2), (10**12, 10**6, 1)]
)
def test_windows_lose_only_what_is_negligible_and_keep_the_mean(P, n, count):
    with precision(200):
        law = unions.union_law(P, n, count, n)
        assert law.lost < balls.flint().arb(2) ** -130
        assert not law.lost < -(balls.flint().arb(2) ** -130)
        mean = law.mean(balls.ball, balls.ball(P))
        exact = P - P * Fraction(P - n, P) ** (count + 1)
        assert mean.overlaps(balls.ball(exact))
        assert mean.rel_accuracy_bits() > 80


@pytest.mark.parametrize(
    ("P", "n", "low", "high"),
    [(10**4, 500, 500, 700), (10**4, 9000, 9000, 9200), (10**6, 100_003, 100_003, 200_001)],
)
def test_windows_are_means_give_or_take_what_bennett_allows(P, n, low, high):
    with precision(160):
        new_low, new_high = unions._window(P, n, low, high)
        law_low, law_high = hypergeom(P, P - low, n), hypergeom(P, P - high, n)
        bottom = math.floor(low + law_low.mean() + 1e-9) - unions.deviation(law_low.var(), 120)
        top = math.ceil(high + law_high.mean() - 1e-9) + unions.deviation(law_high.var(), 120)
        assert (new_low, new_high) == (max(bottom, low, n), min(top, high + n, P))


def test_what_is_negligible_at_the_precision_in_force_is_dropped_and_counted():
    small, large = balls.flint().arb(2) ** -121, balls.flint().arb(2) ** -119
    with precision(160):
        kept, dropped = unions.trim({"small": small, "large": large, "half": balls.ball(Fraction(1, 2))})
        assert set(kept) == {"large", "half"}
        assert dropped.overlaps(small)
        assert not dropped.contains(0)
    with precision(200):
        assert unions.trim({"small": small})[1].is_zero()


def test_what_is_reached_almost_surely_stays_so():
    """After some ninety pairs out of three points all other sizes are negligible, and are left out."""
    with precision(160):
        law = unions.union_law(3, 2, 120, 2)
        assert set(law.masses) == {3}
        assert law.masses[3].is_finite()
        assert abs(law.masses[3] - 1) < balls.flint().arb(2) ** -110


def test_bennett_is_met():
    for variance, bits in [(1e-9, 60), (0.5, 30), (100.0, 138)]:
        s = unions.deviation(variance, bits)
        x = s / variance
        assert variance * ((1 + x) * math.log1p(x) - x) >= bits * math.log(2)
