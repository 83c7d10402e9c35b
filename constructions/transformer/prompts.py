"""How a question becomes tokens: subjects (entities) are 0..N-1, then come the relations."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def subject_first(n_subjects: int, subjects: ArrayLike, *relations: ArrayLike) -> NDArray[np.int64]:
    """The prompts `[s, r_1, ..., r_k]`, at positions 0..k.

    Subjects and, for each hop, relations are numbers, shape (batch,) or scalars; tokens have shape (batch, k
    + 1).

    Example:
        >>> subject_first(10, [3, 4], [0, 1]).tolist()
        [[3, 10], [4, 11]]
    """
    hops = [n_subjects + np.asarray(r) for r in relations]
    return np.stack(np.broadcast_arrays(np.atleast_1d(subjects), *hops), axis=-1).astype(np.int64)


def relations_first(
    n_entities: int, relations: NDArray[np.int64], entities: NDArray[np.int64], *, max_hops: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chain of thought after i - 1 steps: `[r_1, ..., r_k, s, x_1, ..., x_{i-1}]`.

    Relation t stands at position t - 1, the t-th entity at position K + t - 1.

    Relations have shape (batch, k), k <= K, the subject and the entities so far (batch, i), tokens (batch, k
    + i), and their positions (k + i,).

    Example:
        >>> tokens, positions = relations_first(10, np.array([[0, 1]]), np.array([[7, 8]]), max_hops=4)
        >>> tokens.tolist(), positions.tolist()
        ([[10, 11, 7, 8]], [0, 1, 4, 5])
    """
    tokens = np.concatenate([n_entities + relations, entities], axis=1)
    return tokens, np.concatenate([np.arange(relations.shape[1]), max_hops + np.arange(entities.shape[1])])
