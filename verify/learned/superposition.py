"""Are embeddings sums of attribute vectors, and can every attribute be read off them?

e_s = offset + sum_r u(pi_r(s)) M_r is fitted by ridge regression on some subjects and judged on others. The
penalty is the one with the least leave-one-out error, which needs no further data: for a linear smoother
with leverages h_i it is sum_i |residual_i / (1 - h_i)|^2. Where the fit interpolates (R m at or above the
number of subjects) both vanish with the penalty, at one rate, and the error stays what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.learned.vectors import Rows, Vectors, folds, shuffled

PENALTIES = (1e-9, 1e-6, *(10.0**k for k in range(-4, 3)))  # in units of the mean squared singular value
LEAST_CONTROL = -1.0  # a control whose R^2 is below it shows that the fit is at fault


@dataclass(frozen=True)
class Linear:
    """y = x W + offset.

    Args:
        W: shape (n_in, n_out).
        offset: shape (n_out,).
    """

    W: Floats
    offset: Floats

    def __call__(self, x: Floats) -> Floats:
        """Predictions of shape (k, n_out)."""
        return np.asarray(x @ self.W + self.offset)


def ridge(x: Floats, y: Floats) -> Linear:
    """Ridge regression of y, shape (k, n_out), on x, shape (k, n_in); the penalty by leave-one-out."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    left, s, right_ = np.linalg.svd(x - mean_x, full_matrices=False)
    rank = int((s > max(x.shape) * np.finfo(np.float64).eps * s[0]).sum())
    if not rank:
        return Linear(np.zeros((x.shape[1], y.shape[1])), mean_y)
    left, s, right_ = left[:, :rank], s[:rank], right_[:rank]
    seen, scale = left.T @ (y - mean_y), float((s**2).mean())
    fits_all = rank == len(x) - 1  # then nothing lies outside the span, and rounding must not say otherwise
    outside = 0.0 if fits_all else (y - mean_y) - left @ seen
    spare_outside = 0.0 if fits_all else np.maximum(1 - 1 / len(x) - (left**2).sum(axis=1), 0.0)
    W, least = np.zeros((rank, y.shape[1])), np.inf
    for penalty in PENALTIES:  # residual and spare by what the penalty takes away: neither cancels
        taken = penalty * scale / (s**2 + penalty * scale)
        residual = outside + left @ (taken[:, None] * seen)
        spare = spare_outside + (left**2) @ taken
        with np.errstate(divide="ignore", invalid="ignore"):
            error = float(((residual / spare[:, None]) ** 2).sum())
        if error < least * (1 - 1e-9):  # never where it is not a number
            W, least = (s / (s**2 + penalty * scale))[:, None] * seen, error
    W = right_.T @ W
    return Linear(W, mean_y - mean_x @ W)


@dataclass(frozen=True)
class Superposition:
    """Subjects' embeddings as sums of turned attribute vectors.

    Args:
        attributes: u, shape (|A|, m).
        maps: M_r, shape (R, m, d).
        offset: shape (d,).
    """

    attributes: Floats
    maps: Floats
    offset: Floats

    def __call__(self, facts: FactTable) -> Floats:
        """The embeddings that a table gives its subjects: shape (N, d); the same bits for the same tuple."""
        found = np.repeat(self.offset[None], facts.n_subjects, axis=0)
        for row, turned in zip(facts.answers, self.attributes @ self.maps, strict=True):
            found += turned[row]
        return found


def superposition(parts: Vectors, facts: FactTable, rows: Rows | None = None) -> Superposition:
    """The superposition fitted to some subjects; default: to all."""
    rows = np.arange(facts.n_subjects) if rows is None else rows
    fitted = ridge(_design(parts, facts)[rows], parts.subjects[rows])
    m, d = parts.attributes.shape[1], parts.subjects.shape[1]
    return Superposition(parts.attributes, fitted.W.reshape(facts.n_relations, m, d), fitted.offset)


def r_squared(wanted: Floats, predicted: Floats) -> float:
    """1 - residual / total sum of squares, over all coordinates."""
    total = float(((wanted - wanted.mean(axis=0)) ** 2).sum())
    return 1 - float(((wanted - predicted) ** 2).sum()) / total if total > 0 else 0.0


def superposition_r2(parts: Vectors, facts: FactTable, *, seed: int = 0) -> dict[str, float]:
    """Held-out R^2 of the superposition over five folds, and of two that cannot be any.

    Returns:
        `r2`; `r2_shuffled`, the same embeddings against attributes of other subjects; `r2_random`, random
        embeddings of the same mean and covariance against the facts.
    """
    rng = generator(seed, "superposition controls", facts.n_subjects)

    def of(embeddings: Floats, table: FactTable) -> float:
        x, predicted = _design(parts, table), np.empty_like(embeddings)
        for fit, judge in folds(facts.n_subjects, seed):
            predicted[judge] = ridge(x[fit], embeddings[fit])(x[judge])
        return r_squared(embeddings, predicted)

    return {
        "r2": of(parts.subjects, facts),
        "r2_shuffled": of(parts.subjects, shuffled(facts, rng)),
        "r2_random": of(matched(parts.subjects, len(parts.subjects), rng), facts),
    }


def fit_fails(found: Mapping[str, Any]) -> list[str]:
    """Which of `superposition_r2`'s figures say that the fit is at fault, not the embeddings: below -1."""
    return [name for name in ("r2", "r2_shuffled", "r2_random") if not found[name] >= LEAST_CONTROL]


def probed(
    embeddings: Floats, parts: Vectors, facts: FactTable, *, seed: int = 0, near: bool = False
) -> NDArray[np.bool_]:
    """Which attributes a linear probe reads off held-out embeddings, shape (R, N).

    The probe of a relation maps embeddings to the vector of the attribute, fitted on four subjects of
    five; the nearest vector is its answer. With bijections it has never seen that attribute as a target.

    Args:
        embeddings: of the subjects, shape (N, d).
        parts: the attributes' vectors.
        facts: who has which.
        seed: of the held-out subjects.
        near: for attributes whose vectors live in the subjects' space: what the penalty shrinks the map
            towards is the identity, not 0.
    """
    u, found = parts.attributes, np.empty(facts.answers.shape, dtype=bool)
    for fit, judge in folds(facts.n_subjects, seed):
        for r, row in enumerate(facts.answers):
            kept = embeddings if near else np.zeros((len(embeddings), u.shape[1]))
            read = kept[judge] + ridge(embeddings[fit], u[row[fit]] - kept[fit])(embeddings[judge])
            nearest = (read @ u.T - (u**2).sum(axis=1) / 2).argmax(axis=1)
            found[r, judge] = nearest == row[judge]
    return found


def probes(parts: Vectors, facts: FactTable, *, seed: int = 0, near: bool = False) -> dict[str, float]:
    """Linear probes on held-out subjects: see `probed`.

    Returns:
        `probe`, the accuracy of the worst relation; `probe_shuffled`, that of the best one where the
        embeddings belong to other subjects.
    """
    moved = generator(seed, "probe control", facts.n_subjects).permutation(facts.n_subjects)
    read, shuffled_ = (
        probed(embeddings, parts, facts, seed=seed, near=near).mean(axis=1)
        for embeddings in (parts.subjects, parts.subjects[moved])
    )
    return {"probe": float(read.min()), "probe_shuffled": float(shuffled_.max())}


def matched(embeddings: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Random vectors with the mean and covariance of some embeddings: shape (count, d)."""
    mean = embeddings.mean(axis=0)
    weights = rng.standard_normal((count, len(embeddings))) / np.sqrt(len(embeddings))
    return np.asarray(mean + weights @ (embeddings - mean))


def _design(parts: Vectors, facts: FactTable) -> Floats:
    """The attribute vectors of every subject, side by side: shape (N, R m)."""
    return np.concatenate([parts.attributes[row] for row in facts.answers], axis=1)
