"""One decoder-only transformer for every construction, built or trained.

Weights carry the field's names and shapes; vectors are rows, x @ W. theory/pages/setting.md is the
specification: x_t = W_E[token] + W_pos[position]; each block adds attention, then its MLP; the logits are
x_last W_U + b_U. There are no layer norms, and scores are q.k times `attn_scale` (default 1). What trained
models have besides is in `constructions.transformer.trained`.

The forward pass is written once. The type of the weights decides the arithmetic: NumPy arrays compute in
floats; `verify` maps the same model to floats with proved errors, to rationals or to JAX's arrays, and runs
it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from georecall.constructions.transformer.arithmetic import dense, times
from georecall.constructions.transformer.layers import (
    MLP,
    Attention,
    AttentionKind,
    Block,
    Matrix,
    Norm,
    Shapes,
)
from georecall.constructions.transformer.residual import Residual

_ANY_LENGTH = 1 << 31  # positions of a model that has none


@dataclass(frozen=True, eq=False)
class Storage:
    """Where a construction says that it keeps the facts.

    Args:
        coordinates: the coordinates of a subject's embedding that depend on the facts.
        n_levels: how many values each of them may take.
        other_bits: bits of all other weights that depend on the facts.
        frozen: whether the subjects' embeddings are the same for every table.
        layout: the names of the residual's coordinates, for those who show what it holds.
    """

    coordinates: NDArray[np.intp]
    n_levels: int
    other_bits: int = 0
    frozen: bool = False
    layout: Residual | None = None

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
                turned = len(got) == len(want) == 2 and got[1] == want[0] != got[0]
                raise ValueError(f"{name} has shape {got}, want {want}{'; is it transposed?' * turned}")

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
            positions = _after_first(positions, len(tokens))
            tokens = tokens.__array_namespace__().concat([first, tokens], axis=1)
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


def _after_first(positions: NDArray[np.integer], batch: int) -> NDArray[np.integer]:
    """Positions of a prompt after one more token at position 0."""
    wide = np.broadcast_to(positions, (batch, np.shape(positions)[-1]))
    return np.pad(wide + 1, ((0, 0), (1, 0)))
