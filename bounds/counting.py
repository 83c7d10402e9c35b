"""C4: the counting floor. A memory with fewer states than there are tables must get one wrong."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import Real, digits_wanted, integer, rational
from georecall.bounds.arithmetic.enclosure import Enclosure

_AFFORDABLE = 200_000_000
"""Bits of all coefficients that a power may have: about a second's worth."""


def counting(n_subjects: int, n_relations: int, *, digits: int = 30) -> Enclosure:
    """C4: bits that exact recall of every bijection table needs, R log2(N!).

    Statement. If all fact-dependent parameters together take at most 2^B values and the model answers all
    N R queries for every bijection table, then B >= R log2(N!).
    Proof. There are (N!)^R bijection tables. The N R answers determine the table, and the parameters
    determine the answers: tables map injectively to parameter values, so 2^B >= (N!)^R. QED

    Returns:
        An enclosure of R log2(N!), in bits.

    Source: theory/pages/c4.md, C4 (derived there).

    >>> print(counting(3, 2))
    5.169925..5.169926 bits
    """
    N = integer("n_subjects", n_subjects)
    R = integer("n_relations", n_relations)
    return balls.refine(lambda: R * balls.log2_factorial(N), digits=digits_wanted(digits), unit="bits")


def bits_per_subject(
    n_subjects: int, n_relations: int, *, bits: int | None = None, digits: int = 30
) -> Enclosure:
    """C4, when only the subject embeddings know the facts: R log2(N!) / N bits for each subject.

    Statement. If only the subject embeddings depend on the table, d coordinates of b bits each, then
    d b >= R log2(N!) / N.
    Proof. All embeddings together take at most 2^(N d b) values; C4 with B = N d b. QED
    Tightness: C1' (`in_place_superposition`) uses R ceil(log2 N) bits a subject, at most
    R (log2 e + ceil(log2 N) - log2 N) more, because log2(N!) >= N log2 N - N log2 e.

    Returns:
        An enclosure of R log2(N!) / N, in bits per subject; with `bits`, of R log2(N!) / (N b), in
        dimensions (its `ceiling()` is the least d that the floor allows).

    Source: theory/pages/c4.md, C4 (derived there).
    """
    N = integer("n_subjects", n_subjects)
    R = integer("n_relations", n_relations)
    b = 1 if bits is None else integer("bits", bits)
    return balls.refine(
        lambda: balls.ball(Fraction(R, N * b)) * balls.log2_factorial(N),
        digits=digits_wanted(digits),
        unit="bits per subject" if bits is None else "dimensions",
    )


def approximate_counting(
    n_subjects: int,
    n_relations: int,
    n_errors: int | None = None,
    *,
    error_rate: Real | None = None,
    digits: int = 30,
) -> Enclosure:
    """C4 with errors: bits needed when each table may get up to e of its N R answers wrong.

    Statement. If the model gets at most e answers of each bijection table wrong, then
    B >= R log2(N!) - log2 [x^e] (sum_j (N)_j x^j)^R,  (N)_j = N! / (N-j)!.
    Proof. Fix the parameters, so all N R answers. A table that they serve disagrees with them inside some
    set of exactly e positions, e_r of them in relation r: C(N, e_r) choices there. Outside, the table equals
    the answers, and the e_r values of pi_r not yet used go there in e_r! orders at most: C(N, e_r) e_r! =
    (N)_{e_r}. So each of the 2^B parameter values serves at most sum over e_1 + .. + e_R = e of prod_r
    (N)_{e_r} tables. QED Where the coefficient takes too long, the sum is at most the number of its terms
    times the largest, that of errors spread over the relations, as (N)_j is log-concave in j: B >= R
    log2(N!) - sum_r log2 (N)_{e_r} - log2 C(e+R-1, R-1), each e_r = floor or ceiling of e/R. Where the
    difference is negative the floor is 0.

    Returns:
        An enclosure of the floor, in bits; at e = 0 it is that of `counting`. Given is e, from 0 to N R, or
        error_rate, eps from 0 to 1: e = floor(eps N R).

    Source: C4 (theory/pages/c4.md).

    >>> print(approximate_counting(256, 8, error_rate=Fraction(3, 10)))
    8672.423286..8672.423287 bits
    """
    N = integer("n_subjects", n_subjects)
    R = integer("n_relations", n_relations)
    if (n_errors is None) == (error_rate is None):
        raise ValueError("one of n_errors and error_rate must be given")
    if error_rate is not None:
        n_errors = int(rational("error_rate", error_rate, at_least=0, at_most=1) * N * R)
    assert n_errors is not None
    e = integer("n_errors", n_errors, at_least=0, at_most=N * R)
    # digits of the coefficients of the powers, and their number
    exactly = R * R * N * N * N.bit_length() <= _AFFORDABLE

    def floor() -> Any:
        served = balls.log2(_coefficient(N, R, e)) if exactly else _spread(N, R, e)
        return R * balls.log2_factorial(N) - served

    found = balls.refine(floor, digits=digits_wanted(digits), unit="bits").positive_part()
    return found.by("coefficient" if exactly else "closed form")


def _coefficient(N: int, R: int, e: int) -> int:
    """[x^e] (sum_j (N)_j x^j)^R."""
    power = balls.flint().fmpz_poly([math.perm(N, j) for j in range(min(N, e) + 1)]) ** R
    return int(power[e])


def _spread(N: int, R: int, e: int) -> Any:
    """log2 of the number of terms of the coefficient times the largest."""
    each, one_more = divmod(e, R)
    most = (R - one_more) * balls.log2_falling(N, each)
    if one_more:
        most += one_more * balls.log2_falling(N, each + 1)
    return most + balls.log2_binomial(e + R - 1, R - 1)
