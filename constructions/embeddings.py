"""C2, halved: which combination of its own bound attribute vectors a subject's embedding is.

Over words u and diagonals D of signs, X_r = D_r u(pi_r(s)). All else of C2 stays: asked for r, the logits are
<D_r u(b), W_E[s]>. Embeddings are whole multiples of 2^-20, so that all arithmetic is exact; margins are of
these, and the theorem's real embeddings are within 2^-21 of them in each coordinate.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.fact_table import FactTable

Floats = NDArray[np.float64]
Embedding = Literal["plain", "zero-forced", "optimised"]

GRAIN = 2.0**-20
UPDATES = 2000  # of an optimised embedding, at most


def plain(facts: FactTable, u: Floats, D: Floats) -> Floats:
    """The sum of the X_r: shape (N, m)."""
    total = np.zeros((facts.n_subjects, u.shape[1]))
    for answers, turn in zip(facts.answers, D, strict=True):
        total += u[answers] * turn
    return total


def zero_forced(facts: FactTable, u: Floats, D: Floats) -> Floats:
    """sum_r c_r X_r with G c = 1, G = (<X_r, X_r'> / m): then <X_r, W_E[s]> = m for every r.

    Where G is singular c is the least solution, or the nearest to one, with which the draw may fail.

    Source: theory/pages/c2.md, Halved (derived there).
    """
    X = D[:, None] * u[facts.answers]  # (R, N, m)
    G = np.einsum("rsj,tsj->srt", X, X) / u.shape[1]
    c = np.linalg.pinv(G, hermitian=True).sum(axis=-1)
    return np.asarray(np.rint(np.einsum("sr,rsj->sj", c, X) / GRAIN) * GRAIN)


def optimised(facts: FactTable, u: Floats, D: Floats) -> Floats:
    """From the zero-forced ones, perceptron updates of each subject that still loses a fact.

    The constraints on one subject, <D_r (u(pi_r(s)) - u(b)), W_E[s]> > 0, are linear and homogeneous: updates
    end at a solution if there is one, after UPDATES of them without.
    """
    w = zero_forced(facts, u, D)
    losing = np.arange(facts.n_subjects)
    for _ in range(UPDATES):
        least, step = np.full(len(losing), np.inf), np.zeros((len(losing), u.shape[1]))
        for answers, turn in zip(facts.answers[:, losing], D, strict=True):
            logits = (w[losing] * turn) @ u.T
            rows = np.arange(len(losing))
            right = logits[rows, answers]
            logits[rows, answers] = -np.inf
            rival = logits.argmax(axis=1)
            margin = right - logits[rows, rival]
            worse = margin < least
            least[worse] = margin[worse]
            step[worse] = (turn * (u[answers] - u[rival]))[worse]
        fails = (least <= 0) & step.any(axis=1)  # of equal words no embedding prefers one
        losing, step = losing[fails], step[fails]
        if not len(losing):
            break
        w[losing] += step / 4
    return w


EMBEDDINGS: dict[str, Callable[[FactTable, Floats, Floats], Floats]] = {
    "plain": plain,
    "zero-forced": zero_forced,
    "optimised": optimised,
}
