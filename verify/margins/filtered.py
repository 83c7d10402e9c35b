"""Recall of real-valued models: single precision decides what it can, the rest is done again exactly.

Logits are y . w_a + b_a. In single precision, with u = 2^-24 and any order of summation, each is off by at
most ((d + 4) u |y| + |r|) max_a |w_a| + 2 u max_a |b_a|, where y is known to within r and |.| is the
Euclidean norm (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, and Cauchy-Schwarz);
underflow adds at most (d + 4) 2^-126 max(1, |y|_1, |w_a|_1). A fact whose margin exceeds twice that is
recalled. All others, and all that could have the least margin, are done again by `verify.margins.margins`, in
double precision and rationals, so that verdict and least margin are those of the unfiltered computation.

What the relations of a subject share is computed once: see `verify.margins.additive_layer`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import times
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.blocks import blocks
from georecall.theory.tools.progress import Progress
from georecall.verify.margins.additive_layer import AdditiveLayer
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.found import Margins
from georecall.verify.margins.lead import right_and_rival
from georecall.verify.margins.ledger import signs_of_bounds
from georecall.verify.margins.margins import float_signs, margins
from georecall.verify.margins.queries import Facts, Prompts, Queries

_U = 2.0**-24
_SLACK = 1.01  # covers second-order terms: d u < 2^-8 at d < 2^16
_TINY = 2.0**-126
_ENTRIES = 1 << 22  # of residuals, or logits, computed at a time


@dataclass(frozen=True, eq=False)
class Some:
    """Some of several queries, by number: shape (how many,)."""

    every: Queries
    numbers: Numbers

    @property
    def facts(self) -> FactTable:
        return self.every.facts

    @property
    def shape(self) -> tuple[int, ...]:
        return self.numbers.shape

    def occurring(self) -> Numbers:
        return np.unique(self.every.prompts(self.numbers).answers)

    def prompts(self, numbers: Numbers) -> Prompts:
        return self.every.prompts(self.numbers[numbers])

    def query(self, number: int) -> tuple[int, ...]:
        return self.every.query(int(self.numbers[number]))


def filtered(model: Transformer, facts: FactTable, *, progress: Progress | None = None) -> Margins | None:
    """The margins of all facts, asked as `[s, r]`; loose where that changes neither verdict nor least margin.

    Returns:
        None where the forward pass is exact, or its numbers do not fit single precision: then
        `verify.margins` has more to say.
    """
    queries, bounds = Facts(facts), _screened(model, facts, progress)
    if bounds is None:
        return None
    lower, upper = bounds
    doubtful = np.flatnonzero((lower.ravel() <= 0) | (lower.ravel() <= upper.min()))
    if 2 * len(doubtful) > facts.n_facts:
        return None  # the filter lets everything through
    again = margins(model, Some(queries, doubtful), method="exhaustive", progress=None)
    for bound, better in ((lower, again.lower), (upper, again.upper)):
        bound.ravel()[doubtful] = better
    found = signs_of_bounds(lower, upper)
    found.ravel()[doubtful] = again.signs
    said: dict[str, Any] = {"exact": False, "method": "filtered", "path": "filtered"}
    return replace(again, queries=queries, lower=lower, upper=upper, signs=found, **said)


def screened_signs(model: Transformer, facts: FactTable) -> NDArray[np.int8]:
    """What floats alone decide of all facts: 1 recalled, -1 not, 0 undecided; shape (R, N).

    Single precision first, then double for what it leaves open: `verify.margins.margins.float_signs`.
    """
    bounds = _screened(model, facts, None)
    found = np.zeros(facts.answers.shape, dtype=np.int8) if bounds is None else signs_of_bounds(*bounds)
    open_ = np.flatnonzero(found == 0)
    if len(open_):
        found.ravel()[open_] = float_signs(model, Some(Facts(facts), open_))
    return found


def _screened(
    model: Transformer, facts: FactTable, progress: Progress | None
) -> tuple[Floats, Floats] | None:
    """Bounds of all margins in single precision; None where they do not apply."""
    with np.errstate(over="ignore", invalid="ignore"):
        screen = _Screen.of(model)
        lower, upper = np.full(facts.answers.shape, -np.inf), np.full(facts.answers.shape, np.inf)
        done = 0
        for relation, subjects, y in _readouts(model, facts):
            if y.exact or screen is None:
                return None
            answers = facts.answers[relation, subjects]
            lower[relation, subjects], upper[relation, subjects] = screen.bounds(y, answers)
            done += len(answers)
            if progress is not None:
                progress(done, facts.n_facts)
    return np.nan_to_num(lower, nan=-np.inf), np.nan_to_num(upper, nan=np.inf)


@dataclass(frozen=True, eq=False)
class _Screen:
    """An unembedding in single precision, and what bounds its rounding."""

    W_U: NDArray[np.float32]
    b_U: NDArray[np.float32]
    longest: float
    widest: float
    bias: float

    @classmethod
    def of(cls, model: Transformer) -> "_Screen | None":
        W_U = np.asarray(times(np.eye(model.d_model), model.W_U), dtype=np.float64)
        b_U = np.asarray(model.b_U, dtype=np.float64)
        longest = float(np.sqrt(np.einsum("ja,ja->a", W_U, W_U).max())) * _SLACK
        widest, bias = float(np.abs(W_U).sum(axis=0).max()), float(np.abs(b_U).max())
        if model.d_model >= 1 << 16 or not max(longest, widest, bias) < 1e18:
            return None
        return cls(W_U.astype(np.float32), b_U.astype(np.float32), longest, widest, bias)

    def bounds(self, y: Ball, answers: Numbers) -> tuple[Floats, Floats]:
        """Of the margins of some readouts."""
        d = y.shape[1]
        size = np.linalg.norm(y.mid, axis=1) * _SLACK
        known = np.linalg.norm(y.radius, axis=1) * _SLACK
        spread = np.maximum(1.0, np.maximum(np.abs(y.mid).sum(axis=1), self.widest))
        error = ((d + 4) * _U * size + known) * self.longest + 2 * _U * self.bias + (d + 4) * _TINY * spread
        error = np.where(size + known < 1e18, error * _SLACK, np.inf)
        margin = np.empty(len(answers))
        for some in blocks(len(answers), _ENTRIES // len(self.b_U)):
            logits = y.mid[some].astype(np.float32) @ self.W_U + self.b_U
            right, best, _ = right_and_rival(logits, answers[some])
            margin[some] = right.astype(np.float64) - best
        return margin - 2 * error, margin + 2 * error


def _readouts(model: Transformer, facts: FactTable) -> Iterator[tuple[int, Numbers, Ball]]:
    """For each block of subjects and each relation the last residual."""
    model = model.placed(2)
    certified = model.map(Ball.of)
    shared = AdditiveLayer.of(certified, model, facts)
    queries, everyone = Facts(facts), np.arange(facts.n_subjects)
    for block in blocks(facts.n_subjects, _ENTRIES // max(model.d_model, model.d_mlp)):
        subjects = everyone[block]
        if shared is not None:
            part = shared.subjects(subjects)
        for relation in range(facts.n_relations):
            if shared is not None:
                yield relation, subjects, shared.residual(part, slice(relation, relation + 1))
            else:
                tokens, positions, _ = queries.prompts(relation * facts.n_subjects + subjects)
                yield relation, subjects, certified.residual(tokens, positions)
