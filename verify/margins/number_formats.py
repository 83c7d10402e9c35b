"""Number formats: what a binary floating-point format holds without rounding, and what numbers need."""

import math
from typing import Any, NamedTuple

import numpy as np

from georecall.constructions.transformer.arithmetic import stored
from georecall.theory.tools.arrays import Floats

SLACK = 1.0 + 2.0**-20  # covers the rounding of the radii themselves: sums of up to 2^30 terms


class Format(NamedTuple):
    """A binary floating-point format: what it can hold without rounding.

    Args:
        digits: of the significand, the leading one counted.
        low: every multiple of 2^low (of few enough digits) is a number.
        high: up to 2^high.
    """

    digits: int
    low: int
    high: int

    def represents(self, needed: "Format") -> bool:
        """Whether numbers that need that format are numbers of this one."""
        return needed.digits <= self.digits and needed.low >= self.low and needed.high <= self.high

    def joined(self, *others: "Format") -> "Format":
        """The least format that represents all."""
        every = (self, *others)
        return Format(max(f.digits for f in every), min(f.low for f in every), max(f.high for f in every))


UNREPRESENTED = Format(1 << 20, 0, 1 << 20)  # of numbers that may be too large for any
FORMATS = {
    "float64": Format(53, -1074, 1023),
    "float32": Format(24, -149, 127),
    "float16": Format(11, -24, 15),
    "bfloat16": Format(8, -133, 127),
}
# Dtypes that hold weights only, and the format in which their products are summed: whole numbers from -128 to
# 127 are numbers of float32, and a forward pass that rounds nothing there is exact in any wider accumulator.
SUMMED_IN = {"int8": "float32"}


def granule(weight: Any) -> int:
    """The largest e such that all entries of a weight are multiples of 2^e (0 if all are 0).

    Example:
        >>> granule(np.array([6.0, 0.75])), granule(np.array([0.0]))
        (-2, 0)
    """
    values = stored(weight)
    least = None
    for start in range(0, values.size, 1 << 20):  # in pieces, to stay small beside the weight
        piece = values[start : start + (1 << 20)].astype(np.float64, copy=False)  # 2^53 is beyond float16
        whole = _granule_of_integers(piece)
        if whole is not None:
            least = whole if least is None else min(least, whole)
            continue
        mantissa, exponent = np.frexp(piece[piece != 0])
        if not mantissa.size:
            continue
        digits = (mantissa * 2.0**53).astype(np.int64)
        lowest = np.frexp((digits & -digits).astype(np.float64))[1] - 1
        here = int((exponent - 53 + lowest).min())
        least = here if least is None else min(least, here)
    return 0 if least is None else least


def _granule_of_integers(values: Floats) -> int | None:
    """The same for integers that are not all 0, from the bits of all together; None for others."""
    if not np.abs(values).max() < 2.0**62:
        return None
    integers = values.astype(np.int64)
    bits = int(np.bitwise_or.reduce(integers))
    return (bits & -bits).bit_length() - 1 if bits and np.array_equal(integers, values) else None


def format_of(bound: Floats, step: int) -> Format:
    """What holds multiples of 2^step up to these magnitudes."""
    largest = float(np.max(bound, initial=0.0)) * SLACK
    if not math.isfinite(largest):
        return UNREPRESENTED
    high = math.frexp(largest)[1] if largest else step
    return Format(high - step, step, high)
