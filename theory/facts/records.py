"""Facts in JSON of plain shape, whole or one object in each line; `theory.facts.files` says which shapes."""

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from georecall.theory.facts.roles import ATTRIBUTE, RELATION, SUBJECT
from georecall.theory.facts.spelling import FactsError, FactsWarning
from georecall.theory.facts.stated import Row, Source, Stated, long, wide
from georecall.theory.tools.names import quoted

_SUBJECTS = (*SUBJECT, "entity", "name")  # of the wide shape
_SHAPES = (
    'want objects {"subject", "relation", "attribute"} or {"subject", <relation>, ...}, '
    'or {"name", "samples": [{"subject", "object"}]}'
)

Record = tuple[int, dict[str, Any]]  # its number, or its line; its keys and values


def read_records(name: str, text: str, missing: str | None) -> Stated:
    """The facts of a JSON text.

    Raises:
        FactsError: see `theory.facts.files.stated_in`; the message names entry (or row) and key.
    """
    kind, records = _records(name, text)
    if not records:
        raise FactsError(f"{name} holds no object: {_SHAPES}")
    if all("samples" in record for _, record in records):
        _tell_unread(name, ["name", "relation", "samples"], [key for _, record in records for key in record])
        return long(Source(name, "sample"), _samples(name, records), missing)
    source = Source(name, kind)
    keys = list(dict.fromkeys(key for _, record in records for key in record))
    roles = [[key for key in keys if key.casefold() in role] for role in (SUBJECT, RELATION, ATTRIBUTE)]
    for number, record in records:
        for key, value in record.items():
            if isinstance(value, dict | list):
                what = "several values" if isinstance(value, list) else "an object"
                says = f"{what} where one text is wanted; nested JSON is not read"
                raise FactsError(f"{source.at(number)}, key {quoted(key)}: {says}: {_SHAPES}")
    if all(len(role) == 1 for role in roles):
        read = [role[0] for role in roles]
        _tell_unread(name, read, keys)
        rows: list[Row] = [(i, [_text(record.get(key)) for key in read]) for i, record in records]
        return long(source, rows, missing)
    subject = next((key for known in _SUBJECTS for key in keys if key.casefold() == known), None)
    relations = [key for key in keys if key != subject]
    if subject is None or not relations or roles[2]:
        raise FactsError(f"{name} holds objects of {', '.join(map(quoted, keys)) or 'nothing'}: {_SHAPES}")
    rows = [(i, [_text(record.get(key)) for key in (subject, *relations)]) for i, record in records]
    return wide(source, relations, rows, missing)


def _records(name: str, text: str) -> tuple[str, list[Record]]:
    """The objects of a text, and what their numbers count."""
    try:
        whole = _loaded(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise FactsError(f"{name}, row {error.lineno}: no JSON: {error.msg}") from error
        return "row", list(_lines(name, text))
    except (ValueError, RecursionError) as error:
        raise FactsError(f"{name}: {_why(error)}") from error
    entries = whole if isinstance(whole, list) else [whole]
    if entries and all(isinstance(entry, list) and len(entry) == 3 for entry in entries):  # triples
        entries = [dict(zip(("subject", "relation", "attribute"), entry, strict=True)) for entry in entries]
    return "entry", [_object(entry, f"{name}, entry {i}", i) for i, entry in enumerate(entries, start=1)]


def _lines(name: str, text: str) -> Iterator[Record]:
    for i, line in enumerate(re.split("\r\n|\r|\n", text), start=1):
        if line.strip():
            try:
                yield _object(_loaded(line), f"{name}, row {i}", i)
            except json.JSONDecodeError as error:
                raise FactsError(f"{name}, row {i}: no JSON: {error.msg}") from error
            except FactsError:
                raise
            except (ValueError, RecursionError) as error:
                raise FactsError(f"{name}, row {i}: {_why(error)}") from error


def _object(entry: Any, where: str, number: int) -> Record:
    if not isinstance(entry, dict):
        raise FactsError(f"{where}: no object: {_SHAPES}")
    return number, entry


def _why(error: BaseException) -> str:
    return "JSON nested too deep" if isinstance(error, RecursionError) else str(error)


def _loaded(text: str) -> Any:
    """Numbers stay the text that they are; a key given twice, and NaN, are refused."""
    return json.loads(
        text, parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_keys_once
    )


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {quoted(twice)} stands twice in one object")
    return found


def _samples(name: str, records: list[Record]) -> Iterator[Row]:
    """The rows of relations, each with its name and samples; numbered through."""
    number = 0
    for i, record in records:
        relation, samples = record.get("name", record.get("relation")), record["samples"]
        if not isinstance(relation, str) or not isinstance(samples, list):
            raise FactsError(f"{name}, entry {i}: samples want a list, and a `name` for their relation")
        for sample in samples:
            number += 1
            found = sample if isinstance(sample, dict) else {}
            keys = [[key for key in found if key.casefold() in role] for role in (SUBJECT, ATTRIBUTE)]
            texts = [found[key] for role in keys for key in role]
            if [*map(len, keys)] != [1, 1] or len(found) != 2 or not all(isinstance(t, str) for t in texts):
                raise FactsError(f"{name}, sample {number}: want one subject and one object, in text")
            yield number, [texts[0], relation, texts[1]]


def _tell_unread(name: str, read: list[str], keys: list[str]) -> None:
    if unread := [quoted(key) for key in dict.fromkeys(keys) if key not in read]:
        warnings.warn(f"{name}: read as facts without {', '.join(unread)}", FactsWarning, stacklevel=3)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
