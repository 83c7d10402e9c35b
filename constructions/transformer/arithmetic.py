"""The operations of a forward pass that are not operators, for arrays.

Each asks an array for its namespace, as the array API has it, so that NumPy's and JAX's are computed with
alike. Each is a generic function: a type of another arithmetic registers its own version. Besides these, a
forward pass needs x + y, x[tokens], x[:, -1:] and `shape`.
"""

from functools import singledispatch
from importlib import import_module
from math import pi, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

GELU_NEW = (2 * sqrt(2 / pi), 2 * sqrt(2 / pi) * 0.044715)  # of x and of x^3, under a sigmoid
_FEW_TERMS = 16  # up to so many entries a column, gathering coordinates beats scipy's transposed product
_AS_STORED = ("bsr", "coo", "csc", "csr")  # sparse formats of which csr takes over all entries, zeros too


@singledispatch
def times(x: Any, W: Any) -> Any:
    """The product x @ W for a batch x of shape (..., n) and one dense or sparse matrix W of shape (n, k)."""
    if hasattr(W, "__array_namespace__"):
        return _flat_product(x, W)
    if not hasattr(W, "tocsc"):  # entries on demand, of which all are asked for
        return _flat_product(x, np.asarray(W))
    columns = W.tocsc()
    n_terms = np.diff(columns.indptr)
    if n_terms.max(initial=0) > _FEW_TERMS:
        return _flat_product(x, W)
    dtype = np.result_type(x, columns.dtype)
    out = np.zeros((*x.shape[:-1], W.shape[1]), dtype=dtype)
    for term in range(n_terms.max(initial=0)):  # the term-th non-zero entry of every column that has one
        there = np.flatnonzero(n_terms > term)
        entry = columns.indptr[there] + term
        product = _scaled(_selected(x, columns.indices[entry]), columns.data[entry]).astype(dtype, copy=False)
        if term == 0 and len(there) == W.shape[1]:
            out = product.copy() if product is x and n_terms.max() > 1 else product  # x stays as it is
        else:
            out[..., there] += product
    return out


@singledispatch
def inner(queries: Any, keys: Any, scale: float) -> Any:
    """Scores, scale x q.k for every pair: (..., n_q, d) and (..., n_k, d) to (..., n_q, n_k)."""
    scores = queries @ keys.swapaxes(-1, -2)
    return scores if scale == 1.0 else scores * scale


@singledispatch
def mix(pattern: Any, values: Any) -> Any:
    """Averages of values, weighted by the rows of a pattern: (..., n_q, n_k) and (..., n_k, d)."""
    return pattern @ values


@singledispatch
def relu(x: Any) -> Any:
    """max(x, 0), entry by entry."""
    return _of(x).maximum(x, 0)


@singledispatch
def gelu(x: Any, form: str) -> Any:
    """Entry by entry x Phi(x), form "gelu"; or "gelu_new", which has a sigmoid of x and x^3 for Phi."""
    if form == "gelu":
        special = import_module(_of(x).__name__.replace("numpy", "scipy.special"))  # SciPy's, or JAX's
        return x * special.ndtr(x)
    with np.errstate(over="ignore"):  # far below 0 it is 0
        return x / (1 + _of(x).exp(-x * (GELU_NEW[0] + GELU_NEW[1] * (x * x))))


@singledispatch
def normalised(x: Any, eps: float, centred: bool) -> Any:
    """X over the root of its mean square plus eps, along the last axis; centred, its mean is taken off."""
    if centred:
        x = x - x.mean(axis=-1, keepdims=True)
    return x / _of(x).sqrt((x * x).mean(axis=-1, keepdims=True) + eps)


@singledispatch
def rescaled(x: Any, w: Any) -> Any:
    """X times a factor for each entry of the last axis."""
    return x * w


@singledispatch
def softmax(scores: Any, masked: NDArray[np.bool_]) -> Any:
    """Softmax over the last axis; masked entries get weight 0. Equal scores get equal weights."""
    scores = _of(scores).where(masked, -np.inf, scores)
    exps = _of(scores).exp(scores - scores.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


@singledispatch
def hardmax(scores: Any, masked: NDArray[np.bool_]) -> Any:
    """The limit of softmax for large scores: uniform over the largest entries of the last axis."""
    scores = _of(scores).where(masked, -np.inf, scores)
    largest = scores == scores.max(axis=-1, keepdims=True)
    return largest / largest.sum(axis=-1, keepdims=True)


@singledispatch
def dense(weight: Any) -> Any:
    """The weight as an ndarray."""
    return weight.toarray() if hasattr(weight, "toarray") else np.asarray(weight)


def float64(weight: Any) -> Any:
    """A weight of any real dtype in float64, dense or sparse as it was.

    Raises:
        ValueError: entries are not real numbers, or float64 would round one, or a sparse weight stores an
            entry in several pieces.
    """
    if hasattr(weight, "tocsr"):
        n_stored = weight.nnz if weight.format in _AS_STORED else None
        kind = csc_array if weight.format == "csc" else csr_array  # of which no np.matrix comes
        weight = kind(weight)
        if not weight.has_canonical_format:
            weight = weight.copy()
            weight.sum_duplicates()
        if n_stored is not None and weight.nnz != n_stored:
            raise ValueError("a sparse weight stores an entry twice: call sum_duplicates() first")
    else:
        weight = np.asarray(weight)
    if weight.dtype.kind in "cOSU":
        raise ValueError(f"weights must be real numbers, not {weight.dtype}")
    values = weight.astype(np.float64, copy=False)
    if not _fits_float64(stored(weight)):
        raise ValueError(f"float64 would round an entry of a weight stored as {weight.dtype}")
    return values


def _fits_float64(values: NDArray[Any]) -> bool:
    """Whether float64 holds all entries; of integers, whether none is larger than 2^53."""
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        return max(int(values.max(initial=0)), -int(values.min(initial=0))) <= 1 << 53
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        return bool((values.astype(np.float64) == values).all())
    return True


def stored(weight: Any) -> NDArray[Any]:
    """The stored entries of a weight, flat: of a sparse one what may be non-zero, once what is repeated."""
    if hasattr(weight, "tocsr"):
        weight = weight.data if weight.format in ("csr", "csc") else weight.tocsr().data
    entries = np.asarray(weight)
    return entries[tuple(slice(None if stride else 1) for stride in entries.strides)].ravel()


def _of(x: Any) -> Any:
    """The namespace of an array's functions: `numpy`, or `jax.numpy`."""
    return x.__array_namespace__()


def _flat_product(x: Any, W: Any) -> Any:
    """The product x @ W as one of two matrices, where NumPy would make one for every prompt."""
    *batch, n = x.shape
    return (x.reshape(prod(batch), n) @ W).reshape(*batch, W.shape[1])


def _selected(x: NDArray[Any], coordinates: NDArray[Any]) -> NDArray[Any]:
    """x[..., coordinates]; x itself where that is all of it."""
    same = len(coordinates) == x.shape[-1] and np.array_equal(coordinates, np.arange(x.shape[-1]))
    return x if same else x[..., coordinates]


def _scaled(x: NDArray[Any], factors: NDArray[Any]) -> NDArray[Any]:
    """X times a factor for each coordinate; x itself where all are 1."""
    return x if (factors == 1).all() else x * factors
