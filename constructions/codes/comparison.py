"""How far words are from the nearest other word, by comparing them with every word of the codebook."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.spans import NEVER, Columns, Spans
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.blocks import blocks

_BLOCK = 1 << 20  # entries of one block of distances: 8 MiB of float64
_STREAM = 1 << 15  # words looked at together
_TRIED = 64  # lightest words by which a neighbour is looked for


def by_comparison(
    columns: Columns, n: int, asked: Numbers, spans: Spans, counts: Numbers
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
    nearest = np.full(len(asked), NEVER)
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


def _bits(spans: Spans, used: Numbers) -> Callable[[NDArray[Any]], NDArray[np.uint64]]:
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


def _floats(spans: Spans, counts: Numbers) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
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
