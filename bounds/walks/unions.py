"""The size of a union of random sets: what one hop does to the number of points reached.

Everything here runs at the Arb precision in force. Laws are windows: probabilities of consecutive sizes, and
a bound on what the window leaves out, so that truncation is accounted for and never assumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from georecall.bounds.arithmetic import balls


@dataclass(frozen=True)
class Distribution:
    """A law on the integers, nearly: the probability of each size kept, and of all the others together."""

    masses: Mapping[int, Any]
    lost: Any

    def mean(self, value: Callable[[int], Any], largest: Any) -> Any:
        """A ball around E value(size), for a value from 0 to `largest` on the sizes left out."""
        kept = sum((mass * value(size) for size, mass in self.masses.items()), start=balls.ball(0))
        return balls.between(kept, kept + self.lost.abs_upper() * largest)


def union_law(population: int, subset: int, count: int, start: int) -> Distribution:
    """The law of |S u Z_1 u .. u Z_c|: |S| = s points and c independent uniform n-subsets out of P.

    Proof of the recursion. Given its size u, the union Y before Z_i may be taken uniform among the u-sets, as
    sizes do not depend on names: let w(u) = P(|Y| = u) / C(P, u), the probability of one particular u-set. A
    particular u'-set is the union of Y and Z_i if Z_i is an n-subset of it, which has probability
    C(u', n) / C(P, n), and Y is the u' - n points of it outside Z_i and all but j of those inside:
    w'(u') = C(u', n) / C(P, n) sum_j C(n, j) w(u' - j). A product of polynomials, then a factor for each
    coefficient. All terms are positive: nothing cancels. QED
    Windows: the number of new points is hypergeometric, so Bennett's inequality says where it is negligible.
    """
    P, n = population, subset
    if n == 0 or count == 0 or start == P:
        return Distribution({start: balls.ball(1)}, balls.ball(0))
    if n == P:
        return Distribution({P: balls.ball(1)}, balls.ball(0))
    low, w = start, [1 / binomial_ball(P, start)]
    for _ in range(count):
        low, w = _with_one_more(P, n, low, w)
    masses = dict(enumerate(_masses(P, low, w), start=low))
    return Distribution(masses, 1 - sum(masses.values(), start=balls.ball(0)))


def _with_one_more(P: int, n: int, low: int, w: list[Any]) -> tuple[int, list[Any]]:
    """One step of the recursion: w(low), w(low + 1), .. with another n-subset in the union."""
    poly = balls.flint().arb_poly
    high = low + len(w) - 1
    new_low, new_high = _window(P, n, low, high)
    j_low, j_high = max(0, new_low - high), min(n, new_high - low)
    # Near its mode w(u) grows by (u+1)/(P-u) a step, and so does C(n, j). Measured against the powers of that
    # ratio p/q both polynomials are level, which Arb multiplies much faster.
    p, q = (low + high) // 2 + 1, max(1, P - (low + high) // 2)
    level = _column(balls.ball(1), 0, len(w) - 1, lambda _: (q, p))
    ways = _column(binomial_ball(n, j_low), j_low, j_high, lambda j: ((n - j) * q, (j + 1) * p))  # C(n, j)
    product = (poly([a * b for a, b in zip(w, level, strict=True)]) * poly(ways)).coeffs()
    base = low + j_low  # the size that coefficient 0 stands for
    factors = _column(  # C(u, n) / C(P, n), and the powers of p/q back
        binomial_ball(new_low, n) / binomial_ball(P, n) * (balls.ball(p) / q) ** (new_low - base),
        new_low,
        new_high,
        lambda u: ((u + 1) * p, (u + 1 - n) * q),
    )
    w = [factor * product[u - base] for u, factor in enumerate(factors, start=new_low)]
    cut, masses = _threshold(), _masses(P, new_low, w)
    first, last = 0, len(w) - 1
    while first < last and masses[first] < cut:
        first += 1
    while last > first and masses[last] < cut:
        last -= 1
    return new_low + first, w[first : last + 1]


def _masses(P: int, low: int, w: list[Any]) -> list[Any]:
    """P(|Y| = u) = w(u) C(P, u) for u = low, low + 1, ..."""
    sizes = _column(binomial_ball(P, low), low, low + len(w) - 1, lambda u: (P - u, u + 1))
    return [a * b for a, b in zip(w, sizes, strict=True)]


def trim(masses: dict[Any, Any]) -> tuple[dict[Any, Any], Any]:
    """Drop the masses that are certainly negligible: what is kept, and how much was dropped."""
    cut = _threshold()
    kept = {state: mass for state, mass in masses.items() if not mass < cut}
    return kept, sum((mass for state, mass in masses.items() if state not in kept), start=balls.ball(0))


def negligible_bits() -> int:
    """The n for which a probability of 2^-n is negligible: 3/4 of the precision, the rest is for rounding."""
    bits: int = balls.flint().ctx.prec
    return bits * 3 // 4


def _threshold() -> Any:
    """The probability that is negligible at the precision in force."""
    return balls.flint().arb(2) ** -negligible_bits()


def binomial_ball(a: int, b: int) -> Any:
    """C(a, b) as a ball; exact while it has few factors."""
    b = min(b, a - b)
    if b <= 64:
        return balls.ball(math.comb(a, b))
    gamma = balls.flint().arb.gamma
    arb = balls.flint().arb
    return gamma(arb(a + 1)) / (gamma(arb(b + 1)) * gamma(arb(a - b + 1)))


def deviation(variance: float, bits: int) -> int:
    """How far s such that P(X - E X >= s) <= 2^-bits, by Bennett: exp(-v h(s/v)), h(x) = (1+x) ln(1+x) - x.

    For sums of steps of size 1 at most, so for hypergeometric X (Hoeffding 1963, section 6). Floats will do:
    only the width of a window hangs on it.
    """
    wanted = bits * math.log(2)
    v = max(variance, 1e-12)
    s = 1.0
    while v * ((1 + s / v) * math.log1p(s / v) - s / v) < wanted:
        s *= 1.25
    return math.ceil(s)


def _window(P: int, n: int, low: int, high: int) -> tuple[int, int]:
    """Where the union lands from sizes low..high, but for a negligible probability.

    From u it gains n (1 - u/P) points on average, which makes u + n (1 - u/P), nondecreasing in u.
    """
    bits = negligible_bits()

    def gain(u: int) -> tuple[float, float]:
        fresh = (P - u) / P
        return n * fresh, n * fresh * (1 - fresh) * ((P - n) / max(1, P - 1))

    mean_low, variance_low = gain(low)
    mean_high, variance_high = gain(high)
    new_low = math.floor(low + mean_low) - deviation(variance_low, bits)
    new_high = math.ceil(high + mean_high) + deviation(variance_high, bits)
    return max(new_low, low, n), min(new_high, high + n, P)


def _column(first: Any, low: int, high: int, ratio: Callable[[int], tuple[int, int]]) -> list[Any]:
    """Values from `first` at `low` on to `high`, by next = this p / q, (p, q) = ratio(index)."""
    values = [first]
    for index in range(low, high):
        p, q = ratio(index)
        values.append(values[-1] * p / q)
    return values
