"""Pieces all of whose readouts are their answers' words, told by a compiled loop: the same bytes, sooner.

It speaks where embeddings and words are digits of numbers and maps are a few additions, and never of a fact
that is not its word: a piece with such a fact is judged by NumPy, as all are where numba is not installed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.on_demand import OnDemand
from georecall.theory.facts.protocol import Table
from georecall.verify.margins.codebook import Codebook
from georecall.verify.margins.counting.linear_map import LinearMap, indices, largest_magnitude
from georecall.verify.margins.counting.separated import Separated, narrowest

_FEW = 64  # entries of the maps for each fact and coordinate read; beyond, matrix products are faster
_TILE, _LEAST_TILE = 1024, 64  # subjects whose coordinates and neurons are held together, ...
_ROOM = 1 << 25  # ... in at most so many bytes
_WIDEST = 1 << 31  # of what is computed on the way; numbers of attributes may be larger


@dataclass(frozen=True, eq=False)
class Compiled:
    """The arguments of `kernel.all_words` for a model.

    Args:
        embedded: the facts that embeddings are made of.
        fixed: arguments that are the same for every piece.
        room: how many coordinates, neurons and readouts there are.
    """

    embedded: Table
    fixed: tuple[Any, ...]
    room: tuple[int, int, int]

    @classmethod
    def of(cls, W_E: Any, facts: Table, separated: Separated, codebook: Codebook) -> "Compiled | None":
        """None where numbers or maps are of another form, or go beyond 2^31."""
        coordinates = W_E.digits() if isinstance(W_E, OnDemand) else None
        words = _words(codebook, separated.step)
        into, through, read = map(_entries, (separated.into, separated.through, separated.read))
        if coordinates is None or words is None:
            return None
        coordinates = _within(coordinates[:, separated.rows], W_E.facts)
        size = _reach(coordinates)
        neuron, readout = separated.bounds(size)
        bound = max(size, neuron, readout, _reach(words))
        if bound >= _WIDEST:
            return None
        number: Any = np.int32 if max(facts.n_attributes, W_E.facts.n_attributes) <= _WIDEST else np.int64
        kind = narrowest(bound)
        awake = (separated.common > -separated.into.reach * size)[read[:, 0]]
        R, m = separated.adds.shape
        floors = -np.concatenate([separated.shifts, separated.common[None]])
        pieces, ends = [], [0]
        for r, differs in enumerate(separated.shifts != separated.common):
            mine = differs[read[:, 0]]
            more = np.concatenate([_at(read[mine], r), _at(read[mine & awake], R) * [1, 1, 1, -1]])
            pieces.append(more[np.argsort(more[:, 1], kind="stable")])
            ends.extend(ends[-1] + np.searchsorted(pieces[-1][:, 1], np.arange(m), side="right"))
        if len(into) + len(through) + len(read) + ends[-1] > _FEW * R * m:
            return None
        fixed = (
            np.ascontiguousarray(coordinates.T, dtype=number),
            np.ascontiguousarray(_within(words, facts).T, dtype=number),
            _map(into, kind),
            _map(through, kind),
            _map(_at(read[awake], R), kind),
            _map(np.concatenate(pieces), kind),
            np.array(ends),
            floors.astype(kind),
            separated.adds.astype(kind),
        )
        return cls(W_E.facts, fixed, (len(separated.rows), floors.shape[1], m))

    def all_words(self, start: int, stop: int, answers: NDArray[np.integer]) -> bool:
        """Whether the readouts about subjects start..stop - 1 are the words of the answers, all of them."""
        from georecall.verify.margins.counting.kernel import all_words

        number, kind = self.fixed[0].dtype, self.fixed[-1].dtype
        numbers: list[Any] = [
            _numbers(block, number) for block in (self.embedded.block(start, stop), answers)
        ]
        tile = min(_TILE, max(_LEAST_TILE, _ROOM // (kind.itemsize * sum(self.room))))
        room: list[Any] = [np.empty((n, tile), dtype=kind) for n in self.room]
        return bool(all_words(*numbers, *self.fixed, *room, *np.empty((2, tile), dtype=kind)))


def _numbers(block: NDArray[np.integer], kind: Any) -> NDArray[Any]:
    """In one form, so that the loop is compiled once."""
    numbers = np.ascontiguousarray(block, dtype=kind).view()
    numbers.flags.writeable = False
    return numbers


def _entries(part: LinearMap) -> NDArray[np.int64]:
    """From, to, factor of each entry that is not zero, shape (entries, 3)."""
    if part.matrix is not None:
        source, target = np.nonzero(part.matrix)
        return np.column_stack([source, target, part.matrix[source, target].astype(np.int64)])
    terms = [(indices(a), indices(b), 1 if factors is None else factors) for a, b, factors in part.terms]
    found = [np.column_stack(np.broadcast_arrays(*term)) for term in terms]
    return np.concatenate([np.zeros((0, 3), dtype=np.int64), *found])


def _at(entries: NDArray[np.int64], row: int) -> NDArray[np.int64]:
    """From, to, row, factor."""
    return np.insert(entries, 2, row, axis=1)


def _map(entries: NDArray[np.int64], kind: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """As the kernel takes it: places, shape (2 or 3, entries), and factors."""
    return np.ascontiguousarray(entries.T[:-1]), entries[:, -1].astype(kind)


def _words(codebook: Codebook, step: int) -> NDArray[np.int64] | None:
    """Digits of weighted words in readouts' unit 2^step; None if it is larger than theirs, or beyond 2^31."""
    read, shift = codebook.read, codebook.read.step - step
    digits = read.source.digits() if isinstance(read.source, OnDemand) else None
    if digits is None or not 0 <= shift < 31:
        return None
    digits, factors = digits[:, read.first], codebook.weights << shift
    if float(_reach(digits)) * float(factors.max()) >= _WIDEST:
        return None
    return np.concatenate([digits[:3], digits[3:] * factors])


def _within(digits: NDArray[np.int64], facts: Table) -> NDArray[np.int64]:
    """The same, without shifts by more bits than numbers of attributes have."""
    beyond = digits[1] >= (facts.n_attributes - 1).bit_length()
    return np.where(beyond & (np.arange(5) < 3)[:, None], 0, digits)


def _reach(digits: NDArray[np.int64]) -> int:
    """The largest magnitude of any numeral's digits."""
    _, _, mask, scale, offset = digits
    return largest_magnitude(np.stack([offset, offset + scale * mask]))
