"""The exponent of a power law, fitted to timings, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Exponent:
    """The slope of log time over log size.

    Args:
        estimate: by least squares.
        lower: of its 95% interval (Student's t, residuals independent and normal in the logarithm).
        upper: the other end.
        points: how many timings it rests on.
    """

    estimate: float
    lower: float
    upper: float
    points: int

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.lower:.3f}, {self.upper:.3f}]"


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Exponent:
    """Fits time = c size^e.

    Raises:
        ValueError: fewer than three points, or sizes that are all the same.

    Example:
        >>> str(exponent([1, 2, 4, 8], [3, 6, 12, 24]))
        '1.000 [1.000, 1.000]'
    """
    if len(sizes) < 3 or len(set(sizes)) < 2:
        raise ValueError("an exponent with its interval needs three timings of two sizes")
    fit = stats.linregress(np.log(sizes), np.log(seconds))
    half = float(stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr)
    return Exponent(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half, len(sizes))
