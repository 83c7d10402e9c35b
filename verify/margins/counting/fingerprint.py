"""Whether two weights are the same, by a number that tells them apart."""

import hashlib
from typing import Any

import numpy as np

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.on_demand import OnDemand
from georecall.constructions.transformer.transformer import Transformer

_SAMPLE = 64  # rows or columns of a weight on demand that its fingerprint reads, at either end


def fingerprint(model: Transformer) -> str:
    """SHA-256 of the weights, in hexadecimal; of those that come on demand, of a sample."""
    found = hashlib.sha256(repr((model.attention, model.attn_scale)).encode())
    for name, weight in model.weights().items():
        found.update(repr((name, tuple(weight.shape))).encode())
        if isinstance(weight, OnDemand):
            found.update(_sampled(weight, model.d_vocab if name == "W_E" else model.d_vocab_out).tobytes())
        else:
            values = dense(weight)
            values = values[:1] if values.strides == (0,) else values  # one number, repeated
            found.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return found.hexdigest()


def _sampled(weight: OnDemand, n_tokens: int) -> Any:
    first = np.arange(min(_SAMPLE, n_tokens))
    tokens = np.unique(np.concatenate([first, n_tokens - 1 - first]))
    if hasattr(weight, "__getitem__"):
        return weight[tokens]
    return weight.columns(tokens).astype(np.float64)
