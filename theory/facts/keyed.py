"""Facts without a table: keyed bijections, each evaluated where it is asked, forwards and backwards.

A table of 2^26 subjects and 16 relations would take 8 GiB. A keyed permutation of the same size is a few
numbers: an unbalanced Feistel network on the bits of the subject's number, walked along its cycle until it
comes back into range (Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002). Every round can be
undone, so the map is a bijection whatever the round function is; the walk keeps it one on 0..N-1.

The permutations of different relations, sizes and seeds are unrelated, but not uniform among all N!: claims
that hold for every table can be checked on them; claims about a random table need `random_bijections`.
"""

import hashlib
import os
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.named import Named
from georecall.theory.facts.protocol import Attributes
from georecall.theory.tools.fast import is_fast
from georecall.theory.tools.randomness import generator

_ROUNDS = 6
_LARGEST = 1 << 62
_MANY = 1 << 12  # subjects of a block of those who go through all; whoever wants a few waits for no compiler
_KEPT = 1 << 21  # facts of a block that is kept for each core: 8 MiB


class KeyedBijections(Named):
    """R bijections of N subjects to N attributes, evaluated on demand; nothing of size N is held.

    Args:
        n_subjects: N, from 1 to 2^62.
        n_relations: R >= 1.
        seed: the key; the same seed, N and R give the same facts.

    Raises:
        ValueError: a count out of range.

    Example:
        >>> facts = KeyedBijections(1000, 2, seed=0)
        >>> sorted(facts.block(0, 1000)[1].tolist()) == list(range(1000))
        True
        >>> facts.subject_of(1, facts.answers_of(np.array([7, 8]))[1]).tolist()
        [7, 8]
    """

    onto = bijective = True
    subjects = relations = attributes = None

    def __init__(self, n_subjects: int, n_relations: int, *, seed: int) -> None:
        if not 1 <= n_subjects <= _LARGEST or n_relations < 1:
            raise ValueError(
                f"keyed bijections need 1..2^62 subjects and a relation, got {n_subjects} and {n_relations}"
            )
        self.n_subjects = self.n_attributes = n_subjects
        self.n_relations = n_relations
        self.n_facts = n_subjects * n_relations
        self.seed = seed
        bits = max(2, (n_subjects - 1).bit_length())
        self._low, self._high = bits - bits // 2, bits // 2  # bits of the two halves
        self._recent = lru_cache(maxsize=os.cpu_count())(self._block)

    def __repr__(self) -> str:
        return f"KeyedBijections({self.n_subjects}, {self.n_relations}, seed={self.seed})"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(KeyedBijections, self.n_subjects, self.n_relations, seed=self.seed), ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the facts are made of."""
        content = ("keyed", self.n_subjects, self.n_relations, self.seed)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    @cached_property
    def _keys(self) -> NDArray[np.uint32]:
        """Two numbers per round and relation; the second of each is a factor, and odd."""
        rng = generator(self.seed, "keyed", self.n_subjects, self.n_relations)
        keys = rng.integers(1 << 32, size=(self.n_relations, _ROUNDS, 2), dtype=np.uint32)
        keys[..., 1] |= 1
        return keys

    def occurring(self) -> Attributes:
        """All attributes: shape (N,), for N that can be held."""
        return np.arange(self.n_attributes)

    def block(self, start: int, stop: int) -> Attributes:
        """The answers about subjects start..stop - 1, shape (R, stop - start); not to be written to.

        Small blocks are kept for a moment: a check asks for them, and the embeddings are made of them.
        """
        small = (stop - start) * self.n_relations <= _KEPT
        return self._recent(start, stop) if small else self._block(start, stop)

    def _block(self, start: int, stop: int) -> Attributes:
        if is_fast(self.n_facts if stop - start >= _MANY else 0):
            answers = self._compiled(start, stop)
        else:
            answers = self.answers_of(np.arange(start, stop, dtype=self._kind))
        answers.setflags(write=False)
        return answers

    def _compiled(self, start: int, stop: int) -> Attributes:
        from georecall.theory.facts.keyed_kernel import fill

        answers = np.empty((self.n_relations, stop - start), dtype=self._wide)
        for answered, keys in zip(answers, self._keys, strict=True):
            fill(answered, start, keys, self._low, self._high, self.n_subjects)
        return answers

    def answers_of(self, subjects: NDArray[np.integer]) -> Attributes:
        """The answers about some subjects, shape (R, how many)."""
        return np.stack([self.attribute_of(r, subjects) for r in range(self.n_relations)])

    def attribute_of(self, relation: int, subjects: NDArray[np.integer]) -> Attributes:
        """pi_r of some subjects."""
        return self._walk(self._keys[relation], subjects, range(_ROUNDS))

    def subject_of(self, relation: int, attributes: NDArray[np.integer]) -> Attributes:
        """The subjects that have some attributes: the inverse of pi_r."""
        return self._walk(self._keys[relation], attributes, range(_ROUNDS - 1, -1, -1))

    @property
    def _kind(self) -> type[np.signedinteger]:
        return np.int32 if self.n_subjects <= 1 << 31 else np.int64

    @property
    def _wide(self) -> type[np.signedinteger]:
        return np.int64 if self._low + self._high > 30 else np.int32

    def _walk(self, keys: NDArray[np.uint32], numbers: NDArray[np.integer], rounds: range) -> Attributes:
        """The permutation, applied until each number is back in 0..N-1."""
        found = self._permute(keys, np.asarray(numbers), rounds)
        outside = np.flatnonzero(found >= self.n_subjects)
        while len(outside):
            found[outside] = self._permute(keys, found[outside], rounds)
            outside = outside[found[outside] >= self.n_subjects]
        return found

    def _permute(self, keys: NDArray[np.uint32], numbers: NDArray[np.integer], rounds: range) -> Attributes:
        """One pass through the rounds, on numbers of low + high bits."""
        low = (numbers & ((1 << self._low) - 1)).astype(np.uint32)
        high = (numbers >> self._low).astype(np.uint32)
        for i in rounds:
            if i % 2:
                low ^= _mixed(high, keys[i]) >> np.uint32(32 - self._low)
            else:
                high ^= _mixed(low, keys[i]) >> np.uint32(32 - self._high)
        whole: Attributes = (high.astype(self._wide) << self._low) | low.astype(self._wide)
        return whole


def _mixed(half: NDArray[np.uint32], key: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """32 bits that depend on all bits of a half, the upper ones on every one."""
    mixed: NDArray[np.uint32] = (half ^ key[0]) * key[1]
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x85EBCA6B)  # MurmurHash3's finalizer
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    return mixed
