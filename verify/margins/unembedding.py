"""What an unembedding reads: W_U with rows that are identical put together, as integers.

If W_U has groups of identical rows, x W_U = (x P) C, where P sums the coordinates of each group and C has a
row for each. C1' has R copies of m rows; C1 has zeros in all but m. The readout x P is what logits depend on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense, float64
from georecall.constructions.transformer.on_demand import OnDemand, as_slice
from georecall.constructions.transformer.parts import weight
from georecall.theory.tools.blocks import Fold, blocks, fold
from georecall.verify.margins.number_formats import granule

_DIGITS = 24  # of the entries of C: products of two and sums of many are then exact
_BLOCK = 1 << 20  # entries of W_U looked at together: twice as many no longer fit the cache


@dataclass(frozen=True, eq=False)
class Unembedding:
    """The distinct rows of W_U.

    Args:
        gather: P, sparse, shape (d_model, m): the sum of each group of identical rows that are not zero.
        step: log2 of the unit of C.
        n_words: |A|, the columns of W_U.
        largest: the largest magnitude in C, in units.
        source: W_U itself if its entries come on demand, else C in units, shape (m, |A|).
        first: the first row of W_U of each group, shape (m,).
    """

    gather: Any
    step: int
    n_words: int
    largest: int
    source: Any
    first: NDArray[np.intp]

    @classmethod
    def of(cls, W_U: Any, fold: Fold = fold) -> "Unembedding | None":
        """The distinct rows of an unembedding; None if all are zero, or of more than 24 bits."""
        matrix = W_U if isinstance(W_U, OnDemand) else dense(float64(W_U))
        group, first, most = _identical(matrix, fold)
        if not len(first):
            return None
        step = 0
        if not isinstance(matrix, OnDemand):
            matrix = matrix[first]
            step = granule(matrix)
            matrix = np.ldexp(matrix, -step) if step else matrix
            most = float(np.abs(matrix).max())
        if most >= 1 << _DIGITS:
            return None
        if not isinstance(matrix, OnDemand):
            matrix = matrix.astype(np.int8 if most < 1 << 7 else np.int32)
        used = np.flatnonzero(group >= 0)
        gather = weight((W_U.shape[0], len(first)), used, group[used], 1.0)
        return cls(gather, step, int(W_U.shape[1]), int(most), matrix, first)

    @property
    def length(self) -> int:
        """The number of distinct rows, m."""
        return len(self.first)

    def columns(self, attributes: NDArray[np.integer] | slice) -> NDArray[Any]:
        """The columns of C of some attributes, in units: shape (m, how many)."""
        if isinstance(self.source, OnDemand):
            return self.source.columns(attributes, self.first)
        found: NDArray[Any] = self.source[:, attributes]
        return found

    def blocks(self, size: int) -> Iterator[slice]:
        """All attributes, `size` at a time."""
        return blocks(self.n_words, size)


def _identical(W_U: Any, fold: Fold) -> tuple[NDArray[np.intp], NDArray[np.intp], float]:
    """For each row its group, -1 where it is all zero; for each group its first row; the largest magnitude.

    Rows that agree on some columns may differ on later ones: groups are split until all have been seen. Of
    rows that are computed as one, one is looked at.
    """
    alike = W_U.alike() if isinstance(W_U, OnDemand) else np.arange(W_U.shape[0])
    _, looked_at, of = np.unique(alike, return_index=True, return_inverse=True)
    order = np.argsort(looked_at)
    place, looked_at, of = np.argsort(order), looked_at[order], of.reshape(-1)
    rows = np.arange(len(looked_at))
    last: list[Any] = [[None, None, None]]  # the leaders seen last, and their groups

    def step(state: list[Any], block: slice) -> list[Any]:
        leader, used, most = *_typed(state), state[2]
        groups = last[0]
        if groups[0] is None or not np.array_equal(groups[0], leader):
            groups = last[0] = [leader, *_groups(leader)]
        words = _columns(W_U, block, looked_at)
        if not all((words[members] == words[at]).all() for at, members in groups[2]):
            leader = _split(words, leader, used)
            groups = last[0] = [leader, *_groups(leader)]
        low, high = words.min(axis=1, initial=0), words.max(axis=1, initial=0)
        used[groups[1]] |= ((low < 0) | (high > 0))[groups[1]]
        return [leader, used, max(most, float(high.max(initial=0)), -float(low.min(initial=0)))]

    def merge(ours: list[Any], theirs: list[Any]) -> list[Any]:
        (leader, used), (other, seen) = _typed(ours), _typed(theirs)
        both, first, group = np.unique(leader * len(rows) + other, return_index=True, return_inverse=True)
        there = np.zeros(len(rows), dtype=bool)
        there[first] = used[both // len(rows)] | seen[both % len(rows)]
        return [first[group.reshape(-1)], there, max(ours[2], theirs[2])]

    start: list[Any] = [np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows), dtype=bool), 0.0]
    found = fold("unembedding", W_U.shape[1], _BLOCK // max(1, len(rows)), step, start, merge)
    (leader, used), most = _typed(found), found[2]
    first = np.flatnonzero(used & (leader == rows))
    group = np.full(len(rows), -1)
    group[first] = np.arange(len(first))
    return group[leader][place[of]], looked_at[first], float(most)


def _typed(state: list[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Leaders and which of them are used, of a state or its JSON; the second is a copy."""
    return np.asarray(state[0], dtype=np.intp), np.array(state[1], dtype=bool)


def _groups(leader: NDArray[np.intp]) -> tuple[Any, list[tuple[int, Any]]]:
    """The first row of each group; and those of several rows, with all of them."""
    leaders, sizes = np.unique(leader, return_counts=True)
    several = [(int(at), as_slice(np.flatnonzero(leader == at))) for at in leaders[sizes > 1]]
    return as_slice(leaders), several


def _split(words: NDArray[Any], leader: NDArray[np.intp], used: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Finer groups: rows of one group that differ here are told apart, and were `used` as one until here."""
    finer = leader.copy()
    number: dict[tuple[int, bytes], int] = {}
    for row in np.flatnonzero((words != words[leader]).any(axis=1)):
        same = (words[row] + 0).tobytes()  # zeros of either sign are one number
        finer[row] = number.setdefault((int(leader[row]), same), int(row))
        used[finer[row]] = used[leader[row]]
    return finer


def _columns(W_U: Any, block: slice, rows: NDArray[np.intp]) -> NDArray[Any]:
    """Some columns and rows of W_U."""
    found: NDArray[Any] = W_U.columns(block, rows) if isinstance(W_U, OnDemand) else W_U[rows, block]
    return found
