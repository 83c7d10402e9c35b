"""C8, a fair baseline: the best linear memory over the same frozen keys and words.

The outer product is one W among many. That W recalls every fact x is <e_x W, u_f(x) - u_b> > 0 for all b:
linear in W and free of scale, so that convex training finds such a W wherever there is one, in the end.
"""

from dataclasses import dataclass
from itertools import count
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.constructions.embeddings import recalled
from georecall.constructions.memories import frozen, remembering
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats

LEVELS = 1 << 20  # entries of W are whole numbers up to this size: all sums stay exact
_ITERATIONS = 3000


def best_linear_memory(
    facts: FactTable,
    *,
    dimension: int | None = None,
    code: Code | None = None,
    seed: int = 0,
    rng: np.random.Generator | None = None,
) -> Transformer:
    """C8: a W that recalls every fact, if training finds one; d_model = d, d_mlp = 2 d.

    Keys and words are those of `linear_associative_memory` at the same d and seed. W is made whole numbers
    of at most 2^20, so that margins are exact; where no W is found, the last one is returned, which fails.

    Arguments and errors as of `linear_associative_memory`, but for the default of d: sqrt(2 n ln n) rounded
    up, n = N R (arXiv 2605.05189 conjectures that this is what the best W needs as n grows; smaller d do at
    small n).

    Source: theory/pages/c8.md, a fair baseline.
    """
    d = default_dimension(facts) if dimension is None else dimension
    return trained_memory(facts, d, code=code, seed=seed, rng=rng).model


@dataclass(frozen=True, eq=False)
class TrainedMemory:
    """What training ended at."""

    model: Transformer  # the weights, W among them, in whole numbers
    keys: Floats  # e_x of every fact, shape (n, d)
    words: Floats  # u_a, shape (|A|, d)
    multipliers: Floats  # shape (n, |A|); where W fails, they may prove that every W does


def trained_memory(
    facts: FactTable,
    d: int,
    *,
    code: Code | None = None,
    seed: int = 0,
    rng: np.random.Generator | None = None,
) -> TrainedMemory:
    """`best_linear_memory` with what proves that nothing better exists; arguments as there."""
    e, D, u = frozen(facts, d, code, seed, rng)
    each = keys(e, D)
    W, multipliers = separated(each, facts.answers.ravel(), u)
    model = remembering(e, D, u, W, other_bits=d * d * (2 * LEVELS).bit_length())
    return TrainedMemory(model, each, u, multipliers)


def default_dimension(facts: FactTable) -> int:
    """sqrt(2 n ln n), rounded up."""
    n = facts.n_facts
    return ceil(sqrt(2 * n * log(max(2, n))))


def keys(e: Floats, D: Floats) -> Floats:
    """e_x = D_r e_s of every fact, relation by relation: shape (N R, d)."""
    return np.asarray((D[:, None] * e[None]).reshape(-1, e.shape[1]))


def separated(
    keys: Floats, answers: NDArray[np.int64], u: Floats, *, iterations: int = _ITERATIONS
) -> tuple[Floats, Floats]:
    """The W that convex training ends at, and multipliers that certify failure where it fails.

    It minimises the cross-entropy of the logits e_x W u^T, whose infimum is 0 iff some W separates.
    Elsewhere the minimum is attained (unless no W separates strictly but some weakly), its gradient is 0,
    and the softmax probabilities are nonnegative multipliers with sum lambda_{x,b} e_x^T (u_f(x) - u_b)
    near 0.

    Keys have shape (n, d), answers (n,), u (|A|, d). L-BFGS stops as soon as W, in whole numbers, separates.
    Returned are W, whole numbers, shape (d, d), and multipliers, shape (n, |A|), 0 at the answers.
    """
    from scipy.optimize import minimize

    n, d = keys.shape
    rows = np.arange(n)

    def loss(w: Floats) -> tuple[float, Floats]:
        logits = (keys @ w.reshape(d, d)) @ u.T
        logits -= logits[rows, answers][:, None]
        P = np.exp(logits - logits.max(axis=1, keepdims=True))
        total = P.sum(axis=1)
        value = np.log(total) + logits.max(axis=1)  # minus the right answer's logarithm
        P /= total[:, None]
        P[rows, answers] -= 1.0
        return float(value.sum()), np.asarray(keys.T @ (P @ u)).ravel()

    steps = count(1)

    def look(w: Floats) -> None:
        if next(steps) % 10 == 0 and recalled(keys @ _whole(w.reshape(d, d)) @ u.T, answers).all():
            raise StopIteration  # which ends the search

    outer: Any = (keys.T @ u[answers]).ravel() / (d * d)
    options: Any = {"maxiter": iterations, "maxcor": 20, "maxfun": 2 * iterations, "ftol": 0.0, "gtol": 1e-9}
    search: Any = minimize  # whose stubs do not know such a callback
    best = search(loss, outer, jac=True, method="L-BFGS-B", callback=look, options=options).x
    W = np.asarray(best).reshape(d, d)
    logits = (keys @ W) @ u.T
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[rows, answers] = 0.0
    return _whole(W), P


def _whole(W: Floats) -> Floats:
    """W scaled to whole numbers of at most 2^20."""
    largest = np.abs(W).max()
    return np.rint(W * (LEVELS / largest)) if largest else W


BUILDS = {"best-linear-memory": best_linear_memory}
