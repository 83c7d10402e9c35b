"""The compiled loop: whether all readouts of some subjects are their answers' words (needs numba).

What `Separated.readouts` computes in passes over a whole piece is computed here for tiles that stay in the
processor's cache. Types are those of the arrays given, which `counting.compiled` has proved wide enough; so
that nothing wider is computed, and as much as can be at once, constants are of the same types.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.fast import jit

Numbers = NDArray[np.signedinteger]
Map = tuple[Numbers, Numbers]  # from, to, ..., of each entry, and its factor


@jit
def _spell(out: Numbers, n: int, numbers: Numbers, digit: Numbers) -> None:
    """Digits: scale ((number >> low) & mask) + offset."""
    low = digit[1] & (np.iinfo(numbers.dtype).bits - 1)  # as it is: this says that nothing wider is needed
    mask, scale, offset = digit[2], digit[3], digit[4]
    for t in range(n):
        out[t] = numbers.dtype.type(scale * ((numbers[t] >> low) & mask) + offset)


@jit
def _add(out: Numbers, n: int, x: Numbers, factor: Any) -> None:
    """Adds factor x."""
    for t in range(n):
        out[t] += factor * x[t]


@jit
def _fire(out: Numbers, n: int, z: Numbers, floor: Any, factor: Any) -> None:
    """Adds factor ReLU(z - floor)."""
    for t in range(n):
        out[t] += factor * (max(z[t], floor) - floor)


@jit
def all_words(
    asked: Numbers,
    answers: Numbers,
    coordinates: Numbers,
    words: Numbers,
    into: Map,
    through: Map,
    always: Map,
    changed: Map,
    ends: Numbers,
    floors: Numbers,
    adds: Numbers,
    x: Numbers,
    z: Numbers,
    shared: Numbers,
    y: Numbers,
    word: Numbers,
) -> bool:
    """Whether every readout is its answer's word.

    Args:
        asked: what the embeddings are made of, shape (relations, subjects).
        answers: shape (R, subjects).
        coordinates: of, low, mask, scale, offset of each coordinate of a subject, shape (rows, 5).
        words: the same of a word, shape (m, 5).
        into: the map from coordinates to neurons.
        through: the map from coordinates to the readout.
        always: from, to, row of `floors`: to the readout from neurons that may fire whatever is asked.
        changed: what a relation adds to that: entries ends[r m + j] to ends[r m + j + 1] for coordinate j.
        ends: shape (R m + 1,).
        floors: the z from which on a neuron fires, by relation, and for most of them: shape (R + 1, d_mlp).
        adds: shape (R, m).
        x: room for a tile's coordinates.
        z: for its neurons.
        shared: for what of the readout does not depend on the relation.
        y: for one coordinate of the readout.
        word: for the answers' one.
    """
    m = len(words)
    for start in range(0, answers.shape[1], len(y)):
        n = min(len(y), answers.shape[1] - start)
        for i in range(len(coordinates)):
            _spell(x[i], n, asked[coordinates[i, 0], start:], coordinates[i])
        z[:], shared[:] = 0, 0
        for e in range(len(into[1])):
            _add(z[into[0][1, e]], n, x[into[0][0, e]], into[1][e])
        for e in range(len(through[1])):
            _add(shared[through[0][1, e]], n, x[through[0][0, e]], through[1][e])
        for e in range(len(always[1])):
            at, to, row = always[0][:, e]
            _fire(shared[to], n, z[at], floors[row, at], always[1][e])
        for r in range(len(answers)):
            for j in range(m):
                add = adds[r, j]
                for t in range(n):
                    y[t] = shared[j, t] + add
                for e in range(ends[r * m + j], ends[r * m + j + 1]):
                    at, row = changed[0][0, e], changed[0][2, e]
                    _fire(y, n, z[at], floors[row, at], changed[1][e])
                _spell(word, n, answers[r, start:], words[j])
                differ = word[0] ^ word[0]
                for t in range(n):
                    differ |= y[t] ^ word[t]
                if differ:
                    return False
    return True
