"""The least whole number at which a condition begins to hold, and where a function is largest."""

from collections.abc import Callable


def least(holds: Callable[[int], bool], *, start: int = 1) -> int:
    """The least n >= 1 for which a monotone condition holds: doubling, then bisection.

    Args:
        holds: the condition; where it holds it holds for every larger number.
        start: a guess, from which doubling starts; the answer does not depend on it.

    Example:
        >>> least(lambda n: n * n >= 50), least(lambda n: n * n >= 50, start=100)
        (8, 8)
    """
    low, high = 0, start  # fails at low, or low = 0
    while not holds(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def peak(value: Callable[[int], float], most: int) -> int:
    """Where in 1..most a function is largest that first rises and then falls, by halving.

    Example:
        >>> peak(lambda n: -((n - 7) ** 2), 100)
        7
    """
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if value(middle) < value(middle + 1) else (low, middle)
    return low
