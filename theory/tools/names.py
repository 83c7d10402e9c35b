"""Names that people type, and the known one that they may have meant; the page of a claim by its label."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str]) -> str:
    """What a message says behind a name that is not known; nothing where none of the known is like it.

    Example:
        >>> meant("countrys", ["countries", "elements"])
        " (did you mean 'countries'?)"
        >>> meant("x", ["countries", "elements"])
        ''
    """
    closest = get_close_matches(name, list(known), n=1)
    return f" (did you mean {closest[0]!r}?)" if closest else ""


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
