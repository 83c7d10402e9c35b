"""The numbers of C2 halved: how often zero-forced superposition fails; what is proved and what is not.

With X_1..X_R independent uniform sign vectors of length m, G = (<X_r, X_r'> / m) and q = 1' G^-1 1:
P(failure) <= N R (|A|-1) E exp(-m / (2q)). Where G is singular the exponential counts as 1.
"""

from math import ceil, exp, lgamma, log, log1p

import numpy as np

from georecall.theory.numbers.dense import log_rho
from georecall.theory.tools.search import least

_UP = 1 + 1e-9  # more than all rounding of the sums below


def pair_bound(m: int, R: int) -> float:
    """E exp(-m / (2q)) for R <= 3, rounded up: one relation, exactly; two, exactly; three, a finite sum.

    Two: m / (2q) is half the number of coordinates in which X_1 and X_2 agree. Three: up to a sign the
    coordinates are of 4 kinds, and G depends on how many there are of each.

    Raises:
        ValueError: R is not 1, 2 or 3, or m < 1.

    Source: theory/pages/c2.md, Halved (derived there).
    """
    if m < 1 or not 1 <= R <= 3:
        raise ValueError(f"the expectation is computed for m >= 1 and R from 1 to 3, got {m} and {R}")
    if R == 1:
        return exp(-m / 2) * _UP
    if R == 2:
        return float(((1 + exp(-1 / 2)) / 2) ** m * _UP)
    logs = np.array([lgamma(n + 1) for n in range(m + 1)])
    n = np.arange(m + 1)
    total = 0.0
    for first in range(m + 1):
        second, third = np.meshgrid(n, n)
        fourth = m - first - second - third
        there = fourth >= 0
        second, third, fourth = second[there], third[there], fourth[there]
        a, b, c = (
            (first + second - third - fourth) / m,
            (first - second + third - fourth) / m,
            (first - second - third + fourth) / m,
        )
        det = 1 + 2 * a * b * c - a * a - b * b - c * c
        q_det = 3 - a * a - b * b - c * c + 2 * (a * b + a * c + b * c - a - b - c)
        power = np.where(det > 1e-9, det / np.where(det > 1e-9, q_det, 1.0), 0.0)
        weight = logs[m] - logs[first] - logs[second] - logs[third] - logs[fourth] - m * log(4)
        total += float(np.exp(weight - m * power / 2).sum())
    return total * _UP


def failure(n_subjects: int, n_attributes: int, R: int, m: int) -> float:
    """A proved bound on the expected number of pairs that go wrong, at any R.

    R <= 3: N R (|A|-1) E exp(-m / (2q)). Else q <= R / lambda with lambda the least eigenvalue of G, and by
    the matrix Chernoff bound P(lambda <= 1 - t) <= R exp(-m phi(t) / R), phi(t) = t + (1-t) ln(1-t): for
    every t in (0, 1), at most N R exp(-m phi(t) / R) + N R (|A|-1) exp(-m (1-t) / (2R)). Embeddings stored in
    multiples of 2^-20 move every logit by at most m 2^-21, which costs a factor exp(m 2^-20), as q >= 1.

    Source: theory/pages/c2.md, Halved (derived there).
    """
    pairs, stored = n_subjects * R * max(1, n_attributes - 1), exp(m * 2.0**-20)
    if R <= 3:
        return pairs * pair_bound(m, R) * stored
    t = np.arange(1, 1000) / 1000
    phi = t + (1 - t) * np.log1p(-t)
    sums = n_subjects * R * np.exp(-m * phi / R) + pairs * np.exp(-m * (1 - t) / (2 * R))
    return float(sums.min()) * stored * _UP


def proved_length(n_subjects: int, n_attributes: int, R: int, delta: float) -> int:
    """The least m at which the proved bound is at most delta.

    Example:
        >>> proved_length(256, 256, 2, 0.5), proved_length(256, 256, 3, 0.5), proved_length(256, 256, 4, 0.5)
        (57, 87, 220)
    """
    return least(lambda m: failure(n_subjects, n_attributes, R, m) <= delta)


def gaussian_length(n_subjects: int, n_attributes: int, R: int, delta: float) -> int:
    """The least m at which the bound for Gaussian vectors is at most delta; that signs do as well is open.

    E exp(-m / (2q)) is (1 + 1/R)^(-(m-R+1)/2) for them, exactly.

    Example:
        >>> [gaussian_length(256, 256, R, 0.5) for R in (4, 8)], gaussian_length(1024, 1024, 4, 0.5)
        ([122, 243], 146)
    """
    pairs = n_subjects * R * max(1, n_attributes - 1)
    return ceil(R - 1 + 2 * log(pairs / delta) / log1p(1 / R))


def generic_length(n_attributes: int, R: int, delta: float) -> int:
    """An m at which plain C2 recalls *every* table of R relations at once with probability 1 - delta.

    The union is over the |A|^R tuples of attributes in place of the N subjects.

    Example:
        >>> generic_length(256, 4, 0.5)
        367
    """
    tuples = n_attributes**R * max(1, n_attributes - 1) * R
    return max(1, ceil((log(tuples) - log(delta)) / -log_rho(R)))
