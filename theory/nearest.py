"""How far each word of a codebook is from the nearest other word, exactly."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]

_BLOCK = 1 << 24  # entries of one block of distances: 128 MiB of float64


def nearest_squared_distances(words: Words, of: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """The squared distance from each of some words to the nearest other word of the codebook.

    Most codebooks in use have, for nearly every word, another one that differs in one coordinate by the
    least step there is; no word can be nearer. Those are found by sorting, in O(n m log n). Only the
    words without such a neighbour are compared with all others.

    Args:
        words: shape (n, m), integers, no two further apart than 2^25; n >= 2. Words may coincide
            (distance 0).
        of: the numbers of the words asked about; default: all.

    Returns:
        Shape (len(of),), squared Euclidean distances.

    Raises:
        ValueError: fewer than two words, or words too far apart for exact arithmetic.
    """
    n, m = words.shape
    if n < 2:
        raise ValueError(f"a nearest other word needs two words, got {n}")
    if m and m * (int(words.max()) - int(words.min())) ** 2 > 1 << 52:
        raise ValueError("words whose squared distance may pass 2^52 are not supported")
    words = words - words.min(axis=0)  # small numbers: |a|^2 + |b|^2 - 2 <a, b> is then exact in float64
    asked = np.arange(n) if of is None else np.asarray(of)
    nearest = np.full(n, -1, dtype=np.int64)

    order = np.lexsort(words.T)
    twins = (words[order[1:]] == words[order[:-1]]).all(axis=1)
    nearest[order[1:][twins]] = nearest[order[:-1][twins]] = 0

    step = _least_step(words)
    for j in range(m):
        pending = nearest < 0
        if not pending[asked].any():
            break
        nearest[pending & _has_neighbour_along(words, j, step)] = step * step

    remaining = asked[nearest[asked] < 0]
    nearest[remaining] = _by_comparison(words, remaining)
    return nearest[asked]


def _least_step(words: Words) -> int:
    """The least positive difference of two entries of one coordinate."""
    steps = [np.diff(np.unique(column)) for column in words.T]
    return int(min((d.min() for d in steps if d.size), default=0))


def _has_neighbour_along(words: Words, j: int, step: int) -> NDArray[np.bool_]:
    """Whether some other word equals this one but for coordinate j, where it is one step away."""
    others = np.delete(words, j, axis=1)
    order = np.lexsort((words[:, j], *others.T))
    same_line = (others[order[1:]] == others[order[:-1]]).all(axis=1)
    adjacent = same_line & (np.diff(words[order, j]) == step)
    found = np.zeros(len(words), dtype=bool)
    found[order[1:][adjacent]] = True
    found[order[:-1][adjacent]] = True
    return found


def _by_comparison(words: Words, asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same by comparing with every word: |a|^2 + |b|^2 - 2 <a, b>, exact in float64."""
    floats = words.astype(np.float64)
    norms = np.einsum("ij,ij->i", floats, floats)
    nearest = np.empty(len(asked), dtype=np.int64)
    rows = max(1, _BLOCK // len(words))
    for start in range(0, len(asked), rows):
        block = asked[start : start + rows]
        distances = norms[block, None] + norms - 2.0 * (floats[block] @ floats.T)
        distances[np.arange(len(block)), block] = np.inf
        nearest[start : start + rows] = distances.min(axis=1).astype(np.int64)
    return nearest
