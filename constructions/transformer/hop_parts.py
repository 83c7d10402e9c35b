"""The pieces of C5: heads that read one position, erasure, the memory of embeddings."""

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack

from georecall.constructions.codes.code import Code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.transformer.layers import MLP, Attention, Matrix
from georecall.constructions.transformer.parts import covering, placed
from georecall.constructions.transformer.residual import Residual
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Numbers

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

    Args:
        space: the residual stream.
        t: the position.
        source: shape (n,).
        target: shape (n,), or (n, copies).
        scale: a factor.
    """
    component = np.arange(len(source))
    W_V = placed((space.d_model, len(source)), source, component, 1.0)
    wide = component.reshape(-1, *[1] * (target.ndim - 1))
    return t, W_V, placed((len(source), space.d_model), wide, target, scale)


def erasing(space: Residual, coordinates: NDArray[np.intp], lo: float) -> MLP:
    """Neurons ReLU(x - lo) that take x - lo, and a bias that takes lo, off coordinates x >= lo."""
    neuron = np.arange(len(coordinates))
    return MLP(
        W_in=placed((space.d_model, len(neuron)), coordinates, neuron, 1.0),
        b_in=np.full(len(neuron), -float(lo)),
        W_out=placed((len(neuron), space.d_model), neuron, coordinates, -1.0),
        b_out=np.bincount(coordinates, minlength=space.d_model) * -float(lo),
    )


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
    W_in, W_out = (W.toarray() if W.nnz * _DENSE_ABOVE > prod(W.shape) else W for W in (mlp.W_in, mlp.W_out))
    return MLP(W_in, mlp.b_in, W_out, mlp.b_out)


def memory(space: Residual, code: Code, answers: Numbers) -> MLP:
    """Neuron x, ReLU(<u(x), readout> - (m - 1)) = 1[readout = u(x)]: writes x's embedding, takes u(x) off."""
    n_blocks, N = answers.shape
    m, readout, words = code.length, space["readout"], code.words
    neuron = np.arange(N)[:, None]
    state = space["block"][:n_blocks].ravel()
    embedding = words[answers].swapaxes(0, 1).reshape(N, -1)
    look_up = MLP(
        W_in=placed((space.d_model, N), readout, neuron, words),
        b_in=np.full(N, -float(m - 1)),
        W_out=placed((N, space.d_model), neuron, state, embedding)
        + placed((N, space.d_model), neuron, readout, -words),
        b_out=np.zeros(space.d_model),
    )
    return compact(look_up)
