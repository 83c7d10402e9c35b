"""The pieces of C5 and C10: prompts of several letters, heads that read one position, erasure, memories."""

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack

from georecall.constructions.codes.code import Code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.transformer.layers import MLP, Attention, AttentionKind, Matrix
from georecall.constructions.transformer.parts import covering, neurons, placed, superpose
from georecall.constructions.transformer.residual import Residual
from georecall.theory.claims.softmax import DEFAULT_SOFT_GATE
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats, Numbers

Head = tuple[int, Matrix, Matrix]  # the position that it reads, W_V and W_O

_GATE_STEP = 1 << 24
_DENSE_ABOVE = 16  # a dense product is about so many times faster per entry than a sparse one


def dyadic(gate: float) -> float:
    """The gate rounded up to a multiple of 2^-24: multiples of it, and thresholds, are then exact.

    Example:
        >>> dyadic(1.5), dyadic(1.1)
        (1.5, 1.100000023841858)
    """
    return -int(-Fraction(gate) * _GATE_STEP // 1) / _GATE_STEP


def lift_of(gate: float | None, code: Code, attention: AttentionKind) -> float:
    """The gate, see `dyadic`; by default the least: V/2, and 5/4 where softmax needs more than 1."""
    return dyadic(gate if gate is not None else DEFAULT_SOFT_GATE if attention == "soft" else code.spread / 2)


def embedded(
    space: Residual, facts: FactTable, block: NDArray[np.intp], entities: Numbers, code: Code
) -> tuple[Floats, Floats]:
    """W_E and W_pos of `[s, r_1, ..., r_k]`: words on a subject's blocks, a relation's letter, a position."""
    W_E, letter = space.zeros(facts.n_subjects + facts.n_relations), np.arange(facts.n_relations)
    superpose(W_E, block, entities, code)
    W_E[facts.n_subjects + letter, space["relation"][letter % len(space["relation"])]] = 1
    W_pos = space.zeros(len(space["position"]))
    W_pos[:, space["position"]] = np.eye(len(W_pos))
    return W_E, W_pos


def sign_words(code: Code | None, facts: FactTable) -> Code:
    """The code handed in, or the default, if it is one of signs: a memory needs <u, u'> = m - 2 distance.

    Raises:
        ValueError: it is not, or it has fewer words than there are attributes.
    """
    code = covering(code, facts)
    if (code.lo, code.hi, code.n_levels) != (-1, 1, 2):
        raise ValueError(f"a memory between hops needs a sign code, got values {code.lo}..{code.hi}")
    return code


def promised(margin: float | None, code: Code, entities: Numbers) -> tuple[float, int]:
    """The margin that softmax is to keep, by default half, and the least distance D of which hard has D/2."""
    distance = int(nearest_squared_distances(code.words, entities).min())
    return distance / 4 if margin is None else margin, distance


def attending(space: Residual, heads: Sequence[Head], beta: float = 1.0) -> Attention:
    """Heads that each read one position, or with softmax mostly that one.

    The score of position j for position t is -beta |j - t|. A position ahead of t, which cannot see it, reads
    itself: with hard attention no head ever averages, so that arithmetic stays dyadic everywhere.
    """
    position = space["position"]
    here, component = np.arange(position.size), np.zeros(position.size, dtype=np.intp)
    W_Q = placed((space.d_model, 1), position, component, beta)
    W_K = [placed((space.d_model, 1), position, component, -np.abs(here - t)) for t, _, _ in heads]
    return Attention(
        W_Q=(W_Q,) * len(heads),
        W_K=tuple(W_K),
        W_V=tuple(W_V for _, W_V, _ in heads),
        W_O=tuple(W_O for _, _, W_O in heads),
    )


def copying(
    space: Residual, t: int, source: NDArray[np.intp], target: NDArray[np.intp], scale: float
) -> Head:
    """A head that reads coordinates of position t and adds them to coordinates here.

    The source has shape (n,), the target (n,) or (n, copies); they are added times a scale.
    """
    component = np.arange(len(source))
    W_V = placed((space.d_model, len(source)), source, component, 1.0)
    wide = component.reshape(-1, *[1] * (target.ndim - 1))
    return t, W_V, placed((len(source), space.d_model), wide, target, scale)


def erasing(space: Residual, coordinates: NDArray[np.intp], lo: float) -> MLP:
    """Neurons ReLU(x - lo) that take x - lo, and a bias that takes lo, off coordinates x >= lo."""
    neuron = np.arange(len(coordinates))
    b_out = np.bincount(coordinates, minlength=space.d_model) * -float(lo)
    reads, writes = (coordinates, neuron, 1.0), (neuron, coordinates, -1.0)
    return neurons(space, len(neuron), [reads], -lo, [writes], b_out)


def silenced(space: Residual, mlp: MLP, most: float) -> MLP:
    """The MLP with a weight of -most from position 0 to every neuron.

    There the state is twice the subject's embedding in the first stage, not in [-1, 1]: neurons that it
    would wake by at most `most` stay silent.
    """
    width = mlp.W_in.shape[1]
    silence = placed(mlp.W_in.shape, space["position"][:1], np.arange(width), -float(most))
    return MLP(mlp.W_in + silence, mlp.b_in, mlp.W_out, mlp.b_out)


def saturated(mlp: MLP, top: float) -> MLP:
    """Each neuron as a pair that is 0 up to top/4, and top from 3/4 top on: what softmax blurs is cut off."""
    return MLP(
        W_in=hstack([csr_array(mlp.W_in)] * 2, format="csr"),
        b_in=np.concatenate([mlp.b_in - top / 4, mlp.b_in - 3 * top / 4]),
        W_out=vstack([2 * csr_array(mlp.W_out), -2 * csr_array(mlp.W_out)], format="csr"),
        b_out=mlp.b_out,
    )


def beside(*mlps: MLP) -> MLP:
    """One MLP that does what several do."""
    return MLP(
        W_in=hstack([csr_array(mlp.W_in) for mlp in mlps], format="csr"),
        b_in=np.concatenate([mlp.b_in for mlp in mlps]),
        W_out=vstack([csr_array(mlp.W_out) for mlp in mlps], format="csr"),
        b_out=np.sum([mlp.b_out for mlp in mlps], axis=0),
    )


def compact(mlp: MLP) -> MLP:
    """The MLP with weights dense where so many entries are not zero that products are faster so."""

    def compacted(W: Matrix) -> Matrix:
        return W.toarray() if hasattr(W, "nnz") and W.nnz * _DENSE_ABOVE > prod(W.shape) else W

    return MLP(compacted(mlp.W_in), mlp.b_in, compacted(mlp.W_out), mlp.b_out)


def memory_layer(space: Residual, code: Code, answers: Numbers) -> MLP:
    """Neuron x, ReLU(<u(x), readout> - (m - 1)) = 1[readout = u(x)]: writes x's embedding, takes u(x) off."""
    n_blocks, N = answers.shape
    readout, words = space["readout"], code.words
    neuron, state = np.arange(N)[:, None], space["block"][:n_blocks].ravel()
    embedding = words[answers].swapaxes(0, 1).reshape(N, -1)
    writes = [(neuron, state, embedding), (neuron, readout, -words)]
    return compact(neurons(space, N, [(readout, neuron, words)], 1 - code.length, writes))
