"""How a question becomes tokens: subjects (entities) are 0..N-1, then come the relations."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def subject_first(n_subjects: int, subjects: ArrayLike, *relations: ArrayLike) -> NDArray[np.int64]:
    """The prompts `[s, r_1, ..., r_k]`, at positions 0..k.

    Args:
        n_subjects: N.
        subjects: subject numbers, shape (batch,) or a scalar.
        relations: for each hop the relation numbers, likewise.

    Returns:
        Tokens, shape (batch, k + 1).

    Example:
        >>> subject_first(10, [3, 4], [0, 1]).tolist()
        [[3, 10], [4, 11]]
    """
    hops = [n_subjects + np.asarray(r) for r in relations]
    return np.stack(np.broadcast_arrays(np.atleast_1d(subjects), *hops), axis=-1).astype(np.int64)
