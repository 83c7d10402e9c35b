"""C11: recall without an MLP, where attributes are not shared or attention selects; and additive models.

What the proof of C11 is about, as weights: prompts `[s, r]`, no neurons anywhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code, code_length, sign_code
from georecall.constructions.transformer.layers import Attention, Block
from georecall.constructions.transformer.parts import covering, one_hop, placed, superpose
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.facts.fact_table import FactTable


def attribute_sets(facts: FactTable) -> list[NDArray[np.int64]]:
    """A_r: for every relation the attributes that answer it, in increasing order."""
    return [np.unique(answered) for answered in facts.answers]


def disjoint_superposition(facts: FactTable, *, gate: float = 1.0) -> Transformer:
    """C11(b): attributes that are not shared need no MLP, d_model = sum of m_r + 1, 0 neurons.

    Block r of a subject holds the sign word u(pi_r(s)) of m_r = max(1, ceil(log2 |A_r|)) coordinates; a
    relation writes gate on one coordinate of its own. The logit of a in A_r is <u(a), block r> - m_r, and
    2 gate more if r was asked for. An attribute of no relation has logit 0; one of several adds theirs up.

    The claim asks for disjoint sets A_r and a gate above 0, half of what a relation adds to the logits of its
    own attributes.

    Source: theory/pages/c11.md, C11(b) (derived there).
    """
    sets = attribute_sets(facts)
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    lengths = [code_length(len(members)) for members in sets]
    space = Residual(**{f"block{r}": (length,) for r, length in enumerate(lengths)}, relation=(R,))
    W_E, W_U, b_U = space.zeros(N + R), np.zeros((space.d_model, A)), np.zeros(A)
    W_E[N + np.arange(R), space["relation"]] = gate
    for r, (members, length) in enumerate(zip(sets, lengths, strict=True)):
        words, block = sign_code(len(members)).words, space[f"block{r}"]
        W_E[:N, block] = words[np.searchsorted(members, facts.answers[r])]
        W_U[np.ix_(block, members)] = words.T
        W_U[space["relation"][r], members] = 1
        b_U[members] -= length
    return one_hop(W_E, None, W_U, b_U, Storage(np.arange(sum(lengths)), 2))


def selecting_heads(facts: FactTable, *, code: Code | None = None) -> Transformer:
    """C11(a): R heads whose weights depend on the relation select instead of an MLP, d_model = R (m + 1) + 1.

    Head h reads the subject if relation h is asked for, else the relation's own token, which holds no word;
    it copies block h. Hard attention; margin 2h. The code is of signs, by default m = ceil(log2 |A|).

    Source: theory/pages/c11.md, C11(a) (derived there).
    """
    code = covering(code, facts)
    N, R, m = facts.n_subjects, facts.n_relations, code.length
    space = Residual(block=(R, m), relation=(R,), subject=(1,))
    W_E, W_U = space.zeros(N + R), np.zeros((space.d_model, facts.n_attributes))
    superpose(W_E, space["block"], facts.answers, code)
    W_E[:N, space["subject"]] = 1
    W_E[N + np.arange(R), space["relation"]] = 1
    W_U[space["block"]] = code.words.T
    one, word = np.zeros(1, dtype=np.intp), np.arange(m)
    asks = 2 * np.eye(R) - 1  # of head h: 1 at relation h, -1 at the others
    heads = Attention(
        W_Q=tuple(placed((space.d_model, 1), space["relation"], one, asked) for asked in asks),
        W_K=(placed((space.d_model, 1), space["subject"], one, 1.0),) * R,
        W_V=tuple(placed((space.d_model, m), block, word, 1.0) for block in space["block"]),
        W_O=tuple(placed((m, space.d_model), word, block, 1.0) for block in space["block"]),
    )
    return Transformer(
        W_E=W_E,
        W_pos=space.zeros(2),
        blocks=(Block(heads),),
        W_U=W_U,
        b_U=np.zeros(facts.n_attributes),
        attention="hard",
        storage=Storage(space["block"].ravel(), 2),
    )


def additive_logits(f: NDArray[Any], g: NDArray[Any]) -> Transformer:
    """The transformer without MLP whose logits are f(s, a) + g(r, a): every additive model is one.

    f has shape (N, |A|), g (R, |A|).
    """
    W_U = np.concatenate([f, np.asarray(g) / 2]).astype(np.float64)
    return one_hop(np.eye(len(W_U)), None, W_U, np.zeros(f.shape[1]))


BUILDS = {"disjoint-attributes": disjoint_superposition}
