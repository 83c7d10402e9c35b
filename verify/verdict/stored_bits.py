"""How many fact-dependent bits a subject's embedding holds, read off the weights."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.on_demand import OnDemand
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.blocks import blocks

_BLOCK = 1 << 22  # entries of W_E looked at together


def subject_bits(model: Transformer, n_subjects: int) -> int | None:
    """Bits of one subject's embedding that depend on the facts; None if the model does not say which.

    The construction declares coordinates and how many values each may take. Coordinates that differ
    between subjects without being declared, and values beyond the declared number, are counted as found.
    Frozen embeddings hold none: they tell the subjects apart, but not by anything that is asked.
    """
    if model.storage is None:
        return None
    if model.storage.frozen:
        return 0
    declared = np.zeros(model.d_model, dtype=bool)
    declared[model.storage.coordinates] = True
    if isinstance(model.W_E, OnDemand):  # what its rows are computed from says it for all of them
        varying, n_values = model.W_E.varying()
        return int((declared | varying).sum()) * (max(model.storage.n_levels, n_values) - 1).bit_length()
    first = np.asarray(model.W_E[:1]).T
    parts = list(blocks(n_subjects, _BLOCK // model.d_model))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        holding, values = declared, set[Any]()
        some = map if len(parts) == 1 else pool.map  # a thread takes longer to begin than small tables do
        for varying, found in some(lambda part: _seen(model.W_E, part, first, declared), parts):
            if not (varying <= holding).all():  # undeclared coordinates: their values count too
                holding = holding | varying
                values.update(first[holding].ravel().tolist())
            values |= found
    n_levels = max(model.storage.n_levels, len(values))
    return int(holding.sum()) * (n_levels - 1).bit_length()


def _seen(
    W_E: Any, subjects: slice, first: NDArray[Any], declared: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], set[Any]]:
    """Which coordinates of some subjects differ from the first one's, and the values that hold facts."""
    x = np.asarray(W_E[subjects]).T
    varying = (x != first).any(axis=1)
    return varying, set(_distinct(x[declared | varying]))


def _distinct(x: NDArray[Any]) -> Iterator[Any]:
    """The values of an array; two are told without sorting."""
    if not x.size:
        return iter(())
    low, high = x.min(), x.max()
    if ((x == low) | (x == high)).all():
        return iter({low.item(), high.item()})
    return iter(np.unique(x).tolist())
