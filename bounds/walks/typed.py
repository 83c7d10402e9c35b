"""How many entities typed walks reach: E f(n_t), exactly while that is affordable, else between bounds.

n_0 = T, and n_{t+1} is the size of the union of R independent uniform n_t-subsets of N points;
f(n) = log2(N! / (N-n)!).

What makes bounds easy: if g is increasing and concave on 0..N, so is n -> E[g(n_{t+1}) | n_t = n]. For take
R random orders of the N points; the union of their n-prefixes is a coverage function of them, so g of its
size is submodular, and its second differences along the diagonal are <= 0. f is such a g. So a law of n_t
may be replaced by one that is smaller (larger) for every increasing concave g, and later expectations only
fall (rise).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.walks import unions

_AFFORDABLE = 250_000
"""Polynomial coefficients that all hops may take: two or three seconds' worth, at 10 us each (measured)."""

_FOLLOWED = 400  # hops that are looked at one by one; from then on E f(n_t) is known not to fall
_SUBSETS = 64  # of a union that are looked at one by one; of more, the first ones are fewer and N is most

Masses = Mapping[int, Any]


def expected_labels(N: int, R: int, k: int, T: int) -> tuple[list[Any], bool]:
    """Balls around E f(n_t), t = 1 .. k-1, T >= 1; and whether more precision makes all of them narrower."""

    @cache
    def f(n: int) -> Any:
        return balls.log2_falling(N, n)

    below: Masses = {T: balls.ball(1)}  # E g(n_t) is at least that of `below`,
    above = below  # and at most that of `above`; one law while nothing is given away
    expected: list[Any] = []
    followed, left = True, _AFFORDABLE
    for t in range(1, k):
        if t > _FOLLOWED or set(below) == {N}:
            rest = balls.between(expected[-1].lower(), f(N)) if t > 1 else f(N)
            return [*expected, (k - t) * rest], followed and t <= _FOLLOWED
        each = _cost_of_a_state(N, R, below)
        states = left // each
        if len(below) > states:
            followed = False
            if states < 12:  # too few for a useful grid
                return expected + _bracketed(N, R, k - t, below, above, expected), followed
            below, above = thin_below(below, states // 2), thin_above(above, states // 2)
        left -= len(below) * each
        below, above = _next(N, R, below, above, same=followed)
        expected.append(balls.between(_mean(below, f), _mean(above, f)))
    return expected, followed


def thin_below(masses: Masses, states: int) -> Masses:
    """Fewer states, smaller for every concave g: split each onto its grid neighbours, keeping the mean."""
    grid = _grid(masses, states)
    thinned = dict.fromkeys(grid, balls.ball(0))
    for low, high in pairwise(grid):
        for n in range(low, high):
            if n in masses:
                weight = balls.ball(Fraction(n - low, high - low))
                thinned[low] += masses[n] * (1 - weight)
                thinned[high] += masses[n] * weight
    thinned[grid[-1]] += masses[grid[-1]]
    return thinned


def thin_above(masses: Masses, states: int) -> Masses:
    """Fewer states, larger for every concave g: gather each stretch of a grid at its mean.

    At the two integers around the mean, rather, which is the least spread that integers allow. If rounding
    hides on which side of an integer the mean lies, a weight may come out just negative: extrapolation, which
    is still above a concave g.
    """
    grid = _grid(masses, max(2, states // 2))
    thinned: dict[int, Any] = {}

    def put(n: int, mass: Any) -> None:
        thinned[n] = thinned.get(n, balls.ball(0)) + mass

    for low, high in zip(grid, [*grid[1:], grid[-1] + 1], strict=True):
        inside = [n for n in range(low, high) if n in masses]
        mass = sum((masses[n] for n in inside), start=balls.ball(0))
        if len(inside) <= 2 or mass.contains(0):
            for n in inside:
                put(n, masses[n])
            continue
        mean = sum((masses[n] * n for n in inside), start=balls.ball(0)) / mass
        near = min(max(low, math.floor(float(mean.mid()))), high - 2)
        put(near, mass * (near + 1 - mean))
        put(near + 1, mass * (mean - near))
    return thinned


def _grid(masses: Masses, points: int) -> list[int]:
    """Sizes from the first to the last, close together where the mass is.

    Halves, again and again, the stretch with the largest mass x width^2, to which the loss is proportional.
    """
    sizes = sorted(masses)
    weights = {n: max(0.0, float(masses[n].mid())) for n in sizes}

    def entry(i: int, j: int) -> tuple[float, int, int]:
        return -sum(weights[n] for n in sizes[i : j + 1]) * (sizes[j] - sizes[i]) ** 2, i, j

    stretches, chosen = [entry(0, len(sizes) - 1)], {0, len(sizes) - 1}
    while stretches and len(chosen) < points:
        _, i, j = heapq.heappop(stretches)
        if j - i > 1:
            middle = (i + j) // 2
            chosen.add(middle)
            heapq.heappush(stretches, entry(i, middle))
            heapq.heappush(stretches, entry(middle, j))
    return [sizes[i] for i in sorted(chosen)]


def _mean(masses: Masses, value: Any) -> Any:
    return sum((mass * value(n) for n, mass in masses.items()), start=balls.ball(0))


def _cost_of_a_state(N: int, R: int, masses: Masses) -> int:
    """Roughly the coefficients that `union_law` handles from the likeliest size."""
    n = max(masses, key=lambda size: float(masses[size].mid()))
    width = 2 * unions.deviation(n * (1 - n / N) * (n / N), unions.negligible_bits())
    return max(1, R - 1) * (min(width, R * n, N - n) + 30)  # 30: what a state costs however narrow its window


def _next(N: int, R: int, below: Masses, above: Masses, *, same: bool) -> tuple[Masses, Masses]:
    """The laws of n_{t+1} from those of n_t, without what is negligible (below), or with it at N (above)."""

    def after(masses: Masses) -> Masses:
        hopped: dict[int, Any] = {}
        for n, mass in masses.items():
            for u, p in unions.union_law(N, n, R - 1, n).masses.items():
                hopped[u] = hopped.get(u, 0) + mass * p
        return unions.trim(hopped)[0]

    next_below = after(below)
    next_above = dict(next_below if same else after(above))
    lost = 1 - sum(next_above.values(), start=balls.ball(0))
    next_above[N] = next_above.get(N, balls.ball(0)) + lost.abs_upper()
    return next_below, next_above


def _bracketed(
    N: int, R: int, hops: int, below: Masses, above: Masses, before: Sequence[Any] = ()
) -> list[Any]:
    """E f of the next `hops` sizes, by inequalities that hold at every size and are tight when N is large.

    mu(n) = E[n_{t+1} | n_t = n] = N - N (1 - n/N)^R is concave, as are all conditional means.
    Above. E n_{t+1} <= mu(E n_t) and E f(n_t) <= f(E n_t), by Jensen (f, between the integers by log-gamma,
    is concave).
    Below. Let n_t lie in [a, b]; by the chord it may be replaced by a and b with the same mean. From either,
    n_{t+1} lies in [a', b'], each end failing with probability at most delta (`_drift`). Replace n_{t+1} by
    b' where it is larger, which g does not gain by: the mean drops by at most delta N. Replace the chord by 0
    where n_{t+1} < a': a loss of at most delta g(a'). So E g(n_{t+1}) is at least 1 - delta times the chord
    at mean - delta N, or at a' if that is less. This is the situation at the start, one hop on.
    n_t never falls, so neither does E f(n_t), known up to `before`: what a hop gives away is not given away
    for good, and hops beyond the first few hundred are like the last of these.
    """
    delta = rare(N)
    a, b, held, mean = _likely_stretch(N, below)
    weight = _weight(a, b, mean)
    top = _within(_mean(above, balls.ball), 0, N)
    lowest = before[-1].lower() if before else balls.ball(0)
    expected: list[Any] = []
    for hop in range(hops):
        if hop == _FOLLOWED:
            return [*expected, (hops - hop) * balls.between(lowest, balls.log2_factorial(N))]
        mean = (1 - weight) * _mu(N, R, balls.ball(a)) + weight * _mu(N, R, balls.ball(b))
        a, b = _drift(N, R, a, delta)[0], _drift(N, R, b, delta)[1]
        weight = _weight(a, b, mean - balls.ball(N * delta))
        held = held * balls.ball(1 - delta)
        top = _within(_mu(N, R, top), 0, N)
        low = held * ((1 - weight) * balls.log2_falling(N, a) + weight * balls.log2_falling(N, b))
        lowest = lowest.max(low.lower())
        expected.append(balls.between(lowest, _log2_falling_at_most(N, top)))
    return expected


def _likely_stretch(N: int, masses: Masses) -> tuple[int, int, Any, Any]:
    """The ends a and b of the likely sizes, the mass held in [a, b], and its mean.

    Left out are the lowest sizes, as far as they have mass below 1/N^2: a rare collision of the first few
    points starts a second, much smaller law, down to which the chord must not reach.
    """
    sizes = sorted(masses)
    spare = balls.ball(Fraction(1, N**2))
    while len(sizes) > 1 and masses[sizes[0]] < spare:
        spare = spare - masses[sizes.pop(0)]
    held = sum((masses[n] for n in sizes), start=balls.ball(0))
    mean = sum((masses[n] * n for n in sizes), start=balls.ball(0)) / held
    return sizes[0], sizes[-1], held, mean


def _drift(N: int, R: int, n: int, delta: Fraction) -> tuple[int, int]:
    """Sizes that the union of R uniform n-subsets of N points stays above, and below, but for delta each.

    The next subset hits, of u points already there, a hypergeometric number with mean n u / N, and is off by
    s with probability at most exp(-2 s^2 / n) either way (Hoeffding 1963, section 6); and u + n - n u / N
    increases with u. R - 1 steps, delta / (R-1) for each.
    """
    s = excess(n, delta / max(1, R - 1))
    low = high = n
    for _ in range(min(R - 1, _SUBSETS)):
        low = max(low, low + n - -(-n * low // N) - s)
        high = min(N, high + n, high + n - n * high // N + s)
    return low, high if R - 1 <= _SUBSETS else min(N, R * n)


def rare(N: int) -> Fraction:
    """A probability to give away at every hop: below 1/(1000 N^2), where values are below N log2 N."""
    return Fraction(1, 2 ** (10 + 2 * N.bit_length()))


def excess(n: int, delta: Fraction) -> int:
    """An integer s with exp(-2 s^2 / n) <= delta."""
    halvings = (delta.denominator // delta.numerator).bit_length()  # 1/delta < 2^halvings
    return math.isqrt(n * halvings * 694 // 2000 + 1) + 1  # ln 2 < 0.694


def _weight(a: int, b: int, mean: Any) -> Any:
    """The weight on b of the law on {a, b} with this mean; 0 if the mean is not above a."""
    return _within((mean - a) / (b - a), 0, 1) if b > a else balls.ball(0)


def _within(number: Any, low: int, high: int) -> Any:
    """A ball of a number that is known to lie between two whole ones, cut to them."""
    ends = (
        balls.ball(low) if end < low else balls.ball(high) if end > high else end
        for end in (number.lower(), number.upper())
    )
    return balls.between(*ends)


def _mu(N: int, R: int, n: Any) -> Any:
    """N - N (1 - n/N)^R, which increases, for a ball n of [0, N]."""
    missed = (_within(1 - end / N, 0, 1) for end in (n.lower(), n.upper()))
    low, high = (N - N * power for power in (_power(m, R) for m in missed))
    return balls.between(low, high)


def _power(base: Any, exponent: int) -> Any:
    """base^exponent by squaring: not **, which gives nan on a ball that contains 0."""
    power = balls.ball(1)
    for bit in bin(exponent)[2:]:
        power = power * power * base if bit == "1" else power * power
    return power


def _log2_falling_at_most(N: int, n: Any) -> Any:
    """The value of f at the top of a ball n, which may stick out above N."""
    rest = (N - n.upper()).max(balls.ball(0))
    return balls.log2_factorial(N) - (rest + 1).lgamma() / balls.flint().arb.const_log2()
