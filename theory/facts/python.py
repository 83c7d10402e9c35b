"""Facts that a program holds: arrays, columns and data frames, examined before they are believed."""

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from georecall.theory.facts.roles import FORMS, long_order
from georecall.theory.facts.spelling import FactsError
from georecall.theory.facts.stated import Row, Source, Stated, long, wide
from georecall.theory.tools.names import quoted


def answers_in_numbers(
    answers: ArrayLike, attributes: Sequence[str] | None
) -> tuple[NDArray[np.integer], Sequence[str] | None]:
    """Answers as integers, shape (R, N), and the attributes' names; of answers in words their numbers.

    Raises:
        FactsError: no such shape; masked, ragged, neither whole numbers nor words; a word of no attribute.
    """
    if isinstance(answers, np.ma.MaskedArray):
        raise FactsError("answers are masked: fill what is missing, or read it with missing='unknown'")
    if hasattr(answers, "columns"):
        raise FactsError("answers are a data frame: use FactTable.from_frame")
    try:
        table = np.array(answers)
        if table.dtype.kind in "UT":
            table = np.array(answers, dtype=object)
    except ValueError as error:
        raise FactsError(
            f"answers must have shape (relations, subjects), got rows that differ: {error}"
        ) from error
    if table.ndim != 2 or 0 in table.shape:
        raise FactsError(
            f"answers must have shape (relations, subjects) with at least one of each, got {table.shape}"
        )
    if table.dtype.kind in "iu":
        return table, attributes
    if table.dtype != object or not all(isinstance(cell, str) for cell in table.flat):
        kind = next((type(c).__name__ for c in table.flat if not isinstance(c, str)), "")
        got = kind if table.dtype == object else table.dtype
        raise FactsError(f"answers must be integers (attribute numbers) or all of them names, got {got}")
    names = dict.fromkeys(map(str, table.flat)) if attributes is None else attributes
    number = {name: a for a, name in enumerate(names)}
    try:
        numbers = np.array([number[cell] for cell in table.flat]).reshape(table.shape)
    except KeyError as error:
        raise FactsError(f"the answer {quoted(error.args[0])} is none of the attributes") from None
    return numbers, list(names)


def whole_number(value: Any, what: str) -> int:
    """A count as a Python int.

    Raises:
        FactsError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise FactsError(f"{what} must be a whole number, got {value!r}")
    return int(value)


def names_of(names: Sequence[str] | None, count: int, what: str) -> tuple[str, ...] | None:
    """Names in Python's own text.

    Raises:
        FactsError: they are no texts, not as many as there are things to name, or one stands twice.
    """
    if names is None:
        return None
    if isinstance(names, str | bytes) or not all(isinstance(name, str) for name in names):
        raise FactsError(f"names of {what} must be several texts, got {names!r:.80}")
    kept = tuple(map(str, names))  # NumPy's own strings are written otherwise, and would change the digest
    if len(kept) != count:
        raise FactsError(f"{len(kept)} names for {count} {what}")
    if len(set(kept)) != count:
        twice, before = "", set[str]()
        for name in kept:
            twice = twice or (name if name in before else "")
            before.add(name)
        raise FactsError(f"the name {quoted(twice)} stands twice among the {what}")
    return kept


def mask_of(filled: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """The cells that were filled; nothing where none was.

    Raises:
        FactsError: no truth values of this shape.
    """
    if filled is None:
        return None
    mask = np.array(filled)
    if mask.shape != shape or mask.dtype != bool:
        raise FactsError(f"filled must be truth values of shape {shape}, got {mask.dtype} of {mask.shape}")
    mask.setflags(write=False)
    return mask if mask.any() else None


def of_rows(rows: Iterable[tuple[int, Sequence[Any]]], width: int, source: Source) -> Iterator[Row]:
    """Rows of cells as text; what is missing (None, NaN) is empty.

    Raises:
        FactsError: a row of another width, or a cell that is neither text nor a whole number.
    """
    for number, cells in rows:
        if isinstance(cells, str) or len(cells) != width:
            raise FactsError(f"{source.at(number)}: {cells!r:.80}, where {width} parts are wanted")
        yield number, [_text(cell, source.at(number)) for cell in cells]


def of_frame(frame: Any, missing: str | None) -> Stated:
    """The facts of a pandas DataFrame; see `FactTable.from_frame`."""
    source = Source("the frame")
    header, rows = [*map(str, frame.columns)], enumerate(frame.itertuples(index=False, name=None))
    order = long_order(header) if len(header) == 3 else None
    if order is not None:
        cells = of_rows(rows, 3, source)
        return long(source, ((i, [row[o] for o in order]) for i, row in cells), missing)
    if "subject" not in header and all(isinstance(name, str) for name in frame.index):
        header, rows = ["subject", *header], enumerate(frame.itertuples(index=True, name=None))
    if len(header) < 2 or header[0] != "subject" or len(set(header)) < len(header):
        raise FactsError(f"the frame has the columns {quoted(','.join(header))}: {FORMS}")
    return wide(source, header[1:], of_rows(rows, len(header), source), missing)


def _text(cell: Any, where: str) -> str:
    if isinstance(cell, str):
        return cell
    if not isinstance(cell, bool) and isinstance(cell, Integral):
        return str(int(cell))
    absent = cell is None or type(cell).__name__ in ("NAType", "NaTType")
    if absent or (isinstance(cell, float) and cell != cell):
        return ""
    raise FactsError(f"{where}: {cell!r:.80} is neither text nor a whole number; write it as text")
