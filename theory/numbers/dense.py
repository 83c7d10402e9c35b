"""The numbers of C2: how often a competitor beats the answer, and how long the code must be.

One fact, one competitor: with w_j = u(a)_j u(b)_j and z_j a sum of R - 1 signs, the logit difference is
sum_j (1 - w_j)(1 + z_j). On the D coordinates where the two codes differ it is 2 (D + Z), Z a sum of D (R-1)
independent signs, so that the competitor wins or ties if Bin(D (R-1), 1/2) <= D (R-2)/2.
"""

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, comb, expm1, log, log1p

from georecall.theory.tools.search import least

_MOST_EXACT = 1 << 16  # m R up to which p_m is exact: a second or two
_MOST_ROUNDED = 10**9  # digits written up to which it is computed at all: some ten seconds


@lru_cache(maxsize=256)
def pair_failure(m: int, R: int) -> Fraction:
    """p_m of C2: the probability that a given competitor wins or ties against a given fact.

    Exactly, up to m R = 2^16; beyond, where integers of m R bits take minutes, rounded up in its 40th digit
    or later. The tails F_D = P(Bin(D (R-1), 1/2) <= D (R-2)/2) are counted by going from one D to the next:
    sum_{k <= K} C(n+1, k) = 2 sum_{k <= K} C(n, k) - C(n, K), so that p_m costs O(m R) integer operations.

    Source: theory/pages/c2.md, C2.

    Example:
        >>> pair_failure(1, 1), pair_failure(2, 2)
        (Fraction(1, 2), Fraction(9, 16))
    """
    if m < 1 or R < 1:
        raise ValueError(f"p_m needs m >= 1 and R >= 1, got {m} and {R}")
    if R == 1:
        return Fraction(1, 2**m)  # one relation has no crosstalk: only D = 0 fails
    if m * R > _MOST_EXACT:
        return _rounded_up(m, R)
    n = K = 0
    tail = term = 1  # sum_{k <= K} C(n, k) and C(n, K)
    total = 1 << (m * (R - 1))  # D = 0, over the common denominator 2^(m R)
    for D in range(1, m + 1):
        for _ in range(R - 1):
            tail = 2 * tail - term
            term = term * (n + 1) // (n + 1 - K)
            n += 1
        while K < D * (R - 2) // 2:
            term = term * (n - K) // (K + 1)
            K += 1
            tail += term
        total += comb(m, D) * (tail << ((m - D) * (R - 1)))
    return Fraction(total, 1 << (m * R))


def _rounded_up(m: int, R: int) -> Fraction:
    """The same sum in decimals, and what its roundings may come to.

    p_m = sum_D C(m, D) 2^-m F_D, and F_D is a sum of at most m R terms C(n, K) 2^-n <= 1, each made by at
    most 4 m R roundings: all in all off by less than 8 (m R)^2 units of the last digit. The digits are those
    that rho^m, which p_m is not far below, has before its first, and 80 more.
    """
    digits = 80 + ceil(-m * log_rho(R) / log(10))
    if m * R * digits > _MOST_ROUNDED:
        raise ValueError(f"p_m at m = {m} and R = {R} would take minutes: {m * R} steps of {digits} digits")
    near = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
    add, subtract, multiply, divide = near.add, near.subtract, near.multiply, near.divide
    half = Decimal("0.5")
    n = K = 0
    tail = term = Decimal(1)  # P(Bin(n, 1/2) <= K) and P(Bin(n, 1/2) = K)
    weight = total = near.power(half, m)
    for D in range(1, m + 1):
        for _ in range(R - 1):
            term = multiply(term, half)
            tail = subtract(tail, term)
            term = divide(multiply(term, n + 1), n + 1 - K)
            n += 1
        while K < D * (R - 2) // 2:
            term = divide(multiply(term, n - K), K + 1)
            K += 1
            tail = add(tail, term)
        weight = divide(multiply(weight, m - D + 1), D)
        total = add(total, multiply(weight, tail))
    return Fraction(total) + Fraction(8 * (m * R) ** 2, 10 ** (digits - 1))


def table_failure(n_subjects: int, n_attributes: int, R: int, m: int) -> Fraction:
    """N (|A|-1) R p_m: the expected number of (fact, competitor) pairs that go wrong."""
    return n_subjects * (n_attributes - 1) * R * pair_failure(m, R)


def log_rho(R: int) -> float:
    """Ln rho_R: p_m <= rho_R^m.

    Example:
        >>> from math import exp
        >>> [round(exp(log_rho(R)), 4) for R in (1, 2, 3, 4)]
        [0.5, 0.75, 0.8849, 0.9219]
    """
    if R < 1:
        raise ValueError(f"rho needs R >= 1, got {R}")
    if R <= 2:
        return log(0.5 if R == 1 else 0.75)
    n, tau = R - 1, 1 / (R - 1)
    log_h = ((1 - n) * log1p(-tau) - (1 + n) * log1p(tau)) / 2
    return log1p(expm1(log_h) / 2)  # ln((1 + h)/2), also where h is close to 1


def closed_form_length(n_subjects: int, n_attributes: int, R: int, delta: float) -> int:
    """The least m with N (|A|-1) R rho_R^m <= delta: the closed form of C2.

    Example:
        >>> [closed_form_length(256, 256, R, 0.5) for R in (2, 4, 8)], closed_form_length(1024, 1024, 4, 0.5)
        ([44, 162, 394], 196)
    """
    _check_delta(delta)
    pairs = n_subjects * max(1, n_attributes - 1) * R
    return max(1, ceil(log(pairs / delta) / -log_rho(R)))


def exact_length(n_subjects: int, n_attributes: int, R: int, delta: float) -> int:
    """An m with N (|A|-1) R p_m <= delta such that m - 1 does not suffice.

    Example:
        >>> [exact_length(256, 256, R, 0.5) for R in (2, 4, 8)], exact_length(1024, 1024, 4, 0.5)
        ([44, 136, 327], 169)
    """
    _check_delta(delta)
    promised = Fraction(str(delta))
    return least(
        lambda m: table_failure(n_subjects, n_attributes, R, m) <= promised,
        start=closed_form_length(n_subjects, n_attributes, R, delta),
    )


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta}")
