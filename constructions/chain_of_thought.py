"""C3: chain of thought answers any number of hops with one layer, in a dimension independent of it.

The prompt `[r_1, ..., r_k, s]` is continued with the entities that the model itself answers. At step i the
head finds relation i by position, asks for it, and the rest is C1 (or C1') on the current entity.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from georecall.constructions.codes.code import Code, sign_code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import Attention, AttentionKind, Block
from georecall.constructions.transformer.on_demand import BlockUnembedding
from georecall.constructions.transformer.parts import (
    block_selector,
    covering,
    nearest_neighbour_bias,
    placed,
    superpose,
)
from georecall.constructions.transformer.prompts import relations_first
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.claims.chain_of_thought import inverse_temperature
from georecall.theory.claims.softmax import DEFAULT_SOFT_GATE
from georecall.theory.facts.fact_table import FactTable

Readout = Literal["in-place", "separate"]


def chain_of_thought(
    facts: FactTable,
    *,
    max_hops: int = 4,
    attention: AttentionKind = "hard",
    margin: float | None = None,
    code: Code | None = None,
    gate: float | None = None,
    readout: Readout = "in-place",
) -> Transformer:
    """C3: answers every query of at most K hops step by step, with d_model = R m + 2 q.

    Relation t writes the position code p_t to the keys, the t-th entity writes it to the queries; tokens
    write to neither. So at step i the scores are beta <p_i, p_t> for relation t and 0 for entities, largest
    at relation i. The head copies twice that relation's gate to the block asked for.

    Args:
        facts: a table of functions from entities to entities.
        max_hops: K; W_pos has 2K rows, relations at 0..K-1 and entities at K..2K-1.
        attention: "hard", or "soft" with the scores' factor beta derived from `margin`.
        margin: mu, what softmax keeps of the margin of hard attention, in every context; default: half.
        code: value code of the entities, for softmax a sign code; default: signs, m = ceil(log2 N).
        gate: half the lift of the asked block; default: V/2 (the least for hard attention), for softmax
            5/4 (softmax needs more than 1).
        readout: "in-place", or "separate" with m dimensions more.

    Raises:
        ValueError: K < 1, a code with too few words, or softmax with a margin or gate that it cannot have.

    Source: theory/pages/c3.md, C3 (derived there; in place the neuron is max(z, 2 gate + lo), which
    for a gate above V/2 is not C1's: a leak then stays below the level).
    """
    if max_hops < 1:
        raise ValueError(f"max_hops must be at least 1, got {max_hops}")
    if readout not in ("in-place", "separate"):
        raise ValueError(f"readout must be 'in-place' or 'separate', got {readout!r}")
    code = covering(code, facts)
    soft = attention == "soft"
    if gate is None:
        gate = DEFAULT_SOFT_GATE if soft else code.spread / 2
    beta = 1.0
    if soft:
        distance = int(nearest_squared_distances(code.words, facts.occurring()).min())
        beta = inverse_temperature(
            distance / 4 if margin is None else margin, distance=distance, gate=gate, max_hops=max_hops
        )
    N, R, m, place = facts.n_subjects, facts.n_relations, code.length, sign_code(max_hops)
    q = place.length
    space = Residual(
        block=(R, m), **({"readout": (m,)} if readout == "separate" else {}), key=(q,), query=(q,)
    )
    block = space["block"]

    W_E = space.zeros(N + R)
    superpose(W_E, block, facts.answers, code)
    W_E[N + np.arange(R)[:, None], block] = gate

    W_pos = space.zeros(2 * max_hops)
    W_pos[:max_hops, space["key"]] = place.words
    W_pos[max_hops:, space["query"]] = place.words

    copied, component = np.arange(block.size), np.arange(q)
    attend = Attention(
        W_Q=(placed((space.d_model, q), space["query"], component, beta),),
        W_K=(placed((space.d_model, q), space["key"], component, 1.0),),
        W_V=(placed((space.d_model, block.size), block.ravel(), copied, 1.0),),
        W_O=(placed((block.size, space.d_model), copied, block.ravel(), 2.0),),
    )
    select, read = block_selector(space, code, 2 * gate)
    return Transformer(
        W_E=W_E,
        W_pos=W_pos,
        blocks=(Block(attend, select),),
        W_U=np.asarray(BlockUnembedding(code, read, space.d_model)),
        b_U=nearest_neighbour_bias(code),
        attention=attention,
        storage=Storage(block.ravel(), code.n_levels),
    )


def generate(
    model: Transformer, subjects: ArrayLike, relations: NDArray[np.int64], *, n_entities: int
) -> NDArray[np.int64]:
    """What the model says, step by step: its own argmax is appended to the prompt and read back.

    Args:
        model: with 2K positions, as of `chain_of_thought`.
        subjects: shape (batch,).
        relations: relation numbers, the first hop first, shape (batch, k), k <= K.
        n_entities: N.

    Returns:
        The entities generated, shape (batch, k); the last column answers the queries.

    Raises:
        ValueError: more hops than the model has positions for.

    Example:
        >>> facts = FactTable([[1, 2, 0], [0, 0, 1]])
        >>> generate(chain_of_thought(facts), [0], np.array([[0, 1, 0]]), n_entities=3).tolist()
        [[1, 0, 1]]
    """
    max_hops, hops = model.n_ctx // 2, relations.shape[1]
    if hops > max_hops:
        raise ValueError(f"{hops} hops are more than the {max_hops} that the model has positions for")
    entities = np.asarray(subjects, dtype=np.int64)[:, None]
    for _ in range(hops):
        tokens, positions = relations_first(n_entities, relations, entities, max_hops=max_hops)
        said = dense(model.logits(tokens, positions)).argmax(axis=1)
        entities = np.column_stack([entities, said])
    return entities[:, 1:]


BUILDS = {"chain-of-thought": chain_of_thought}
