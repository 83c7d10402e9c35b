"""Names that people type and read: what they may have meant, how it is shown; and a claim's page."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches

_MOST = 80  # characters of a name that a message quotes


def meant(name: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """What a message says behind a name that is not known; nothing where none of the known is like it.

    Example:
        >>> meant("countrys", ["countries", "elements"])
        " (did you mean 'countries'?)"
        >>> meant("x", ["countries", "elements"])
        ''
    """
    closest = get_close_matches(name[:_MOST], list(known), n=1)
    return f" (did you mean {quoted(shown(closest[0]))}?)" if closest else ""


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """What a message says of a name that is not known.

    Example:
        >>> no_such("data set", "countrys", ["countries", "elements"])
        "no data set is called 'countrys' (did you mean 'countries'?); there are countries, elements"
    """
    known = list(known)
    return f"no {kind} is called {name!r}{meant(name, known)}; there are {', '.join(known)}"


def inert(text: object) -> str:
    r"""Foreign text in a line: what would move the cursor, turn the line around or vanish is an escape.

    Example:
        >>> print(inert("a\x1b[31m \u202eb"))
        a\x1b[31m \u202eb
    """
    return "".join(c.encode("unicode_escape").decode() if acts(c) else c for c in str(text))


def acts(character: str) -> bool:
    """Whether a character does something where it is shown; joiners of letters and emoji do nothing else."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or (
        unicodedata.category(character) == "Cf" and character not in "\u200c\u200d"
    )


def quoted(name: str) -> str:
    r"""A name in a message, in quotes: as Python writes it, and cut where it is long.

    Example:
        >>> print(quoted("a\tb"), quoted("x" * 200)[-22:])
        'a\tb' xxx…' (200 characters)
    """
    return repr(name) if len(name) <= _MOST else f"{repr(name[:60])[:-1]}…' ({len(name)} characters)"


def seen(name: str) -> str:
    r"""A name as the eye sees it: two names of one appearance cannot be told apart by reading them.

    Example:
        >>> seen("Sa\u0303o  Tome\u0301\u200b") == seen("S\u00e3o Tom\u00e9")
        True
    """
    if name.isascii() and name.isprintable() and "  " not in name:
        return name
    visible = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())


def page_of(label: str) -> str:
    """The page on which a claim stands, from the root of the repository.

    Example:
        >>> page_of("C1''"), page_of("C10")
        ('theory/pages/c1.md', 'theory/pages/c10.md')
    """
    digits = re.match(r"C(\d+)", label)
    if digits is None:
        raise ValueError(f"a claim's label is C and a number, got {label!r}")
    return f"theory/pages/c{digits[1]}.md"
