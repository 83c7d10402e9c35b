"""An integer matrix as few additions per column: how subjects run through the maps of a separated model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.on_demand import as_slice
from georecall.theory.tools.arrays import Floats

Integers = NDArray[np.signedinteger]

_FEW_TERMS = 64  # up to so many entries a column, a map is a few additions; beyond, a matrix product


class NotExactError(ValueError):
    """Maps that floats would round, or numbers that no integer type holds."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """An integer matrix as a few terms per column, each a run of coordinates where it can be one.

    Args:
        terms: (from, to, factors): coordinates of the input, of the output, and factors, or None for ones.
        matrix: used instead where there are too many terms.
        n_out: the number of columns.
        reach: the largest sum of magnitudes of a column.
    """

    terms: list[tuple[Any, Any, NDArray[np.int64] | None]]
    matrix: NDArray[np.float64] | None
    n_out: int
    reach: int

    @classmethod
    def of(cls, W: Any, shift: int) -> "LinearMap":
        """The map x -> x W 2^shift.

        Raises:
            NotExactError: entries beyond 2^53, or columns whose sums no integer holds.
        """
        columns = csc_array(W)
        columns.eliminate_zeros()
        columns.sort_indices()
        entries = integers(columns.data, shift)
        n_terms = np.diff(columns.indptr)
        if float(np.abs(entries).max(initial=0)) * n_terms.max(initial=0) >= 1 << 62:
            raise NotExactError("columns beyond 2^62")
        sums = np.add.reduceat(np.abs(entries), columns.indptr[:-1][n_terms > 0]) if len(entries) else [0]
        reach, n_out = int(max(sums)), int(W.shape[1])
        if n_terms.max(initial=0) > _FEW_TERMS:
            return cls([], np.ldexp(dense(W), shift), n_out, reach)
        terms = []
        for term in range(int(n_terms.max(initial=0))):
            there = np.flatnonzero(n_terms > term)
            at = columns.indptr[there] + term
            factors = entries[at]
            ones = bool((factors == 1).all())
            terms.append((as_slice(columns.indices[at]), as_slice(there), None if ones else factors))
        return cls(terms, None, n_out, reach)

    def restricted(self, rows: NDArray[np.intp]) -> "LinearMap":
        """The map of some coordinates of the input alone, in increasing order."""
        if self.matrix is not None:
            return LinearMap([], self.matrix[rows], self.n_out, self.reach)
        terms = []
        for source, target, factors in self.terms:
            places = np.searchsorted(rows, indices(source))
            there = np.flatnonzero(np.append(rows, -1)[places] == indices(source))
            if len(there):
                chosen = None if factors is None else factors[there]
                terms.append((as_slice(places[there]), as_slice(indices(target)[there]), chosen))
        return LinearMap(terms, None, self.n_out, self.reach)

    def applied(self, x: Integers, kind: Any) -> Integers:
        """The map of all columns of x, shape (n_out, how many); x itself where it is the identity."""
        if len(self.terms) == 1:
            source, target, factors = self.terms[0]
            everything = isinstance(target, slice) and target == slice(0, self.n_out)
            if factors is None and everything:
                same: Integers = x[source].astype(kind, copy=False)
                return same
        out = np.zeros((self.n_out, x.shape[1]), dtype=kind)
        self.add(out, x)
        return out

    def add(self, out: Integers, x: Integers) -> None:
        """Adds the map of x to `out`; its type holds all partial sums."""
        if self.matrix is not None:
            bound = self.reach * largest_magnitude(x)
            if bound >= 1 << 53:
                raise NotExactError("float64 would round a matrix product")
            kind = np.float32 if bound < 1 << 24 else np.float64
            out += (self.matrix.T.astype(kind) @ x.astype(kind)).astype(out.dtype)
        for source, target, factors in self.terms:
            part = x[source]
            if factors is not None:
                part = part.astype(out.dtype) * factors.astype(out.dtype)[:, None]
            if isinstance(target, slice):
                view = out[target]
                np.add(view, part, out=view)
            else:
                out[target] += part.astype(out.dtype, copy=False)


def largest_magnitude(values: Integers) -> int:
    """The largest magnitude."""
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def indices(places: Any) -> NDArray[np.intp]:
    """Places as numbers."""
    return np.arange(places.start, places.stop) if isinstance(places, slice) else places


def integers(values: Floats, shift: int) -> NDArray[np.int64]:
    """The values times 2^shift, which are whole.

    Raises:
        NotExactError: beyond 2^53.
    """
    scaled = np.ldexp(values, shift)
    if np.abs(scaled).max(initial=0) >= 1 << 53:
        raise NotExactError("integers beyond 2^53")
    return scaled.astype(np.int64)
