"""One decoder-only transformer for every construction, built or trained.

Weights carry the field's names and shapes; vectors are rows, x @ W. theory/pages/setting.md is the
specification: x_t = W_E[token] + W_pos[position]; each block adds attention, then its MLP; the logits are
x_last W_U + b_U. There are no layer norms, and scores are q.k times `attn_scale` (default 1).

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

from georecall.constructions.transformer.arithmetic import dense, hardmax, inner, mix, relu, softmax, times

# A matrix is an ndarray, a scipy.sparse array, anything with `shape`, `dtype` and rows on demand (W_E,
# W_U), or a type of another arithmetic (see constructions.transformer.arithmetic).
Matrix = Any
AttentionKind = Literal["soft", "hard"]

_ANY_LENGTH = 1 << 31  # positions of a model that has none


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
        future = _future(queries.shape[-2], context.shape[-2])
        out = None
        for W_Q, W_K, W_V, W_O in zip(self.W_Q, self.W_K, self.W_V, self.W_O, strict=True):
            scores = inner(times(queries, W_Q), times(context, W_K), scale)
            pattern = softmax(scores, future) if kind == "soft" else hardmax(scores, future)
            head = times(mix(pattern, times(context, W_V)), W_O)
            out = head if out is None else out + head
        return out


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
        return times(relu(times(x, self.W_in) + self.b_in), self.W_out) + self.b_out


@dataclass(frozen=True, eq=False)
class Block:
    """One layer: attention, then an MLP; either may be absent."""

    attention: Attention | None = None
    mlp: MLP | None = None


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
        x = self.W_E[tokens] if self.W_pos is None else self.W_E[tokens] + self.W_pos[positions]
        for number, block in enumerate(self.blocks, start=1):
            after = x if number < len(self.blocks) else x[:, -1:]  # only the last position is read out
            if block.attention is not None:
                after = after + block.attention(after, x, kind=self.attention, scale=self.attn_scale)
            if block.mlp is not None:
                after = after + block.mlp(after)
            x = after
        return x[:, -1]

    def logits(self, tokens: NDArray[np.integer], positions: NDArray[np.integer] | None = None) -> Matrix:
        """The logits at the last position: shape (batch, d_vocab_out)."""
        return times(self.residual(tokens, positions), self.W_U) + self.b_U

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
        """Number of positions; without W_pos, more than any prompt has."""
        return _ANY_LENGTH if self.W_pos is None else int(self.W_pos.shape[0])

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
        for number, block in enumerate(self.blocks):
            if block.attention is not None:
                for name, heads in vars(block.attention).items():
                    named |= {f"blocks.{number}.attn.{name}.{h}": head for h, head in enumerate(heads)}
            if block.mlp is not None:
                named |= {f"blocks.{number}.mlp.{name}": weight for name, weight in vars(block.mlp).items()}
        return named

    def map(self, function: Callable[[Matrix], Matrix]) -> "Transformer":
        """The same model with a function applied to every weight (of one head at a time)."""
        blocks = tuple(
            Block(
                block.attention
                and Attention(*(tuple(map(function, heads)) for heads in vars(block.attention).values())),
                block.mlp and MLP(*map(function, vars(block.mlp).values())),
            )
            for block in self.blocks
        )
        outer = {name: getattr(self, name) for name in ("W_E", "W_pos", "W_U", "b_U")}
        mapped = {name: function(weight) for name, weight in outer.items() if weight is not None}
        return replace(self, blocks=blocks, **mapped)

    def placed(self, n_ctx: int) -> "Transformer":
        """The same model with a W_pos: its own, or zeros for that many positions."""
        return self if self.W_pos is not None else replace(self, W_pos=np.zeros((n_ctx, self.d_model)))

    def dense(self) -> "Transformer":
        """The same model with every weight an ndarray."""
        return self.map(dense)

    def _shapes(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """For each weight its shape and the shape that it must have."""
        d = self.d_model
        shapes = {
            **({} if self.W_pos is None else {"W_pos": (self.W_pos.shape, (self.n_ctx, d))}),
            "W_U": (self.W_U.shape, (d, self.d_vocab_out)),
            "b_U": (self.b_U.shape, (self.d_vocab_out,)),
        }
        for number, block in enumerate(self.blocks):
            if block.attention is not None:
                n_heads = max(1, len(block.attention.W_Q))
                for name, heads in vars(block.attention).items():
                    shapes[f"blocks.{number}.attn.{name} (heads)"] = ((len(heads),), (n_heads,))
                for h, (W_Q, W_K, W_V, W_O) in enumerate(zip(*vars(block.attention).values(), strict=False)):
                    at = f"blocks.{number}.attn.{{}}.{h}"
                    shapes[at.format("W_Q")] = (W_Q.shape, (d, W_Q.shape[-1]))
                    shapes[at.format("W_K")] = (W_K.shape, W_Q.shape)
                    shapes[at.format("W_V")] = (W_V.shape, (d, W_V.shape[-1]))
                    shapes[at.format("W_O")] = (W_O.shape, (W_V.shape[-1], d))
            if block.mlp is not None:
                width = int(block.mlp.W_in.shape[-1])
                at = f"blocks.{number}.mlp."
                shapes[at + "W_in"] = (block.mlp.W_in.shape, (d, width))
                shapes[at + "b_in"] = (block.mlp.b_in.shape, (width,))
                shapes[at + "W_out"] = (block.mlp.W_out.shape, (width, d))
                shapes[at + "b_out"] = (block.mlp.b_out.shape, (d,))
        return {name: (tuple(got), tuple(want)) for name, (got, want) in shapes.items()}


def _future(n_queries: int, n_context: int) -> NDArray[np.bool_]:
    """Which positions lie ahead of each of the last `n_queries` ones: shape (n_queries, n_context)."""
    positions = np.arange(n_context)
    return positions > positions[n_context - n_queries :, None]
