"""Codes: how an attribute is written down in m coordinates."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from theory.nearest import nearest_squared_distances


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
        ValueError: the words are not integers, out of range, or not a table of at least one coordinate.
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

    def nearest_squared_distance(self, of: NDArray[np.int64] | None = None) -> int:
        """The least squared distance from one of some words (default: any) to another word.

        For a sign code it is 4 times the Hamming distance.
        """
        return int(nearest_squared_distances(self.words, of).min())

    def packed(self, bits: int) -> "Code":
        """Groups of `bits` coordinates summed with weights 1, 2, 4, ...; a short last group stays short."""
        groups = [self.words[:, j : j + bits] for j in range(0, self.length, bits)]
        sums = [group @ (1 << np.arange(group.shape[1])) for group in groups]
        scales = [(1 << group.shape[1]) - 1 for group in groups]
        return Code(
            np.column_stack(sums),
            lo=min(scale * self.lo for scale in scales),
            hi=max(scale * self.hi for scale in scales),
        )


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
    digits = _digits(n_attributes, 1, code_length(n_attributes) if length is None else length)
    return Code(2 * digits - 1, lo=-1, hi=1)


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
    digits = _digits(n_attributes, bits, code_length(n_attributes, bits) if length is None else length)
    return Code(digits, lo=0, hi=(1 << bits) - 1)


def _digits(n_attributes: int, bits: int, length: int) -> NDArray[np.int64]:
    if n_attributes < 1:
        raise ValueError(f"a code needs at least one attribute, got {n_attributes}")
    if not 1 <= bits <= 16:
        raise ValueError(f"bits must be from 1 to 16, got {bits}")
    if length < 1:
        raise ValueError(f"a code needs at least one coordinate, got {length}")
    shifts = bits * np.arange(min(length, 63 // bits))  # higher digits of an int64 are 0
    digits = np.zeros((n_attributes, length), dtype=np.int64)
    digits[:, : len(shifts)] = (np.arange(n_attributes)[:, None] >> shifts) & ((1 << bits) - 1)
    return digits
