"""The proof that an exact selector takes (R-1) m neurons, run on given weights.

One layer, prompts `[s, r]`, attention weights that do not depend on the tokens: the residual is an affine
function of W_E[s], and the relation shifts the hinges alone. Where no hinge of any relation passes through a
point e, the logits are affine around it with Jacobians J_r, and J_r - J_R = sum_i (1_ir - 1_iR) c_i a_i:
stacked over r, they have no larger rank than there are neurons that some relation switches at e. If words of
m coordinates are read exactly, J_r E = P_r, that rank is at least (R-1) m. A smaller rank says that the
selector is not exact in the proof's sense: it escapes the floor.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.randomness import generator

_PRIME = 2**31 - 1
_POINTS, _MIXED = 32, 16
_NEAR = 1e-9  # of the weights' reach: a hinge so near counts as cutting, so that no sign rests on rounding


@dataclass(frozen=True)
class SelectorRank:
    """What the proof finds.

    Args:
        rank: of the stacked differences of Jacobians, the largest found; modulo a prime, so never too large.
        switched: neurons that some relation switches there: at least the rank.
        width: neurons of the layer.
        uncut: points through which no hinge passes; nothing is said if there are none.
        points: points looked at: means of 16 subjects' embeddings each.
    """

    rank: int
    switched: int
    width: int
    uncut: int
    points: int

    def exact(self, n_relations: int, length: int) -> bool:
        """Whether words of that length may be read exactly: the rank is at least (R-1) m."""
        return self.rank >= (n_relations - 1) * length


def selector_rank(model: Transformer, n_subjects: int, n_relations: int, *, seed: int = 0) -> SelectorRank:
    """The rank of what relations change in the map from a subject's embedding to the logits.

    Args:
        model: one layer; attention without queries over `[s, r]`; an MLP of ReLU.
        n_subjects: N.
        n_relations: R.
        seed: of the points.

    Raises:
        ValueError: another kind of model; the message says what it selects by instead.

    Source: theory/pages/c1.md, Width.

    Example:
        >>> import numpy as np
        >>> from georecall.constructions.single_hop import narrow_superposition
        >>> from georecall.theory.facts.fact_table import random_bijections
        >>> facts = random_bijections(16, 3, rng=np.random.default_rng(0))
        >>> found = selector_rank(narrow_superposition(facts), 16, 3)
        >>> found.rank, found.switched, found.width, found.exact(3, 4)
        (8, 8, 8, True)
    """
    if len(model.blocks) != 1 or (attend := model.blocks[0].attention) is None:
        raise ValueError("the proof is about one layer with attention")
    if any(dense(W).any() for W in attend.W_Q):
        raise ValueError("attention depends on the tokens: it may select, without a neuron")
    mlp = model.blocks[0].mlp
    if mlp is None:
        raise ValueError("there is no MLP: nothing selects, attributes must be disjoint")
    if not model.plain:
        raise ValueError("the proof is about ReLU without norms")
    W_E, W_in, where = (
        dense(model.W_E),
        dense(mlp.W_in),
        np.zeros((2, model.d_model)) if model.W_pos is None else model.W_pos,
    )
    moved = sum(dense(V) @ dense(W) for V, W in zip(attend.W_V, attend.W_O, strict=True)) / 2
    rng = generator(seed, "selector rank", n_subjects, n_relations)
    points = W_E[rng.integers(n_subjects, size=(_POINTS, _MIXED))].mean(axis=1)
    relations = W_E[n_subjects : n_subjects + n_relations]
    shift = (relations + relations @ moved + where[1] + (where[0] + where[1]) @ moved) @ W_in + mlp.b_in
    h = (points @ moved @ W_in)[:, None] + shift  # (point, r, neuron)
    uncut = (np.abs(h) > _NEAR * max(1.0, float(np.abs(h).max()))).all(axis=(1, 2))
    best = SelectorRank(0, 0, W_in.shape[1], int(uncut.sum()), _POINTS)
    into, out = _residues(moved @ W_in), _residues(dense(mlp.W_out)).dot(_residues(dense(model.W_U))) % _PRIME
    for on in np.unique(h[uncut] > 0, axis=0):
        changes = on[:-1].astype(int) - on[-1].astype(int)
        stacked = [row for change in changes for row in ((into * change).dot(out) % _PRIME).T.tolist()]
        rank = _rank(stacked)
        if rank >= best.rank:
            best = replace(best, rank=rank, switched=int(changes.any(axis=0).sum()))
    return best


def _residues(matrix: NDArray[np.float64]) -> NDArray[np.object_]:
    """Floats, which are fractions, modulo the prime."""
    values = {x: Fraction(x) for x in np.unique(matrix).tolist()}
    each = {x: int(v.numerator * pow(v.denominator, -1, _PRIME) % _PRIME) for x, v in values.items()}
    found = np.empty(matrix.shape, dtype=object)
    found[...] = [[each[x] for x in row] for row in matrix.tolist()]
    return found


def _rank(rows: list[list[int]]) -> int:
    """The rank modulo the prime: never above that over the rationals."""
    rows = [list(row) for row in {tuple(row) for row in rows} if any(row)]
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], -1, _PRIME)
        for i in range(rank + 1, len(rows)):
            if factor := rows[i][column] * inverse % _PRIME:
                rows[i] = [(x - factor * y) % _PRIME for x, y in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank
