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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from georecall.constructions.transformer.arithmetic import (
    float64,
    hardmax,
    inner,
    mix,
    relu,
    softmax,
    times,
)
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats
from georecall.verify.margins.number_formats import FORMATS, SLACK, UNREPRESENTED, Format, format_of, granule

U = 2.0**-53
# Bounds follow from the weights alone, so that they hold for every prompt, until they need so many digits;
# then the numbers at hand bound themselves. More than float32 has: a format found for some prompts that is
# no wider than that is right for all.
_DIGITS_KEPT = 30
_SMALL = 1 << 12  # entries up to which a sparse weight is multiplied faster if it is dense
_SPARE = 16  # products with 0 that cost less than one entry gathered (4 times as much, as measured)
_WORTH = 1 << 16  # entries of a product from which it is worth while to look for a faster way
TINY = 2.0**-1000  # covers underflow of up to 2^70 products, each off by at most 2^-1074


@dataclass(frozen=True, eq=False)
class Ball:
    """Numbers known to within a radius.

    Args:
        mid: midpoints, a float64 array or (for weights) a sparse one.
        rad: radii, the shape of `mid`; None: the midpoints are the numbers, and they are multiples of
            2^granule.
        bound: upper bounds of the magnitudes, one per entry of the last axis.
        granule: see `rad`; without meaning where there are radii.
        needs: the number format that represents these numbers, and all they were computed from, exactly.
    """

    mid: Any
    rad: Floats | None
    bound: Floats
    granule: int
    needs: "Format"

    @classmethod
    def of(cls, weight: Any) -> "Ball":
        """The stored numbers of a weight, dense or sparse, of any real dtype."""
        mid = float64(weight)
        if not isinstance(mid, np.ndarray):  # a product reads it column by column
            mid = mid.toarray() if mid.shape[0] * mid.shape[1] <= _SMALL else mid.tocsc()
        bound, step = _magnitudes(mid), granule(mid)
        return cls(mid, None, bound, step, format_of(bound, step))

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
        return self.exact and FORMATS["float64"].represents(format_of(2 * self.bound, self.granule))

    @cached_property
    def absolute(self) -> Any:
        """|mid|, kept because a weight is used for many batches."""
        return abs(self.mid)

    @cached_property
    def in_single_precision(self) -> tuple[Any, Any, NDArray[np.float32]] | None:
        """Rows and columns in use of a sparse matrix, and the entries there; None if most are 0."""
        if not hasattr(self.mid, "tocoo"):
            return None
        entries = self.mid.tocoo()
        rows, columns = np.unique(entries.row), np.unique(entries.col)
        if not 0 < len(rows) * len(columns) <= _SPARE * entries.nnz:
            return None
        small = csr_array(self.mid)[rows][:, columns].toarray()
        single = small.astype(np.float32)
        return (rows, columns, single) if np.array_equal(single, small) else None

    @property
    def radius(self) -> Floats:
        """The radii, zeros where exact."""
        return np.zeros(self.shape) if self.rad is None else self.rad

    def __getitem__(self, index: Any) -> "Ball":
        """Rows by token numbers, or positions; the last axis stays whole."""
        rad = None if self.rad is None else self.rad[index]
        return Ball(self.mid[index], rad, self.bound, self.granule, self.needs)

    def __add__(self, other: "Ball") -> "Ball":
        """The sum, entry by entry."""
        if other.exact and not other.bound.any() and len(other.shape) <= len(self.shape):
            return replace(self, needs=self.needs.joined(other.needs))  # + 0
        mid, bound = self.mid + other.mid, self.bound + other.bound
        step = min(self.granule, other.granule)
        return _result(mid, bound, step, (self, other), lambda: self.radius + other.radius + U * abs(mid))


def format_needed(model: Transformer, queries: Iterable[Mapping[str, Any]]) -> Format:
    """The least format in which the forward pass on some prompts (`tokens`, `positions`) rounds nothing."""
    certified = model.map(Ball.of)
    needs = Format(0, 0, 0)
    for query in queries:
        logits = certified.logits(np.array([query["tokens"]]), np.array(query["positions"]))
        needs = needs.joined(logits.needs if logits.exact else UNREPRESENTED)
    return needs


def _magnitudes(weight: Any) -> Floats:
    """The largest magnitude for each entry of the last axis, of an array or of sparse columns."""
    if weight.ndim == 1:
        return np.asarray(abs(weight))
    if not weight.shape[0]:
        return np.zeros(weight.shape[1])
    if isinstance(weight, np.ndarray):
        return np.asarray(abs(weight).max(axis=0))
    found, there = np.zeros(weight.shape[1]), np.flatnonzero(np.diff(weight.indptr))
    found[there] = np.maximum.reduceat(abs(weight.data), weight.indptr[there]) if len(there) else 0.0
    return found


def _result(
    mid: Floats, bound: Floats, step: int, parts: tuple[Ball, ...], radius: Callable[[], Floats]
) -> Ball:
    """The outcome of an operation: exact if its parts are and float64 holds all partial sums."""
    own = format_of(bound, step)
    needs = own.joined(*(part.needs for part in parts))
    if all(part.exact for part in parts) and FORMATS["float64"].represents(own):
        return Ball(mid, None, bound, step, needs)
    return Ball(mid, widened(radius()), bound, step, needs)


def gamma(n: int) -> float:
    """The relative error of a sum of n products."""
    return (n + 1) * U * SLACK  # (n + 1): one more than the n roundings, against the rounding here


def widened(radius: Floats) -> Floats:
    """Radii that also cover their own rounding, and underflow."""
    return radius * SLACK + TINY


@times.register
def _(x: Ball, W: Ball) -> Ball:
    def radius() -> Floats:
        rounding = gamma(W.shape[0]) * times(abs(x.mid), W.absolute)
        return np.asarray(rounding + times(x.radius, W.absolute))  # weights are exact

    bound, step = np.asarray(x.bound @ W.absolute), x.granule + W.granule
    mid = _in_single_precision(x, W, bound, step)
    return _result(times(x.mid, W.mid) if mid is None else mid, bound, step, (x, W), radius)


def _in_single_precision(x: Ball, W: Ball, bound: Floats, step: int) -> Floats | None:
    """The product where float32 rounds nothing and many prompts make it worth while; else None.

    All entries are whole granules, and so are all partial sums, below 2^24 of them in whatever order. A
    sparse weight whose entries fill their rows and columns, such as a memory's, is a small dense one.
    """
    n_products = x.mid.size // max(1, x.shape[-1]) * W.shape[1]
    fits = x.exact and max(abs(x.granule), abs(W.granule)) < 50
    if n_products < _WORTH or not fits or W.in_single_precision is None:
        return None
    largest = max(float(bound.max(initial=0)) / 2.0**step, float(x.bound.max(initial=0)) / 2.0**x.granule)
    if not largest < 1 << 24:
        return None
    rows, columns, entries = W.in_single_precision
    read = x.mid.reshape(-1, x.shape[-1])[:, rows].astype(np.float32) @ entries
    if entries.shape[1] == W.shape[1]:
        return np.asarray(read.astype(np.float64).reshape(*x.shape[:-1], W.shape[1]))
    out = np.zeros((len(read), W.shape[1]))
    out[:, columns] = read
    return out.reshape(*x.shape[:-1], W.shape[1])


@inner.register
def _(queries: Ball, keys: Ball, scale: float) -> Ball:
    def radius() -> Floats:
        q, k, factor = abs(queries.mid), abs(keys.mid), abs(scale)
        rounding = gamma(queries.shape[-1] + 1) * inner(q, k, factor)
        underflow = TINY * max(1.0, factor)  # before the scale is applied
        spread = inner(q, keys.radius, factor) + inner(queries.radius, k + keys.radius, factor)
        return np.asarray(rounding + spread + underflow)

    mid = inner(queries.mid, keys.mid, scale)
    products, step = float(queries.bound @ keys.bound), queries.granule + keys.granule
    before = format_of(np.array([products]), step)
    doubt = None if FORMATS["float64"].represents(before) else np.zeros(1)
    unscaled = Ball(mid, doubt, np.array([products]), step, before)
    bound, step = np.full(mid.shape[-1:], abs(scale) * products), step + granule(np.array([scale]))
    return _result(mid, bound, step, (queries, keys, unscaled), radius)


@mix.register
def _(pattern: Ball, values: Ball) -> Ball:
    def radius() -> Floats:
        rounding = gamma(pattern.shape[-1]) * mix(pattern.mid, abs(values.mid))
        spread = mix(pattern.mid, values.radius) + mix(pattern.radius, abs(values.mid) + values.radius)
        return np.asarray(rounding + spread)

    mid = mix(pattern.mid, values.mid)  # an average: within the bound of the values
    return _result(mid, values.bound, pattern.granule + values.granule, (pattern, values), radius)


@relu.register
def _(x: Ball) -> Ball:
    mid, bound, rad = relu(x.mid), x.bound, x.rad
    if rad is not None:
        rad = np.where(x.mid + rad <= 0, 0.0, rad)  # |max(a, 0) - max(b, 0)| <= |a - b|, and 0 where both are
    elif x.needs.digits > _DIGITS_KEPT:
        bound = mid.max(axis=tuple(range(mid.ndim - 1)), initial=0.0)
    return replace(x, mid=mid, bound=bound, rad=rad)


@hardmax.register
def _(scores: Ball, masked: NDArray[np.bool_]) -> Ball:
    shown = np.where(masked, -np.inf, scores.mid)
    if scores.exact:
        return _uniform(shown == shown.max(axis=-1, keepdims=True), np.True_, scores.needs)
    highest = np.nextafter(shown + scores.radius, np.inf)
    lowest = np.nextafter(shown - scores.radius, -np.inf)
    surely = np.where(np.isnan(lowest), -np.inf, lowest).max(axis=-1, keepdims=True)
    candidates = ~(highest < surely) & ~masked  # what is no number may be the largest
    return _uniform(candidates, candidates.sum(axis=-1, keepdims=True) == 1, scores.needs)


@softmax.register
def _(scores: Ball, masked: NDArray[np.bool_]) -> Ball:
    allowed = np.broadcast_to(~masked, scores.shape)
    shown = np.where(allowed, scores.mid, -np.inf)
    largest = shown.max(axis=-1, keepdims=True)
    if scores.exact and bool((shown == largest)[allowed].all()):
        return _uniform(allowed, np.True_, scores.needs)
    weights = softmax(scores.mid, masked)
    # exp(t_i), t_i = s_i - max, is off by a factor exp(+-(r_i + |t_i| u + 4 ulp)); so is the sum, which
    # adds n roundings, and the quotient one more. Weights below 2^-1074 underflow: see TINY.
    distance = np.minimum(np.where(allowed, largest - scores.mid, 0.0), 746.0)
    each = np.where(allowed, scores.radius, 0.0) + U * distance + 8 * U
    exponent = 2.0 * each.max(axis=-1, keepdims=True) + (scores.shape[-1] + 2) * U
    near = widened(weights * np.expm1(np.minimum(exponent, 1.0)))
    radius = np.where(exponent < 1.0, np.minimum(near, 1.0), 1.0) * allowed  # weights lie in [0, 1]
    return _pattern(weights, radius, 0, scores.needs)


def _uniform(candidates: NDArray[np.bool_], certain: Any, needs: Format) -> Ball:
    """Equal weights over the candidates; where they are not certain, anything from 0 to 1 for each."""
    count = candidates.sum(axis=-1, keepdims=True)
    weights = candidates / count
    dyadic = (count & (count - 1)) == 0
    if bool(np.all(certain)) and bool(dyadic.all()):
        return _pattern(weights, None, 1 - int(count.max()).bit_length(), needs)
    return _pattern(weights, np.where(certain, np.where(dyadic, 0.0, U), 1.0) * candidates, 0, needs)


def _pattern(weights: Floats, radius: Floats | None, step: int, needs: Format) -> Ball:
    bound = np.ones(weights.shape[-1])
    return Ball(weights, radius, bound, step, format_of(bound, step).joined(needs))
