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
from georecall.theory.tools.arrays import Floats

Embedding = Literal["plain", "zero-forced", "optimised"]

GRAIN = 2.0**-20
RIDGE = 1e-9  # of the least squares, so that they have one solution: leads are whole numbers of order m
TRIES = 200  # of steps and halved steps; some ten are taken
LEAST_STEP = 1e-6
LARGEST_COORDINATE = 8.0  # coordinate of an optimised embedding: its leads stand far above the grain


def bound_sum(facts: FactTable, u: Floats, maps: Floats) -> Floats:
    """The subjects' vectors, sum_r u(pi_r(s)) M_r: shape (N, m). Diagonals may be given as rows."""
    total = np.zeros((facts.n_subjects, u.shape[1]))
    for answers, turn in zip(facts.answers, maps, strict=True):
        total += u[answers] * turn if turn.ndim == 1 else u[answers] @ turn
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
    """For each subject an embedding that recalls its facts, if there is one, else one near it.

    Zero-forced ones are kept where they recall. Elsewhere the constraints on one subject,
    <D_r (u(pi_r(s)) - u(b)), W_E[s]> > 0, are linear and homogeneous: see `separating`.
    """
    w = zero_forced(facts, u, D)
    losing = np.zeros(facts.n_subjects, dtype=bool)
    for answers, turn in zip(facts.answers, D, strict=True):
        losing |= ~recalled((w * turn) @ u.T, answers)
    for s in np.flatnonzero(losing):
        w[s] = separating(facts.answers[:, s], u, D, w[s])
        w[s] *= LARGEST_COORDINATE / max(1e-300, np.abs(w[s]).max())
    return np.asarray(np.rint(w / GRAIN) * GRAIN)


def recalled(logits: Floats, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Row by row, whether the answer's logit is above all others; they are written over."""
    rows = np.arange(len(answers))
    right = logits[rows, answers].copy()
    logits[rows, answers] = -np.inf
    return np.asarray(right > logits.max(axis=1))


def separating(answers: NDArray[np.int64], u: Floats, D: Floats, start: Floats) -> Floats:
    """An embedding w of one subject whose every lead <D_r (u(a_r) - u(b)), w> is positive, if there is one.

    Newton's method on sum max(0, 1 - lead)^2, which is a least-squares problem over the leads below 1, with
    steps halved until it falls. Where leads can be positive the minimum is 0 (a large w). Elsewhere
    what leads lack at the minimum are multipliers whose sum of constraints is the gradient, 0: there is no w
    (Gordan).

    The answers a_r have shape (R,), words u (|A|, m), diagonals D (R, m), and where it starts (m,).
    """
    own, R, w, square = u[answers], np.arange(len(answers)), start, np.inf
    step, size = np.zeros_like(start), 1.0
    for _ in range(TRIES):
        there = w + size * step
        logits = (D * there) @ u.T
        leads = logits[R, answers][:, None] - logits
        leads[R, answers] = np.inf
        lack = np.maximum(1 - leads, 0.0)
        found = float((lack**2).sum() + RIDGE * there @ there)
        if found >= square:  # too far, or rounding is all that is left to gain
            size /= 2
            if size < LEAST_STEP:
                break
            continue
        w, square, size = there, found, 1.0
        if leads.min() > 0:
            break
        r, b = np.nonzero(lack)
        A = D[r] * (own[r] - u[b])
        step = np.linalg.solve(A.T @ A + RIDGE * np.eye(len(w)), A.sum(axis=0)) - w
    return w


EMBEDDINGS: dict[str, Callable[[FactTable, Floats, Floats], Floats]] = {
    "plain": bound_sum,
    "zero-forced": zero_forced,
    "optimised": optimised,
}
