"""How many fact-dependent bits a subject's embedding holds, read off the weights."""

import numpy as np

from constructions.transformer import Transformer


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
    embeddings = model.W_E[:n_subjects]
    declared = model.storage.coordinates
    varying = np.flatnonzero((embeddings != embeddings[0]).any(axis=0))
    holding = np.union1d(declared, varying)
    n_levels = max(model.storage.n_levels, len(np.unique(embeddings[:, holding])))
    return len(holding) * (n_levels - 1).bit_length()
