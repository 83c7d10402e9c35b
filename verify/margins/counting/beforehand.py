"""What comes before the first fact: ways through all attributes, a stretch at a time by whoever works.

Each stretch begins with the first state, so that no one waits for another, and stretches are put together in
their order: what is found, and kept, is that of one process, whoever went.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np

from georecall.theory.tools.blocks import Fold, State, blocks
from georecall.verify.executors import in_order

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
    _pages_kept()
    for at in blocks(stop - start, size):
        state = step(state, slice(start + at.start, start + at.stop))
    return state


@cache
def _pages_kept() -> None:
    """One large array given back: from then on glibc keeps the pages of smaller ones.

    Without it the first way took eight times as long.
    """
    np.empty(1 << 23, dtype=np.uint8)
