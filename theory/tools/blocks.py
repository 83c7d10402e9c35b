"""Many numbers, some of them at a time."""

from collections.abc import Iterator


def blocks(n: int, size: int) -> Iterator[slice]:
    """0..n - 1 in ranges of `size`, the last one shorter; at least one number at a time.

    Example:
        >>> [(block.start, block.stop) for block in blocks(5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    size = max(1, size)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
