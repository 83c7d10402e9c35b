"""Many numbers, some of them at a time."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

State = TypeVar("State")


def blocks(n: int, size: int) -> Iterator[slice]:
    """0..n - 1 in ranges of `size`, the last one shorter; at least one number at a time.

    Example:
        >>> [(block.start, block.stop) for block in blocks(5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    size = max(1, size)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


# Who goes through blocks of many numbers, and knows by name how far it was: see `fold`.
Fold = Callable[[str, int, int, Callable[[Any, slice], Any], Any, Callable[[Any, Any], Any]], Any]


def fold(
    name: str,  # noqa: ARG001 (for those who keep the state)
    n: int,
    size: int,
    step: Callable[[State, slice], State],
    state: State,
    merge: Callable[[State, State], State],  # noqa: ARG001 (for those who let several go)
) -> State:
    """The state after steps through all of 0..n - 1, block by block; one that JSON and NumPy can hold.

    Args:
        name: what it is about, for those who keep the state and go on from there.
        n: how many numbers.
        size: of a block.
        step: the state after one more block.
        state: the first; it stays as it is.
        merge: the state after two ranges, each gone through from the first state, the earlier one first.

    Example:
        >>> from operator import add
        >>> fold("sum", 5, 2, lambda total, block: total + sum(range(block.start, block.stop)), 0, add)
        10
    """
    for block in blocks(n, size):
        state = step(state, block)
    return state
