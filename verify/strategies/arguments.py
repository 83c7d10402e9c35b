"""What a strategy may be given: numbers or strategies, examined at once."""

from collections.abc import Collection, Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy

Whole = int | SearchStrategy[int]
SEEDS = st.integers(0, 2**32 - 1)


def drawn_whole(name: str, value: Any, *, least: int, most: int | None = None) -> SearchStrategy[int]:
    """A strategy of whole numbers, from a number or a strategy; what it draws is examined too.

    Raises:
        InvalidArgument: neither a whole number nor a strategy, or a number out of range.
    """
    if isinstance(value, SearchStrategy):
        return value.map(lambda drawn: _examined(name, drawn, least, most))
    return st.just(_examined(name, value, least, most))


def chosen(name: str, value: Any, known: Collection[str]) -> SearchStrategy[str]:
    """A strategy of names: one name, some names, or a strategy of them.

    Raises:
        InvalidArgument: no name at all, or one that is not known.
    """
    if isinstance(value, SearchStrategy):
        return value.map(lambda drawn: _known(name, drawn, known))
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
    if not names:
        raise InvalidArgument(f"{name} must name at least one of {', '.join(known)}, got {value!r}")
    return st.sampled_from([_known(name, one, known) for one in names])


def strategy(name: str, value: Any) -> SearchStrategy[Any]:
    """A strategy, as it is.

    Raises:
        InvalidArgument: it is none.
    """
    if not isinstance(value, SearchStrategy):
        raise InvalidArgument(f"{name} must be a strategy, got {value!r}")
    return value


def _examined(name: str, value: Any, least: int, most: int | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgument(f"{name} must be a whole number or a strategy of them, got {value!r}")
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidArgument(f"{name} must be {limits}, got {value}")
    return value


def _known(name: str, value: Any, known: Collection[str]) -> str:
    if value not in known:
        raise InvalidArgument(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return str(value)
