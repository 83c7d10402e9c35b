"""Results in one SQLite file: a cell is there in full or not at all."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from georecall.theory.tools.version import VERSION
from georecall.verify.sweep.cell import Cell
from georecall.verify.sweep.cells import Result

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cells (
    key TEXT PRIMARY KEY,
    result TEXT NOT NULL,
    seconds REAL NOT NULL,
    version TEXT NOT NULL
) WITHOUT ROWID
"""
_PATIENCE = 60.0  # seconds to wait for another process's transaction


class StoreError(OSError):
    """A results file that cannot be read or written; the message says what, where and what would help."""


class Store:
    """A results file, open for reading and writing.

    Every cell is entered in a transaction of its own. Several processes may use one file; a cell that two
    of them measure is entered once, which loses nothing, for cells determine their results.

    Args:
        path: where; made if it is not there.
        must_exist: refuse to make a new one.

    Raises:
        StoreError: the file cannot be opened, or is no results file.
    """

    def __init__(self, path: str | PathLike[str], *, must_exist: bool = False) -> None:
        self.path = Path(path)
        if must_exist and not self.path.is_file():
            raise StoreError(f"no results file {self.path}; `georecall sweep` makes one")
        with self._errors("open"):
            self._db = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            known = self._db.execute("SELECT name FROM sqlite_master WHERE name = 'cells'").fetchone()
            if known is None:
                if must_exist:
                    raise StoreError(f"{self.path} is no results file of `georecall sweep`")
                self._db.execute(_SCHEMA)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; what was entered is on the disk already."""
        self._db.close()

    def __contains__(self, cell: Cell) -> bool:
        """Whether the cell has been entered, by this process or another."""
        with self._errors("read"):
            found = self._db.execute("SELECT 1 FROM cells WHERE key = ?", (cell.key,)).fetchone()
        return found is not None

    def enter(self, cell: Cell, result: Result, seconds: float) -> None:
        """Enters a finished cell, in one transaction.

        Raises:
            StoreError: the disk is full, the file is read-only, ...; what was entered before stays.
        """
        row = (cell.key, json.dumps(result, sort_keys=True, allow_nan=False), seconds, VERSION)
        with self._errors("write"):
            self._db.execute("INSERT OR IGNORE INTO cells VALUES (?, ?, ?, ?)", row)

    def rows(self, kind: str | None = None, *, timings: bool = False) -> list[dict[str, Any]]:
        """One tidy row a cell, in the order of the keys: kind, parameters, results.

        Of one kind of measurement, or of all; with timings also `seconds`, `version` and what cells timed
        themselves (`..._seconds`), which differ from run to run.
        """
        with self._errors("read"):
            found = self._db.execute(
                "SELECT key, result, seconds, version FROM cells ORDER BY key"
            ).fetchall()
        rows = []
        for key, result, seconds, version in found:
            cell_kind, parameters = json.loads(key)
            if kind in (None, cell_kind):
                taken = {"seconds": seconds, "version": version} if timings else {}
                measured = {
                    name: value
                    for name, value in json.loads(result).items()
                    if timings or not name.endswith("_seconds")
                }
                rows.append({"kind": cell_kind, **parameters, **measured, **taken})
        return rows

    def frame(self, kind: str | None = None, *, timings: bool = False) -> pd.DataFrame:
        """The rows as a DataFrame, by construction and size; what a kind lacks holds missing values."""
        frame = pd.DataFrame(self.rows(kind, timings=timings))
        order = [name for name in _ORDER if name in frame]
        return frame.sort_values(order, kind="stable", ignore_index=True) if order else frame

    def csv(self) -> str:
        """All rows as CSV, without timings: the same bytes for the same cells, however they were run."""
        rows = self.rows()
        names = sorted({name for row in rows for name in row} - {"kind"})
        text = io.StringIO()
        writer = csv.DictWriter(text, ["kind", *names], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            help_ = _HELP.get(str(error), "")
            raise StoreError(f"cannot {doing} {self.path}: {error}{help_}") from error


_ORDER = ("kind", "construction", "n_relations", "n_subjects", "n_attributes", "dimension", "hops", "layer")
_HELP = {
    "database or disk is full": "; finished cells are kept: make room and run the same command again",
    "attempt to write a readonly database": "; make the file and its folder writable, or give another --out",
    "unable to open database file": "; does its folder exist, and may you write there?",
    "file is not a database": "; give another file",
    "database is locked": f"; another process has held it for {_PATIENCE:.0f} s",
}
