"""Floating-point arithmetic that proves its own error, and says when there is none.

A `Ball` holds float64 midpoints and either proved radii or the proof that nothing was rounded. The proof is
the exactness audit: every entry is a multiple of a common power of two (the granule) and every partial sum
stays below 2^53 granules, so that float64 represents it, in whatever order a matrix product adds.
Mapping a Transformer's weights to Balls (`model.map(Ball.of)`) makes its one forward pass certified.

Where rounding happens, the radii follow the standard model of floating point: a sum of n products is off by
at most gamma_n = n u / (1 - n u) times the sum of their magnitudes, u = 2^-53, in any order (Higham, Accuracy
and Stability of Numerical Algorithms, section 3.1). Of the exponential it is assumed that NumPy's is within
4 units in the last place.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constructions.arithmetic import dense, float64, hardmax, inner, mix, relu, softmax, stored, times

Floats = NDArray[np.float64]

_U = 2.0**-53
_SLACK = 1.0 + 2.0**-20  # covers the rounding of the radii themselves: sums of up to 2^30 terms
_TINY = 2.0**-1000  # covers underflow of up to 2^70 products, each off by at most 2^-1074


@dataclass(frozen=True, eq=False)
class Ball:
    """Numbers known to within a radius.

    Args:
        mid: midpoints, a float64 array or (for weights) a sparse one.
        rad: radii, the shape of `mid`; None: the midpoints are the numbers, and they are multiples of
            2^granule.
        bound: upper bounds of the magnitudes, one per entry of the last axis.
        granule: see `rad`; without meaning where there are radii.
    """

    mid: Any
    rad: Floats | None
    bound: Floats
    granule: int

    @classmethod
    def of(cls, weight: Any) -> "Ball":
        """The stored numbers of a weight, dense or sparse, of any real dtype."""
        mid = float64(weight)
        return cls(mid, None, _magnitudes(mid), granule(mid))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the midpoints."""
        return tuple(self.mid.shape)

    @property
    def exact(self) -> bool:
        """Whether nothing was rounded."""
        return self.rad is None

    @property
    def exact_differences(self) -> bool:
        """Whether any two entries can be subtracted without rounding."""
        return self.exact and _fits(2 * self.bound, self.granule)

    @cached_property
    def absolute(self) -> Any:
        """|mid|, kept because a weight is used for many batches."""
        return abs(self.mid)

    @property
    def radius(self) -> Floats:
        """The radii, zeros where exact."""
        return np.zeros(self.shape) if self.rad is None else self.rad

    def __getitem__(self, index: Any) -> "Ball":
        """Rows by token numbers, or positions; the last axis stays whole."""
        return Ball(self.mid[index], None if self.rad is None else self.rad[index], self.bound, self.granule)

    def __add__(self, other: "Ball") -> "Ball":
        """The sum, entry by entry."""
        mid, bound = self.mid + other.mid, self.bound + other.bound
        step = min(self.granule, other.granule)
        if self.exact and other.exact and _fits(bound, step):
            return Ball(mid, None, bound, step)
        return Ball(mid, _widened(self.radius + other.radius + _U * abs(mid)), bound, step)


def granule(weight: Any) -> int:
    """The largest e such that all entries of a float64 array are multiples of 2^e (0 if all are 0).

    Example:
        >>> granule(np.array([6.0, 0.75])), granule(np.array([0.0]))
        (-2, 0)
    """
    values = stored(weight)
    least = None
    for start in range(0, values.size, 1 << 20):  # in pieces, to stay small beside the weight
        piece = values[start : start + (1 << 20)]
        mantissa, exponent = np.frexp(piece[piece != 0])
        if not mantissa.size:
            continue
        digits = (mantissa * 2.0**53).astype(np.int64)
        lowest = np.frexp((digits & -digits).astype(np.float64))[1] - 1
        here = int((exponent - 53 + lowest).min())
        least = here if least is None else min(least, here)
    return 0 if least is None else least


def _magnitudes(weight: Any) -> Floats:
    """The largest magnitude for each entry of the last axis."""
    if weight.ndim == 1:
        return np.asarray(abs(weight))
    if not weight.shape[0]:
        return np.zeros(weight.shape[1])
    largest = abs(weight).max(axis=0)
    return np.asarray(dense(largest))


def _fits(bound: Floats, step: int) -> bool:
    """Whether multiples of 2^step up to these magnitudes are float64 numbers, all partial sums too."""
    if not -1074 <= step <= 900:
        return False
    return bool((bound * _SLACK <= math.ldexp(1.0, 53 + step)).all())


def _gamma(n: int) -> float:
    return (n + 1) * _U * _SLACK  # (n + 1): one more than the n roundings, against the rounding here


def _widened(radius: Floats) -> Floats:
    return radius * _SLACK + _TINY


@times.register
def _(x: Ball, W: Ball) -> Ball:
    mid = times(x.mid, W.mid)
    bound = np.asarray(x.bound @ W.absolute)
    step = x.granule + W.granule
    if x.exact and W.exact and _fits(bound, step):
        return Ball(mid, None, bound, step)
    rounding = _gamma(W.shape[0]) * times(abs(x.mid), W.absolute)
    spread = times(x.radius, W.absolute)  # weights are exact
    return Ball(mid, _widened(rounding + spread), bound, step)


@inner.register
def _(queries: Ball, keys: Ball, scale: float) -> Ball:
    mid = inner(queries.mid, keys.mid, scale)
    bound = np.full(mid.shape[-1:], abs(scale) * float(queries.bound @ keys.bound))
    step = queries.granule + keys.granule + granule(np.array([scale]))
    if queries.exact and keys.exact and _fits(bound, step) and _fits(bound / abs(scale or 1), step):
        return Ball(mid, None, bound, step)
    magnitude = abs(queries.mid)
    rounding = _gamma(queries.shape[-1] + 1) * inner(magnitude, abs(keys.mid), abs(scale))
    spread = inner(magnitude, keys.radius, abs(scale)) + inner(
        queries.radius, abs(keys.mid) + keys.radius, abs(scale)
    )
    return Ball(mid, _widened(rounding + spread), bound, step)


@mix.register
def _(pattern: Ball, values: Ball) -> Ball:
    mid = mix(pattern.mid, values.mid)
    step = pattern.granule + values.granule
    if pattern.exact and values.exact and _fits(values.bound, step):  # an average is within the bound
        return Ball(mid, None, values.bound, step)
    rounding = _gamma(pattern.shape[-1]) * mix(pattern.mid, abs(values.mid))
    spread = mix(pattern.mid, values.radius) + mix(pattern.radius, abs(values.mid) + values.radius)
    return Ball(mid, _widened(rounding + spread), values.bound, step)


@relu.register
def _(x: Ball) -> Ball:
    return Ball(relu(x.mid), x.rad, x.bound, x.granule)  # |max(a, 0) - max(b, 0)| <= |a - b|


@hardmax.register
def _(scores: Ball, masked: NDArray[np.bool_]) -> Ball:
    shown = np.where(masked, -np.inf, scores.mid)
    if scores.exact:
        return _uniform(shown == shown.max(axis=-1, keepdims=True), certain=np.True_)
    highest = np.nextafter(shown + scores.radius, np.inf)
    surely = np.nextafter(shown - scores.radius, -np.inf).max(axis=-1, keepdims=True)
    candidates = (highest >= surely) & ~masked
    return _uniform(candidates, certain=candidates.sum(axis=-1, keepdims=True) == 1)


@softmax.register
def _(scores: Ball, masked: NDArray[np.bool_]) -> Ball:
    allowed = np.broadcast_to(~masked, scores.shape)
    shown = np.where(allowed, scores.mid, -np.inf)
    largest = shown.max(axis=-1, keepdims=True)
    if scores.exact and bool((shown == largest)[allowed].all()):
        return _uniform(allowed, certain=np.True_)
    weights = softmax(scores.mid, masked)
    # exp(t_i), t_i = s_i - max, is off by a factor exp(+-(r_i + |t_i| u + 4 ulp)); so is the sum, which
    # adds n roundings, and the quotient one more. Weights below 2^-1074 underflow: see _TINY.
    distance = np.minimum(np.where(allowed, largest - scores.mid, 0.0), 746.0)
    each = np.where(allowed, scores.radius, 0.0) + _U * distance + 8 * _U
    exponent = 2.0 * each.max(axis=-1, keepdims=True) + (scores.shape[-1] + 2) * _U
    near = _widened(weights * np.expm1(np.minimum(exponent, 1.0)))
    radius = np.where(exponent < 1.0, np.minimum(near, 1.0), 1.0) * allowed  # weights lie in [0, 1]
    return Ball(weights, radius, np.ones(scores.shape[-1]), 0)


def _uniform(candidates: NDArray[np.bool_], certain: Any) -> Ball:
    """Equal weights over the candidates; where they are not certain, anything from 0 to 1 for each."""
    count = candidates.sum(axis=-1, keepdims=True)
    weights = candidates / count
    bound = np.ones(candidates.shape[-1])
    dyadic = (count & (count - 1)) == 0
    if bool(np.all(certain)) and bool(dyadic.all()):
        return Ball(weights, None, bound, 1 - int(count.max()).bit_length())
    radius = np.where(certain, np.where(dyadic, 0.0, _U), 1.0) * candidates
    return Ball(weights, radius, bound, 0)
