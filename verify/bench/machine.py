"""What the machine could do at most: bytes that two large arrays exchange, additions of small integers."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

_LARGE = 1 << 27  # bytes of an array that no cache holds
_SMALL = 1 << 16  # bytes of one that every core's cache holds
_ADDITIONS = 16  # in one round of work
_SIDE = 1024  # of matrices that are multiplied
_SECONDS = 0.5


@dataclass(frozen=True)
class Machine:
    """Limits, measured on all cores at once.

    Args:
        cores: how many threads ran.
        bytes_per_second: read and written by copies of large arrays.
        operations_per_second: additions of int8 arrays in cache, by NumPy.
    """

    cores: int
    bytes_per_second: float
    operations_per_second: float

    @classmethod
    def here(cls) -> "Machine":
        """Measures; takes about two seconds."""
        cores = os.cpu_count() or 1
        return cls(cores, 2 * _LARGE * _rate(cores, _copying), _SMALL * _ADDITIONS * _rate(cores, _adding))

    @staticmethod
    def products() -> float:
        """Operations per processor second of products of matrices in single precision, in one thread."""
        a = np.ones((_SIDE, _SIDE), dtype=np.float32)
        with threadpool_limits(1):
            a @ a
            done, start = 0, time.process_time()
            while (passed := time.process_time() - start) < _SECONDS:
                a @ a
                done += 1
        return 2.0 * _SIDE**3 * done / passed

    def most_facts_per_second(self, m: int) -> dict[str, float]:
        """No certificate in NumPy that reads every fact through the weights can do more, at code length m.

        Per fact and coordinate it takes 4 integer operations to make the answer's sign (shift, mask, scale,
        offset), twice, for the embedding and for the comparison; and 4 to add the relation's part, rectify,
        add to the readout and compare: 12 m in all. Of memory it takes the 8 bytes of the answer.
        """
        return {"arithmetic": self.operations_per_second / (12 * m), "memory": self.bytes_per_second / 8}


def _rate(cores: int, work: Callable[[], Callable[[], None]]) -> float:
    """Rounds of work per second, all cores together."""

    def rounds(_: int) -> float:
        once = work()
        once()
        done, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < _SECONDS:
            once()
            done += 1
        return done / passed

    with ThreadPoolExecutor(cores) as pool:
        return sum(pool.map(rounds, range(cores)))


def _copying() -> Callable[[], None]:
    source, target = np.ones(_LARGE, dtype=np.int8), np.empty(_LARGE, dtype=np.int8)
    return lambda: np.copyto(target, source)


def _adding() -> Callable[[], None]:
    a, b = np.ones(_SMALL, dtype=np.int8), np.ones(_SMALL, dtype=np.int8)

    def once() -> None:
        for _ in range(_ADDITIONS):
            np.add(a, b, out=a)

    return once
