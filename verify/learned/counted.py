"""Arithmetic that counts itself."""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Floats


class Operations:
    """Operations carried out so far, and since when."""

    def __init__(self) -> None:
        self.operations, self._start = 0, perf_counter()

    def times(self, x: Floats, y: Floats) -> Floats:
        """A product of matrices: a multiply-add for every term."""
        self.operations += x.size * y.shape[-1]
        return np.asarray(x @ y)

    def each(self, found: Floats) -> Floats:
        """What took one operation an entry; also what goes into a sum, or a search for the least."""
        self.operations += found.size
        return found

    def ends(self, rows: Floats, starts: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """The least and the largest of every column, block by block of the rows."""
        self.operations += 2 * rows.size
        return np.minimum.reduceat(rows, starts), np.maximum.reduceat(rows, starts)

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return perf_counter() - self._start
