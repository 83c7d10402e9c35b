"""Names that people type, and the known one that they may have meant."""

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
