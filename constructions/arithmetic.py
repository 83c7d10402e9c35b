"""The operations of a forward pass that are not operators, for NumPy arrays.

Each is a generic function: a type of another arithmetic registers its own version. Besides these, a forward
pass needs x + y, x[tokens], x[:, -1:] and `shape`.
"""

from functools import singledispatch
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


@singledispatch
def times(x: Any, W: Any) -> Any:
    """The product x @ W for a batch x of shape (..., n) and one dense or sparse matrix W of shape (n, k)."""
    if isinstance(W, np.ndarray):
        return x @ W
    *batch, n = x.shape
    return (x.reshape(prod(batch), n) @ W).reshape(*batch, W.shape[1])


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
    return np.maximum(x, 0)


@singledispatch
def softmax(scores: Any, masked: NDArray[np.bool_]) -> Any:
    """Softmax over the last axis; masked entries get weight 0. Equal scores get equal weights."""
    scores = np.where(masked, -np.inf, scores)
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


@singledispatch
def hardmax(scores: Any, masked: NDArray[np.bool_]) -> Any:
    """The limit of softmax for large scores: uniform over the largest entries of the last axis."""
    scores = np.where(masked, -np.inf, scores)
    largest = scores == scores.max(axis=-1, keepdims=True)
    return largest / largest.sum(axis=-1, keepdims=True)


@singledispatch
def dense(weight: Any) -> Any:
    """The weight as an ndarray."""
    return weight.toarray() if hasattr(weight, "toarray") else np.asarray(weight)


def float64(weight: Any) -> Any:
    """A weight of any real dtype in float64, dense or sparse as it was."""
    return (
        weight.astype(np.float64, copy=False)
        if hasattr(weight, "astype")
        else np.asarray(weight, dtype=np.float64)
    )


def stored(weight: Any) -> NDArray[Any]:
    """The stored entries of a weight, flat; those of a sparse one that may be non-zero."""
    return np.asarray(weight.data if hasattr(weight, "indptr") else weight).ravel()
