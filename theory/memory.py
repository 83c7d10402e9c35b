"""The numbers of C8's Hebbian memories: how often a competitor beats the answer.

A Hebbian memory stores sum_x phi(x)^T u_{f(x)} over its n facts x and answers y(x) = sum_x' K(x, x')
u_{f(x')}, K(x, x') = <phi(x), phi(x')>, with nearest-word logits <u_a, y>. Keys and features phi are
frozen; the words u_a are i.i.d. uniform signs of length d. Let K_c(x) be the sum of K(x, x') over the facts
with f(x') = c, and a = f(x). For a competitor b, per coordinate,

    E exp(-t (u_a - u_b) y / 2) = (1 + e^{-t (K_a - K_b)} prod_{c != a, b} cosh(t K_c)) / 2,

because the coordinate counts only where u_b = -u_a, and there the other u_c are independent signs. The d
coordinates are independent, so that by Chernoff's bound, for every t >= 0,

    P(b wins or ties) <= ((1 + e^{-t (K_a - K_b)} prod_{c != a, b} cosh(t K_c)) / 2)^d.
"""

from collections.abc import Callable
from math import ceil, exp, log, log1p, pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SLACK = 1 + 1e-6  # far above the rounding of the few dozen float operations of each bound
_MULTIPLES = (1.0, 1.2, 1.5)  # of the t that is best for a Gaussian; any t >= 0 gives a valid bound
FEATURE_VARIANCE = 1 - 2 / pi  # of |g|, g normal


def memory_failure(kernel: Floats, answers: NDArray[np.int64], d: int) -> float:
    """A bound on the expected number of (fact, competitor) pairs that go wrong, over the draw of the words.

    Args:
        kernel: K_c(x), shape (facts, |A|).
        answers: f(x), shape (facts,).
        d: length of the words.

    Returns:
        The bound, at most the number of pairs: at most delta means that a share of at least 1 - delta of
        all draws recalls every fact. Rounded up.

    Source: derived above.
    """
    facts = np.arange(len(answers))
    right = kernel[facts, answers]
    noise = np.maximum((kernel**2).sum(axis=1) - right**2, right**2 / 40)
    best = np.full(len(answers), float(kernel.shape[1] - 1))
    for multiple in _MULTIPLES:
        t = np.where(noise > 0, multiple * np.maximum(right, 0.0) / np.where(noise > 0, noise, 1.0), 0.0)
        spread = _log_cosh(t[:, None] * kernel)
        others = spread.sum(axis=1) - spread[facts, answers]
        exponent = others[:, None] - spread - t[:, None] * (right[:, None] - kernel)
        log_pair = d * (np.logaddexp(0.0, exponent) - log(2.0))
        log_pair[facts, answers] = -np.inf
        best = np.minimum(best, np.exp(np.minimum(log_pair, 0.0)).sum(axis=1))
    return float(best.sum()) * _SLACK


def linear_noise(n: int, d: int) -> float:
    """sum_x' K^2 / K(x, x)^2 as it is on average for random sign keys of length d: n/d."""
    return n / d


def feature_noise(n: int, d: int, k: int) -> float:
    """The same for k features |<w, e>| less their mean: n (1/k + 3 c / d^2), c = (pi (1 - 2/pi))^-2.

    The covariance of |g| and |g'| at correlation rho is rho^2/pi to leading order, and E rho^4 = 3/d^2
    between random keys; the k features add 1/k.
    """
    return n * (1 / k + 3 / (d * pi * FEATURE_VARIANCE) ** 2)


def expected_failure(pairs: int, d: int, noise: float) -> float:
    """Pairs that go wrong if the noise is Gaussian and as large as on average: a guide to d, not a bound.

    At small d/n and K = d it is pairs x exp(-d^2 / 4n): the d^2 ~ 4 n ln(n |A|) of C8.
    """
    return pairs * exp(d * (log1p(exp(-1 / (2 * noise))) - log(2.0)))


def memory_dimension(pairs: int, busiest: int, delta: float, noise: Callable[[int], float]) -> int:
    """The default dimension of a memory: a tenth above the guide, and enough for the busiest attribute.

    Facts that share their answer, or the competitor's, add up to noise of sqrt((2 busiest - 1) d) on a
    signal of d, which it takes d >= (2 busiest - 1) 2 ln(pairs/delta) to survive.

    Args:
        pairs: the number of (fact, competitor) pairs.
        busiest: the largest number of facts that share one answer.
        delta: failure probability.
        noise: from a dimension to sum K^2 / K(x, x)^2.

    Raises:
        ValueError: delta does not lie between 0 and 1.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta}")
    low, high = 1, 2
    while expected_failure(pairs, high, noise(high)) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = expected_failure(pairs, middle, noise(middle)) <= delta
        low, high = (low, middle) if enough else (middle, high)
    return max(ceil(1.1 * high), ceil(2 * (2 * busiest - 1) * log(max(2, pairs) / delta)))


def _log_cosh(x: Floats) -> Floats:
    """ln cosh x, without overflow."""
    size = np.abs(x)
    return np.asarray(size + np.log1p(np.exp(-2 * size)) - log(2.0))
