"""How far each word of a codebook is from the nearest other word, exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.blocks import Fold, blocks, fold

Words = NDArray[np.int64]
# Some words of a codebook, by number, coordinates first: shape (m, how many). A codebook of 2^26 words is
# never held: it is a function.
Columns = Callable[[Any], NDArray[Any]]

LARGEST_SQUARED_DISTANCE = 1 << 52
"""The largest squared distance that is compared exactly: sums of products in float64, with room to spare."""

_BLOCK = 1 << 20  # entries of one block of distances: 8 MiB of float64
_STREAM = 1 << 15  # words looked at together
_MAP_BITS = 28  # keys up to this long are looked up in a table of one byte each: 256 MiB
_TRIED = 64  # lightest words by which a neighbour is looked for
_NEVER = np.iinfo(np.int64).max
_KEY_BITS = 50  # longest word that is packed into one integer, by way of a float


def nearest_squared_distances(words: Words, of: Numbers | None = None) -> NDArray[np.int64]:
    """The squared distance from each of some words to the nearest other word of the codebook.

    Args:
        words: shape (n, m), integers, no two further apart than 2^26; n >= 2. Words may coincide
            (distance 0).
        of: the numbers of the words asked about; default: all.

    Returns:
        Shape (len(of),), squared Euclidean distances.

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
    spans = _Spans.of(columns, n, m, counts, fold)
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
        nearest[alone] = _by_comparison(columns, n, numbers, spans, counts)
    return nearest


@dataclass(frozen=True, eq=False)
class _Spans:
    """For each coordinate the values that occur in it.

    Args:
        low: the least, shape (m,).
        high: the greatest.
        shift: every value is low plus a multiple of 2^shift.
        step: the least positive difference of two values, in units of 2^shift; 0 if there is one value.
    """

    low: Numbers
    high: Numbers
    shift: Numbers
    step: Numbers

    @classmethod
    def of(cls, columns: Columns, n: int, m: int, counts: Numbers, fold: Fold = fold) -> "_Spans":
        first = columns(slice(0, 1))

        def step(state: list[Any], block: slice) -> list[Any]:
            low, high, used = (np.asarray(numbers, dtype=np.int64) for numbers in state)
            words = columns(block)
            used = used | np.bitwise_or.reduce(words - first, axis=1).astype(np.int64)
            return [np.minimum(low, words.min(axis=1)), np.maximum(high, words.max(axis=1)), used]

        start = first[:, 0].astype(np.int64)  # bits of differences that wrap around keep their lowest
        spanned = fold("spans", n, _STREAM, step, [start, start, np.zeros(m, dtype=np.int64)])
        low, high, used = (np.asarray(numbers, dtype=np.int64) for numbers in spanned)
        widths = (int(h) - int(lo) for h, lo in zip(high, low, strict=True))
        if sum(int(c) * w * w for c, w in zip(counts, widths, strict=True)) > LARGEST_SQUARED_DISTANCE:
            raise ValueError("words whose squared distance may pass 2^52 are not supported")
        shift = np.array([(int(b) & -int(b)).bit_length() - 1 if b else 0 for b in used])
        return cls(low, high, shift, _least_steps(columns, n, low, high, shift))

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
        return np.where(self.step > 0, counts * (self.step << self.shift) ** 2, _NEVER)

    def least_square(self, counts: Numbers) -> int:
        """What no two different words are nearer than; 0 if all are equal."""
        return int(self.squares(counts).min()) if self.step.any() else 0


def _least_steps(columns: Columns, n: int, low: Numbers, high: Numbers, shift: Numbers) -> Numbers:
    """The least positive difference of two digits of each coordinate."""
    top = (high - low) >> shift
    step = (top > 0).astype(np.int64)  # right where there are two digits; 1 is a lower bound elsewhere
    wide = np.flatnonzero((top > 1) & (top < 1 << 16))
    seen = {int(j): np.zeros(int(top[j]) + 1, dtype=bool) for j in wide}
    for block in blocks(n, _STREAM) if len(wide) else ():
        words = columns(block)
        for j, there in seen.items():
            there[(words[j].astype(np.int64) - low[j]) >> shift[j]] = True
    for j, there in seen.items():
        step[j] = np.diff(np.flatnonzero(there)).min()
    return step


def _keys(columns: Columns, numbers: Any, spans: _Spans) -> Numbers:
    """Words as integers, digit beside digit: sum_j (v_j - low_j) 2^(place_j - shift_j), exact in float64."""
    scales = np.ldexp(1.0, spans.places - spans.shift)
    if scales @ np.maximum(-spans.low, spans.high) < 2.0**53 * scales.min(initial=1.0):
        keys = scales @ columns(numbers).astype(np.float64) - float(scales @ spans.low)
    else:  # values far from 0 beside their spans: too many digits
        keys = scales @ (columns(numbers).astype(np.int64) - spans.low[:, None]).astype(np.float64)
    return np.asarray(keys.astype(np.int64))


def _all_have_a_neighbour(columns: Columns, n: int, spans: _Spans, counts: Numbers, fold: Fold) -> bool:
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

    return bool(fold("linear", n, _STREAM, step, True))


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
    columns: Columns, n: int, of: Numbers | None, spans: _Spans, counts: Numbers, nearest: NDArray[Any]
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
    def of(cls, columns: Columns, n: int, spans: _Spans) -> "_Book":
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


def _by_comparison(
    columns: Columns, n: int, asked: Numbers, spans: _Spans, counts: Numbers
) -> NDArray[np.int64]:
    """The same by comparing with every word, or in a linear code with the word 0 alone."""
    squares = spans.squares(counts)
    used = np.flatnonzero(spans.top > 0)
    if len(used) and (spans.top[used] == 1).all() and (squares[used] == squares[used[0]]).all():
        described, unit = _bits(spans, used), int(squares[used[0]])
        nearest = _in_linear_code(columns, n, asked, described)
        left = np.flatnonzero(nearest < 0)
        if len(left):
            far = float(1 << 32) - 1  # further than any two words are
            nearest[left] = _of_all_pairs(columns, n, asked[left], described, _differing_bits, far)
        return nearest * unit
    return _of_all_pairs(columns, n, asked, _floats(spans, counts), _squares, 2.0**53)


def _of_all_pairs(
    columns: Columns,
    n: int,
    asked: Numbers,
    described: Callable[[NDArray[Any]], NDArray[Any]],
    distances: Callable[[Any, Any], Any],
    far: float,
) -> NDArray[np.int64]:
    nearest = np.full(len(asked), _NEVER)
    own = np.concatenate([described(columns(asked[block])) for block in blocks(len(asked), _STREAM)])
    for others in blocks(n, _STREAM):
        theirs = described(columns(others))
        rows = max(1, _BLOCK // len(theirs))
        for some in blocks(len(asked), rows):
            found = distances(own[some], theirs)
            itself = asked[some] - others.start
            inside = np.flatnonzero((itself >= 0) & (itself < len(theirs)))
            found[inside, itself[inside]] = far
            nearest[some] = np.minimum(nearest[some], found.min(axis=1).astype(np.int64))
    return nearest


def _in_linear_code(
    columns: Columns, n: int, asked: Numbers, described: Callable[[NDArray[Any]], NDArray[np.uint64]]
) -> NDArray[np.int64]:
    """Hamming distances to the nearest other word where word a differs from word 0 by a sum over a's bits.

    Then words a and b differ by what belongs to a ^ b: none is nearer than the lightest sum, and one is as
    near if a ^ x is the number of a word, x a lightest sum. -1 where none is, or the code is not linear.
    """
    nearest = np.full(len(asked), -1, dtype=np.int64)
    words = np.concatenate([described(columns(block)) for block in blocks(n, _STREAM)])
    sums = np.zeros((1, words.shape[1]), dtype=np.uint64)
    for j in range((n - 1).bit_length()):
        sums = np.concatenate([sums, sums ^ words[1 << j] ^ words[0]])
    if not np.array_equal(sums[:n], words ^ words[0]):
        return nearest
    weights = np.bitwise_count(sums).sum(axis=1, dtype=np.int64)[1:]
    for x in np.flatnonzero(weights == weights.min())[:_TRIED] + 1:
        nearest[(asked ^ x) < n] = weights.min()
        if (nearest >= 0).all():
            break
    return nearest


def _bits(spans: _Spans, used: Numbers) -> Callable[[NDArray[Any]], NDArray[np.uint64]]:
    """Words of two values per coordinate as bits, 64 to an integer: shape (words, ceil(m/64))."""

    def described(words: NDArray[Any]) -> NDArray[np.uint64]:
        packed = np.packbits(words[used] > spans.low[used, None], axis=0).T
        missing = -packed.shape[1] % 8
        return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, missing)))).view(np.uint64)

    return described


def _differing_bits(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Hamming distances of all pairs."""
    found = np.zeros((len(a), len(b)), dtype=np.uint32)
    for ours, theirs in zip(a.T, b.T, strict=True):
        found += np.bitwise_count(ours[:, None] ^ theirs)
    return found


def _floats(spans: _Spans, counts: Numbers) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Words from the least value of each coordinate, then the same times the counts: shape (words, 2 m)."""

    def described(words: NDArray[Any]) -> NDArray[np.float64]:
        digits = (words.astype(np.int64) - spans.low[:, None]).astype(np.float64).T
        return np.concatenate([digits, digits * counts], axis=1)

    return described


def _squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """|a|^2 + |b|^2 - 2 <a, b> for all pairs, coordinates weighted: below 2^53, exact in float64."""
    m = a.shape[1] // 2
    norms_a, norms_b = (np.einsum("ij,ij->i", x[:, :m], x[:, m:]) for x in (a, b))
    return np.asarray(norms_a[:, None] + norms_b - 2.0 * (a[:, :m] @ b[:, m:].T))
