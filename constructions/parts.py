"""The pieces that constructions are put together from."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

from constructions.codes import Code, sign_code
from constructions.transformer import Attention
from theory.facts import FactTable


def placed(
    shape: tuple[int, int], rows: NDArray[np.intp], columns: NDArray[np.intp], values: ArrayLike
) -> csr_array:
    """A sparse matrix that maps coordinate rows[i] to coordinate columns[i] with weight values[i].

    `rows`, `columns` and `values` are broadcast against each other.
    """
    rows, columns, weights = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=np.float64))
    return csr_array(coo_array((weights.ravel(), (rows.ravel(), columns.ravel())), shape=shape))


def scaled_identity(dim: int, scale: float = 1.0) -> csr_array:
    """The identity, times a scale."""
    diagonal = np.arange(dim)
    return placed((dim, dim), diagonal, diagonal, scale)


def uniform_attention(d_model: int, scale: float) -> Attention:
    """One head with W_Q = W_K = 0, which averages all positions, and W_V W_O = scale x I."""
    nothing = csr_array((d_model, d_model), dtype=np.float64)
    return Attention(
        W_Q=(nothing,),
        W_K=(nothing,),
        W_V=(scaled_identity(d_model),),
        W_O=(scaled_identity(d_model, scale),),
    )


def covering(code: Code | None, facts: FactTable) -> Code:
    """The code handed in, cut to the attributes of the facts; default: the shortest sign code.

    Raises:
        ValueError: the code has fewer words than there are attributes.
    """
    if code is None:
        return sign_code(facts.n_attributes)
    if code.n_words < facts.n_attributes:
        raise ValueError(f"the code has {code.n_words} words for {facts.n_attributes} attributes")
    return (
        code
        if code.n_words == facts.n_attributes
        else Code(code.words[: facts.n_attributes], code.lo, code.hi)
    )


def superpose(W_E: NDArray[np.float64], blocks: NDArray[np.intp], facts: FactTable, code: Code) -> None:
    """Writes v(pi_r(s)) on block r of subject s, for every fact: the direct-sum superposition."""
    for block, answers in zip(blocks, facts.answers, strict=True):
        W_E[: facts.n_subjects, block] = code.words[answers]


def nearest_neighbour_bias(code: Code) -> NDArray[np.float64]:
    """b_U[a] = -|v_a|^2 / 2, which makes the largest logit the nearest word; 0 if all |v_a| agree."""
    norms = np.einsum("aj,aj->a", code.words, code.words)
    return np.zeros(len(norms)) if (norms == norms[0]).all() else norms / -2.0
