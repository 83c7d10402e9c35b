"""One decoder-only transformer for every construction, built or trained.

Weights carry the field's names and shapes; vectors are rows, x @ W. theory/pages/setting.md is the
specification: x_t = W_E[token] + W_pos[position]; each block adds attention, then its MLP; the logits are
x_last W_U + b_U. There are no layer norms, and scores are q.k times `attn_scale` (default 1). What trained
models have besides is in `constructions.transformer.trained`.

The forward pass is written once. The type of the weights decides the arithmetic: NumPy arrays compute in
floats; `verify` maps the same model to floats with proved errors, or to rationals, and runs it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from georecall.constructions.transformer.arithmetic import (
    dense,
    hardmax,
    inner,
    mix,
    normalised,
    relu,
    scaled,
    softmax,
    times,
)

# A matrix is an ndarray, a scipy.sparse array, anything with `shape`, `dtype` and rows on demand (W_E,
# W_U), or a type of another arithmetic (see constructions.transformer.arithmetic).
Matrix = Any
AttentionKind = Literal["soft", "hard"]

_ANY_LENGTH = 1 << 31  # positions of a model that has none
_HEADS = ("W_Q", "W_K", "W_V", "W_O")
_PART = {"attention": "attn"}  # fields that the field's names spell otherwise
Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # what a weight has, and must have


@dataclass(frozen=True, eq=False)
class Norm:
    """What trained models have before their layers: x over the root of its mean square, times w, plus b.

    Args:
        w: shape (d_model,).
        b: shape (d_model,).
        eps: what is added to the mean square, at least 0.
        centred: whether the mean is taken off first (LayerNorm) or not (RMSNorm).
    """

    w: Matrix
    b: Matrix
    eps: float = 1e-5
    centred: bool = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.eps) and self.eps >= 0):
            raise ValueError(f"eps must be a finite number, at least 0, got {self.eps}")

    def __call__(self, x: Matrix) -> Matrix:
        """The residuals x, shape (..., d_model), normalised."""
        return scaled(normalised(x, self.eps, self.centred), self.w) + self.b

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
        for W_Q, W_K, W_V, W_O in zip(self.W_Q, self.W_K, self.W_V, self.W_O, strict=True):
            scores = inner(times(queries, W_Q), times(context, W_K), scale)
            pattern = softmax(scores, ahead) if kind == "soft" else hardmax(scores, ahead)
            head = times(mix(pattern, times(context, W_V)), W_O)
            out = head if out is None else out + head
        return out

    def map(self, function: Callable[[Matrix], Matrix]) -> "Attention":
        """The same heads with a function applied to every weight of each."""
        return replace(self, **{name: tuple(map(function, heads)) for name, heads in vars(self).items()})

    def weights(self) -> dict[str, Matrix]:
        """All weights by name, one entry per head: `W_Q.0` and so on."""
        return {f"{name}.{h}": head for name, heads in vars(self).items() for h, head in enumerate(heads)}

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


@dataclass(frozen=True, eq=False)
class Storage:
    """Where a construction says that it keeps the facts.

    Args:
        coordinates: the coordinates of a subject's embedding that depend on the facts.
        n_levels: how many values each of them may take.
        other_bits: bits of all other weights that depend on the facts.
        frozen: whether the subjects' embeddings are the same for every table.
    """

    coordinates: NDArray[np.intp]
    n_levels: int
    other_bits: int = 0
    frozen: bool = False

    @property
    def subject_bits(self) -> int:
        """Bits of one subject's embedding that depend on the facts."""
        return self.coordinates.size * (self.n_levels - 1).bit_length()


@dataclass(frozen=True, eq=False)
class Transformer:
    """A decoder-only transformer over a vocabulary of subjects, then relations.

    Args:
        W_E: shape (d_vocab, d_model); rows 0..N-1 are the subjects (entities), then the relations.
        W_pos: shape (n_ctx, d_model); None: positions write nothing, and prompts may have any length.
        blocks: the layers.
        W_U: shape (d_model, d_vocab_out); a column per attribute (entity).
        b_U: shape (d_vocab_out,).
        attention: "soft" (softmax) or "hard" (uniform over the largest scores).
        attn_scale: factor on the scores q.k.
        storage: where the facts are kept, if the construction says so.
        ln_final: what the last residual goes through before it is read out.
        bos: the token, the last of the vocabulary, that stands before every prompt, at position 0.

    Raises:
        ValueError: shapes that do not fit together; the message names the weight.
    """

    W_E: Matrix
    W_pos: Matrix  # or None
    blocks: tuple[Block, ...]
    W_U: Matrix
    b_U: Matrix
    attention: AttentionKind = "soft"
    attn_scale: float = 1.0
    storage: Storage | None = None
    ln_final: Norm | None = None
    bos: int | None = None

    def __post_init__(self) -> None:
        if self.attention not in get_args(AttentionKind):
            raise ValueError(f"attention must be 'soft' or 'hard', got {self.attention!r}")
        if not np.isfinite(self.attn_scale):
            raise ValueError(f"attn_scale must be a finite number, got {self.attn_scale}")
        if float(self.attn_scale) != self.attn_scale:
            raise ValueError(f"float64 would round attn_scale, {self.attn_scale}")
        object.__setattr__(self, "attn_scale", float(self.attn_scale))  # float32 has no Fraction
        for name in ("W_E", "W_pos"):  # whose rows are looked up
            if issparse(getattr(self, name)):
                object.__setattr__(self, name, dense(getattr(self, name)))
        if self.bos is not None and self.bos != self.d_vocab - 1:
            raise ValueError(f"bos must be the last token, {self.d_vocab - 1}, got {self.bos}")
        for name in ("W_E", *(("W_pos",) if self.W_pos is not None else ()), "W_U"):
            if len(getattr(self, name).shape) != 2:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, want two axes")
        for name, (got, want) in self._shapes().items():
            if got != want:
                raise ValueError(f"{name} has shape {got}, want {want}")

    def residual(self, tokens: NDArray[np.integer], positions: NDArray[np.integer] | None = None) -> Matrix:
        """The residual stream at the last position of each prompt, after the last block.

        Args:
            tokens: shape (batch, T), T <= n_ctx.
            positions: shape (batch, T) or (T,); default 0..T-1.

        Returns:
            Shape (batch, d_model).

        Raises:
            ValueError: a position beyond n_ctx - 1.
        """
        if positions is None:
            positions = np.arange(tokens.shape[-1])
        if np.max(positions, initial=-1) >= self.n_ctx:
            raise ValueError(f"W_pos has {self.n_ctx} rows; there is no position {np.max(positions)}")
        if self.bos is not None:
            first = np.full((len(tokens), 1), self.bos)
            tokens, positions = np.hstack([first, tokens]), _after_first(positions, len(tokens))
        x = self.W_E[tokens] if self.W_pos is None else self.W_E[tokens] + self.W_pos[positions]
        for number, block in enumerate(self.blocks, start=1):
            last = x if number < len(self.blocks) else x[:, -1:]  # only the last position is read out
            x = block(last, x, kind=self.attention, scale=self.attn_scale)
        return x[:, -1] if self.ln_final is None else self.ln_final(x[:, -1])

    def logits(self, tokens: NDArray[np.integer], positions: NDArray[np.integer] | None = None) -> Matrix:
        """The logits at the last position: shape (batch, d_vocab_out)."""
        return times(self.residual(tokens, positions), self.W_U) + self.b_U

    @property
    def plain(self) -> bool:
        """Whether it has no more than the theory's setting: ReLU, no norms or biases of attention, no bos."""
        kinds = {Block, Attention, MLP, type(None)}
        parts = {type(part) for block in self.blocks for part in (block, block.attention, block.mlp)}
        return parts <= kinds and self.ln_final is None and self.bos is None

    def __repr__(self) -> str:
        layers = "; ".join(
            f"{len(block.attention.W_Q) if block.attention else 0} heads, {width} neurons"
            for block, width in zip(self.blocks, self.d_mlp_per_layer, strict=True)
        )
        context = "any length" if self.W_pos is None else f"n_ctx={self.W_pos.shape[0]}"
        return (
            f"<Transformer d_vocab={self.d_vocab}, d_model={self.d_model}, {context}, {self.attention} "
            f"attention, layers [{layers}], d_vocab_out={self.W_U.shape[1]}>"
        )

    @property
    def d_model(self) -> int:
        """Dimension of the residual stream."""
        return int(self.W_E.shape[1])

    @property
    def d_vocab(self) -> int:
        """Number of input tokens."""
        return int(self.W_E.shape[0])

    @property
    def d_vocab_out(self) -> int:
        """Number of outputs: attributes, or entities."""
        return int(self.W_U.shape[1])

    @property
    def n_ctx(self) -> int:
        """Number of positions of a prompt; without W_pos, more than any has."""
        return _ANY_LENGTH if self.W_pos is None else int(self.W_pos.shape[0]) - (self.bos is not None)

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def d_mlp_per_layer(self) -> list[int]:
        """The width of each block's MLP; 0 where there is none."""
        return [int(block.mlp.W_in.shape[1]) if block.mlp else 0 for block in self.blocks]

    @property
    def d_mlp(self) -> int:
        """The width of the widest layer."""
        return max(self.d_mlp_per_layer, default=0)

    @cached_property
    def n_parameters(self) -> int:
        """The number of weights and biases, zeros included."""
        return sum(prod(weight.shape) for weight in self.weights().values())

    def weights(self) -> dict[str, Matrix]:
        """All weights by the names of the export format; one entry per head of an attention matrix.

        A head's matrices are called `blocks.0.attn.W_Q.0` and so on.
        """
        outer = {"W_E": self.W_E, "W_pos": self.W_pos, "W_U": self.W_U, "b_U": self.b_U}
        named = {name: weight for name, weight in outer.items() if weight is not None}
        if self.ln_final is not None:
            named |= {f"ln_final.{name}": weight for name, weight in self.ln_final.weights().items()}
        for number, block in enumerate(self.blocks):
            named |= {f"blocks.{number}.{name}": weight for name, weight in block.weights().items()}
        return named

    def map(self, function: Callable[[Matrix], Matrix]) -> "Transformer":
        """The same model with a function applied to every weight (of one head at a time)."""
        blocks = tuple(block.map(function) for block in self.blocks)
        outer = {name: getattr(self, name) for name in ("W_E", "W_pos", "W_U", "b_U")}
        mapped = {name: function(weight) for name, weight in outer.items() if weight is not None}
        final = self.ln_final and self.ln_final.map(function)
        return replace(self, blocks=blocks, ln_final=final, **mapped)

    def placed(self, n_ctx: int) -> "Transformer":
        """The same model with a W_pos: its own, or zeros for that many positions."""
        return self if self.W_pos is not None else replace(self, W_pos=np.zeros((n_ctx, self.d_model)))

    def dense(self) -> "Transformer":
        """The same model with every weight an ndarray."""
        return self.map(dense)

    def _shapes(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """For each weight its shape and the shape that it must have."""
        d = self.d_model
        shapes: dict[str, Shapes] = {
            **({} if self.W_pos is None else {"W_pos": (self.W_pos.shape, (self.W_pos.shape[0], d))}),
            "W_U": (self.W_U.shape, (d, self.d_vocab_out)),
            "b_U": (self.b_U.shape, (self.d_vocab_out,)),
        }
        if self.ln_final is not None:
            shapes |= {f"ln_final.{name}": found for name, found in self.ln_final.shapes(d).items()}
        for number, block in enumerate(self.blocks):
            shapes |= {f"blocks.{number}.{name}": found for name, found in block.shapes(d).items()}
        return {name: (tuple(got), tuple(want)) for name, (got, want) in shapes.items()}


def future(n_queries: int, n_context: int) -> NDArray[np.bool_]:
    """Which positions lie ahead of each of the last `n_queries` ones: shape (n_queries, n_context)."""
    positions = np.arange(n_context)
    return positions > positions[n_context - n_queries :, None]


def _after_first(positions: NDArray[np.integer], batch: int) -> NDArray[np.integer]:
    """Positions of a prompt after one more token at position 0."""
    wide = np.broadcast_to(positions, (batch, np.shape(positions)[-1]))
    return np.pad(wide + 1, ((0, 0), (1, 0)))
