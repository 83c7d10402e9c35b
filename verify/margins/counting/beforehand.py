"""What comes before the first fact: ways through all attributes, a stretch at a time by whoever works.

Each stretch begins with the first state, so that no one waits for another, and stretches are put together in
their order: what is found, and kept, is that of one process, whoever went.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from georecall.theory.tools.blocks import Fold, State, blocks
from georecall.verify.executors import in_order

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # as malloc.h numbers them
_KEPT = 1 << 25  # bytes: the most that glibc takes for the first of these
_STRETCH = 16  # blocks of a thread's: the first of each takes longer, as it knows nothing yet


@dataclass
class Gone:
    """How far every way is, by name: so many numbers, and the state there.

    Args:
        states: of ways that are begun or done.
        note: called after every stretch.
    """

    states: dict[str, tuple[int, Any]] = field(default_factory=dict)
    note: Callable[[], None] = lambda: None

    @property
    def found(self) -> dict[str, Any]:
        """What the ways so far came to."""
        return {name: state for name, (_, state) in self.states.items()}

    def folding(self, stretches: "Stretches") -> Fold:
        """As `theory.tools.blocks.fold`, from where each way is."""

        def fold(
            name: str,
            n: int,
            size: int,
            step: Callable[[State, slice], State],
            state: State,
            merge: Callable[[State, State], State],
        ) -> Any:
            done, found = self.states.get(name, (0, state))
            for stop, part in stretches(name, done, n, size, step, state):
                found = merge(found, part)
                self.states[name] = stop, found
                self.note()
            return found

        return fold


class Stretches(Protocol):
    """Who goes."""

    def __call__(
        self, name: str, start: int, n: int, size: int, step: Callable[[Any, slice], Any], state: Any, /
    ) -> Iterator[tuple[int, Any]]:
        """In order where each stretch of start..n - 1 ends, and what the first state came to on it."""


def by_threads(workers: int | None) -> Stretches:
    """So many threads of this process go; default one per core."""
    threads = workers or os.cpu_count() or 1

    def stretches(
        _: str, start: int, n: int, size: int, step: Callable[[State, slice], State], state: State
    ) -> Iterator[tuple[int, State]]:
        def gone(at: slice) -> tuple[int, State]:
            return start + at.stop, along(step, state, start + at.start, start + at.stop, size)

        calls = ((at,) for at in blocks(n - start, size * _STRETCH))
        if threads == 1 or n - start <= size:
            yield from (gone(*call) for call in calls)
            return
        with ThreadPoolExecutor(threads) as pool:
            yield from in_order(pool, gone, calls)

    return stretches


def along(step: Callable[[State, slice], State], state: State, start: int, stop: int, size: int) -> State:
    """What a state comes to from block to block of start..stop - 1."""
    keep_pages()
    for at in blocks(stop - start, size):
        state = step(state, slice(start + at.start, start + at.stop))
    return state


@cache
def keep_pages() -> None:
    """What arrays of a block give back, glibc keeps for the next: eight times as fast as new pages for each.

    It learns that by itself, unless a variable forbids it: MALLOC_TRIM_THRESHOLD_, which Dask's workers have.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            mallopt(option, _KEPT)
