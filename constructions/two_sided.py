"""C10: facts on both sides: the first hops in the subjects' embeddings, the last ones in the unembedding.

For bijections a fact y = pi(x) can be kept in W_E as u(pi(x)), or in W_U as u(pi^-1(y)). A block of an
embedding holds what one string of first letters reaches; an output block of W_U holds from where one string
of last letters leads to each entity. The letters lift the block asked for, and a gate coordinate for each
output block; layer 1 reads u(z), the entity in the middle, and layer 2 writes it to the output block whose
gate is open. Nothing in attention or MLP depends on the facts (but for memories between stages, as in
C5(c)).

With an odd number of hops the middle letter decides: some of its relations are kept on the left, the others
on the right.
"""

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.constructions.sides import Side, middle_entities, parts, sides
from georecall.constructions.transformer.hop_parts import (
    Head,
    attending,
    beside,
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
from georecall.constructions.transformer.parts import neurons, placed
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.claims.softmax import bearable, position_scale
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters

Places = NDArray[np.intp]  # coordinates of the residual stream


def two_sided_hops(
    facts: FactTable,
    *,
    hops: int = 2,
    split: int | None = None,
    stages: int = 1,
    typed: bool = False,
    merged: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C10: depth 2, d_model = M m + R + k + 1 + B, B output blocks, M the more of both sides.

    Arguments and errors as of `hybrid_hops`, and a FactsError where W_U inverts a relation that is no
    bijection (or the middle letter decides, and the first on the left is none). The split is a, hops answered
    by the embeddings, from 0 to k (else a ValueError): by default k/2, but for odd k the middle letter
    decides. Stages c have a memory between two: depth 2 c, d_model = (max(R^ceil(a/c), B) + 1) m + R + k + 1
    + B, and the default split is all but the last of c + 1 parts. Merged, the last two layers are one: depth
    2 c - 1, and (A + B) m in place of M m where c = 1.

    Source: theory/pages/c10.md, C10.
    """
    code, soft = sign_words(code, facts), attention == "soft"
    gate, beta = lift_of(gate, code, attention), 1.0
    alphabet = letters(facts, hops, typed=typed)
    lengths, balanced = parts(hops, split, stages)
    left, right = sides(facts, alphabet, lengths, balanced=balanced)
    if soft:
        asked = promised(margin, code, middle_entities(facts, alphabet, lengths, left))
        conditions = [side.conditions for side in left]
        beta = position_scale(bearable(*asked, gate, conditions, right.conditions), hops)

    R, N, m = alphabet.shape[1], facts.n_subjects, code.length
    A, B, last = [len(side.entities) for side in left], len(right.entities), len(left) - 1
    apart = merged and not last  # output blocks of their own: in one layer there is no time to make room
    space = Residual(
        block=(max(A) if apart else max(*A, B), m),
        **({"output": (B, m)} if apart else {}),
        **({"readout": (m,)} if last else {}),
        relation=(R,),
        gate=(B,),
        position=(hops + 1,),
    )
    block, output = space["block"], space["output" if apart else "block"][:B]
    middle = space["readout"] if last else block[0]  # where u(z) is written

    blocks: list[Block] = []
    ends = [0, *map(int, np.cumsum(lengths))]
    for number, (side, start) in enumerate(zip(left, ends, strict=False)):
        used, stop = block[: A[number]].ravel(), hops if number == last else ends[number + 1]
        heads = [] if number else [copying(space, 0, used, used, 1.0)]
        heads += [_lifting(space, hop, side, right, gate) for hop in range(start, stop)]
        erase = erasing(space, used, code.lo)
        if merged and number == last:
            write = _merged(space, block, output, side, right, gate)
            mlp = write if apart else beside(write, erase)
        else:
            select = _select(space, block, middle, side, gate)
            mlp = beside(saturated(select, 2.0) if soft and number < last else select, erase)
        blocks.append(Block(attending(space, heads, beta), silenced(space, mlp, 2.0) if last else mlp))
        if number < last:
            blocks.append(Block(mlp=memory_layer(space, code, left[number + 1].entities)))
    if not merged:
        write = _output(space, middle, output, right, gate)
        blocks.append(Block(mlp=write if last else beside(write, erasing(space, middle, code.lo))))

    W_E, W_pos = embedded(space, facts, block[: A[0]], left[0].entities, code)
    W_U = space.zeros(N).T
    for coordinates, entities in zip(output, right.entities, strict=True):
        W_U[coordinates] = code.words[entities].T
    memories = {side.waits[:, start:end].tobytes() + alphabet[start:end].tobytes(): side.entities.size * m
                for side, start, end in zip(left[1:], ends[1:], ends[2:], strict=False)}  # fmt: skip
    held = left[0].of_facts[0]
    return Transformer(
        W_E=W_E,
        W_pos=W_pos,
        blocks=tuple(blocks),
        W_U=W_U,
        b_U=np.zeros(N),
        attention=attention,
        storage=Storage(
            block[: A[0]].ravel() if held else np.arange(0),
            code.n_levels,
            other_bits=sum(memories.values()) + int(right.of_facts.sum()) * N * m,
            frozen=not held,
            layout=space,
        ),
    )


def single_hop_split(
    facts: FactTable,
    *,
    merged: bool = False,
    code: Code | None = None,
    gate: float | None = None,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C10 at k = 1: half of the relations in W_E, half in W_U; d_model = ceil((R+1)/2) m + R + 2 + B.

    Arguments and errors as of `two_sided_hops`; B = 1 + floor(R/2).
    """
    return two_sided_hops(
        facts, hops=1, merged=merged, code=code, gate=gate, attention=attention, margin=margin
    )


def _lifting(space: Residual, hop: int, left: Side, right: Side, gate: float) -> Head:
    """The head of one hop: its letter lifts, by 2 gate, every block and gate that waits for it."""
    relation, m = space["relation"], space["block"].shape[1]
    blocks, letters_left = np.nonzero(left.waits[:, hop])
    gates, letters_right = np.nonzero(right.waits[:, hop])
    rows = np.concatenate([np.repeat(letters_left, m), letters_right])
    columns = np.concatenate([space["block"][blocks].ravel(), space["gate"][gates]])
    W_V = placed((space.d_model, len(relation)), relation, np.arange(len(relation)), 1.0)
    return hop + 1, W_V, placed((len(relation), space.d_model), rows, columns, 2 * gate)


def _select(space: Residual, block: Places, into: Places, side: Side, gate: float) -> MLP:
    """Neurons ReLU(x - (2 gate a - 1)): the word of the one block that all letters lift, plus 1."""
    used = block[: len(side.entities)]
    neuron = np.arange(used.size).reshape(used.shape)
    b_out = np.bincount(into, minlength=space.d_model) * -1.0
    return neurons(space, used.size, [(used, neuron, 1.0)], _bias(gate, side), [(neuron, into, 1.0)], b_out)


def _output(space: Residual, middle: Places, output: Places, side: Side, gate: float) -> MLP:
    """ReLU(u_i(z) + g_v - level) less ReLU(g_v - level), level 2 gate b - 1: u(z) if v is asked, else 0."""
    neuron = np.arange(output.size).reshape(output.shape)
    reads = [(middle, neuron, 1.0), (space["gate"][:, None], neuron, 1.0)]
    word = neurons(space, output.size, reads, _bias(gate, side), [(neuron, output, 1.0)])
    return beside(word, _level(space, output, side, gate))


def _merged(space: Residual, block: Places, output: Places, left: Side, right: Side, gate: float) -> MLP:
    """ReLU(x_w + g_v - (2 gate (a + b) - 1)) into output block v, less what the gate alone lets through."""
    A = len(left.entities)
    neuron = np.arange(A * output.size).reshape(A, *output.shape)
    reads = [(block[:A, None], neuron, 1.0), (space["gate"][:, None], neuron, 1.0)]
    word = neurons(space, neuron.size, reads, _bias(gate, left, right), [(neuron, output, 1.0)])
    return beside(word, _level(space, output, right, gate))


def _level(space: Residual, output: Places, side: Side, gate: float) -> MLP:
    """ReLU(g_v - (2 gate b - 1)), which is 1 where v is asked for and else 0, taken off output block v."""
    neuron = np.arange(len(output))
    reads, writes = (space["gate"], neuron, 1.0), (neuron[:, None], output, -1.0)
    return neurons(space, len(output), [reads], _bias(gate, side), [writes])


def _bias(gate: float, *several: Side) -> float:
    """1 less the lift of all the letters that some sides wait for."""
    return 1 - 2 * gate * sum(side.conditions for side in several)


BUILDS = {"two-sided-hops": two_sided_hops, "single-hop-split": single_hop_split}
