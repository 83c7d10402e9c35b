"""What trained models have beside the theory's setting: biases of attention, norms, smooth activations.

Such models are decided in floats with proved error (see `verify.margins.smooth`), never in exact arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from georecall.constructions.transformer.arithmetic import gelu
from georecall.constructions.transformer.layers import (
    MLP,
    Attention,
    AttentionKind,
    Block,
    Matrix,
    Norm,
    Shapes,
)


@dataclass(frozen=True, eq=False)
class BiasedAttention(Attention):
    """Heads with biases."""

    b_Q: Sequence[Matrix]  # shape (n_heads, d_head), added to the queries
    b_K: Sequence[Matrix]  # the same, to the keys
    b_V: Sequence[Matrix]  # the same, to the values
    b_O: Matrix  # shape (d_model,), added once

    def __call__(self, queries: Matrix, context: Matrix, *, kind: AttentionKind, scale: float) -> Matrix:
        """What the heads add at the last positions of a context, given the residuals there."""
        return super().__call__(queries, context, kind=kind, scale=scale) + self.b_O

    def projected(self, h: int, queries: Matrix, context: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Queries, keys and values of one head."""
        q, k, v = super().projected(h, queries, context)
        return q + self.b_Q[h], k + self.b_K[h], v + self.b_V[h]

    def shapes(self, d: int) -> dict[str, Shapes]:
        """For each weight its shape and the shape that it must have."""
        shapes = super().shapes(d) | {"b_O": (self.b_O.shape, (d,))}
        for name, W in (("b_Q", self.W_Q), ("b_K", self.W_K), ("b_V", self.W_V)):
            biases = getattr(self, name)
            shapes[f"{name} (heads)"] = ((len(biases),), (len(W),))
            for h, (b, head) in enumerate(zip(biases, W, strict=False)):
                shapes[f"{name}.{h}"] = (b.shape, (head.shape[-1],))
        return shapes


class GeluMLP(MLP):
    """MLP(x) = GELU(x W_in + b_in) W_out + b_out, GELU(x) = x Phi(x)."""

    def activated(self, x: Matrix) -> Matrix:
        """GELU."""
        return gelu(x, "gelu")


class GeluNewMLP(MLP):
    """The same with the approximation of GELU by a hyperbolic tangent."""

    def activated(self, x: Matrix) -> Matrix:
        """GELU, approximated."""
        return gelu(x, "gelu_new")


ACTIVATIONS: dict[str, type[MLP]] = {"relu": MLP, "gelu": GeluMLP, "gelu_new": GeluNewMLP}


@dataclass(frozen=True, eq=False)
class NormedBlock(Block):
    """One layer with norms."""

    ln1: Norm | None = None  # of attention
    ln2: Norm | None = None  # of the MLP
    post: bool = False  # whether the norm is of the sum, once it is added, not of what is read

    def __call__(self, last: Matrix, context: Matrix, *, kind: AttentionKind, scale: float) -> Matrix:
        """The residuals at the last positions of a context after this layer."""
        ln1, ln2 = self.ln1 or _none, self.ln2 or _none
        if self.attention is not None and self.post:
            last = ln1(last + self.attention(last, context, kind=kind, scale=scale))
        elif self.attention is not None:
            last = last + self.attention(ln1(last), ln1(context), kind=kind, scale=scale)
        if self.mlp is not None:
            last = ln2(last + self.mlp(last)) if self.post else last + self.mlp(ln2(last))
        return last


def _none(x: Matrix) -> Matrix:
    """No norm."""
    return x
