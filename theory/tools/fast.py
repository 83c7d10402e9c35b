"""Loops compiled by numba (extra `fast`) in place of NumPy's passes: the same numbers, if they are many."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from georecall.theory.tools.errors import MissingExtraError

F = TypeVar("F", bound=Callable[..., Any])

SWITCH = "GEORECALL_FAST"  # of the environment: "always" or "never", to compare
_REPAID = 1 << 26  # facts for each core, on which is saved what numba takes to load, 0.6 s


def is_fast(n_facts: int) -> bool:
    """Whether to run compiled loops for so many facts.

    Raises:
        ValueError: the environment asks for something else than always or never.
        MissingExtraError: it asks for always, and numba is not there.
    """
    asked = os.environ.get(SWITCH) or None
    if asked not in (None, "always", "never"):
        raise ValueError(f"{SWITCH} is always or never, got {asked!r}")
    if asked == "always" and not loads():
        raise MissingExtraError(f"{SWITCH}=always needs numba: install georecall[fast]")
    return asked != "never" and (asked == "always" or n_facts >= _REPAID * (os.cpu_count() or 1)) and loads()


@cache
def loads() -> bool:
    """Whether numba can be loaded; one that is older than NumPy says that it cannot."""
    if find_spec("numba") is None:
        return False
    os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")  # which takes hold of all streams
    try:
        import_module("numba")
    except ImportError:
        return False
    return True


@contextmanager
def switched(*, on: bool) -> Iterator[None]:
    """Compiled loops always or never, within the block."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "always" if on else "never"
    try:
        yield
    finally:
        os.environ.pop(SWITCH)
        if before is not None:
            os.environ[SWITCH] = before


def jit(function: F) -> F:
    """Compiled when first called, beside other threads; kept on disk, where numba finds a place to write."""
    from numba import njit

    try:
        compiled: Any = njit(nogil=True, cache=True)(function)
    except RuntimeError:
        compiled = njit(nogil=True)(function)
    return cast(F, compiled)
