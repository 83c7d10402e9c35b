"""Llama's layers in NumPy: what a language model of that kind computes, to be looked at layer by layer.

RMSNorm, attention with rotary positions and keys shared by groups of heads, and an MLP with a gate. Such
models are measured, never judged: their weights are rounded to a few bits, and nobody says what they recall.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import normalised, softmax

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LlamaLayer:
    """One layer."""

    ln1: Array  # weights of attention's norm, shape (d_model,)
    W_Q: Array  # shape (d_model, n_heads d_head)
    W_K: Array  # shape (d_model, n_key_value_heads d_head)
    W_V: Array  # the same
    W_O: Array  # shape (n_heads d_head, d_model)
    ln2: Array  # of the MLP's norm, shape (d_model,)
    W_gate: Array  # shape (d_model, d_mlp)
    W_in: Array  # the same
    W_out: Array  # shape (d_mlp, d_model)


@dataclass(frozen=True, eq=False)
class Llama:
    """A language model over a vocabulary of tokens."""

    W_E: Array  # shape (d_vocab, d_model)
    layers: tuple[LlamaLayer, ...]  # from the first to the last
    ln_final: Array  # weights of the last norm, shape (d_model,)
    W_U: Array  # shape (d_model, d_vocab)
    d_head: int  # of every head, even; queries and keys are turned in pairs of neighbouring coordinates
    eps: float  # of the norms
    base: float  # of the angles: pair i at position t is turned by t base^(-2i/d_head)

    def residuals(self, tokens: NDArray[np.integer]) -> Iterator[Array]:
        """The residual streams of prompts: the embeddings, then after every layer.

        Tokens have shape (batch, T), what comes n_layers + 1 times (batch, T, d_model). Attention looks back
        only: nothing after a prompt changes it.
        """
        x = self.W_E[tokens]
        yield x
        for layer in self.layers:
            x = x + self._attention(layer, normalised(x, self.eps, False) * layer.ln1)
            read = normalised(x, self.eps, False) * layer.ln2
            x = x + silu(read @ layer.W_gate) * (read @ layer.W_in) @ layer.W_out
            yield x

    def logits(self, x: Array) -> Array:
        """Of the next token, from the last residuals, shape (..., d_model): shape (..., d_vocab)."""
        return np.asarray(normalised(x, self.eps, False) * self.ln_final @ self.W_U)

    def _attention(self, layer: LlamaLayer, x: Array) -> Array:
        batch, T, _ = x.shape
        heads: list[Array] = [
            (x @ W).reshape(batch, T, -1, self.d_head).swapaxes(1, 2)
            for W in (layer.W_Q, layer.W_K, layer.W_V)
        ]
        q, k, v = heads
        angles = np.arange(T)[:, None] * self.base ** (-np.arange(0, self.d_head, 2) / self.d_head)
        q, k = turned(q, angles), turned(k, angles)
        group = q.shape[1] // k.shape[1]
        k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
        ahead = np.triu(np.ones((T, T), dtype=bool), 1)
        mixed = softmax(q @ k.swapaxes(2, 3) / np.sqrt(self.d_head).astype(x.dtype), ahead) @ v
        return np.asarray(mixed.swapaxes(1, 2).reshape(batch, T, -1) @ layer.W_O)


def turned(x: Array, angles: NDArray[np.float64]) -> Array:
    """Pairs of neighbouring coordinates, turned: shape (..., T, d_head), angles of shape (T, d_head / 2)."""
    pairs = np.ascontiguousarray(x).view(np.result_type(x.dtype, np.complex64))
    return np.asarray((pairs * np.exp(1j * angles).astype(pairs.dtype)).view(x.dtype))


def silu(x: Array) -> Array:
    """X times its logistic function."""
    return np.asarray(x / (1 + np.exp(-x)))
