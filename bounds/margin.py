"""C7: floors on the dimension from the margin alone, without any restriction on bits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import NoStatementError, Real, digits_wanted, integer, rational
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.theory.tools.search import least


def margin(n_attributes: int, margin: Real, *, digits: int = 30) -> Enclosure:
    """C7(i): the dimension that N attributes need at a normalised margin mu.

    Statement. If each of N attributes answers some query, |W_U[:, a]| <= 1, the readouts have |y_a| <= 1 and
    every margin is >= mu > 0, then the readout dimension is at least ln N / ln(1 + sqrt(2 / mu)).
    Proof. Let u_a = W_U[:, a]. Adding the margins of a over b and of b over a, in which the biases cancel,
    <u_a - u_b, y_a - y_b> >= 2 mu. So p_a = u_a + y_a, which lies in the ball of radius 2, has
    |p_a - p_b|^2 = |(u_a - u_b) - (y_a - y_b)|^2 + 4 <u_a - u_b, y_a - y_b> >= 8 mu. The N balls of radius
    sqrt(2 mu) around the p_a are disjoint inside the ball of radius 2 + sqrt(2 mu); compare volumes:
    N (2 mu)^(d/2) <= (2 + sqrt(2 mu))^d. QED
    Sharp in dimension 1: u_a = y_a equally spaced on [-1, 1] with bias -u_a^2 / 2 has mu = 2 / (N-1)^2.
    `packing_dimension` says more in high dimension.

    Returns:
        An enclosure of the floor, in dimensions; its `ceiling()` is the least dimension that the floor
        allows, and is decided: where the floor is an integer the enclosure is exact.

    Raises:
        NoStatementError: mu > N / (N-1): nothing has such a margin (Rankin).

    Source: theory/pages/c7.md, C7(i) (derived there).

    >>> print(margin(3, Fraction(1, 2)))
    1 dimensions
    """
    N = integer("n_attributes", n_attributes)
    mu = reachable_margin(N, margin)
    root = _rational_root(2 / mu)
    if N == 1:
        return Enclosure.exactly(0, "dimensions")
    if root is not None and (d := _whole_logarithm(N, 1, 1 + root)) is not None:
        return Enclosure.exactly(d, "dimensions")

    def floor() -> Any:
        return balls.ball(N).log() / (1 + balls.ball(2 / mu).sqrt()).log()

    return balls.refine(floor, digits=digits_wanted(digits), unit="dimensions")


def selector(
    n_attributes: int, n_relations: int, margin: Real, radius: Real, lipschitz: Real, *, digits: int = 30
) -> Enclosure:
    """C7(ii): the dimension that a generic, Lipschitz selector needs.

    Statement. A selector that is right for every R-tuple of attributes, as zero-shot transfer demands, with
    margins >= mu against |W_U[:, a]| <= 1, L-Lipschitz from embedding to readout for each relation, on
    embeddings in a ball of radius rho, needs d >= R ln N / ln(1 + 2 rho L / mu).
    Proof. Two different R-tuples differ at some relation, with attributes a and b. Their readouts there have
    <u_a - u_b, y - y'> >= 2 mu (as in C7(i)), so |y - y'| >= 2 mu / |u_a - u_b| >= mu, so their embeddings
    are at least mu / L apart. N^R points mu / L apart in a ball of radius rho: disjoint balls of radius
    mu / (2L) in one of radius rho + mu / (2L), hence N^R <= (1 + 2 rho L / mu)^d. QED

    Returns:
        An enclosure of the floor, in dimensions; its `ceiling()` is decided, as for `margin`.

    Raises:
        NoStatementError: mu > 2 rho L with N > 1: two readouts cannot even be mu apart.

    Source: theory/pages/c7.md, C7(ii) (derived there).
    """
    N = integer("n_attributes", n_attributes)
    R = integer("n_relations", n_relations)
    mu = rational("margin", margin, above=0)
    rho = rational("radius", radius, above=0)
    L = rational("lipschitz", lipschitz, above=0)
    if N == 1:
        return Enclosure.exactly(0, "dimensions")
    if mu > 2 * rho * L:
        raise NoStatementError(
            f"margin must be at most 2 radius lipschitz = {float(2 * rho * L):g}, not {margin}: "
            "no selector of any dimension has it"
        )
    base = 1 + 2 * rho * L / mu
    if (d := _whole_logarithm(N, R, base)) is not None:
        return Enclosure.exactly(d, "dimensions")
    return balls.refine(
        lambda: R * balls.ball(N).log() / balls.ball(base).log(),
        digits=digits_wanted(digits),
        unit="dimensions",
    )


def reachable_margin(N: int, margin: Real) -> Fraction:
    """The margin mu as a rational, refused where Rankin's bound excludes it: 0 < mu <= N / (N-1).

    Raises:
        ValueError: not above 0.
        NoStatementError: above N / (N-1).
    """
    mu = rational("margin", margin, above=0)
    if N > 1 and mu > Fraction(N, N - 1):
        raise NoStatementError(
            f"margin must be at most N/(N-1) = {N}/{N - 1}, not {margin}: no readout of any dimension has it"
        )
    return mu


def _rational_root(square: Fraction) -> Fraction | None:
    """The square root, if it is rational.

    If not, (1 + root)^d = x + y root with rational x and y > 0 is irrational, so no integer, for d >= 1.
    """
    p, q = math.isqrt(square.numerator), math.isqrt(square.denominator)
    root = Fraction(p, q)
    return root if root * root == square else None


def _whole_logarithm(N: int, R: int, base: Fraction) -> int | None:
    """The integer d with base^d = N^R, if there is one; N, base >= 2.

    Such a base is an integer. With g = gcd(d, R), base^(d/g) = N^(R/g) with coprime exponents, so
    base = c^(R/g) and N = c^(d/g) for an integer c >= 2: both are powers of one number. So c may be taken
    as the smallest root of N, N = c^s, and base must be c^t; then d t = s R.
    """
    if base.denominator != 1:
        return None
    s, c = next((s, c) for s in range(N.bit_length(), 0, -1) if (c := integer_root(N, s)) ** s == N)
    t, power = 0, 1
    while power < base:
        t, power = t + 1, power * c
    return s * R // t if power == base and s * R % t == 0 else None


def integer_root(n: int, s: int) -> int:
    """floor(n^(1/s)) of a positive integer, by bisection in integers."""
    return least(lambda root: root**s > n, start=1 << n.bit_length() // s) - 1
