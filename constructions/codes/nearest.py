"""How far each word of a codebook is from the nearest other word, exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.comparison import by_comparison
from georecall.constructions.codes.spans import Columns, Spans
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.blocks import Fold, blocks, fold

Words = NDArray[np.int64]
_STREAM = 1 << 15  # words looked at together
_MAP_BITS = 28  # keys up to this long are looked up in a table of one byte each: 256 MiB
_KEY_BITS = 50  # longest word that is packed into one integer, by way of a float


def nearest_squared_distances(words: Words, of: Numbers | None = None) -> NDArray[np.int64]:
    """The squared distance from each of some words to the nearest other word of the codebook.

    Words have shape (n, m), integers, no two further apart than 2^26, n >= 2; they may coincide (distance 0).
    `of` are the numbers of those asked about, by default all; shape (len(of),), squared Euclidean distances.

    Raises:
        ValueError: fewer than two words, or words too far apart for exact arithmetic.
    """
    planes = np.ascontiguousarray(words.T)
    return nearest_in_columns(lambda numbers: planes[:, numbers], *words.shape, of=of)


def nearest_in_columns(
    columns: Columns,
    n: int,
    m: int,
    *,
    of: Numbers | None = None,
    weights: NDArray[np.int64] | None = None,
    fold: Fold = fold,
) -> NDArray[Any]:
    """The same for a codebook that is read a few words at a time, with weighted coordinates.

    No word can be nearer than one least step along one coordinate. Most codebooks in use have, for nearly
    every word, another one at exactly that distance. Those are found by packing each word into an integer
    and looking up its neighbours, in O(n m). Only the words without one are compared with all others.

    Args:
        columns: some words by number, shape (m, how many), integers.
        n: how many words there are.
        m: their length.
        of: the numbers of the words asked about; default: all.
        weights: how often each coordinate counts, positive integers, shape (m,); default 1.
        fold: goes through all words, see `theory.tools.blocks`.

    Returns:
        Squared distances, shape (len(of),), in the least integer type that holds them; not to be written to.

    Raises:
        ValueError: as above.
    """
    if n < 2:
        raise ValueError(f"a nearest other word needs two words, got {n}")
    counts = np.ones(m, dtype=np.int64) if weights is None else weights
    spans = Spans.of(columns, n, m, counts, fold)
    farthest = int((counts * (spans.high - spans.low) ** 2).sum())
    n_asked = n if of is None else len(of)
    least = np.asarray(spans.least_square(counts), dtype=np.min_scalar_type(farthest))
    if of is None and _all_have_a_neighbour(columns, n, spans, counts, fold):
        return np.broadcast_to(least, n)
    nearest = np.full(n_asked, least)
    alone = (
        np.arange(n_asked)
        if spans.bits.sum() > _KEY_BITS
        else _without_neighbour(columns, n, of, spans, counts, nearest)
    )
    if len(alone):
        numbers = alone if of is None else np.asarray(of)[alone]
        nearest[alone] = by_comparison(columns, n, numbers, spans, counts)
    return nearest


def _keys(columns: Columns, numbers: Any, spans: Spans) -> Numbers:
    """Words as integers, digit beside digit: sum_j (v_j - low_j) 2^(place_j - shift_j), exact in float64."""
    scales = np.ldexp(1.0, spans.places - spans.shift)
    if scales @ np.maximum(-spans.low, spans.high) < 2.0**53 * scales.min(initial=1.0):
        keys = scales @ columns(numbers).astype(np.float64) - float(scales @ spans.low)
    else:  # values far from 0 beside their spans: too many digits
        keys = scales @ (columns(numbers).astype(np.int64) - spans.low[:, None]).astype(np.float64)
    return np.asarray(keys.astype(np.int64))


def _all_have_a_neighbour(columns: Columns, n: int, spans: Spans, counts: Numbers, fold: Fold) -> bool:
    """Whether all words differ and each has another one step away, where that follows from the bits of a.

    Let the key of word a differ from that of word 0 by the exclusive or of what belongs to a's bits. If these
    are independent, no two words are the same. If one least step, of a digit by its lowest bit, belongs to
    the bits x, then word a ^ x is one step from word a, if there is one of that number: for all a if n is a
    power of two, or if every single bit is such an x (a without one of its bits is less than a; and 0 has 1).
    Nothing of size n is held; False: not so, or not seen.
    """
    if spans.bits.sum() > _KEY_BITS or not spans.step.any():
        return False
    ones = 1 << np.arange((n - 1).bit_length())
    zero, *others = (int(key) for key in _keys(columns, np.concatenate([[0], ones]), spans))
    basis = [key ^ zero for key in others]
    squares = spans.squares(counts)
    tight = np.flatnonzero((squares == squares.min()) & (spans.step == 1))
    if any(_made_of(basis[:i], b) is not None for i, b in enumerate(basis)):
        return False
    steps = {_made_of(basis, 1 << int(place)) for place in spans.places[tight]} - {None}
    if not steps or (n & (n - 1) and not steps >= {int(one) for one in ones}):
        return False
    low = np.zeros(1, dtype=np.int64)
    for b in basis[: (_STREAM - 1).bit_length()]:
        low = np.concatenate([low, low ^ b])

    def step(linear: bool, block: slice) -> bool:
        if not linear:
            return False
        high = zero
        for i, b in enumerate(basis):
            high ^= b if block.start >> i & 1 else 0
        predicted = low[: block.stop - block.start] ^ high
        return bool(np.array_equal(_keys(columns, block, spans), predicted))

    return bool(fold("linear", n, _STREAM, step, True, lambda ours, theirs: ours and theirs))


def _made_of(basis: list[int], wanted: int) -> int | None:
    """The bits x whose numbers' exclusive or is wanted; None if there are none."""
    reduced: list[tuple[int, int]] = []  # numbers of different highest bits, and what they are made of
    for i, number in enumerate([*basis, wanted]):
        x = 1 << i if i < len(basis) else 0
        for other, made in sorted(reduced, reverse=True):
            if number ^ other < number:
                number, x = number ^ other, x ^ made
        if i == len(basis):
            return x if number == 0 else None
        if number:
            reduced.append((number, x))
    return None


def _without_neighbour(
    columns: Columns, n: int, of: Numbers | None, spans: Spans, counts: Numbers, nearest: NDArray[Any]
) -> Numbers:
    """Places of words that have no other one step away; those that coincide get distance 0."""
    book = _Book.of(columns, n, spans)
    least = spans.least_square(counts)
    place = spans.places
    tight = np.flatnonzero(spans.squares(counts) == least)
    alone = [np.arange(0)]
    for block in blocks(len(nearest), _STREAM):
        keys = _keys(columns, block if of is None else of[block], spans)
        twin = book.repeated(keys)
        nearest[block][twin] = 0
        pending = np.flatnonzero(~twin)
        for j in tight:
            if not len(pending):
                break
            unit, left = int(spans.step[j]) << int(place[j]), keys[pending]
            digit = (left >> place[j]) & ((1 << int(spans.bits[j])) - 1)
            down = digit >= spans.step[j]
            found = np.zeros(len(pending), dtype=bool)
            found[down] = book.has(left[down] - unit)
            up = ~found & (digit <= spans.top[j] - spans.step[j])
            found[up] = book.has(left[up] + unit)
            pending = pending[~found]
        alone.append(pending + block.start)
    return np.concatenate(alone)


@dataclass(frozen=True, eq=False)
class _Book:
    """Which keys a codebook has: a table of bytes, or sorted keys where they are too long for one."""

    table: NDArray[np.bool_] | None
    keys: NDArray[Any]
    twins: NDArray[Any]

    @classmethod
    def of(cls, columns: Columns, n: int, spans: Spans) -> "_Book":
        n_bits = int(spans.bits.sum())
        table, keys = None, np.zeros(0, dtype=np.int64)
        if n_bits <= _MAP_BITS:
            table = np.zeros(1 << n_bits, dtype=bool)
            for block in blocks(n, _STREAM):
                table[_keys(columns, block, spans)] = True
            if np.count_nonzero(table) == n:
                return cls(table, keys, keys)
        keys, times = np.unique(
            np.concatenate([_keys(columns, block, spans) for block in blocks(n, _STREAM)]), return_counts=True
        )
        return cls(table, keys, keys[times > 1])

    def has(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        return self.table[keys] if self.table is not None else _among(keys, self.keys)

    def repeated(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        return _among(keys, self.twins)


def _among(keys: NDArray[Any], sorted_keys: NDArray[Any]) -> NDArray[np.bool_]:
    if not len(sorted_keys):
        return np.zeros(len(keys), dtype=bool)
    places = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[places] == keys)
