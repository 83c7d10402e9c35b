"""What a one-layer forward pass on `[s, r]` shares between the relations of a subject, in exact integers.

Where no score depends on the tokens, attention averages both positions, so that the residual before the MLP
is a part of the subject plus a part of the relation. By linearity the pre-activations are too, and with P the
sum of the rows of W_U that are identical, the readout of one layer is

    y(s, r) = x_s K_out + c_out[r] + ReLU(x_s K_in + c_in[r]) O,

    K_in = M W_in,  K_out = M P,  O = W_out P,  M = (1/2) sum over heads of W_V W_O.

x_s K_in is computed once per subject. Most neurons are shifted by the same amount whatever is asked; for
each relation only the others are corrected. Nothing here knows a construction: the maps are read off the
weights, and a model whose scores depend on its tokens is not separated.

All numbers are integers times a power of two. The maps are multiplied out in floats that are proved not to
round; subjects run through them coordinates first, in the narrowest integers that bounds show to suffice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from georecall.constructions.transformer.arithmetic import dense, float64, stored
from georecall.constructions.transformer.layers import Attention
from georecall.constructions.transformer.on_demand import OnDemand, as_slice
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats
from georecall.verify.margins.counting.linear_map import (
    Integers,
    LinearMap,
    NotExactError,
    integers,
    largest_magnitude,
)
from georecall.verify.margins.number_formats import granule

_KINDS = (np.int8, np.int16, np.int32, np.int64)


@dataclass(frozen=True, eq=False)
class Separated:
    """The readout of a model as a function of subject and relation.

    Args:
        into: K_in, from the coordinates `rows` of a subject to neurons.
        through: K_out, from the same coordinates to the readout.
        read: O, from neurons to the readout.
        shifts: c_in, shape (R, d_mlp), in the unit of the neurons.
        adds: c_out, shape (R, m), in the unit of the readout.
        rows: the coordinates of W_E that matter.
        step_in: log2 of the unit of a subject's coordinates.
        step: log2 of the unit of the readout.
    """

    into: LinearMap
    through: LinearMap
    read: LinearMap
    shifts: NDArray[np.int64]
    adds: NDArray[np.int64]
    rows: NDArray[np.intp]
    step_in: int
    step: int

    @cached_property
    def common(self) -> NDArray[np.int64]:
        """For each neuron the shift in the middle, shape (d_mlp,): where most relations share one, theirs."""
        middle = len(self.shifts) // 2
        return np.partition(np.ascontiguousarray(self.shifts.T), middle, axis=1)[:, middle]

    @cached_property
    def changed(self) -> list[tuple[Any, LinearMap]]:
        """For each relation the neurons that it shifts otherwise, and what of O reads them."""
        others = [np.flatnonzero(shift != self.common) for shift in self.shifts]
        return [(as_slice(there), self.read.restricted(there)) for there in others]

    @classmethod
    def of(cls, model: Transformer, n_subjects: int, gather: Any) -> "Separated | None":
        """The separated form of a model; None if it has none, or not in exact integers.

        Args:
            model: over N subjects, then R relations; asked as `[s, r]` at positions 0 and 1.
            n_subjects: N.
            gather: P, shape (d_model, m).
        """
        model = model.placed(2)
        if not model.plain or model.n_layers != 1 or model.blocks[0].mlp is None or model.n_ctx < 2:
            return None
        attention, mlp = model.blocks[0].attention, model.blocks[0].mlp
        if attention is None or not scores_vanish(attention):
            return None
        try:
            M = _half_of_values(attention)
            relations = dense(float64(model.W_E[np.arange(n_subjects, model.d_vocab)]))
            first, second = dense(float64(model.W_pos[np.arange(2)]))
            last = _plus(relations, second)
            mixed = _plus(_times(_plus(last, first), M), last)  # all that is no part of the subject
            W_in, W_out, P = float64(mlp.W_in), float64(mlp.W_out), float64(gather)
            shifts = _plus(_times(mixed, W_in), float64(mlp.b_in))
            adds = _times(_plus(mixed, float64(mlp.b_out)), P)
            return cls._scaled(_times(M, W_in), _times(M, P), _times(W_out, P), shifts, adds, model)
        except NotExactError:
            return None

    @classmethod
    def _scaled(
        cls,
        K_in: Any,
        K_out: Any,
        read: Any,
        shifts: Floats,
        adds: Floats,
        model: Transformer,
    ) -> "Separated":
        """The same with all units made integers."""
        rows = np.flatnonzero(_rows_in_use(K_in) | _rows_in_use(K_out))
        K_in, K_out = K_in[rows], K_out[rows]
        step_in = 0 if isinstance(model.W_E, OnDemand) else granule(model.W_E)
        neurons = min(step_in + granule(K_in), granule(shifts))
        if not -900 < step_in < 900:
            raise NotExactError("embeddings of too many digits")
        step = min(step_in + granule(K_out), neurons + granule(read), granule(adds))
        return cls(
            into=LinearMap.of(K_in, step_in - neurons),
            through=LinearMap.of(K_out, step_in - step),
            read=LinearMap.of(read, neurons - step),
            shifts=integers(shifts, -neurons),
            adds=integers(adds, -step),
            rows=rows,
            step_in=step_in,
            step=step,
        )

    def subjects(self, W_E: Any, start: int, stop: int) -> Integers:
        """The coordinates that matter of subjects start..stop - 1, in units: shape (rows, stop - start).

        Raises:
            NotExactError: no integer type holds them.
        """
        if isinstance(W_E, OnDemand):
            found: Integers = W_E.columns(slice(start, stop), self.rows)
            return found
        block = np.asarray(W_E[start:stop], dtype=np.float64)[:, as_slice(self.rows)] * 2.0**-self.step_in
        size = max(float(block.max(initial=0)), -float(block.min(initial=0)))
        return np.ascontiguousarray(block.astype(narrowest(size)).T)

    def bounds(self, size: int) -> tuple[int, int]:
        """What neurons and readouts, and sums on the way, never exceed if no coordinate exceeds `size`."""
        neuron = self.into.reach * size + largest_magnitude(self.shifts)
        shared = self.through.reach * size + largest_magnitude(self.adds)
        return neuron, shared + 3 * self.read.reach * neuron

    def readouts(self, x: Integers) -> Iterator[Integers]:
        """For each relation in turn what is read, in units: shape (m, subjects).

        Args:
            x: what `subjects` gives.

        Raises:
            NotExactError: no integer type holds a number on the way.
        """
        size = largest_magnitude(x)
        hidden, kind = map(narrowest, self.bounds(size))
        z, shared = self.into.applied(x, hidden), self.through.applied(x, kind)
        zeros = np.zeros(x.shape[1], dtype=hidden)  # NumPy's maximum of an array and a number is slow
        fires = bool((self.common > -self.into.reach * size).any())
        if fires:
            always = z + self.common.astype(hidden)[:, None]
            np.maximum(always, zeros, out=always)
            if np.may_share_memory(shared, x):  # through the identity it is x itself, and so may z be
                shared = shared.copy()
            self.read.add(shared, always)
        for shift, add, (there, read) in zip(self.shifts, self.adds, self.changed, strict=True):
            active = z[there] + shift[there].astype(hidden)[:, None]
            np.maximum(active, zeros, out=active)
            if fires:
                active -= always[there]
            y = shared + add.astype(kind)[:, None]
            read.add(y, active)
            yield y


def scores_vanish(attention: Attention) -> bool:
    """Whether all scores are 0 for any tokens, so that softmax and hard attention are uniform."""
    pairs = zip(attention.W_Q, attention.W_K, strict=True)
    return all(not stored(W_Q).any() or not stored(W_K).any() for W_Q, W_K in pairs)


def _half_of_values(attention: Attention) -> Any:
    """M: what a position adds to the residual by way of the heads, at weight 1/2."""
    total: Any = None
    for W_V, W_O in zip(attention.W_V, attention.W_O, strict=True):
        head = _times(float64(W_V), float64(W_O))
        total = head if total is None else _plus(total, head)
    return total * 0.5


def _times(A: Any, B: Any) -> Any:
    """A @ B, if no partial sum is rounded."""
    _held(abs(A) @ abs(B), granule(A) + granule(B))
    return A @ B


def _plus(A: Any, B: Any) -> Any:
    """A + B, if no sum is rounded."""
    largest = _size(A) + _size(B)
    if not _fits(largest, min(granule(A), granule(B))):
        _held(abs(A) + abs(B), min(granule(A), granule(B)))
    return A + B


def _held(magnitudes: Any, step: int) -> None:
    if not _fits(_size(magnitudes), step):
        raise NotExactError("float64 would round the maps")


def _size(W: Any) -> float:
    """The largest magnitude."""
    sparse: bool = issparse(W)
    entries = W.data if sparse else W
    return max(float(np.max(entries, initial=0.0)), -float(np.min(entries, initial=0.0)))


def _fits(largest: float, step: int) -> bool:
    return -1000 < step < 900 and largest * (1 + 2.0**-20) < 2.0 ** (53 + step)


def _rows_in_use(W: Any) -> NDArray[np.bool_]:
    return np.asarray(abs(W).sum(axis=1) > 0).ravel()


def narrowest(bound: float) -> Any:
    """The narrowest signed integers that hold -bound..bound.

    Raises:
        NotExactError: there are none.
    """
    for kind in _KINDS:
        if bound <= np.iinfo(kind).max >> (kind == np.int64):
            return kind
    raise NotExactError("integers beyond 2^62")
