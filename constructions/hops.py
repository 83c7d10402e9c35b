"""C5: k hops in a single forward pass on `[s, r_1, ..., r_k]`. Three ways to pay.

*Composed*: the subject's embedding holds the answers to all R^k strings of relations, in blocks side by
side. *Sequential*: one hop at a time; between hops a memory as wide as the number of entities writes the
embedding of the entity reached. *Hybrid*: composed inside each of c stages, a memory between stages; composed
is c = 1, sequential c = k; merged, a sequential hop is one layer.

A stage of j hops is one layer. At the last position, head t adds relation t's gate to every block whose
string has that letter at hop t; the MLP keeps the block that all j gates lift, writes its word to the
readout, and erases the state (the blocks). A memory is an MLP alone: neuron x fires where the readout holds
u(x), writes x's embedding to the state and takes u(x) off the readout.

Position 0 cannot tell the subject's embedding from its copy, and holds it twice. A weight from the position
keeps the neurons silent there, so that nothing grows at a position that nobody reads.

With softmax a head's weight strays; stages before a memory read through pairs of neurons (`saturated`), which
make words exact again, so that no error reaches the next stage; the last one loses what the margin allows.
"""

from collections.abc import Sequence

import numpy as np

from georecall.constructions.chain_of_thought import Readout
from georecall.constructions.codes.code import Code
from georecall.constructions.transformer.hop_parts import (
    attending,
    beside,
    compact,
    copying,
    embedded,
    erasing,
    lift_of,
    memory_layer,
    promised,
    saturated,
    sign_words,
    silenced,
)
from georecall.constructions.transformer.layers import MLP, AttentionKind, Block
from georecall.constructions.transformer.on_demand import BlockUnembedding
from georecall.constructions.transformer.parts import (
    Wires,
    block_selector,
    covering,
    nearest_neighbour_bias,
    neurons,
    placed,
)
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.claims.softmax import bearable, bearable_merged, position_scale
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters, reachable, string_answers
from georecall.theory.tools.arrays import Numbers


def composed_hops(
    facts: FactTable,
    *,
    hops: int = 2,
    typed: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    readout: Readout = "separate",
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C5(a): blocks for all R^k strings; depth 1, d_model = (R^k + 1) m + R + k + 1.

    Args:
        facts: a table of functions from entities to entities.
        hops: k.
        typed: whether each hop has its own relations (see `theory.facts.strings`): R is then a k-th of the
            table's.
        code: value code of the entities; default: signs, m = ceil(log2 N).
        gate: half the lift per matching relation, at least V/2 (the default); see `dyadic`.
        readout: "separate", or "in-place" with m dimensions less.
        attention: "hard", or "soft" with the scores' factor derived from `margin`; then a sign code.
        margin: mu, what softmax keeps of every query's margin; default: half.

    Raises:
        FactsError: attributes are not subjects, or typed relations do not divide among the hops.
        ValueError: hops < 1, a code with fewer words than there are entities, or softmax with a margin or
            gate that it cannot have.

    Source: theory/pages/c5.md, C5(a) (derived there; for value codes the level is 2 gate k + lo).
    """
    if readout not in ("in-place", "separate"):
        raise ValueError(f"readout must be 'in-place' or 'separate', got {readout!r}")
    code = covering(code, facts) if attention == "hard" else sign_words(code, facts)
    return _staged(facts, [hops], typed, code, gate, attention, margin, separate=readout == "separate")


def hybrid_hops(
    facts: FactTable,
    *,
    hops: int = 3,
    stages: int = 2,
    typed: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C5(c): c stages; depth 2c - 1, d_model = (R^j + 1) m + R + k + 1 with j = ceil(k/c).

    Arguments and errors as of `composed_hops`, and a ValueError for a code that is not of signs, or stages
    that are not from 1 to k. The lengths of the stages are balanced, the longest first. The gate is at least
    1 (the default; softmax: 5/4). Before a memory softmax takes 3 neurons where hard attention takes 2.

    Source: theory/pages/c5.md, C5(c) (derived there).
    """
    if not 1 <= stages <= hops:
        raise ValueError(f"stages must be from 1 to the number of hops, {hops}, got {stages}")
    code = sign_words(code, facts)
    return _staged(facts, stage_lengths(hops, stages), typed, code, gate, attention, margin)


def sequential_hops(
    facts: FactTable,
    *,
    hops: int = 2,
    typed: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    merged: bool = False,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C5(b): one hop at a time; depth 2k - 1, d_model = (R+1) m + R + k + 1.

    Arguments and errors as of `hybrid_hops`. Merged, one layer does per hop: depth k, d_model = (R+1) m +
    2 R + k + 1, and softmax takes 2 R N neurons for R N.

    Source: theory/pages/c5.md, C5(b) (derived there).
    """
    code = sign_words(code, facts)
    if merged:
        return _merged(facts, hops, typed, code, gate, attention, margin)
    return _staged(facts, [1] * hops, typed, code, gate, attention, margin)


def stage_lengths(hops: int, stages: int) -> list[int]:
    """How many hops each stage takes: balanced, the longest first.

    Example:
        >>> stage_lengths(7, 3)
        [3, 2, 2]
    """
    short, n_long = divmod(hops, stages)
    return [short + (stage < n_long) for stage in range(stages)]


def _staged(
    facts: FactTable,
    lengths: Sequence[int],
    typed: bool,
    code: Code,
    gate: float | None,
    attention: AttentionKind,
    margin: float | None,
    *,
    separate: bool = True,
) -> Transformer:
    """The transformer of C5 whose stages take so many hops each."""
    soft, gate = attention == "soft", lift_of(gate, code, attention)
    hops, m = sum(lengths), code.length
    alphabet, beta = letters(facts, hops, typed=typed), 1.0
    if soft:
        asked = promised(margin, code, reachable(facts, alphabet))
        beta = position_scale(bearable(*asked, gate, lengths), hops)
    R, ends = alphabet.shape[1], np.cumsum(lengths)
    stages = [alphabet[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    reached = [string_answers(facts, stage) for stage in stages]
    readout = {"readout": (m,)} if separate else {}
    space = Residual(block=(len(reached[0]), m), **readout, relation=(R,), position=(hops + 1,))
    block = space["block"]

    blocks: list[Block] = []
    for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        heads = [] if number else [copying(space, 0, block.ravel(), block.ravel(), 1.0)]
        for hop in range(length):  # letter r lifts, by 2 gate, every block whose string has it at this hop
            strings = np.arange(R**length).reshape(R**hop, R, -1).swapaxes(0, 1).reshape(R, -1)
            lifted = block[strings].reshape(R, -1)
            heads.append(copying(space, end - length + 1 + hop, space["relation"], lifted, 2 * gate))
        select, read = block_selector(space, code, 2 * gate * length, R**length)
        if soft and end < hops:
            select = saturated(select, 2.0)
        if len(lengths) > 1:
            select = silenced(space, select, code.hi)
        if end < hops:
            select = beside(select, erasing(space, block[: R**length].ravel(), code.lo))
        blocks.append(Block(attending(space, heads, beta), select))
        if end < hops:
            blocks.append(Block(mlp=memory_layer(space, code, reached[number + 1])))

    # stages that ask for the same relations have the same memory
    later = zip(stages[1:], reached[1:], strict=True)
    memories = {stage.tobytes(): answers.size * m for stage, answers in later}
    W_E, W_pos = embedded(space, facts, block, reached[0], code)
    return Transformer(
        W_E=W_E,
        W_pos=W_pos,
        blocks=tuple(blocks),
        W_U=np.asarray(BlockUnembedding(code, read, space.d_model)),
        b_U=nearest_neighbour_bias(code),
        attention=attention,
        storage=Storage(block.ravel(), code.n_levels, other_bits=sum(memories.values()), layout=space),
    )


def _merged(
    facts: FactTable,
    hops: int,
    typed: bool,
    code: Code,
    gate: float | None,
    attention: AttentionKind,
    margin: float | None,
) -> Transformer:
    """C5(b) with one layer per hop: neuron (r, x) fires where block r holds u(x) and r is asked for.

    Head t copies relation t's one-hot to `asked`. Neuron ReLU(<u(x), block_r> + asked_r - m) writes x's
    embedding to the state; beside it the old state and `asked` are erased. The last layer is a selector.
    """
    soft, gate = attention == "soft", lift_of(gate, code, attention)
    alphabet, m, beta = letters(facts, hops, typed=typed), code.length, 1.0
    if soft:
        asked_for = promised(margin, code, reachable(facts, alphabet))
        beta = position_scale(bearable_merged(*asked_for, gate, hops, m), hops)
    N, R = facts.n_subjects, alphabet.shape[1]
    space = Residual(block=(R, m), readout=(m,), relation=(R,), asked=(R,), position=(hops + 1,))
    block, asked = space["block"], space["asked"]
    reached = [string_answers(facts, relations[None]) for relations in alphabet]

    blocks: list[Block] = []
    for hop in range(hops):
        first = [] if hop else [copying(space, 0, block.ravel(), block.ravel(), 1.0)]
        attend = attending(space, [*first, copying(space, hop + 1, space["relation"], asked, 1.0)], beta)
        if hop + 1 < hops:
            look_up = _merged_memory(space, code, reached[hop + 1])
            look_up = silenced(space, saturated(look_up, 1.0) if soft else look_up, m)
            erase = (erasing(space, block.ravel(), code.lo), erasing(space, asked, 0.0))
            blocks.append(Block(attend, compact(beside(look_up, *erase))))
    select, read = block_selector(space, code, 2 * gate)
    lift = placed(select.W_in.shape, np.repeat(asked, m), np.arange(block.size), 2 * gate)
    select = silenced(space, MLP(select.W_in + lift, select.b_in, select.W_out, select.b_out), code.hi)
    W_E, W_pos = embedded(space, facts, block, reached[0], code)
    memories = (hops - 1 if typed else min(hops - 1, 1)) * N * R * m
    return Transformer(
        W_E=W_E,
        W_pos=W_pos,
        blocks=(*blocks, Block(attend, select)),
        W_U=np.asarray(BlockUnembedding(code, read, space.d_model)),
        b_U=nearest_neighbour_bias(code),
        attention=attention,
        storage=Storage(block.ravel(), code.n_levels, other_bits=memories, layout=space),
    )


def _merged_memory(space: Residual, code: Code, answers: Numbers) -> MLP:
    """Neuron (r, x): ReLU(<u(x), block_r> + asked_r - m) writes x's embedding to the state."""
    R, N = answers.shape
    block, words = space["block"], code.words
    neuron = np.arange(R * N).reshape(R, N, 1)
    reads: list[Wires] = [(block[:, None], neuron, words), (space["asked"][:, None, None], neuron, 1.0)]
    embedding = words[answers].swapaxes(0, 1).reshape(N, -1)
    return neurons(space, R * N, reads, -code.length, [(neuron, block.ravel(), embedding)])


BUILDS = {"composed-hops": composed_hops, "sequential-hops": sequential_hops, "hybrid-hops": hybrid_hops}
