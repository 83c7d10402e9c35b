"""One layer on `[s, r]` whose attention does not depend on the tokens, as proofs about it see it.

Asked for relation q about a subject whose embedding is e (on the coordinates where subjects differ), the MLP
is given z = e W + base_q and the logits are ReLU(z) W_out W_U + bias_q.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats
from georecall.verify.learned.counted import Operations
from georecall.verify.learned.superposition import Superposition
from georecall.verify.learned.vectors import Parts

Labels = NDArray[np.intp]

_U = 2.0**-53


def moved_by(model: Transformer) -> tuple[Floats, MLP]:
    """What the layer copies to the last position, of either token: a matrix; and its MLP.

    Raises:
        ValueError: another kind of model; the message says what it selects by instead.
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
    moved = sum(dense(V) @ dense(W) for V, W in zip(attend.W_V, attend.W_O, strict=True)) / 2
    return np.asarray(moved), mlp


@dataclass(frozen=True, eq=False)
class OneLayer:
    """The layer, and how far its numbers are off.

    Args:
        W: from embeddings to neurons, shape (d, w).
        base: of every relation, shape (R, w).
        W_out: shape (w, k), the coordinates that are read.
        W_U: shape (k, |A|).
        bias: shape (R, |A|).
        slack: bounds the rounding of every lead, of embeddings that the superposition or the model has.
        blur: bounds that of a difference of two columns of W_out W_U, in Euclidean norm.
    """

    W: Floats
    base: Floats
    W_out: Floats
    W_U: Floats
    bias: Floats
    slack: float
    blur: float = 0.0

    @classmethod
    def of(cls, parts: Parts, n_relations: int, fitted: Superposition) -> "OneLayer":
        """The layer of a model.

        Rounding: a lead is a composition of sums, products, ReLU, halves and differences; with at most K
        roundings on any path it is off by at most gamma_K times the same expression of magnitudes (Higham,
        Accuracy and Stability of Numerical Algorithms, section 3.1; ReLU, minima and maxima add nothing).
        Those are at most 4 S: twice the middle's and twice the half width's share of two logits.

        Raises:
            ValueError: see `moved_by`; or subjects reach the logits past the MLP.
        """
        model = parts.model
        moved, mlp = moved_by(model)
        attend: Any = model.blocks[0].attention
        largest = sum(abs(dense(V)) @ abs(dense(W)) for V, W in zip(attend.W_V, attend.W_O, strict=True)) / 2
        at, W_in, W_U = parts.coordinates, dense(mlp.W_in), dense(model.W_U)
        if (moved @ W_U)[at].any():
            raise ValueError("what subjects hold reaches the logits past the MLP: the proof is about the MLP")
        N, d_model = len(parts.subjects), model.d_model
        where = np.zeros((2, d_model)) if model.W_pos is None else np.asarray(model.W_pos, dtype=np.float64)
        shared = np.asarray(model.W_E[0], dtype=np.float64).copy()
        shared[at] = 0.0
        last = np.asarray(model.W_E[N : N + n_relations], dtype=np.float64) + where[1]
        x = last + (shared + where[0] + last) @ moved
        read = (W_U != 0).any(axis=1)
        turned = (np.abs(fitted.attributes) @ np.abs(fitted.maps)).max(axis=1).sum(axis=0)
        reach = np.maximum(np.abs(parts.subjects).max(axis=0), np.abs(fitted.offset) + turned)
        most = np.abs(last) + (np.abs(shared + where[0]) + np.abs(last)) @ largest
        z = (most @ abs(W_in) + np.abs(mlp.b_in)).max(axis=0) + reach @ (largest @ abs(W_in))[at]
        S = float((z @ abs(dense(mlp.W_out)) @ abs(W_U)).max())
        S += float(((most + np.abs(mlp.b_out)) @ abs(W_U) + np.abs(model.b_U)).max())
        heads = sum(dense(V).shape[1] + 1 for V in attend.W_V)
        K = 4 * d_model + 2 * W_in.shape[1] + heads + fitted.attributes.shape[1] + 2 * n_relations + 32
        return cls(
            W=np.asarray((moved @ W_in)[at]),
            base=np.asarray(x @ W_in + mlp.b_in),
            W_out=np.asarray(dense(mlp.W_out)[:, read]),
            W_U=np.asarray(W_U[read]),
            bias=np.asarray((x + mlp.b_out) @ W_U + model.b_U),
            slack=1.01 * K * _U * 4 * S + 2.0**-1000,
            blur=1.01 * K * _U * 2 * float(np.linalg.norm((abs(dense(mlp.W_out)) @ abs(W_U)).max(axis=1))),
        )

    def read(self, neurons: Floats, relation: int, count: Operations) -> Floats:
        """The logits of some neurons' values, shape (k, |A|)."""
        return count.each(count.times(count.times(neurons, self.W_out), self.W_U) + self.bias[relation])

    def lipschitz(self, count: Operations) -> float:
        """An upper bound of the spectral norm of W, within a factor d^(1/128).

        G = W W' has |G|^(2^5) <= |G^(2^5)|_F. Rounding: each squaring is off by at most gamma_d |G|_F^2, and
        |G^2|_F >= |G|_F^2 / sqrt(d); five double it five times, far below 2^-20.
        """
        G, log = count.times(self.W, self.W.T), 0.0
        for i in range(6):
            size = float(np.linalg.norm(G)) or 1.0
            G, log = G / size, log + np.log(size) / 2**i
            if i < 5:
                G = count.times(G, G)
        return float(np.exp(log / 2) * (1 + 2.0**-20))

    def divided(self, fitted: Superposition, size: int) -> Labels:
        """For each relation and attribute the block it is in, of about equally many: shape (R, |A|).

        The largest block is halved along its leading direction in front of the neurons, again and again.
        """
        found = []
        for M in fitted.maps:
            z = fitted.attributes @ M @ self.W
            blocks = [np.arange(len(z))]
            while len(blocks) < size:
                block = blocks.pop(int(np.argmax([len(block) for block in blocks])))
                spread = z[block] - z[block].mean(axis=0)
                along = spread @ np.linalg.svd(spread, full_matrices=False)[2][0]
                blocks += np.array_split(block[np.argsort(along)], 2)
            label = np.empty(len(z), dtype=np.intp)
            for number, block in enumerate(blocks):
                label[block] = number
            found.append(label)
        return np.array(found)
