"""The layers of a transformer, built or trained: attention, MLP and what normalises before them.

The type of the weights decides the arithmetic (see `constructions.transformer.arithmetic`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import (
    hardmax,
    inner,
    mix,
    normalised,
    relu,
    rescaled,
    softmax,
    times,
)

# A matrix is an ndarray, a scipy.sparse array, anything with `shape`, `dtype` and rows on demand (W_E,
# W_U), or a type of another arithmetic (see constructions.transformer.arithmetic).
Matrix = Any
AttentionKind = Literal["soft", "hard"]

_HEADS = ("W_Q", "W_K", "W_V", "W_O")
OF_ALL = "b_O"  # the weight of attention that is not one per head
_PART = {"attention": "attn"}  # fields that the field's names spell otherwise
Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # what a weight has, and must have


@dataclass(frozen=True, eq=False)
class Norm:
    """What trained models have before their layers: x over the root of its mean square, times w, plus b."""

    w: Matrix  # shape (d_model,)
    b: Matrix  # shape (d_model,)
    eps: float = 1e-5  # what is added to the mean square, at least 0
    centred: bool = True  # whether the mean is taken off first (LayerNorm) or not (RMSNorm)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.eps) and self.eps >= 0):
            raise ValueError(f"eps must be a finite number, at least 0, got {self.eps}")

    def __call__(self, x: Matrix) -> Matrix:
        """The residuals x, shape (..., d_model), normalised."""
        return rescaled(normalised(x, self.eps, self.centred), self.w) + self.b

    def map(self, function: Callable[[Matrix], Matrix]) -> "Norm":
        """The same with a function applied to both weights."""
        return replace(self, w=function(self.w), b=function(self.b))

    def weights(self) -> dict[str, Matrix]:
        """Both weights by name."""
        return {"w": self.w, "b": self.b}

    def shapes(self, d: int) -> dict[str, Shapes]:
        """For each weight its shape and the shape that it must have."""
        return {name: (weight.shape, (d,)) for name, weight in self.weights().items()}


@dataclass(frozen=True, eq=False)
class Attention:
    """The heads of one layer.

    Args:
        W_Q: shape (n_heads, d_model, d_head), an array or one matrix (dense or sparse) per head.
        W_K: the same.
        W_V: the same.
        W_O: shape (n_heads, d_head, d_model), likewise.
    """

    W_Q: Sequence[Matrix]
    W_K: Sequence[Matrix]
    W_V: Sequence[Matrix]
    W_O: Sequence[Matrix]

    def __call__(self, queries: Matrix, context: Matrix, *, kind: AttentionKind, scale: float) -> Matrix:
        """What the heads add at the last positions of a context, given the residuals there."""
        ahead = future(queries.shape[-2], context.shape[-2])
        out = None
        for h, W_O in enumerate(self.W_O):
            q, k, v = self.projected(h, queries, context)
            scores = inner(q, k, scale)
            pattern = softmax(scores, ahead) if kind == "soft" else hardmax(scores, ahead)
            head = times(mix(pattern, v), W_O)
            out = head if out is None else out + head
        return out

    def projected(self, h: int, queries: Matrix, context: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Queries, keys and values of one head."""
        return times(queries, self.W_Q[h]), times(context, self.W_K[h]), times(context, self.W_V[h])

    def map(self, function: Callable[[Matrix], Matrix]) -> "Attention":
        """The same heads with a function applied to every weight of each."""
        weights = {n: function(w) if n == OF_ALL else tuple(map(function, w)) for n, w in vars(self).items()}
        return replace(self, **weights)

    def weights(self) -> dict[str, Matrix]:
        """All weights by name, one entry per head: `W_Q.0` and so on; `b_O` is of all."""
        heads = {f"{n}.{h}": w for n, ws in vars(self).items() if n != OF_ALL for h, w in enumerate(ws)}
        return heads | {n: w for n, w in vars(self).items() if n == OF_ALL}

    def shapes(self, d: int) -> dict[str, Shapes]:
        """For each weight its shape and the shape that it must have."""
        n_heads = max(1, len(self.W_Q))
        shapes: dict[str, Shapes] = {}
        for name in _HEADS:
            shapes[f"{name} (heads)"] = ((len(getattr(self, name)),), (n_heads,))
        for h, (W_Q, W_K, W_V, W_O) in enumerate(zip(self.W_Q, self.W_K, self.W_V, self.W_O, strict=False)):
            shapes[f"W_Q.{h}"] = (W_Q.shape, (d, W_Q.shape[-1]))
            shapes[f"W_K.{h}"] = (W_K.shape, W_Q.shape)
            shapes[f"W_V.{h}"] = (W_V.shape, (d, W_V.shape[-1]))
            shapes[f"W_O.{h}"] = (W_O.shape, (W_V.shape[-1], d))
        return shapes


@dataclass(frozen=True, eq=False)
class MLP:
    """MLP(x) = ReLU(x W_in + b_in) W_out + b_out.

    Args:
        W_in: shape (d_model, d_mlp), dense or sparse.
        b_in: shape (d_mlp,).
        W_out: shape (d_mlp, d_model), dense or sparse.
        b_out: shape (d_model,).
    """

    W_in: Matrix
    b_in: Matrix
    W_out: Matrix
    b_out: Matrix

    def __call__(self, x: Matrix) -> Matrix:
        """What the MLP adds to the residuals x, shape (..., d_model)."""
        return times(self.activated(times(x, self.W_in) + self.b_in), self.W_out) + self.b_out

    def activated(self, x: Matrix) -> Matrix:
        """ReLU."""
        return relu(x)

    def map(self, function: Callable[[Matrix], Matrix]) -> "MLP":
        """The same with a function applied to every weight."""
        return type(self)(*map(function, vars(self).values()))

    def weights(self) -> dict[str, Matrix]:
        """All weights by name."""
        return dict(vars(self))

    def shapes(self, d: int) -> dict[str, Shapes]:
        """For each weight its shape and the shape that it must have."""
        width = int(self.W_in.shape[-1])
        wants = ((d, width), (width,), (width, d), (d,))
        return {name: (w.shape, want) for (name, w), want in zip(vars(self).items(), wants, strict=True)}


@dataclass(frozen=True, eq=False)
class Block:
    """One layer: attention, then an MLP; either may be absent."""

    attention: Attention | None = None
    mlp: MLP | None = None

    def __call__(self, last: Matrix, context: Matrix, *, kind: AttentionKind, scale: float) -> Matrix:
        """The residuals at the last positions of a context after this layer."""
        if self.attention is not None:
            last = last + self.attention(last, context, kind=kind, scale=scale)
        return last if self.mlp is None else last + self.mlp(last)

    def map(self, function: Callable[[Matrix], Matrix]) -> "Block":
        """The same with a function applied to every weight."""
        return replace(self, **{name: part.map(function) for name, part in self.parts().items()})

    def parts(self) -> dict[str, Any]:
        """The parts that there are, by field."""
        return {name: part for name, part in vars(self).items() if hasattr(part, "map")}

    def weights(self) -> dict[str, Matrix]:
        """All weights by name."""
        named: dict[str, Matrix] = {}
        for field, part in self.parts().items():
            named |= {f"{_PART.get(field, field)}.{name}": w for name, w in part.weights().items()}
        return named

    def shapes(self, d: int) -> dict[str, Shapes]:
        """For each weight its shape and the shape that it must have."""
        return {
            f"{_PART.get(field, field)}.{name}": shapes
            for field, part in self.parts().items()
            for name, shapes in part.shapes(d).items()
        }


def future(n_queries: int, n_context: int) -> NDArray[np.bool_]:
    """Which positions lie ahead of each of the last `n_queries` ones: shape (n_queries, n_context)."""
    positions = np.arange(n_context)
    return positions > positions[n_context - n_queries :, None]
