"""Wrong facts of embeddings that signs turn, y_r = D_r x, in whole numbers: a few products for all relations.

With 0/1 words w = (u + 1)/2 the margin is 2 (<w_a, y> - max_b <w_b, y>). Two things make that cheap:

- Relations share products. Where D_1, ..., D_4 turn a class of coordinates alike, up to a sign of all, its
  part of <w_b, D_r x> is the same for all four but for signs: one product with x gives, class by class, what
  sums and differences make the logits of all four relations of.
- Three subjects share a number. Logits lie between -s and S - s, S = sum_j |x_j| <= 255 and s of it negative:
  shifted by s they are bytes, and x_1 + 2^8 x_2 + 2^16 x_3 has all three as its digits, below 2^24. Every
  partial sum stays below, too, so that single precision rounds nothing, in whatever order it adds.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.blocks import blocks
from georecall.verify.margins.number_formats import granule

_BYTES = 3  # subjects in a number
_TOGETHER = 4  # relations whose products are shared: 8 classes of coordinates
_SUBJECTS, _WORDS = 3 * 256, 256  # at a time: what is added stays in the cache
_Singles = NDArray[np.float32]


def n_wrong_of_turns(
    words: Floats, embeddings: Floats, turns: Floats, answers: Numbers, *, allowed: int = 0
) -> int | None:
    """How many facts have a margin of 0 or less; stops counting once it is more than `allowed`.

    Args:
        words: u, signs, shape (|A|, m).
        embeddings: x, shape (N, m), whole multiples of a power of two.
        turns: D, signs, shape (R, m).
        answers: shape (R, N).
        allowed: see above.

    Returns:
        None where a subject's numbers are too large for a byte.
    """
    unit = granule(embeddings)
    x = np.ldexp(embeddings, -unit).astype(np.float32)
    if len(words) < 2 or np.abs(x).sum(axis=1, dtype=np.float64).max() > 255:
        return None
    w, D, wrong = (words > 0).astype(np.float32), turns.astype(np.float32), 0
    for relations in blocks(len(D), _TOGETHER):
        for some in blocks(len(x), _SUBJECTS):
            right, best = _logits(w, x[some], D[relations], answers[relations, some])
            wrong += int((right <= best).sum())
            if wrong > allowed:
                return wrong
    return wrong


def _logits(
    w: _Singles, x: _Singles, D: _Singles, answers: Numbers
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Of each fact the answer's logit and the best other one, shifted alike: shape (relations, subjects)."""
    n, packs = len(x), -(-len(x) // _BYTES)
    place = np.arange(n)
    columns = place % packs * 4 + place // packs  # of four bytes the last is empty
    negative = ((np.abs(x).sum(axis=1)[:, None] - x @ D.T) / 2).T
    classes = (D[1:] != D[0]).T @ (1 << np.arange(len(D) - 1))
    order = np.argsort(classes, kind="stable")
    ends = np.searchsorted(classes[order], np.arange(1 << len(D) - 1), side="right")
    packed = _packed(np.ascontiguousarray((x * D[0]).T[order]), packs)
    shift, w = _packed(negative, packs), w[:, order]
    right, best = np.zeros((2, len(D), 4 * packs), dtype=np.uint8)
    parts = np.empty((len(ends), min(_WORDS, len(w)), packs), dtype=np.float32)  # as all that follows, reused
    spare, whole = np.empty_like(parts[::2]), np.empty(parts.shape[1:], dtype="<i4")
    for block in blocks(len(w), _WORDS):
        rows = slice(0, block.stop - block.start)
        for part, start, end in zip(parts, [0, *ends[:-1]], ends, strict=True):
            np.matmul(w[block, start:end], packed[start:end], out=part[rows])
        for r, logits in _turned(parts[:, rows], spare[:, rows]):
            np.add(logits, shift[r], out=whole[rows], casting="unsafe")
            digits = whole[rows].view(np.uint8)
            own = np.flatnonzero((answers[r] >= block.start) & (answers[r] < block.stop))
            at = answers[r, own] - block.start, columns[own]
            right[r, columns[own]] = digits[at]
            digits[at] = 0
            np.maximum(best[r], digits.max(axis=0), out=best[r])
    return right[:, columns], best[:, columns]


def _packed(values: _Singles, packs: int) -> _Singles:
    """Each row three subjects to a number: shape (rows, packs)."""
    rows, n = values.shape
    full = np.zeros((rows, _BYTES * packs), dtype=np.float32)
    full[:, :n] = values
    low, middle, high = full.reshape(rows, _BYTES, packs).swapaxes(0, 1)
    return np.asarray(low + np.float32(1 << 8) * middle + np.float32(1 << 16) * high)


def _turned(parts: _Singles, spare: _Singles) -> Iterator[tuple[int, _Singles]]:
    """The sum of all parts, with a minus where their number has bit r - 1: for r = 1, 2, ...; 0: with none.

    Args:
        parts: shape (2^k, ...); overwritten.
        spare: half as many; overwritten.
    """
    for r in range(1, len(parts).bit_length()):
        even, odd, differences = parts[::2], parts[1::2], spare[: len(parts) // 2]
        np.subtract(even, odd, out=differences)
        for difference in differences[1:]:
            differences[0] += difference
        yield r, differences[0]
        even += odd
        parts = even
    yield 0, parts[0]
