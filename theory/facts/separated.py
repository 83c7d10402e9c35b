"""Facts in rows of cells, separated by commas, tabs or semicolons; `theory.facts.files` says which forms."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from georecall.theory.facts.roles import ATTRIBUTE, FORMS, RELATION, SUBJECT, half_long, long_order
from georecall.theory.facts.spelling import FactsError
from georecall.theory.facts.stated import Row, Source, Stated, long, wide
from georecall.theory.tools.names import quoted

_DELIMITERS = (",", "\t", ";")
_SUBJECTS = {name for name in SUBJECT if len(name) > 1}
_ROLES = {name for role in (SUBJECT, RELATION, ATTRIBUTE) for name in role if len(name) > 1}


def read_separated(name: str, data: bytes, missing: str | None) -> Stated:
    """The facts of a text in UTF-8, by whichever separator makes sense of its header.

    Raises:
        FactsError: see `theory.facts.files.stated_in`.
    """
    source = Source(name)
    for delimiter in _DELIMITERS:
        rows = _rows(name, data, delimiter)
        line, header = _header(rows)
        if (order := long_order(header)) is not None and len(header) == 3:
            return long(source, _ordered(_body(rows, header, source), order, source), missing)
        if len(header) > 1 and header[0].casefold() in _SUBJECTS and not half_long(header):
            _check_relations(header, source.at(line))
            return wide(source, header[1:], _body(rows, header, source), missing)
    _, first = _header(_rows(name, data, "\t", quotes=False))
    if len(first) == 3 and all(first) and not _ROLES & {cell.casefold() for cell in first}:
        rows = _rows(name, data, "\t", quotes=False)
        return long(source, _ordered(rows, [0, 1, 2], source), missing)
    line, header = _header(_rows(name, data, ","), strict=True)
    if not header:
        raise FactsError(f"{name} is empty: {FORMS}")
    if not header[0] and (long_order(header[1:]) or header[1:2] == ["subject"]):
        raise FactsError(
            f"{source.at(line)}: the first column has no name (the index of a data frame?): "
            "write the file without it"
        )
    raise FactsError(f"{source.at(line)}: the header is {quoted(','.join(header))}: {FORMS}")


def _rows(name: str, data: bytes, delimiter: str, *, quotes: bool = True) -> Iterator[Row]:
    """Rows with text, or with separators; numbered by the line on which each ends."""
    csv.field_size_limit(max(csv.field_size_limit(), len(data) + 1))
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    reader = csv.reader(text, delimiter=delimiter, strict=True, quoting=quoting)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield reader.line_num, cells
            elif len(cells) > 1 and delimiter != "\t":  # a row whose cells are all missing
                yield reader.line_num, [""] * len(cells)
    except csv.Error as error:
        raise FactsError(f"{name}, row {reader.line_num}: {error}") from error


def _header(rows: Iterator[Row], *, strict: bool = False) -> tuple[int, list[str]]:
    """The first row and its line; none where there is none, or where this separator makes no rows at all."""
    try:
        line, cells = next(rows, (1, []))
    except FactsError:
        if strict:
            raise
        return 1, []
    return line, [cell.strip() for cell in cells]


def _body(rows: Iterable[Row], header: list[str], source: Source) -> Iterator[Row]:
    """The rows below the header, which must not stand there again."""
    again = [cell.casefold() for cell in header]
    first = again[0]
    for line, cells in rows:
        if cells[0].strip().casefold() == first and [cell.strip().casefold() for cell in cells] == again:
            raise FactsError(f"{source.at(line)}: the header stands here again: is this two files in one?")
        yield line, cells


def _ordered(rows: Iterable[Row], order: list[int], source: Source) -> Iterator[Row]:
    subject, relation, attribute = order
    for line, cells in rows:
        if len(cells) != 3:
            raise FactsError(f"{source.at(line)}: {len(cells)} cells, where the header has 3")
        yield line, [cells[subject], cells[relation], cells[attribute]]


def _check_relations(header: list[str], where: str) -> None:
    before = set[str]()
    for column, relation in enumerate(header, start=1):
        if not relation:
            raise FactsError(f"{where}, column {column}: a relation without a name")
        if relation in before:
            raise FactsError(f"{where}, column {column}: the relation {quoted(relation)} stands twice")
        before.add(relation)
