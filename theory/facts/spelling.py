"""How names are spelled: what is none, and which two nobody could tell apart by reading them."""

import warnings
from collections.abc import Callable, Sequence

from georecall.theory.tools.names import quoted, seen

_SEVERAL = (";", "|")

# Cyrillic and Greek letters drawn as a Latin one in most typefaces (from Unicode's confusables, TR 39)
_TWINS = str.maketrans(
    "аеорсухіјѕԁһӏԛԝАВЕКМНОРСТХУІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧονυρ",  # noqa: RUF001
    "aeopcyxijsdhlqwABEKMHOPCTXYIJSABEZHIKMNOPTYXovup",
)


class FactsError(ValueError):
    """Facts that cannot be read or used; the message says what, where and what would be right."""


class FactsWarning(UserWarning):
    """Facts that were read as they stand, and may not be meant so."""


class CellError(ValueError):
    """A cell that is no name, in words; `cell` as it was given."""

    def __init__(self, why: str, cell: str) -> None:
        super().__init__(why)
        self.cell = cell


def name_in(cell: str) -> str:
    """The name that a cell says: white space around it does not count.

    Raises:
        CellError: it says none that can be told from others, or written.
    """
    text = cell.strip()
    if text.isascii() and text.isprintable() and text[:1] != '"':
        return text
    if text[:1] == '"' and cell[:1] != '"':
        raise CellError(f"a quote after a space: {quoted(cell)}; quotes begin a cell, or are doubled", cell)
    if text and not seen(text):
        raise CellError(f"{quoted(text)} shows nothing", cell)
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise CellError(f"{quoted(text)} holds half a character", cell)
    return text


def tell_apart(names: Sequence[str], place: Callable[[int], str]) -> None:
    """Refuses names that look the same but are two; warns of those that differ in case or script alone.

    `place` says where a name stands, given its number.

    Raises:
        FactsError: the message names the two.
    """
    looks: dict[str, str] = {}
    alike: dict[tuple[str, str], str] = {}
    close: list[str] = []
    places: dict[str, int] = {}
    for i, name in enumerate(names):
        places.setdefault(name, i)
    for name, i in places.items():
        look = seen(name)
        other = looks.setdefault(look, name)
        if other != name:
            both = f"{name!a:.400} and {other!a:.400}"
            raise FactsError(f"{place(i)}: {both} look the same but are two names; spell them alike")
        for how, key in (("case", look.casefold()), ("script", look.translate(_TWINS))):
            like = alike.setdefault((how, key), name)
            if like != name:
                shown = quoted if how == "case" else ascii
                close.append(
                    f"{place(i)}: {shown(name)} and {shown(like)} differ in {how} alone, and are two names"
                )
                alike[how, key] = name
    if close:
        _warn(close[0], len(close))


def tell_several(attributes: Sequence[str], place: Callable[[int], str]) -> None:
    """Warns of attributes that look like lists: a relation has one answer for each subject."""
    several = [
        a
        for a, text in enumerate(attributes)
        if any(sign in text and sum(map(bool, map(str.strip, text.split(sign)))) > 1 for sign in _SEVERAL)
    ]
    if several:
        first = f"{place(several[0])}: {quoted(attributes[several[0]])}"
        _warn(f"{first} looks like several values, and is read as one attribute", len(several))


def _warn(text: str, times: int) -> None:
    more = f" (and {times - 1} more such)" if times > 1 else ""
    warnings.warn(text + more, FactsWarning, stacklevel=2)
