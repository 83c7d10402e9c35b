"""The numbers of C8's Hebbian memories: how often a competitor beats the answer.

A Hebbian memory stores sum_x phi(x)^T u_{f(x)} over its n facts x and answers y(x) = sum_x' K(x, x')
u_{f(x')}, K(x, x') = <phi(x), phi(x')>, with nearest-word logits <u_a, y>. Keys and features phi are
frozen; the words u_a are i.i.d. uniform signs of length d. Let K_c(x) be the sum of K(x, x') over the facts
with f(x') = c, and a = f(x). A coordinate counts for a competitor b only where u_b = -u_a, and there the
other u_c are independent signs, so that for every t >= 0, per coordinate,

    E exp(-t (u_a - u_b) y / 2) = (1 + e^{-t (K_a - K_b)} prod_{c != a, b} cosh(t K_c)) / 2.

With cosh(z) <= exp(z^2 / 2), t = (K_a - K_b) / sum_{c != a, b} K_c^2 and Chernoff's bound over d coordinates:

    P(b wins or ties) <= ((1 + exp(-(K_a - K_b)^2 / (2 sum_{c != a, b} K_c^2))) / 2)^d    if K_a > K_b.
"""

from collections.abc import Callable
from math import exp, log, log1p, pi

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.search import least

_SLACK = 1 + 1e-6  # far above the rounding of the dozen float operations of each bound


def memory_failure(kernel: Floats, answers: NDArray[np.int64], d: int) -> float:
    """A bound on the expected number of (fact, competitor) pairs that go wrong, over the draw of the words.

    Of K_c(x), shape (facts, |A|), and the answers f(x), shape (facts,), with words of length d. If it is at
    most delta, a share of at least 1 - delta of all draws recalls every fact. Rounded up.

    Source: derived above.
    """
    facts = np.arange(len(answers))
    right = kernel[facts, answers][:, None]
    noise = (kernel**2).sum(axis=1)[:, None] - right**2 - kernel**2
    lead = np.maximum(right - kernel, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.where(lead > 0, lead**2 / (-2 * np.maximum(noise, 0.0)), 0.0)
    log_pair = d * (np.log1p(np.exp(exponent)) - log(2.0))
    log_pair[facts, answers] = -np.inf
    return float(np.exp(log_pair).sum()) * _SLACK


def effective_facts(n: int, busiest: int, d: int) -> float:
    """How many facts' crosstalk a logit difference feels: n + (2 k - 1) d/2, k facts to each answer.

    On the d/2 coordinates where two words differ, the crosstalk of a fact with some third answer is a sum
    of d/2 random signs, but that of the k - 1 others with the right answer and of the k with the
    competitor's is d/2 signs that agree: it weighs d/2 times as much.

    Source: theory/pages/c8.md, C8, whose d^2 ~ 4 n ln(n |A|) is the case n >> k d (derived here).
    """
    return n + (2 * busiest - 1) * d / 2


def linear_noise(n: int, busiest: int, d: int) -> float:
    """Crosstalk over signal, squared, for random sign keys of length d: effective facts / d."""
    return effective_facts(n, busiest, d) / d


def feature_noise(n: int, busiest: int, d: int, k: int) -> float:
    """The same for k features |<w, e>| less their mean: effective facts x (1/k + 3 / (d (pi - 2))^2).

    The covariance of |g| and |g'| at correlation rho is rho^2/pi to leading order, their variance 1 -
    2/pi, and E rho^4 = 3/d^2 between random keys; k features add 1/k.
    """
    return effective_facts(n, busiest, d) * (1 / k + 3 / (d * (pi - 2)) ** 2)


def expected_failure(pairs: int, d: int, noise: float) -> float:
    """Pairs that go wrong if crosstalk is Gaussian and as large as on average: a guide to d, not a bound.

    For the linear memory, d << n and one fact to an answer it is pairs x exp(-d^2 / 4n): C8's
    d^2 ~ 4 n ln(n |A|).
    """
    return pairs * exp(d * (log1p(exp(-1 / (2 * noise))) - log(2.0)))


def memory_dimension(pairs: int, delta: float, noise: Callable[[int], float]) -> int:
    """The least dimension at which the guide expects at most delta pairs to go wrong.

    The noise at a dimension is crosstalk over signal, squared.

    Raises:
        ValueError: delta does not lie between 0 and 1.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta}")
    return least(lambda d: expected_failure(pairs, d, noise(d)) <= delta)
