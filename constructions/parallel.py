"""C5(d): a relation's token carries its whole table, and layers compose maps: depth ceil(log2(k + 1)).

The residual holds a map from entities to entities at every position, one word for each of N slots: a
relation's table, or at position 0 the constant map to the subject. Layer l composes the map of the 2^(l-1)
positions that end here with that of the 2^(l-1) before them (Hillis and Steele's scan). Its head reads that
position, or position 0 where there is none: a window that reaches position 0 is a constant map, and such
a map composed with anything is itself. After the last layer slot 0 of the last position holds the answer.
"""

import numpy as np

from georecall.constructions.codes.code import Code
from georecall.constructions.transformer.hop_parts import beside, erasing, promised, saturated, sign_words
from georecall.constructions.transformer.layers import MLP, Attention, AttentionKind, Block
from georecall.constructions.transformer.parts import neurons, placed
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.claims.softmax import bearable_parallel, position_scale
from georecall.theory.facts.fact_table import NO_ENTITIES, FactsError, FactTable
from georecall.theory.facts.strings import letters


def parallel_hops(
    facts: FactTable,
    *,
    hops: int = 7,
    typed: bool = False,
    code: Code | None = None,
    attention: AttentionKind = "hard",
    margin: float | None = None,
) -> Transformer:
    """C5(d): depth ceil(log2(k+1)), d_model = 2 N m + k + 1, the same weights for any hops up to k.

    Widths N^2 m + 2 N m (softmax: 2 N^2 m + 2 N m), then N m + m in the last layer; all weights sparse.

    Arguments and errors as of `hybrid_hops`; k is the most hops. With softmax pairs of neurons make the maps
    exact again after every layer but the last.

    Source: theory/pages/c5.md, C5(d); arXiv 2210.10749 (log-depth simulation of automata).
    """
    if not facts.of_entities:
        raise FactsError(NO_ENTITIES)
    letters(facts, hops, typed=typed)  # whether they divide
    code = sign_words(code, facts)
    N, m = facts.n_subjects, code.length
    space = Residual(table=(N, m), operand=(N, m), position=(hops + 1,))
    table = space["table"]

    W_E = space.zeros(N + facts.n_relations)
    W_E[:N, table] = code.words[:, None]  # constant maps
    W_E[N:, table] = code.words[facts.answers]
    W_pos = space.zeros(hops + 1)
    W_pos[:, space["position"]] = np.eye(hops + 1)
    W_U = space.zeros(N).T
    W_U[table[0]] = code.words.T

    soft, beta = attention == "soft", 1.0
    if soft:
        beta = position_scale(bearable_parallel(*promised(margin, code, np.arange(N)), m), hops)
    n_layers = hops.bit_length()  # ceil(log2(k + 1))
    composed = _composing(space, code, N)
    compose = beside(
        saturated(composed, 2.0) if soft else composed,
        *(erasing(space, space[name].ravel(), -1.0) for name in ("table", "operand")),
    )
    last = beside(_composing(space, code, 1, 2.0 if soft else 1.0), erasing(space, table[0], -1.0))
    layers = [
        Block(_reading(space, 1 << layer, beta), compose if layer + 1 < n_layers else last)
        for layer in range(n_layers)
    ]
    return Transformer(
        W_E=W_E,
        W_pos=W_pos,
        blocks=tuple(layers),
        W_U=W_U,
        b_U=np.zeros(N),
        attention=attention,
        storage=Storage(np.arange(0), 2, other_bits=facts.n_relations * N * m, frozen=True, layout=space),
    )


def _reading(space: Residual, distance: int, beta: float) -> Attention:
    """A head that scores position j with -beta |j - max(0, t - distance)|: its table goes to the operand."""
    position, table, operand = space["position"], space["table"].ravel(), space["operand"].ravel()
    here = np.arange(position.size)
    away = np.abs(np.maximum(0, here - distance)[:, None] - here)
    component = np.arange(table.size)
    return Attention(
        W_Q=(placed((space.d_model, here.size), position[:, None], here, -beta * away),),
        W_K=(placed((space.d_model, here.size), position, here, 1.0),),
        W_V=(placed((space.d_model, table.size), table, component, 1.0),),
        W_O=(placed((table.size, space.d_model), component, operand, 1.0),),
    )


def _composing(space: Residual, code: Code, n_slots: int, sharp: float = 1.0) -> MLP:
    """Neurons ReLU(sharp (<u(y), operand_x> - m) + table_{y, i} + 1): table_x becomes table_{operand_x}."""
    table, operand, m = space["table"], space["operand"][:n_slots], code.length
    N = len(table)
    neuron = np.arange(n_slots * N * m).reshape(n_slots, N, m)
    words = (operand[:, None, None], neuron[..., None], sharp * code.words[None, :, None])
    writes = (neuron, table[:n_slots, None], 1.0)
    b_out = np.bincount(table[:n_slots].ravel(), minlength=space.d_model) * -1.0
    return neurons(space, neuron.size, [words, (table, neuron, 1.0)], 1.0 - sharp * m, [writes], b_out)


BUILDS = {"parallel-hops": parallel_hops}
