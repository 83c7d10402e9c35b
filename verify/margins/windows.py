"""The windows certificate of C5(d): layers that compose the maps that their positions hold.

Where every position holds a map from entities to entities, a word in each of N slots, a layer may replace it
by the map of an earlier position followed by its own. That it does so whatever the maps are is read off the
weights, slot by slot; then N R^k queries are as many compositions of what the tokens hold, and one query
stands for all that lead to the same entity and should lead to the same one. The premises:

- attention is hard; tokens and layers write to neither queries nor keys; each layer's one head reads one
  position, from every position, and copies the table there to the operand here, which was empty;
- relations' tokens hold maps, subjects' the constant map to themselves, and positions write to neither;
- a neuron reads words of one slot of the operand and at most one coordinate of the table. For every entity
  that the slot may name, what such neurons write is then an affine function of single signs of the table: it
  turns slot x into the slot that it names, and empties the operand, exactly;
- the windows so composed end in the whole prompt, and the last layer's slots that W_U reads in the answer.

Arithmetic is in whole numbers: weights are multiples of 2^-6 up to 2^10.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from georecall.constructions.transformer.arithmetic import float64
from georecall.constructions.transformer.layers import MLP, Attention
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.progress import Progress
from georecall.verify.margins.found import Margins
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import check_fits, margins
from georecall.verify.margins.queries import over_entities
from georecall.verify.margins.transitions import Representatives, check_unscored, position_read

_STEP, _LARGEST = 1 << 6, 1 << 10
_LIMIT = 1 << 26  # pairs of entities and letters that are followed at one hop


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the slots are: table and operand, shape (N, m) each; and the words, shape (N, m)."""

    table: NDArray[np.intp]
    operand: NDArray[np.intp]
    words: NDArray[np.int64]


def windows(
    model: Transformer, facts: FactTable, alphabet: Numbers, *, progress: Progress | None = None
) -> Margins:
    """Margins of queries that stand for all N R^k; arguments and errors as of `transitions`."""
    facts = over_entities(facts)
    return of_maps(model, facts, composed(model, facts, len(alphabet)), alphabet, progress)


def composed(model: Transformer, facts: FactTable, hops: int) -> Numbers:
    """The maps that relations' tokens hold, shape (R, N), which prompts of up to so many hops compose.

    Raises:
        PremiseError: a premise fails.
    """
    check_fits(model, facts)
    layout = _layout(model, facts.n_subjects, hops)
    check_unscored(model)
    maps = _maps(model, layout, facts.n_subjects)
    _check_layers(model, layout, hops)
    return maps


def of_maps(
    model: Transformer, facts: FactTable, maps: Numbers, alphabet: Numbers, progress: Progress | None = None
) -> Margins:
    """Margins of queries that stand for all, given that the model composes these maps (see `composed`)."""
    found = margins(model, _pairs(facts, maps, alphabet), progress=progress)
    return replace(found, method="windows", path="windows")


def composes(model: Transformer, N: int) -> bool:
    """Whether W_U reads one of N slots, so that a refusal says what the model lacks of this certificate."""
    m = int(np.asarray(abs(float64(model.W_U)).max(axis=1) > 0).sum())
    return m > 0 and model.d_model >= 2 * N * m


def _layout(model: Transformer, N: int, hops: int) -> _Layout:
    """The slots, by what W_U reads: slot 0 of a table that comes first, before an operand as large."""
    if not model.plain or model.attention != "hard" or model.W_pos is None or model.n_ctx <= hops:
        raise PremiseError("the model must be plain, with hard attention and a position for every token")
    W_U = _whole(model.W_U, "W_U").toarray()
    read = np.flatnonzero(W_U.any(axis=1))
    m = len(read)
    if not np.array_equal(read, np.arange(m)) or model.d_model < 2 * N * m or W_U.shape[1] != N:
        raise PremiseError("W_U must read the first of N slots, which stand before as many of an operand")
    words = W_U[:m].T // _STEP
    if not (np.abs(words) == 1).all() or len(np.unique(words, axis=0)) < N:
        raise PremiseError("W_U must hold a word of signs for each entity")
    slots = np.arange(2 * N * m).reshape(2, N, m)
    return _Layout(slots[0], slots[1], words)


def _maps(model: Transformer, layout: _Layout, N: int) -> Numbers:
    """The map that each relation's token holds: shape (R, N); subjects hold constant maps to themselves."""
    W_E = np.asarray(float64(model.W_E))
    held = W_E[:, layout.table]
    if W_E[:, layout.operand].any() or np.asarray(model.W_pos)[:, : layout.operand.max() + 1].any():
        raise PremiseError("operands must be empty, and positions must write to no slot")
    if not np.array_equal(held[:N], np.broadcast_to(layout.words[:, None], held[:N].shape)):
        raise PremiseError("every subject's token must hold the constant map to itself")
    code = 1 << np.arange(held.shape[2], dtype=object)
    number = {int(key): entity for entity, key in enumerate((layout.words > 0) @ code)}
    keys = (held[N:] > 0) @ code
    if (np.abs(held) != 1).any() or not all(int(key) in number for key in keys.flat):
        raise PremiseError("every slot of a relation's token must hold an entity's word")
    return np.array([[number[int(key)] for key in row] for row in keys], dtype=np.int64)


def _check_layers(model: Transformer, layout: _Layout, hops: int) -> None:
    """Follows the windows of all positions, and checks of each layer that it composes them."""
    held: list[tuple[int, ...]] = [(t,) for t in range(hops + 1)]
    checked: MLP | None = None
    for number, block in enumerate(model.blocks, start=1):
        if block.attention is None or block.mlp is None:
            raise PremiseError(f"layer {number} must have a head and an MLP")
        _check_copies(block.attention, layout, number)
        (W_Q,), (W_K,) = block.attention.W_Q, block.attention.W_K
        read = [position_read(model, W_Q, W_K, t, number) for t in range(hops + 1)]
        last = number == model.n_layers
        if last or block.mlp is not checked:
            wanted = layout.table[:1] if last else layout.table
            _Composing(block.mlp, layout, number).check(wanted, empty=not last)
            checked = block.mlp
        held = [_followed(held[earlier], held[t]) for t, earlier in enumerate(read)]
    for t, window in enumerate(held):
        if window != tuple(range(t + 1)):
            raise PremiseError(f"position {t} must compose all positions up to it, in order, not {window}")


def _followed(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """One window after another; nothing before the constant map at position 0 matters."""
    both = first + second
    return both[max((i for i, t in enumerate(both) if t == 0), default=0) :]


def _check_copies(attention: Attention, layout: _Layout, number: int) -> None:
    if len(attention.W_V) != 1:
        raise PremiseError(f"layer {number} must have one head")
    moved = _whole(attention.W_V[0], "W_V") @ _whole(attention.W_O[0], "W_O")
    size = layout.table.size
    wanted = csr_array(
        (np.full(size, _STEP**2), (layout.table.ravel(), layout.operand.ravel())), shape=moved.shape
    )
    if (moved != wanted).nnz:
        raise PremiseError(f"the head of layer {number} must copy the table to the operand")


class _Composing:
    """One MLP by neurons: the slot of the operand that each reads, if any, and the table's coordinate."""

    def __init__(self, mlp: MLP, layout: _Layout, number: int) -> None:
        N, m = layout.words.shape
        self.layout, self.number, self.n_signs = layout, number, N * m
        W_in = csc_array(_whole(mlp.W_in, "W_in"))
        self.W_in = csr_array(W_in)
        self.W_out = _whole(mlp.W_out, "W_out")
        self.b_in, self.b_out = (_whole(bias, "a bias").toarray().ravel() for bias in (mlp.b_in, mlp.b_out))
        width = W_in.shape[1]
        neurons = np.repeat(np.arange(width), np.diff(W_in.indptr))
        rows, values = W_in.indices, W_in.data
        rows, neurons, values = (part[values != 0] for part in (rows, neurons, values))
        of_table, of_operand = rows < N * m, (rows >= N * m) & (rows < 2 * N * m)
        if not (of_table | of_operand).all():
            self._refuse("neurons must read nothing but table and operand")
        if np.bincount(neurons[of_table], minlength=width).max(initial=0) > 1:
            self._refuse("a neuron must read at most one coordinate of the table")
        self.sign, self.weight = np.full(width, -1), np.zeros(width, dtype=np.int64)
        self.sign[neurons[of_table]], self.weight[neurons[of_table]] = rows[of_table], values[of_table]
        self.slot = np.full(width, -1)
        slots = rows[of_operand] // m - N
        self.slot[neurons[of_operand]] = slots
        if (self.slot[neurons[of_operand]] != slots).any():
            self._refuse("a neuron must read one slot of the operand")

    def check(self, wanted: NDArray[np.intp], *, empty: bool) -> None:
        """Slot x of `wanted` becomes the slot that operand x names; `empty`: the operand is emptied."""
        N, m = self.layout.words.shape
        signs, rows = self.n_signs + 1, np.arange(m)  # what is written: by signs of the table and constants
        always = self._written(self.W_out, np.flatnonzero(self.slot < 0), np.zeros((1, 1), dtype=np.int64))
        for x, operand in enumerate(self.layout.operand):
            neurons = np.flatnonzero(self.slot == x)
            writes = self.W_out[neurons]
            if not np.isin(writes.indices, [*self.layout.table[x], *operand]).all():
                self._refuse("what a slot of the operand decides must be written to that slot")
            if x >= len(wanted):
                continue
            outputs = np.concatenate([wanted[x], operand if empty else operand[:0]])
            stands = always[:, outputs].toarray()
            stands[-1] += self.b_out[outputs] * _STEP**2
            stands[wanted[x], rows] += _STEP**3
            read = self.layout.words @ self.W_in[operand][:, neurons]
            written = (
                self._written(writes[:, outputs], neurons, read).toarray().reshape(N, signs, -1) + stands
            )
            written[:, -1, m:] += self.layout.words[:, : len(outputs) - m] * _STEP**3
            written[np.arange(N)[:, None], self.layout.table, rows] -= _STEP**3  # what should stand there
            if written.any():
                self._refuse(f"slot {x} must become the slot that it names")

    def _written(self, W_out: csr_array, neurons: Numbers, read: Numbers) -> csr_array:
        """What neurons write for each entity in the operand, times 2^18: (entities (signs + 1), outputs).

        They read the operand by `read`, shape (entities, neurons or 1); W_out has their rows, or all.
        """
        z = self.b_in[neurons] + read
        high, low = (np.maximum(0, z + sign * self.weight[neurons]) for sign in (1, -1))
        entity, live = np.nonzero(high | low)
        high, low = high[entity, live], low[entity, live]
        # between its two values a neuron is affine in its sign: twice the slope, and twice the mean
        sign = np.concatenate([np.maximum(self.sign[neurons][live], 0), np.full(len(live), self.n_signs)])
        rows = np.tile(entity, 2) * (self.n_signs + 1) + sign
        columns = np.tile(neurons[live] if W_out is self.W_out else live, 2)
        shape = (len(z) * (self.n_signs + 1), W_out.shape[0])
        effect = csr_array((np.concatenate([high - low, high + low]), (rows, columns)), shape=shape)
        return csr_array(effect @ W_out) * (_STEP // 2)

    def _refuse(self, what: str) -> None:
        raise PremiseError(f"layer {self.number}: {what}")


def _pairs(facts: FactTable, maps: Numbers, alphabet: Numbers) -> Representatives:
    """A query for every pair of where the tokens' maps lead and where the facts do."""
    N, (hops, R) = facts.n_subjects, alphabet.shape
    led = right = np.arange(N)
    histories = np.arange(N)[:, None]
    for relations in alphabet:
        if len(led) * R > _LIMIT:
            raise PremiseError("the pairs of entities are too many")
        steps = np.tile(relations, len(led))
        led = maps[steps, np.repeat(led, R)]
        right = facts.answers[steps, np.repeat(right, R)]
        _, first = np.unique(led * N + right, return_index=True)
        histories = np.column_stack([np.repeat(histories, R, axis=0), steps])[first]
        led, right = led[first], right[first]
    assert histories.shape[1] == hops + 1
    return Representatives(facts, histories, right)


def _whole(weight: Any, name: str) -> csr_array:
    """A weight times 2^6, in whole numbers; a vector as one row."""
    values = csr_array(np.atleast_2d(float64(weight)) if np.ndim(weight) == 1 else float64(weight))
    scaled = values.data * _STEP
    if not (np.abs(values.data) <= _LARGEST).all() or (scaled != np.rint(scaled)).any():
        raise PremiseError(f"{name}: weights must be multiples of 2^-6 up to 2^10")
    return csr_array((scaled.astype(np.int64), values.indices, values.indptr), shape=values.shape)
