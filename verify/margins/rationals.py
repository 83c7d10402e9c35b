"""Exact rational arithmetic on stored weights, for what floating point leaves open.

`model.map(Rational.of)` runs the one forward pass of `constructions.transformer.transformer` on integers over
a common denominator. It is slow, about 10^7 products a second, and never wrong.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from georecall.constructions.transformer.arithmetic import float64, hardmax, inner, mix, relu, softmax, times
from georecall.verify.margins.number_formats import granule

_Integers = NDArray[np.object_]  # of Python ints


class UndecidableError(ArithmeticError):
    """The exponentials of unequal scores are not rational.

    Args:
        rational: for which prompts of the batch all scores are equal, shape (batch,).
    """

    def __init__(self, rational: NDArray[np.bool_]) -> None:
        super().__init__("softmax of unequal scores is not rational")
        self.rational = rational


@dataclass(frozen=True, eq=False)
class Rational:
    """Rational numbers: an array of Python integers over one positive denominator."""

    numerators: _Integers
    denominator: int

    @staticmethod
    def of(weight: Any) -> "Weight":
        """The stored numbers of a weight, converted when they are used."""
        return Weight(weight, granule(float64(weight)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.numerators.shape

    def __getitem__(self, index: Any) -> "Rational":
        """Rows, or positions."""
        return Rational(self.numerators[index], self.denominator)

    def __add__(self, other: "Rational | Weight") -> "Rational":
        """The sum, entry by entry."""
        other = other[...] if isinstance(other, Weight) else other
        common = math.lcm(self.denominator, other.denominator)
        left = self.numerators * (common // self.denominator)
        return Rational(left + other.numerators * (common // other.denominator), common)

    def fractions(self) -> Any:
        """The numbers as an object array of `Fraction`."""
        return np.frompyfunc(lambda numerator: Fraction(numerator, self.denominator), 1, 1)(self.numerators)

    def equals(self, integers: NDArray[np.integer], step: int) -> NDArray[np.bool_]:
        """Where the numbers are integers x 2^step, entry by entry."""
        scale = Fraction(2) ** step
        left = self.numerators * scale.denominator
        return np.asarray(left == integers.astype(object) * (scale.numerator * self.denominator))


@dataclass(frozen=True, eq=False)
class Weight:
    """A stored float weight: multiples of 2^step. Rows become `Rational` on demand."""

    stored: Any
    step: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stored array."""
        return tuple(self.stored.shape)

    def __getitem__(self, index: Any) -> Rational:
        """Rows by number (or all of a vector), as integers over 2^-step."""
        return Rational(self.integers(float64(self.stored[index])), 1 << max(0, -self.step))

    def integers(self, values: NDArray[np.float64]) -> Any:
        """Stored values times the denominator of this weight."""
        shift = max(0, -self.step)
        if np.max(np.abs(values), initial=0.0) < math.ldexp(1.0, 62 - shift):
            return np.ldexp(values, shift).astype(np.int64).astype(object)
        return np.frompyfunc(lambda value: int(Fraction(value) * (1 << shift)), 1, 1)(values.astype(object))


@times.register
def _(x: Rational, W: Weight) -> Rational:
    columns = csc_array(float64(W.stored))
    out = np.zeros((*x.shape[:-1], W.shape[1]), dtype=object)
    for k in range(W.shape[1]):
        entries = slice(columns.indptr[k], columns.indptr[k + 1])
        rows = columns.indices[entries]
        if len(rows):
            out[..., k] = x.numerators[..., rows] @ W.integers(columns.data[entries])
    return Rational(out, x.denominator << max(0, -W.step))


@inner.register
def _(queries: Rational, keys: Rational, scale: float) -> Rational:
    factor = Fraction(scale)
    products = np.matmul(queries.numerators, keys.numerators.swapaxes(-1, -2)) * factor.numerator
    return Rational(products, queries.denominator * keys.denominator * factor.denominator)


@mix.register
def _(pattern: Rational, values: Rational) -> Rational:
    return Rational(
        np.matmul(pattern.numerators, values.numerators), pattern.denominator * values.denominator
    )


@relu.register
def _(x: Rational) -> Rational:
    return Rational(np.maximum(x.numerators, 0), x.denominator)


@hardmax.register
def _(scores: Rational, masked: NDArray[np.bool_]) -> Rational:
    allowed = np.broadcast_to(~masked, scores.shape)
    lowest = scores.numerators.min() - 1
    shown = np.where(allowed, scores.numerators, lowest)
    return _uniform(shown == shown.max(axis=-1, keepdims=True))


@softmax.register
def _(scores: Rational, masked: NDArray[np.bool_]) -> Rational:
    allowed = np.broadcast_to(~masked, scores.shape)
    equal = (hardmax(scores, masked).numerators > 0) == allowed
    rational = equal.all(axis=tuple(range(1, equal.ndim)))
    if not rational.all():
        raise UndecidableError(rational)
    return _uniform(allowed)


def _uniform(winners: NDArray[np.bool_]) -> Rational:
    count = winners.sum(axis=-1, keepdims=True)
    common = math.lcm(*(int(c) for c in np.unique(count)))
    return Rational(winners.astype(object) * (common // count).astype(object), common)
