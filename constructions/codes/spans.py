"""Where the digits of a codebook lie: their least and largest values, their steps, their places in a key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.blocks import Fold, fold

# Some words of a codebook, by number, coordinates first: shape (m, how many). A codebook of 2^26 words is
# never held: it is a function.
Columns = Callable[[Any], NDArray[Any]]

LARGEST_SQUARED_DISTANCE = 1 << 52
"""The largest squared distance that is compared exactly: sums of products in float64, with room to spare."""

NEVER = np.iinfo(np.int64).max
_STREAM = 1 << 15  # words looked at together


@dataclass(frozen=True, eq=False)
class Spans:
    """For each coordinate the values that occur in it."""

    low: Numbers  # the least, shape (m,)
    high: Numbers  # the greatest
    shift: Numbers  # every value is low plus a multiple of 2^shift
    step: Numbers  # the least positive difference of two values, in units of 2^shift; 0 if there is one value

    @classmethod
    def of(cls, columns: Columns, n: int, m: int, counts: Numbers, fold: Fold = fold) -> "Spans":
        """The spans of a codebook of n words of m coordinates, weighted by counts."""
        first = columns(slice(0, 1))

        def step(state: list[Any], block: slice) -> list[Any]:
            low, high, used = (np.asarray(numbers, dtype=np.int64) for numbers in state)
            words = columns(block)
            used = used | np.bitwise_or.reduce(words - first, axis=1).astype(np.int64)
            return [np.minimum(low, words.min(axis=1)), np.maximum(high, words.max(axis=1)), used]

        def merge(ours: list[Any], theirs: list[Any]) -> list[Any]:
            (low, high, used), others = np.asarray(ours), np.asarray(theirs)
            return [np.minimum(low, others[0]), np.maximum(high, others[1]), used | others[2]]

        start = first[:, 0].astype(np.int64)  # bits of differences that wrap around keep their lowest
        spanned = fold("spans", n, _STREAM, step, [start, start, np.zeros(m, dtype=np.int64)], merge)
        low, high, used = (np.asarray(numbers, dtype=np.int64) for numbers in spanned)
        widths = (int(h) - int(lo) for h, lo in zip(high, low, strict=True))
        if sum(int(c) * w * w for c, w in zip(counts, widths, strict=True)) > LARGEST_SQUARED_DISTANCE:
            raise ValueError("words whose squared distance may pass 2^52 are not supported")
        shift = np.array([(int(b) & -int(b)).bit_length() - 1 if b else 0 for b in used])
        return cls(low, high, shift, _least_steps(columns, n, low, high, shift, fold))

    @property
    def top(self) -> Numbers:
        """The largest digit of each coordinate: values are low + digit 2^shift."""
        return np.asarray((self.high - self.low) >> self.shift)

    @property
    def bits(self) -> Numbers:
        """How many bits each coordinate's digits take."""
        return np.array([int(t).bit_length() for t in self.top])

    @property
    def places(self) -> Numbers:
        """Where each coordinate's digits stand in a word packed into one integer."""
        return np.asarray(np.cumsum(self.bits) - self.bits)

    def squares(self, counts: Numbers) -> Numbers:
        """The squared distance of one least step along each coordinate; of none, an impossible one."""
        return np.where(self.step > 0, counts * (self.step << self.shift) ** 2, NEVER)

    def least_square(self, counts: Numbers) -> int:
        """What no two different words are nearer than; 0 if all are equal."""
        return int(self.squares(counts).min()) if self.step.any() else 0


def _least_steps(
    columns: Columns, n: int, low: Numbers, high: Numbers, shift: Numbers, fold: Fold
) -> Numbers:
    """The least positive difference of two digits of each coordinate."""
    top = (high - low) >> shift
    least = (top > 0).astype(np.int64)  # right where there are two digits; 1 is a lower bound elsewhere
    wide = np.flatnonzero((top > 1) & (top < 1 << 16))
    if not len(wide):
        return least

    def step(seen: list[Any], block: slice) -> list[Any]:
        words, after = columns(block)[wide], []
        for j, word, digits in zip(wide, words, seen, strict=True):
            there = np.unpackbits(np.asarray(digits, dtype=np.uint8))
            there[(word.astype(np.int64) - low[j]) >> shift[j]] = 1
            after.append(np.packbits(there))
        return after

    def merge(ours: list[Any], theirs: list[Any]) -> list[Any]:
        pairs = zip(ours, theirs, strict=True)
        return [np.asarray(a, dtype=np.uint8) | np.asarray(b, dtype=np.uint8) for a, b in pairs]

    none = [np.zeros(int(top[j]) // 8 + 1, dtype=np.uint8) for j in wide]  # a bit for each digit
    for j, digits in zip(wide, fold("digits", n, _STREAM, step, none, merge), strict=True):
        least[j] = np.diff(np.flatnonzero(np.unpackbits(np.asarray(digits, dtype=np.uint8)))).min()
    return least
