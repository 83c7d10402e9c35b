"""Sign codes with distance: m = O(log |A|) coordinates at a constant normalised margin (C7).

Both codes are linear, so their least distance is the least weight of a non-zero word, which is computed and
not estimated. Bits b are written as signs 2 b - 1; a margin of C1 is then twice the Hamming distance.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.theory.tools.randomness import generator

Bits = NDArray[np.uint64]

_MAX_GREEDY_LENGTH = 24  # the greedy search looks at all 2^m words


def gilbert_varshamov_length(n_attributes: int, distance: int) -> int:
    """The least m at which |A| times a Hamming ball of radius distance - 1 fits into 2^m words.

    Up to this bound a greedy code always finds another word: N sum_{i < h} C(m, i) <= 2^m.

    Example:
        >>> [gilbert_varshamov_length(1024, h) for h in (1, 2, 4, 8)]
        [10, 14, 21, 33]
    """

    def fits(m: int) -> bool:
        ball = term = 1
        for i in range(1, distance):
            term = term * (m - i + 1) // i
            ball += term
        return n_attributes * ball <= 1 << m

    # the share of all words that lie in the ball, P(Bin(m, 1/2) < h), falls with m
    low = max(1, (n_attributes - 1).bit_length(), distance)
    high = low
    while not fits(high):
        high *= 2
    return low + bisect_left(range(low, high), True, key=fits)


def greedy_code(n_attributes: int, *, distance: int, length: int | None = None) -> Code:
    """The lexicode: words taken greedily in the order of their numerals, each `distance` from all before.

    Binary lexicodes are linear, so it is enough to choose a basis: the next basis word is the first one at
    distance >= h from the code so far (Conway and Sloane, Lexicographic codes, 1986).

    Args:
        n_attributes: |A|.
        distance: h, the least Hamming distance.
        length: m <= 24; default: the least at which the code has |A| words.

    Raises:
        ValueError: |A| words at that distance would be longer than 24 coordinates, or than `length`.

    Example:
        >>> greedy_code(16, distance=3).length  # the Hamming code
        7
    """
    _check(n_attributes, distance)
    shortest = max(1, (n_attributes - 1).bit_length(), distance)
    lengths = range(shortest, _MAX_GREEDY_LENGTH + 1) if length is None else [length]
    for m in lengths:
        basis = (
            _greedy_basis(m, distance, (n_attributes - 1).bit_length()) if m <= _MAX_GREEDY_LENGTH else None
        )
        if basis is not None:
            return _signs(_span(basis)[:n_attributes, None], m)
    at = f"{_MAX_GREEDY_LENGTH} coordinates" if length is None else f"{length}"
    raise ValueError(
        f"no greedy code of length {at} has {n_attributes} words at distance {distance}; "
        "try random_linear_code, which may be longer"
    )


def random_linear_code(
    n_attributes: int, *, distance: int, length: int | None = None, rng: np.random.Generator, tries: int = 100
) -> Code:
    """A random linear code, redrawn until its least distance, computed from all its words, suffices.

    Args:
        n_attributes: |A|.
        distance: h, the least Hamming distance.
        length: m; default: one more than the Gilbert-Varshamov length of the 2^k words, k = ceil(log2 |A|),
            at which a draw succeeds with probability at least 1/2 (union bound over the non-zero words).
        rng: of the draws.
        tries: how many draws before giving up.

    Raises:
        ValueError: no draw had the distance.
    """
    _check(n_attributes, distance)
    k = max(1, (n_attributes - 1).bit_length())
    m = gilbert_varshamov_length(1 << k, distance) + 1 if length is None else length
    limbs = -(-m // 64)
    for _ in range(tries):
        basis = _packed(rng.integers(2, size=(k, m), dtype=np.uint8), limbs)
        words = _span(basis)
        if int(np.bitwise_count(words[1:]).sum(axis=1).min()) >= distance:
            return _signs(words[:n_attributes], m)
    raise ValueError(f"none of {tries} random linear codes of length {m} has distance {distance}")


def distance_code(n_attributes: int, distance: int, length: int | None = None) -> Code:
    """A sign code of that least distance: greedy where it has at most 24 coordinates, else random linear.

    Raises:
        ValueError: no such code of that length was found.
    """
    try:
        return greedy_code(n_attributes, distance=distance, length=length)
    except ValueError:
        rng = generator(0, "distance code", n_attributes, distance)
        return random_linear_code(n_attributes, distance=distance, length=length, rng=rng)


def _check(n_attributes: int, distance: int) -> None:
    if n_attributes < 1 or distance < 1:
        raise ValueError(f"a code needs |A| >= 1 and distance >= 1, got {n_attributes} and {distance}")


def _greedy_basis(m: int, distance: int, dimension: int) -> Bits | None:
    """The first basis words of the lexicode of length m; None if it has fewer than asked for."""
    numerals = np.arange(1 << m, dtype=np.uint32)
    to_code = np.bitwise_count(numerals)  # distance of every word to the code so far, {0}
    basis: list[int] = []
    while len(basis) < dimension:
        first = int(np.argmax(to_code >= distance))
        if to_code[first] < distance:
            return None
        basis.append(first)
        np.minimum(to_code, to_code[numerals ^ np.uint32(first)], out=to_code)
    return np.array(basis, dtype=np.uint64).reshape(-1, 1)


def _span(basis: Bits) -> Bits:
    """All combinations of packed basis words; word number a has the bits of a as coefficients."""
    words = np.zeros((1, basis.shape[1]), dtype=np.uint64)
    for word in basis:
        words = np.concatenate([words, words ^ word])
    return words


def _packed(bits: NDArray[np.uint8], limbs: int) -> Bits:
    padded = np.zeros((len(bits), 64 * limbs), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _signs(words: Bits, m: int) -> Code:
    packed = np.ascontiguousarray(words.reshape(len(words), -1), dtype="<u8")
    bits = np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little")
    return Code(2 * bits[:, :m].astype(np.int64) - 1, lo=-1, hi=1)
