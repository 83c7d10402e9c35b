"""The proof that an exact selector takes (R-1) m neurons, run on given weights.

One layer, prompts `[s, r]`, attention weights that do not depend on the tokens: the residual is an affine
function of W_E[s], and the relation shifts the hinges alone. Where no hinge of any relation passes through a
point e, the logits are affine around it with Jacobians J_r, and J_r - J_R = sum_i (1_ir - 1_iR) c_i a_i:
stacked over r, they have no larger rank than there are neurons that some relation switches at e. If words of
m coordinates are read exactly, J_r E = P_r, that rank is at least (R-1) m. A smaller rank says that the
selector is not exact in the proof's sense: it escapes the floor.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.randomness import generator
from georecall.verify.learned.one_layer import moved_by

_PRIME = 2**21 - 9  # whose products fit 42 bits
_POINTS, _MIXED = 32, 16
_NEAR = 1e-9  # of the weights' reach: a hinge so near counts as cutting, so that no sign rests on rounding

Residues = NDArray[np.int64]


@dataclass(frozen=True)
class SelectorRank:
    """What the proof finds.

    Args:
        rank: of the stacked differences of Jacobians, the largest found; modulo a prime, so never too large.
        switched: neurons that some relation switches there: at least the rank.
        width: neurons of the layer.
        uncut: points through which no hinge passes; nothing is said if there are none.
        points: points looked at: means of 16 subjects' embeddings each, every other one shrunk a little.
        words: m, the coordinates that attributes' vectors span, or subjects' embeddings for every relation,
            whichever is more.
        n_relations: R.
    """

    rank: int
    switched: int
    width: int
    uncut: int
    points: int
    words: int
    n_relations: int

    def exact(self, length: int | None = None) -> bool:
        """Whether words of that length, default m, may be read exactly: the rank is at least (R-1) m."""
        return self.rank >= (self.n_relations - 1) * (self.words if length is None else length)

    def described(self) -> dict[str, Any]:
        """In JSON's own types, the names as `structure` reports them."""
        if not self.uncut:
            raise ValueError("a hinge passes through every point: the proof says nothing")
        return {
            "selector_rank": self.rank,
            "selector_floor": (self.n_relations - 1) * self.words,
            "selector_switched": self.switched,
            "selector_width": self.width,
            "selector_exact": self.exact(),
        }


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
        >>> found.rank, found.switched, found.width, found.words, found.exact()
        (8, 8, 8, 4, True)
    """
    moved, mlp = moved_by(model)
    W_E, W_in = dense(model.W_E), dense(mlp.W_in)
    where = np.zeros((2, model.d_model)) if model.W_pos is None else model.W_pos
    rng = generator(seed, "selector rank", n_subjects, n_relations)
    points = W_E[rng.integers(n_subjects, size=(_POINTS, _MIXED))].mean(axis=1)
    points[::2] *= 15 / 16  # off the hinges of a coordinate that all subjects share
    relations = W_E[n_subjects : n_subjects + n_relations]
    shift = (relations + relations @ moved + where[1] + (where[0] + where[1]) @ moved) @ W_in + mlp.b_in
    h = (points @ moved @ W_in)[:, None] + shift  # (point, r, neuron)
    uncut = (np.abs(h) > _NEAR * max(1.0, float(np.abs(h).max()))).all(axis=(1, 2))
    spanned = int(np.linalg.matrix_rank(W_E[:n_subjects] - W_E[0]))
    words = max(int(np.linalg.matrix_rank(dense(model.W_U))), -(-spanned // n_relations))
    best = SelectorRank(0, 0, W_in.shape[1], int(uncut.sum()), _POINTS, words, n_relations)
    attend, half = model.blocks[0].attention, pow(2, -1, _PRIME)
    assert attend is not None
    heads = [
        _times(_residues(dense(V)), _residues(dense(W))) for V, W in zip(attend.W_V, attend.W_O, strict=True)
    ]
    into = _times(np.sum(heads, axis=0) % _PRIME, _residues(W_in)) * half % _PRIME
    out = _times(_residues(dense(mlp.W_out)), _residues(dense(model.W_U)))
    for on in np.unique(h[uncut] > 0, axis=0):
        changes = on[:-1].astype(np.int64) - on[-1].astype(np.int64)
        rank = _rank(np.concatenate([_times(into * change % _PRIME, out).T for change in changes]))
        if rank >= best.rank:
            best = replace(best, rank=rank, switched=int(changes.any(axis=0).sum()))
    return best


def _residues(matrix: NDArray[np.float64]) -> Residues:
    """Floats, which are fractions, modulo the prime."""
    values, where = np.unique(matrix, return_inverse=True)
    each = [x.as_integer_ratio() for x in values.tolist()]
    found = np.array([n * pow(d, -1, _PRIME) % _PRIME for n, d in each], dtype=np.int64)
    return found[where.reshape(matrix.shape)]


def _times(x: Residues, y: Residues) -> Residues:
    """A product modulo the prime; sums of up to 2^21 products fit 64 bits."""
    return x @ y % _PRIME


def _rank(rows: Residues) -> int:
    """The rank modulo the prime: never above that over the rationals."""
    rows, rank = np.unique(rows, axis=0), 0
    for column in range(rows.shape[1]):
        pivots = rank + np.flatnonzero(rows[rank:, column])
        if not len(pivots):
            continue
        rows[[rank, pivots[0]]] = rows[[pivots[0], rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, column]), -1, _PRIME) % _PRIME
        below = rows[rank + 1 :]
        below -= below[:, [column]] * rows[rank] % _PRIME
        below %= _PRIME
        rank += 1
    return rank
