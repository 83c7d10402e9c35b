"""Facts as they are stated, subject by subject or triple by triple, put into one array.

A text is a number from its first appearance on, and a cell costs one look-up: 15,000 subjects with 1,345
relations take seconds, and the memory of their numbers.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.spelling import CellError, FactsError, name_in, tell_apart, tell_several
from georecall.theory.tools.names import inert, quoted

UNKNOWN = "unknown"
_MOST_CELLS = 1 << 29  # of a table: 4 GiB of numbers


@dataclass(frozen=True)
class Stated:
    """A table in numbers and names."""

    answers: NDArray[np.integer]  # shape (R, N), numbers of attributes
    subjects: tuple[str, ...]  # N names
    relations: tuple[str, ...]  # R names
    attributes: tuple[str, ...]  # |A| names, in order of first appearance, relation by relation
    filled: NDArray[np.bool_] | None = None  # shape (R, N), the cells that nobody stated; none where all are


Row = tuple[int, list[str]]  # number of the row or entry, its cells


@dataclass(frozen=True)
class Source:
    """Where facts are stated, as messages call it: a file and its rows, or entries."""

    name: str
    kind: str = "row"

    def at(self, number: int) -> str:
        """A row, by its number."""
        return f"{self.name}, {self.kind} {number}"


def wide(source: Source, relations: Sequence[str], rows: Iterable[Row], missing: str | None) -> Stated:
    """Rows of a subject and one answer for each relation.

    Raises:
        FactsError: a ragged row, a subject missing or twice, a missing cell.
    """
    texts = _Texts()
    line_of: dict[str, int] = {}
    numbers: list[NDArray[np.int32]] = []
    for line, (first, *answers) in rows:
        if len(answers) != len(relations):
            raise FactsError(
                f"{source.at(line)}: {len(answers) + 1} cells, where the header has {len(relations) + 1}"
            )
        subject = _named(first, source, line, "subject")
        if subject in line_of:
            before = f"{source.kind} {line_of[subject]}"
            raise FactsError(f"{source.at(line)}: the subject {quoted(subject)} stands already in {before}")
        line_of[subject] = line
        try:
            numbers.append(np.fromiter(map(texts.__getitem__, answers), np.int32, len(answers)))
        except CellError as error:
            column = relations[answers.index(error.cell)]
            raise FactsError(f"{source.at(line)}, column {inert(column):.80}: {error}") from None
    if not numbers:
        raise FactsError(f"{source.name} has a header but no subject")
    lines = list(line_of.values())

    def cell(r: int, s: int) -> str:
        return f"{source.at(lines[s])}, column {inert(relations[r]):.80}"

    cells = np.ascontiguousarray(np.stack(numbers).T)
    return _table(source, list(line_of), lines, relations, texts.names, cells, missing, cell)


def long(source: Source, rows: Iterable[Row], missing: str | None) -> Stated:
    """Rows of subject, relation, attribute.

    Raises:
        FactsError: a name missing, contradicting triples, a missing cell, more cells than are held.
    """
    texts = _Texts()
    subjects: dict[str, int] = {}
    relations: dict[str, int] = {}
    lines, s, r, a = (array(kind) for kind in "qiii")
    for line, (subject, relation, attribute) in rows:
        s.append(subjects.setdefault(_named(subject, source, line, "subject"), len(subjects)))
        r.append(relations.setdefault(_named(relation, source, line, "relation"), len(relations)))
        try:
            a.append(texts[attribute])
        except CellError as error:
            raise FactsError(f"{source.at(line)}, column attribute: {error}") from None
        if a[-1] < 0 and missing is None:
            raise FactsError(f"{source.at(line)}, column attribute: {_MISSING}")
        lines.append(line)
    if not lines:
        raise FactsError(f"{source.name} has a header but no subject")
    N, R = len(subjects), len(relations)
    if N * R > _MOST_CELLS:
        raise FactsError(
            f"{source.name}: {N} subjects and {R} relations make a table of {N * R} cells, more than the "
            f"{_MOST_CELLS} that are held; give the facts of fewer relations"
        )
    S, L, said = (np.frombuffer(column, np.int32) for column in (s, r, a))
    key = L.astype(np.int64) * N + S
    first = np.full(R * N, len(S), np.int32)  # the row that first says a cell
    np.minimum.at(first, key, np.arange(len(S), dtype=np.int32))
    names, of = list(subjects), list(relations)
    if len(wrong := np.flatnonzero(said[first[key]] != said)):
        i, before = int(wrong[0]), int(first[key[wrong[0]]])
        now, then = (quoted(texts.names[a[row]] if a[row] >= 0 else UNKNOWN) for row in (i, before))
        fact = f"{inert(of[L[i]]):.80} of {inert(names[S[i]]):.80}"
        raise FactsError(
            f"{source.at(lines[i])}: {fact} is {now}, but {then} in {source.kind} {lines[before]}"
        )
    cells = np.append(said, np.int32(-1))[first].reshape(R, N)

    begins = np.full(N, len(S), np.int32)
    np.minimum.at(begins, S, np.arange(len(S), dtype=np.int32))
    at = [lines[row] for row in begins]

    def cell(r: int, s: int) -> str:
        first = f"subject {quoted(names[s])} (first in {source.kind} {at[s]})"
        return f"{source.name}: {first}, column {inert(of[r]):.80}"

    return _table(source, names, at, of, texts.names, cells, missing, cell)


_MISSING = "missing (fill it in, or use --missing unknown)"


class _Texts(dict[str, int]):
    """The number of a text, by the cell that says it; -1 of an empty one. Each new cell is examined once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __missing__(self, cell: str) -> int:
        text = name_in(cell)
        number = self[cell] = self.numbers.setdefault(text, len(self.numbers)) if text else -1
        return number

    @property
    def names(self) -> list[str]:
        return list(self.numbers)


def _named(cell: str, source: Source, line: int, column: str) -> str:
    try:
        name = name_in(cell)
    except CellError as error:
        raise FactsError(f"{source.at(line)}, column {column}: {error}") from None
    if not name:
        raise FactsError(f"{source.at(line)}, column {column}: missing")
    return name


def _table(
    source: Source,
    subjects: Sequence[str],
    lines: Sequence[int],
    relations: Sequence[str],
    texts: list[str],
    cells: NDArray[np.int32],
    missing: str | None,
    where: Callable[[int, int], str],
) -> Stated:
    """Attributes numbered as they appear, relation by relation, once nothing is missing or mistakable."""
    filled = cells < 0
    if filled.any() and missing is None:
        r, s = np.unravel_index(int(np.argmax(filled.T)), filled.T.shape)[::-1]
        raise FactsError(f"{where(int(r), int(s))}: {_MISSING}")
    if filled.any():
        texts = texts if UNKNOWN in texts else [*texts, UNKNOWN]
        cells[filled] = texts.index(UNKNOWN)
    spoken = cells.ravel()
    first = np.full(len(texts), spoken.size, np.int32)
    np.minimum.at(first, spoken, np.arange(spoken.size, dtype=np.int32))
    order = np.argsort(first, kind="stable")[: int((first < spoken.size).sum())]
    number = np.empty(len(texts), np.int64)
    number[order] = np.arange(len(order))
    attributes = tuple(texts[n] for n in order)

    def place(i: int) -> str:
        """Where a subject stands first, or an attribute."""
        if i < len(subjects):
            return source.at(lines[i])
        return where(*map(int, divmod(int(first[order[i - len(subjects)]]), cells.shape[1])))

    tell_apart((*subjects, *attributes), place)
    tell_apart(relations, lambda _: source.name)
    tell_several(attributes, lambda a: place(len(subjects) + a))
    return Stated(
        number[cells], tuple(subjects), tuple(relations), attributes, filled if filled.any() else None
    )
