"""What is found of all queries: their margins, and which is worst."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Floats
from georecall.verify.margins.lead import Witness
from georecall.verify.margins.queries import Queries
from georecall.verify.usage import show

Method = Literal["exhaustive", "codebook", "filtered", "induction", "transitions", "windows", "measured"]


@dataclass(frozen=True, eq=False)
class Margins:
    """The margins of all queries under a model: at one hop, of all facts of a table.

    Args:
        queries: what was asked.
        lower: shape (R, N), at k hops (R, ..., R, N): proved lower bounds, rounded down to float64.
        upper: the same: proved upper bounds, rounded up.
        minimum: the interval in which the least margin lies; its ends agree if it is known exactly.
        exact: whether every margin is known without error.
        method: how they were obtained.
        show: the query with the least margin (by its lower bound), found when it is asked for: `worst`.
        signs: the same shape: 1 recalled, -1 not, 0 not decided. A positive margin below the least float has
            bounds 0 and that float, and sign 1.
        path: which code decided: filtered, margins, transitions, windows, induction or measured (or counting,
            see `counting.counted`); the controls go the same way.
    """

    queries: Queries
    lower: Floats
    upper: Floats
    minimum: tuple[Fraction, Fraction]
    exact: bool
    method: Method
    show: Callable[[], Witness]
    signs: NDArray[np.int8]
    path: str = "margins"

    @cached_property
    def worst(self) -> Witness:
        """The query with the least margin."""
        return self.show()

    def __getstate__(self) -> dict[str, Any]:
        """To other processes goes the witness, not the way to it."""
        return self.__dict__ | {"show": partial(_found, self.worst)}

    @property
    def n_facts(self) -> int:
        """How many queries there are: N R at one hop."""
        return int(self.lower.size)

    @property
    def n_recalled(self) -> int:
        """Queries whose margin is certainly positive."""
        return int((self.signs > 0).sum())

    @property
    def n_wrong(self) -> int:
        """Queries whose margin is certainly zero or negative; a tie is an error."""
        return int((self.signs < 0).sum())

    @property
    def how_many_wrong(self) -> str:
        """That, in words."""
        what = f"{self.n_wrong} of {self.n_facts} {'facts' if self.lower.ndim == 2 else 'queries'} wrong"
        left = int((self.signs == 0).sum())
        return f"at least {what}, {left} not decided" if left else what

    def gap(self, n_queries: int) -> str | None:
        """What was asked, in words, where neither it nor its certificate stands for so many queries."""
        if self.method in ("induction", "transitions", "windows") or self.n_facts >= n_queries:
            return None
        return (
            f"only {self.n_facts} of {show(n_queries)} queries verified, all strings of "
            f"{self.lower.shape[-1]} of the subjects, drawn at random; all of those are recalled"
        )

    @property
    def wrong(self) -> list[tuple[int, ...]]:
        """The queries that are certainly wrong: (subject, relation), or (subject, relation, ...)."""
        return [self.queries.query(int(number)) for number in np.flatnonzero(self.signs < 0)]

    @staticmethod
    def least(several: "Sequence[Margins]", queries: Queries) -> "Margins":
        """For each query the least of several margins of one shape, as of the steps of a chain."""
        return _together(several, queries, lambda arrays: np.min(arrays, axis=0))

    @staticmethod
    def joined(several: "Sequence[Margins]", queries: Queries) -> "Margins":
        """The margins of several kinds of queries, one kind after the other; arguments as of `least`."""
        return _together(several, queries, lambda arrays: np.concatenate([a.ravel() for a in arrays]))

    def __repr__(self) -> str:
        low, high = self.minimum
        least = f"{float(low):g}" if low == high else f"in [{float(low):.17g}, {float(high):.17g}]"
        return f"Margins({self.n_recalled} of {self.n_facts} recalled, least {least}, {self.method})"


def _found(witness: Witness) -> Witness:
    return witness


def _together(
    several: Sequence[Margins], queries: Queries, merged: Callable[[list[NDArray[Any]]], NDArray[Any]]
) -> Margins:
    first = several[0]
    wrong = [found for found in several if found.n_wrong]  # the witness must be one of theirs
    worst = min(wrong or several, key=lambda found: found.minimum[1 if wrong else 0])
    return Margins(
        queries=queries,
        lower=merged([found.lower for found in several]),
        upper=merged([found.upper for found in several]),
        minimum=(min(found.minimum[0] for found in several), min(found.minimum[1] for found in several)),
        exact=all(found.exact for found in several),
        method=first.method if len({found.method for found in several}) == 1 else "exhaustive",
        show=lambda: worst.worst,
        signs=merged([found.signs for found in several]),
        path=first.path,
    )
