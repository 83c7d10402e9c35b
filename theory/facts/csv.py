"""Facts from CSV files: UTF-8, one header row, wide or long.

Wide: the first column is called `subject`, each further column is a relation.

    subject,symbol,period
    Hydrogen,H,1

Long: the columns are called `subject`, `relation` and `attribute`, in any order.

    subject,relation,attribute
    Hydrogen,symbol,H

White space around a cell and blank lines do not count. Attributes are identified by their text across
all relations and numbered in order of first appearance, relation by relation.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Literal

from georecall.theory.facts.fact_table import UNKNOWN, FactsError, FactTable

_LONG = ("subject", "relation", "attribute")
_FORMS = "want `subject,<relation>,<relation>,...` (wide) or `subject,relation,attribute` (long)"

Row = tuple[int, list[str]]  # number of the line on which the row ends, cells


def read_csv(path: str | PathLike[str], *, missing: Literal["unknown"] | None = None) -> FactTable:
    """Reads a fact table from a CSV file.

    Args:
        path: the file.
        missing: "unknown" fills every missing cell with the attribute "unknown"; else a missing cell
            is refused.

    Raises:
        FactsError: the file cannot be read or decoded, is empty, has a header of neither form, a
            ragged row, a missing cell, a subject twice (wide), or contradicting triples (long). The
            message names file, row (line of the file, from 1) and column.
    """
    if missing not in (None, UNKNOWN):
        raise FactsError(f"missing must be {UNKNOWN!r} or nothing, got {missing!r}")
    name = str(path)
    rows = _rows(name, _text(path))
    line, header = next(rows, (1, []))
    if not header:
        raise FactsError(f"{name} is empty: {_FORMS}")
    lowered = [cell.lower() for cell in header]
    if sorted(lowered) == sorted(_LONG):
        return _read_long(name, rows, [lowered.index(column) for column in _LONG], missing)
    _check_wide_header(name, line, header, lowered)
    return _read_wide(name, rows, header[1:], missing)


def _text(path: str | PathLike[str]) -> str:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FactsError(f"cannot read {path}: {error.strerror}") from error
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        row = 1 + len(re.findall(rb"\r\n|\r|\n", data[: error.start]))
        raise FactsError(f"{path}, row {row}: byte 0x{data[error.start]:02x} is not UTF-8") from error


def _rows(name: str, text: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
            elif len(cells) > 1:  # separators without text: a row whose cells are all missing
                yield reader.line_num, [""] * len(cells)
    except csv.Error as error:
        raise FactsError(f"{name}, row {reader.line_num}: {error}") from error


def _check_wide_header(name: str, line: int, header: list[str], lowered: list[str]) -> None:
    where = f"{name}, row {line}"
    looks_long = "relation" in lowered and ("attribute" in lowered or len(header) == 2)
    if lowered[0] != "subject" or len(header) < 2 or looks_long:
        raise FactsError(f"{where}: the header is {','.join(header)!r}: {_FORMS}")
    for column, relation in enumerate(header, start=1):
        if not relation:
            raise FactsError(f"{where}, column {column}: a relation without a name")
        if relation in header[: column - 1]:
            raise FactsError(f"{where}, column {column}: the relation {relation!r} stands twice")


def _read_wide(name: str, rows: Iterator[Row], relations: list[str], missing: str | None) -> FactTable:
    cells: list[list[str]] = []
    line_of: dict[str, int] = {}
    for line, (subject, *answers) in rows:
        where = f"{name}, row {line}"
        if len(answers) != len(relations):
            raise FactsError(f"{where}: {len(answers) + 1} cells, where the header has {len(relations) + 1}")
        if not subject:
            raise FactsError(f"{where}, column subject: missing")
        if subject in line_of:
            raise FactsError(f"{where}: the subject {subject!r} stands already in row {line_of[subject]}")
        line_of[subject] = line
        cells.append([_cell(answer, where, r, missing) for answer, r in zip(answers, relations, strict=True)])
    if not cells:
        raise FactsError(f"{name} has a header but no subject")
    return _table(list(line_of), relations, [list(column) for column in zip(*cells, strict=True)])


def _read_long(name: str, rows: Iterator[Row], order: list[int], missing: str | None) -> FactTable:
    triples: dict[tuple[str, str], tuple[str, int]] = {}
    subjects: dict[str, int] = {}
    relations: dict[str, int] = {}
    for line, cells in rows:
        where = f"{name}, row {line}"
        if len(cells) != len(_LONG):
            raise FactsError(f"{where}: {len(cells)} cells, where the header has {len(_LONG)}")
        subject, relation, attribute = (cells[i] for i in order)
        for column, cell in (("subject", subject), ("relation", relation)):
            if not cell:
                raise FactsError(f"{where}, column {column}: missing")
        attribute = _cell(attribute, where, "attribute", missing)
        before, line_before = triples.setdefault((subject, relation), (attribute, line))
        if before != attribute:
            raise FactsError(
                f"{where}: {relation} of {subject} is {attribute!r}, but {before!r} in row {line_before}"
            )
        subjects.setdefault(subject, line)
        relations.setdefault(relation, line)
    if not triples:
        raise FactsError(f"{name} has a header but no subject")
    answers = [
        [
            _cell(triples.get((s, r), ("", 0))[0], f"{name}: subject {s!r} (first in row {line})", r, missing)
            for s, line in subjects.items()
        ]
        for r in relations
    ]
    return _table(list(subjects), list(relations), answers)


def _cell(text: str, where: str, column: str, missing: str | None) -> str:
    if text:
        return text
    if missing == UNKNOWN:
        return UNKNOWN
    raise FactsError(f"{where}, column {column}: missing (fill it in, or use --missing unknown)")


def _table(subjects: list[str], relations: list[str], answers: list[list[str]]) -> FactTable:
    number: dict[str, int] = {}
    table = [[number.setdefault(text, len(number)) for text in row] for row in answers]
    return FactTable(table, subjects=subjects, relations=relations, attributes=list(number))
