"""The compiled loop of keyed bijections (needs numba): what `KeyedBijections` computes, number by number."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.fast import jit


@jit
def fill(out: NDArray[Any], start: int, keys: NDArray[np.uint32], low: int, high: int, n: int) -> None:
    """pi_r of start, start + 1, ... into `out`, by the keys of r on numbers of low + high bits below n."""
    for t in range(len(out)):
        out[t] = _permuted(start + t, keys, low, high)
    for t in range(len(out)):  # apart: few, and the loop above takes many numbers at once
        while out[t] >= n:
            out[t] = _permuted(out[t], keys, low, high)


@jit
def _permuted(number: int, keys: NDArray[np.uint32], low: int, high: int) -> int:
    """One pass through all rounds."""
    lower, upper = np.uint32(number & ((1 << low) - 1)), np.uint32(number >> low)
    for i in range(0, 6, 2):
        upper = np.uint32(upper ^ (_mixed(lower, keys[i]) >> np.uint32(32 - high)))
        lower = np.uint32(lower ^ (_mixed(upper, keys[i + 1]) >> np.uint32(32 - low)))
    return (int(upper) << low) | int(lower)


@jit
def _mixed(half: np.uint32, key: NDArray[np.uint32]) -> np.uint32:
    """As in `keyed`."""
    mixed = np.uint32(np.uint32(half ^ key[0]) * key[1])
    mixed = np.uint32((mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x85EBCA6B))
    return np.uint32((mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35))
