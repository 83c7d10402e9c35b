"""The one forward pass again, compiled by XLA: on a GPU, where JAX has one.

Its operations, and the order in which they add, are XLA's; the pass is that of `constructions.transformer`,
so what this engine can tell is that arithmetic here is right, and onnxruntime, whose graph is written apart,
that the pass is. XLA takes numbers below 2^-1022 for 0: weights that need these disagree.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.jax_as_shipped import as_shipped, started
from georecall.verify.engines.agreement import Engine
from georecall.verify.usage import memory


def jax_engine(model: Transformer) -> Engine:
    """The model's forward pass in JAX, in float64.

    Raises:
        ImportError: JAX is not installed (extra `learn`), or does not start.
        ValueError: dense, the weights do not fit its device.
    """
    logits = jitted(model, dtype="float64")

    def run(tokens: Numbers, positions: Numbers) -> Floats:
        return np.asarray(logits(tokens, positions))

    return run


def jitted(model: Transformer, *, dtype: str) -> Callable[[Numbers, Numbers], Any]:
    """From tokens, shape (batch, T), and positions, (T,) or (batch, T), to logits that stay on the device.

    Args:
        model: any transformer, built or trained; sparse weights become dense.
        dtype: float64 or float32, of weights and arithmetic alike.

    Raises:
        ImportError, ValueError: see `jax_engine`.
    """
    jax, wide = started(), dtype == "float64"
    need, there = model.n_parameters * np.dtype(dtype).itemsize, _room(jax)
    if there is not None and need > there:
        raise ValueError(
            f"the dense weights would take {need / 2**30:.3g} GiB; its device has {there / 2**30:.3g}"
        )
    weights: list[Any] = []  # in the order of `model.map`

    def put(weight: Any) -> Any:
        weights.append(jax.device_put(dense(weight).astype(dtype)))
        return weight

    with as_shipped(jax_enable_x64=wide):
        model.map(put)

    def logits(weights: list[Any], tokens: Any, shape: tuple[int, ...], positions: bytes) -> Any:
        each = iter(weights)
        here = model.map(lambda _: next(each))
        return here.logits(tokens, np.frombuffer(positions, np.int64).reshape(shape))

    traced = jax.jit(logits, static_argnums=(2, 3))  # positions decide what is refused

    def run(tokens: Numbers, positions: Numbers) -> Any:
        with as_shipped(jax_enable_x64=wide, jax_default_matmul_precision="highest"):  # no TF32
            return traced(weights, tokens, positions.shape, positions.astype(np.int64).tobytes())

    return run


def _room(jax: Any) -> int | None:
    """Bytes of the device, or of this process where that is the device."""
    stats = jax.devices()[0].memory_stats() or {}
    return stats.get("bytes_limit") or memory()
