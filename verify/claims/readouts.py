"""What random constructions read, without their weights: one matrix product per relation.

For each construction a function from facts, dimension and random numbers to the words u_a and, relation by
relation, the readouts y of all subjects, with logits <u_a, y>. The draws are the construction's own, in its
order, so that the transformer built from the same generator has exactly these logits (a property test).
That, and deciding in single precision what single precision can decide, makes capacity affordable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from georecall.constructions.best_memory import keys, separated
from georecall.constructions.dense import gaussian_maps, orthogonal_maps, signs
from georecall.constructions.embeddings import EMBEDDINGS, bound_sum
from georecall.constructions.embeddings import GRAIN as GRAIN_OF_EMBEDDINGS
from georecall.constructions.memories import (
    FEATURE_GRAIN,
    feature_width,
    features,
    frozen,
    hebbian,
    mean_of_feature,
)
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.blocks import blocks
from georecall.verify.claims.packed import n_wrong_of_turns
from georecall.verify.margins.lead import right_and_rival

_WORTH_THREADS = 1 << 20  # logits of a product below which threads of their own wait for each other
_BLOCK = 1 << 22  # logits computed at a time: 16 MiB in single precision


@dataclass(frozen=True, eq=False)
class Readouts:
    """What one draw reads.

    Args:
        words: u_a, shape (|A|, d), signs.
        each: for each relation the readouts of all subjects, shape (N, d).
        grain: a power of two that all readouts are whole multiples of, computed without rounding.
        error: where they are not: a bound on the Euclidean norm of a readout's error; grain is then 0.
        strength: how many times a readout holds its answer's word, crosstalk apart.
        turned: where the readouts of relation r are x D_r, in small whole numbers: x, shape (N, d), and D.
    """

    words: Floats
    each: Iterator[Floats]
    grain: float = 1.0
    error: float = 0.0
    strength: float = 1.0
    turned: tuple[Floats, Floats] | None = None


Read = Callable[[FactTable, int, np.random.Generator], Readouts]


def plain_readouts(facts: FactTable, m: int, rng: np.random.Generator) -> Readouts:
    """C2: D_r W_E[s]."""
    u, D = signs(rng, facts.n_attributes, m), signs(rng, facts.n_relations, m)
    total = bound_sum(facts, u.astype(np.int8), D.astype(np.int8))  # less to move
    return Readouts(u, (total * turn for turn in D), turned=(total, D))


def dense_by(embedding: str) -> Read:
    """C2, D_r W_E[s], with embeddings of one kind: plain, zero-forced or optimised."""
    if embedding == "plain":
        return plain_readouts

    def read(facts: FactTable, m: int, rng: np.random.Generator) -> Readouts:
        u, D = signs(rng, facts.n_attributes, m), signs(rng, facts.n_relations, m)
        total = EMBEDDINGS[embedding](facts, u, D)
        return Readouts(u, (total * turn for turn in D), grain=GRAIN_OF_EMBEDDINGS)

    return read


def dense_by_matrices(maps: Callable[[np.random.Generator, int, int], Floats]) -> Read:
    """C2's variants with full matrices: W_E[s] M_r^T, with a bound on their rounding error.

    y = (sum_r u_r M_r) M^T: with the Frobenius norm F of the largest matrix, |u| = sqrt(m) and gamma_n of n
    roundings, each of the two products and the sum of R is off by at most gamma_{m+R} R sqrt(m) F^2.
    """

    def read(facts: FactTable, m: int, rng: np.random.Generator) -> Readouts:
        u, R = signs(rng, facts.n_attributes, m), facts.n_relations
        M = maps(rng, R, m)
        norm = max(float(np.linalg.norm(turn)) for turn in M)
        error = 2 * 1.01 * (m + R) * 2.0**-53 * R * np.sqrt(m) * norm * norm
        total = bound_sum(facts, u, M)
        return Readouts(u, (total @ turn.T for turn in M), grain=0.0, error=float(error))

    return read


def hebbian_readouts(facts: FactTable, d: int, rng: np.random.Generator) -> Readouts:
    """C8: e_x W."""
    e, D = signs(rng, facts.n_subjects, d), signs(rng, facts.n_relations, d)
    u = signs(rng, facts.n_attributes, d)
    W = hebbian((e * turn for turn in D), facts, u)
    return Readouts(u, ((e * turn) @ W for turn in D), strength=d)


def best_linear_readouts(facts: FactTable, d: int, rng: np.random.Generator) -> Readouts:
    """C8: e_x W for the W that training finds, in whole numbers."""
    e, D, u = frozen(facts, d, rng=rng)
    W, _ = separated(keys(e, D), facts.answers.ravel(), u)
    return Readouts(u, ((e * turn) @ W for turn in D))


def feature_readouts(facts: FactTable, d: int, rng: np.random.Generator) -> Readouts:
    """C8: phi(x) W, at the default width d^2/4."""
    e, D = signs(rng, facts.n_subjects, d), signs(rng, facts.n_relations, d)
    w = signs(rng, feature_width(d) // 2, d)
    u = signs(rng, facts.n_attributes, d)
    W = hebbian((features(e * turn, w) for turn in D), facts, u)
    strength = len(w) * (d - mean_of_feature(d) ** 2)  # of k features of that variance, on average
    return Readouts(u, (features(e * turn, w) @ W for turn in D), grain=FEATURE_GRAIN**2, strength=strength)


READOUTS: dict[str, Read] = {
    "single-hop-dense": dense_by("plain"),
    "single-hop-dense-zero-forced": dense_by("zero-forced"),
    "single-hop-dense-optimised": dense_by("optimised"),
    "single-hop-dense-gaussian": dense_by_matrices(gaussian_maps),
    "single-hop-dense-orthogonal": dense_by_matrices(orthogonal_maps),
    "linear-memory": hebbian_readouts,
    "best-linear-memory": best_linear_readouts,
    "random-feature-memory": feature_readouts,
}


# BLAS multiplies what lies in the padding of its buffers, too: its flags may be of no number of ours.
_quiet = np.errstate(invalid="ignore")


@_quiet
def n_wrong(drawn: Readouts, facts: FactTable, *, allowed: int = 0) -> int:
    """How many facts have a margin of 0 or less; stops counting once it is more than `allowed`.

    Exact where the readouts are; else a margin that rounding leaves open counts as wrong.
    """
    if drawn.turned is not None:
        with _blas().limit(limits=1):  # its products are too small for threads
            counted = n_wrong_of_turns(drawn.words, *drawn.turned, facts.answers, allowed=allowed)
        if counted is not None:
            return counted
    words, wrong = drawn.words.astype(np.float32), 0
    small = facts.n_subjects * facts.n_attributes < _WORTH_THREADS
    with _blas().limit(limits=1 if small else None):
        for y, answers in zip(drawn.each, facts.answers, strict=True):
            for block in blocks(len(answers), _BLOCK // facts.n_attributes):
                wrong += int((~_recalled(y[block], drawn, words, answers[block])).sum())
                if wrong > allowed:
                    return wrong
    return wrong


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@_quiet
def margins_read(drawn: Readouts, facts: FactTable) -> Floats:
    """Every margin, shape (R, N), in float64."""
    found = [_margins(y, drawn.words, answers) for y, answers in zip(drawn.each, facts.answers, strict=True)]
    return np.array(found)


@_quiet
def split_margins(drawn: Readouts, facts: FactTable) -> tuple[Floats, Floats]:
    """Signal and crosstalk of every margin, each of shape (R, N): the margin is their sum.

    With b the fact's strongest competitor, the signal is <strength x u_a, u_a - u_b>, what the answer's
    own word brings; the crosstalk is all the rest.
    """
    signal, margin = [], []
    words = drawn.words
    for y, answers in zip(drawn.each, facts.answers, strict=True):
        right, best, rival = right_and_rival(y @ words.T, answers)
        margin.append(right - best)
        signal.append(((words[answers] - words[rival]) * words[answers]).sum(axis=1))
    found = drawn.strength * np.array(signal)
    return found, np.array(margin) - found


def _recalled(
    y: Floats, drawn: Readouts, words: NDArray[np.float32], answers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each margin is positive, in single precision where that decides it, else in double.

    The words are signs, so that sum_j |y_j| bounds every partial sum: below 2^24 grains all are exact, and
    otherwise a logit is off by at most (d + 3) 2^-24 sum_j |y_j|, the rounding of y to single precision
    included (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    """
    size = np.abs(y).sum(axis=1)
    margin = _margins(y.astype(np.float32), words, answers).astype(np.float64)
    recalled = np.asarray(margin > 0)
    if size.max() < 2.0**24 * drawn.grain:
        return recalled
    d = y.shape[1]
    doubtful = np.flatnonzero(
        np.abs(margin) <= 2.1 * (d + 3) * 2.0**-24 * size + 3 * np.sqrt(d) * drawn.error
    )
    if len(doubtful):
        again = _margins(y[doubtful], drawn.words, answers[doubtful])
        radius = np.zeros(len(doubtful))
        if size.max() >= 2.0**52 * drawn.grain:
            radius = 2.1 * (d + 3) * 2.0**-53 * size[doubtful] + 3 * np.sqrt(d) * drawn.error
        recalled[doubtful] = again > radius
    return recalled


def _margins(y: NDArray[Any], words: NDArray[Any], answers: NDArray[np.int64]) -> NDArray[Any]:
    right, best, _ = right_and_rival(y @ words.T, answers)
    return np.asarray(right - best)
