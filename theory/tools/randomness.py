"""Random numbers that depend on what is drawn, never on when or where."""

import hashlib

import numpy as np


def generator(seed: int, *key: object) -> np.random.Generator:
    """The generator that belongs to one piece of work.

    The seed and the work's own parameters determine the stream: the order in which pieces are done,
    the number of workers and a resumption cannot change it.

    Args:
        seed: the user's seed, >= 0.
        key: what is drawn and at which parameters; compared by `repr`.

    Example:
        >>> int(generator(0, "table", 8, 2).integers(100)), int(generator(0, "table", 8, 3).integers(100))
        (95, 15)
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    spawn_key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key)))
