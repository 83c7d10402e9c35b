"""The pieces that constructions are put together from."""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

from georecall.constructions.codes.code import Code, sign_code
from georecall.constructions.transformer.layers import MLP, Attention, Block, Matrix
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.facts.protocol import Table

Wires = tuple[NDArray[np.intp], NDArray[np.intp], ArrayLike]  # from coordinates, to coordinates, weights
_SMALL = 1 << 12  # entries of a weight up to which a dense product is faster than a sparse one
_NOWHERE = np.arange(0)


def placed(
    shape: tuple[int, int], rows: NDArray[np.intp], columns: NDArray[np.intp], values: ArrayLike
) -> csr_array:
    """A sparse matrix that maps coordinate rows[i] to coordinate columns[i] with weight values[i].

    `rows`, `columns` and `values` are broadcast against each other.
    """
    rows, columns, weights = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=np.float64))
    return csr_array(coo_array((weights.ravel(), (rows.ravel(), columns.ravel())), shape=shape))


def weight(
    shape: tuple[int, int], rows: NDArray[np.intp], columns: NDArray[np.intp], values: ArrayLike
) -> Matrix:
    """The same as `placed`, an ndarray where it is so small that products are faster so."""
    if prod(shape) > _SMALL:
        return placed(shape, rows, columns, values)
    dense = np.zeros(shape)
    np.add.at(dense, (rows, columns), values)
    return dense


def neurons(
    space: Residual,
    n: int,
    reads: Sequence[Wires],
    bias: ArrayLike,
    writes: Sequence[Wires],
    b_out: Matrix = None,
) -> MLP:
    """An MLP of n neurons ReLU(what they read + bias), by the wires to neurons and from them."""
    d = space.d_model
    W_in, *also_in = (weight((d, n), *wires) for wires in reads)
    W_out, *also_out = (weight((n, d), *wires) for wires in writes)
    return MLP(
        W_in=sum(also_in, W_in),
        b_in=np.full(n, bias, dtype=np.float64),
        W_out=sum(also_out, W_out),
        b_out=np.zeros(d) if b_out is None else b_out,
    )


def scaled_identity(dim: int, scale: float = 1.0) -> Matrix:
    """The identity, times a scale."""
    diagonal = np.arange(dim)
    return weight((dim, dim), diagonal, diagonal, scale)


def uniform_attention(d_model: int, scale: float) -> Attention:
    """One head with W_Q = W_K = 0, which averages all positions, and W_V W_O = scale x I."""
    nothing = weight((d_model, d_model), _NOWHERE, _NOWHERE, 0.0)
    return Attention((nothing,), (nothing,), (scaled_identity(d_model),), (scaled_identity(d_model, scale),))


def one_hop(
    W_E: Matrix, mlp: MLP | None, W_U: Matrix, b_U: Matrix, storage: Storage | None = None, *further: MLP
) -> Transformer:
    """For prompts `[s, r]`: x = W_E[s] + 2 W_E[r] by uniform attention, then one MLP after the other."""
    d = W_E.shape[1]
    blocks = (Block(uniform_attention(d, 2.0), mlp), *(Block(mlp=each) for each in further))
    return Transformer(W_E, np.zeros((2, d)), blocks, W_U, b_U, storage=storage)


def covering(code: Code | None, facts: Table) -> Code:
    """The code handed in, cut to the attributes of the facts; default: the shortest sign code.

    Raises:
        ValueError: the code has fewer words than there are attributes.
    """
    if code is None:
        return sign_code(facts.n_attributes)
    if code.n_words < facts.n_attributes:
        raise ValueError(f"the code has {code.n_words} words for {facts.n_attributes} attributes")
    whole = code.n_words == facts.n_attributes
    return code if whole else Code(code.words[: facts.n_attributes], code.lo, code.hi)


def superpose(
    W_E: NDArray[np.float64], blocks: NDArray[np.intp], answers: NDArray[np.int64], code: Code
) -> None:
    """Writes v(answers[b, s]) on block b of subject s: the direct-sum superposition.

    W_E, shape (tokens, d_model), subjects first, is written to; blocks has shape (blocks, m), answers
    (blocks, N).
    """
    for block, answered in zip(blocks, answers, strict=True):
        W_E[: answers.shape[1], block] = code.words[answered]


def block_selector(
    space: Residual, code: Code, lift: float, n_blocks: int | None = None
) -> tuple[MLP, NDArray[np.intp]]:
    """The MLP that keeps the one block that was lifted in full, and where the answer's word is read.

    With a readout (C1), neuron (b, j) is ReLU(x_{b,j} - (lift + lo)): 0 for a block that was lifted by
    at most lift - V, and v_j - lo for the one that was lifted by `lift`. It writes to readout j, whose
    bias is lo. In place (C1'), the neurons turn z into max(z, lift + lo), the same for every other block,
    and the biases make the sum of the blocks v.

    The space has `block`, shape (blocks, m), of which the first n_blocks are in use, and perhaps `readout`,
    shape (m,). The word is read where copies sum to it, at coordinates of shape (copies, m).
    """
    block = space["block"][:n_blocks]
    level = lift + code.lo
    neuron = np.arange(block.size).reshape(block.shape)
    b_out = np.zeros(space.d_model)
    if "readout" in space:
        b_out[space["readout"]] = code.lo
        read, into, sign = space["readout"][None], space["readout"], 1.0
    else:
        b_out[block] = -level
        b_out[block[0]] = -lift
        read, into, sign = block, block, -1.0
    reads, writes = (block, neuron, sign), (neuron, into, 1.0)
    return neurons(space, block.size, [reads], -sign * level, [writes], b_out), read


def nearest_neighbour_bias(code: Code) -> NDArray[np.float64]:
    """b_U[a] = -|v_a|^2 / 2, which makes the largest logit the nearest word; 0 if all |v_a| agree."""
    norms = code.squared_norms
    if norms.strides == (0,):
        return np.broadcast_to(np.zeros(1), norms.shape)
    return np.zeros(len(norms)) if (norms == norms[0]).all() else norms / -2.0
