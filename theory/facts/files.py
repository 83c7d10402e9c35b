"""Facts from files: CSV and its kin, JSON, triples; what they hold is said by their text, not by their name.

- Separated by comma, tab or semicolon, one header row. Wide: the first column is called `subject`, each
  further column is a relation. Long: the columns are called `subject`, `relation`, `attribute`, in any order,
  or as the field calls them (head, predicate, object, tail, h, r, t, ...).
- Triples without a header: three columns separated by tabs, subject, relation, attribute.
- JSON, or JSON lines: objects with these keys; `{"name": relation, "samples": [{"subject", "object"}]}`.

UTF-8, also compressed by gzip. White space around a name and blank lines do not count. Attributes are
identified by their text across all relations and numbered in order of first appearance, relation by relation.
"""

import codecs
import re
from os import PathLike
from typing import Literal

from georecall.theory.facts.records import read_records
from georecall.theory.facts.separated import read_separated
from georecall.theory.facts.spelling import FactsError
from georecall.theory.facts.stated import UNKNOWN, Stated
from georecall.theory.tools.streams import content

_KINDS = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet",
    b"PAR1": "Parquet",
    b"\x93NUMPY": "NumPy's .npy: numbers go with --answers",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
    b"SQLite format 3": "SQLite",
    b"%PDF": "PDF",
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def stated_in(path: str | PathLike[str], *, missing: Literal["unknown"] | None = None) -> Stated:
    """Facts from a file; `-` is standard input.

    Args:
        path: the file.
        missing: "unknown" fills every missing cell with the attribute "unknown"; else a missing cell
            is refused.

    Raises:
        FactsError: the file cannot be read or decoded, is of no known form, or says something that a table
            of functions cannot hold. The message names file, row (line of the file, from 1) and column.
    """
    if missing not in (None, UNKNOWN):
        raise FactsError(f"missing must be {UNKNOWN!r} or nothing, got {missing!r}")
    name = "standard input" if str(path) == "-" else str(path)
    try:
        data = content(path)
    except OSError as error:
        raise FactsError(f"cannot read {name}: {error.strerror or error}") from error
    data = data.removeprefix(codecs.BOM_UTF8)
    _check_text(name, data)
    if data.lstrip()[:1] in (b"{", b"[") and not re.match(rb"[^\t\r\n]+\t[^\t\r\n]+\t", data.lstrip()):
        return read_records(name, data.decode(), missing)
    return read_separated(name, data, missing)


def _check_text(name: str, data: bytes) -> None:
    """Refuses bytes that are no text in UTF-8, with the remedy."""
    for magic, kind in _KINDS.items():
        if data.startswith(magic):
            raise FactsError(f"{name} is {kind}; want text: CSV, tab-separated triples or JSON")
    try:
        data.decode()
        zero = data.find(b"\0")
        if zero < 0:
            return
        at, what = zero, "no text"
    except UnicodeDecodeError as error:
        at, what = error.start, "not UTF-8"
    row = 1 + len(re.findall(rb"\r\n|\r|\n", data[:at]))
    wide = data.startswith(_UTF16) or (len(data) > 3 and data[1:4:2] == b"\0\0")
    encoding = "UTF-16" if wide else "LATIN1" if data[at] else ""
    remedy = f" (if it is {encoding}: iconv -f {encoding} -t UTF-8 FILE > NEW)" if encoding else ""
    raise FactsError(f"{name}, row {row}: byte 0x{data[at]:02x} is {what}{remedy}")
