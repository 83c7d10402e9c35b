"""Codes: how an attribute is written down in m coordinates."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.codes.spans import LARGEST_SQUARED_DISTANCE
from georecall.theory.tools.blocks import blocks

_BLOCK = 1 << 16  # words computed at a time


@dataclass(frozen=True, eq=False)
class Code:
    """A value code v : A -> {lo..hi}^m, one word per attribute.

    A sign code is the case lo = -1, hi = 1. The claims need distinct words; a Code may hold equal ones,
    so that a control can show what that costs.

    Args:
        words: shape (|A|, m), integers from lo to hi.
        lo: least value an entry may take.
        hi: greatest value an entry may take; hi > lo.

    Raises:
        ValueError: the words are not integers, out of range, so large that squared distances may exceed
            2^52, or not a table of at least one coordinate.
    """

    words: NDArray[np.int64]
    lo: int = -1
    hi: int = 1

    def __post_init__(self) -> None:
        words = np.asarray(self.words)
        if words.ndim != 2 or 0 in words.shape:
            raise ValueError(f"words must have shape (attributes, coordinates), got {words.shape}")
        if not np.array_equal(words, np.rint(words)):
            raise ValueError("words must hold integers")
        if not self.lo < self.hi:
            raise ValueError(f"a code needs lo < hi, got {self.lo} and {self.hi}")
        if words.min() < self.lo or words.max() > self.hi:
            raise ValueError(f"entries must lie in {self.lo}..{self.hi}, got {words.min()}..{words.max()}")
        if words.shape[1] * (2 * max(abs(self.lo), abs(self.hi))) ** 2 > LARGEST_SQUARED_DISTANCE:
            size = f"{words.shape[1]} coordinates in {self.lo}..{self.hi}"
            raise ValueError(f"{size} have squared distances beyond 2^52, which are not compared exactly")
        words = np.array(words, dtype=np.int64)
        words.setflags(write=False)
        object.__setattr__(self, "words", words)

    @property
    def n_words(self) -> int:
        """|A|, the number of attributes that have a word."""
        return int(self.words.shape[0])

    @property
    def length(self) -> int:
        """m, the number of coordinates."""
        return int(self.words.shape[1])

    @property
    def spread(self) -> int:
        """V = hi - lo."""
        return self.hi - self.lo

    @property
    def n_levels(self) -> int:
        """How many values a coordinate may take: 2 where only lo and hi occur, else hi - lo + 1."""
        return 2 if set(np.unique(self.words)) <= {self.lo, self.hi} else self.spread + 1

    @cached_property
    def n_distinct(self) -> int:
        """The number of distinct words; the code is injective if it is |A|."""
        return len(np.unique(self.words, axis=0))

    @cached_property
    def kind(self) -> Any:
        """The smallest signed integer type that holds lo..hi."""
        kinds = (np.int8, np.int16, np.int32, np.int64)
        return next(kind for kind in kinds if np.iinfo(kind).min <= self.lo and self.hi <= np.iinfo(kind).max)

    @cached_property
    def squared_norms(self) -> NDArray[np.int64]:
        """|v_a|^2 for every attribute; where all agree, a view of one number."""
        norms = np.einsum("aj,aj->a", self.words, self.words)
        return np.broadcast_to(norms[:1], norms.shape) if (norms == norms[0]).all() else norms

    def columns(self, attributes: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The words of some attributes, coordinates first: shape (m, how many), small integers.

        They are put into `out`, of `kind`, or into a new array.
        """
        found: NDArray[Any] = self._planes[:, attributes]
        if out is not None:
            out[...] = found
        return found if out is None else out

    @cached_property
    def _planes(self) -> NDArray[Any]:
        return np.ascontiguousarray(self.words.T, dtype=self.kind)

    @property
    def digits(self) -> NDArray[np.int64] | None:
        """Rows low, mask, scale, offset, if v(a)_j = scale_j ((a >> low_j) & mask_j) + offset_j; or None."""
        return None

    def nearest_squared_distance(self, of: NDArray[np.int64] | None = None) -> int:
        """The least squared distance from one of some words (default: any) to another; of signs 4 a sign."""
        return int(nearest_squared_distances(self.words, of).min())

    def packed(self, bits: int) -> "Code":
        """Groups of `bits` coordinates summed with weights 1, 2, 4, ...; a short last group stays short."""
        groups = [self.words[:, j : j + bits] for j in range(0, self.length, bits)]
        sums = np.column_stack([group @ (1 << np.arange(group.shape[1])) for group in groups])
        scales = [(1 << group.shape[1]) - 1 for group in groups]
        return Code(sums, min(scale * self.lo for scale in scales), max(scale * self.hi for scale in scales))


class Numerals(Code):
    """The attributes' own numbers as words, in base 2^p: v(a)_j = scale x digit_j(a) + offset_j.

    Words are computed where they are asked for, so that a code of 2^26 attributes takes no memory. Sign codes
    (p = 1, scale 2, offset -1), quantized codes and packed sign codes are all of this form.

    Digits have `widths` bits, the least significant first, each from 1 to 16 (else a ValueError); all but the
    last are the same. Too few of them make words collide.

    Example:
        >>> Numerals(6, widths=(2, 2), offsets=(0, 0)).words.tolist()
        [[0, 0], [1, 0], [2, 0], [3, 0], [0, 1], [1, 1]]
    """

    _widths: tuple[int, ...]
    _offsets: tuple[int, ...]
    _scale: int
    _n_words: int

    def __init__(
        self, n_words: int, *, widths: tuple[int, ...], offsets: tuple[int, ...], scale: int = 1
    ) -> None:
        if n_words < 1 or not widths or not all(1 <= width <= 16 for width in widths):
            raise ValueError(f"numerals need words and digits of 1 to 16 bits, got {n_words} and {widths}")
        tops = [o + scale * ((1 << width) - 1) for o, width in zip(offsets, widths, strict=True)]
        fields = {"lo": min(offsets), "hi": max(tops), "_n_words": n_words, "_widths": widths}
        for name, value in {**fields, "_scale": scale, "_offsets": offsets}.items():
            object.__setattr__(self, name, value)

    @property
    def n_words(self) -> int:
        """|A|."""
        return self._n_words

    @property
    def length(self) -> int:
        """The number of coordinates, m."""
        return len(self._widths)

    @property
    def digits(self) -> NDArray[np.int64]:
        """Rows low, mask, scale, offset: shape (4, m)."""
        widths = np.array(self._widths)
        scales = np.full(self.length, self._scale)
        return np.stack([self._widths[0] * np.arange(self.length), (1 << widths) - 1, scales, self._offsets])

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """All words, shape (|A|, m): for codes that fit in memory."""
        words = np.ascontiguousarray(self.columns(np.arange(self.n_words)).T, dtype=np.int64)
        words.setflags(write=False)
        return words

    @property
    def n_levels(self) -> int:
        """How many values a coordinate may take."""
        return 1 << max(self._widths)

    @property
    def n_distinct(self) -> int:
        """The number of distinct words: all, or as many as there are numerals."""
        return min(self.n_words, 1 << sum(self._widths))

    @property
    def squared_norms(self) -> NDArray[np.int64]:
        """|v_a|^2 for every attribute; where all agree, a view of one number."""
        if self._scale + 2 * self._offsets[0] == 0 and set(self._widths) == {1}:  # signs
            norm = sum(offset**2 for offset in self._offsets)
            return np.broadcast_to(np.array([norm]), (self.n_words,))
        norms = np.empty(self.n_words, dtype=np.int64)
        for block in blocks(self.n_words, _BLOCK):
            words = self.columns(np.arange(block.start, block.stop)).astype(np.int64)
            norms[block] = (words * words).sum(axis=0)
        return norms

    def columns(self, attributes: NDArray[np.integer], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The words of some attributes, coordinates first: shape (m, how many), small integers."""
        words = np.empty((self.length, len(attributes)), dtype=self.kind) if out is None else out
        _digits(attributes, self._widths, words)
        if self._scale == 2:
            words += words  # faster than a product
        elif self._scale != 1:
            words *= words.dtype.type(self._scale)
        if any(self._offsets):
            words += np.array(self._offsets, dtype=words.dtype)[:, None]
        return words

    def nearest_squared_distance(self, of: NDArray[np.int64] | None = None) -> int:
        """As for any code, in closed form if asked about all attributes.

        If words coincide, 0. Otherwise every a > 0 becomes a smaller numeral by lowering a digit by one,
        and 0 becomes 1 by raising one: the nearest word is one digit away by one.
        """
        if of is not None:
            return super().nearest_squared_distance(of)
        if self.n_words < 2:
            raise ValueError(f"a nearest other word needs two words, got {self.n_words}")
        return 0 if self.n_distinct < self.n_words else self._scale**2

    def packed(self, bits: int) -> Code:
        """Groups of `bits` coordinates summed with weights 1, 2, 4, ...; of binary digits, digits again."""
        if set(self._widths) != {1} or bits > 16:
            return super().packed(bits)
        groups = [min(bits, self.length - j) for j in range(0, self.length, bits)]
        offsets = tuple(self._offsets[0] * ((1 << width) - 1) for width in groups)
        return Numerals(self.n_words, widths=tuple(groups), offsets=offsets, scale=self._scale)


def code_length(n_attributes: int, bits: int = 1) -> int:
    """max(1, ceil(log2 |A| / bits)): the least number of `bits`-bit coordinates that tell |A| apart.

    Example:
        >>> [code_length(n) for n in (1, 2, 3, 1000)], code_length(1000, bits=4)
        ([1, 1, 2, 10], 3)
    """
    if not 1 <= bits <= 16:
        raise ValueError(f"bits must be from 1 to 16, got {bits}")
    return max(1, -(-(n_attributes - 1).bit_length() // bits))


def sign_code(n_attributes: int, *, length: int | None = None) -> Code:
    """u(a)_j = 2 (bit j of a) - 1: the binary numeral in signs, distance h = 1.

    Args:
        n_attributes: |A| >= 1.
        length: m; default ceil(log2 |A|). A shorter one makes words collide.

    Example:
        >>> sign_code(3).words.tolist()
        [[-1, -1], [1, -1], [-1, 1]]
    """
    m = _length(n_attributes, 1, length)
    return Numerals(n_attributes, widths=(1,) * m, offsets=(-1,) * m, scale=2)


def quantized_code(n_attributes: int, *, bits: int, length: int | None = None) -> Code:
    """The numeral of a in base 2^bits, least digit first: values 0..2^bits - 1.

    Args:
        n_attributes: |A| >= 1.
        bits: p, from 1 to 16.
        length: m'; default ceil(log2 |A| / p). A shorter one makes words collide.

    Example:
        >>> quantized_code(6, bits=2).words.tolist()
        [[0, 0], [1, 0], [2, 0], [3, 0], [0, 1], [1, 1]]
    """
    m = _length(n_attributes, bits, length)
    return Numerals(n_attributes, widths=(bits,) * m, offsets=(0,) * m)


def _length(n_attributes: int, bits: int, length: int | None) -> int:
    least = code_length(n_attributes, bits)
    m = least if length is None else length
    for what, count in (("attribute", n_attributes), ("coordinate", m)):
        if count < 1:
            raise ValueError(f"a code needs at least one {what}, got {count}")
    return m


def _digits(numbers: NDArray[np.integer], widths: tuple[int, ...], out: NDArray[Any]) -> None:
    """The digits of some numbers, least first, into `out`: shape (digits, numbers)."""
    width, n_bits = widths[0], 8 * numbers.itemsize - 1  # higher bits of a number that is not negative are 0
    if out.dtype == np.int8 and 8 % width == 0 and len(set(widths)) == 1:  # no digit lies across two bytes
        digits, per_byte = out.view(np.uint8), 8 // width
        shifts = np.arange(0, 8, width, dtype=np.uint8)[:, None]
        if len(widths) * width <= 32:
            numbers = numbers.astype(np.uint32)
        for start in range(0, len(widths), per_byte):
            several, low = digits[start : start + per_byte], width * start
            plane = (numbers >> low if low else numbers) if low < n_bits else np.zeros_like(numbers)
            np.right_shift(plane.astype(np.uint8), shifts[: len(several)], out=several)
        digits &= np.uint8((1 << width) - 1)
        return
    for j, own in enumerate(widths):
        out[j] = (numbers >> (width * j)) & ((1 << own) - 1) if width * j < n_bits else 0
