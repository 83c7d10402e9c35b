"""Counterexamples: shrunk to a table that a person can read, and shown as one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.found import Margins
from georecall.verify.margins.lead import Witness
from georecall.verify.verdict.table import ROWS_SHOWN, shown

_ATTEMPTS = 400  # constructions built while shrinking: a second or two on small tables


@dataclass(frozen=True)
class Counterexample:
    """A table of facts on which something that must hold, a fixed phrase, does not; and what went wrong.

    A query shows it, if one does; a witness is there where that was answered wrongly. It is certain if it is
    proved, or at least measured beyond noise. `built`: the model that all this is about, and its margins.
    """

    law: str
    facts: FactTable
    says: str
    subject: int | None = None
    relations: tuple[int, ...] = ()
    witness: Witness | None = None
    certain: bool = True
    built: tuple[Any, Margins] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """What went wrong, the table with the query marked, and what does not hold."""
        table = shown(self.facts, self.subject, self.relations)
        return f"{self.says}\n{table}; {'does not hold' if self.certain else 'not decided'}: {self.law}"


def shrunk(
    found: Counterexample,
    again: Callable[[FactTable], Counterexample | None],
    *,
    bijective: bool,
    entities: bool,
) -> Counterexample:
    """The smallest counterexample to the same law that dropping and lowering leads to."""
    attempts, smaller = 0, True
    while smaller:
        smaller = False
        for table in _smaller(found.facts, bijective, entities):
            attempts += 1
            if attempts > _ATTEMPTS:
                return found
            other = again(table)
            if other is not None and other.law == found.law:
                found, smaller = other, True
                break
    return found


def _smaller(facts: FactTable, bijective: bool, entities: bool) -> Iterator[FactTable]:
    """Tables with fewer subjects, then fewer relations, then fewer attributes, then lower answers."""
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    for size in (N // 2, N - N // 4, N - 1):
        if 0 < size < N:
            yield from _kept(facts, np.arange(size), bijective, entities)
    if 1 < N <= ROWS_SHOWN:
        for s in range(N):
            yield from _kept(facts, np.delete(np.arange(N), s), bijective, entities)
    for size in (R // 2, R - 1):
        if size > 0:
            yield facts.restricted(relations=range(size))
    if 1 < R <= ROWS_SHOWN:
        for r in range(R):
            yield facts.restricted(relations=[other for other in range(R) if other != r])
    if bijective:
        return
    if not entities and facts.attributes is None:
        for size in (2, A // 2, A - 1):
            if 2 <= size < A:
                yield FactTable(np.minimum(facts.answers, size - 1), n_attributes=size)
                yield FactTable(facts.answers % size, n_attributes=size)
    for r, s in np.argwhere(facts.answers > 0) if facts.n_facts <= ROWS_SHOWN**2 else ():
        for lower in {0, int(facts.answers[r, s]) - 1}:
            yield facts.altered(int(s), int(r), lower)


def _kept(
    facts: FactTable, subjects: np.ndarray[tuple[int], np.dtype[np.int64]], bijective: bool, entities: bool
) -> Iterator[FactTable]:
    """The table of some subjects; bijections and entities are numbered anew."""
    answers = facts.answers[:, subjects]
    if bijective:
        yield FactTable(np.argsort(np.argsort(answers)))  # ranks, row by row
    elif entities:
        if len(subjects) > 1:  # what is answered by an entity that is gone is answered by the first
            place = np.zeros(facts.n_subjects, dtype=np.int64)
            place[subjects] = np.arange(len(subjects))
            yield FactTable(place[answers], n_attributes=len(subjects))
    else:
        yield facts.restricted(subjects=subjects.tolist())
