"""What softmax lets into a step of a chain of thought: bounds over all contexts together (see `induction`).

Every token of the prompt leaks in. Weights depend on positions alone, so that the residual is

    W_E[x] + V[r_i] + sum over the other positions j of w_j (V[token j] - V[r_i]),      V = W_E W_V W_O,

which lies in a box for all contexts together: other relations range over all relations, earlier entities
over all entities. The margin is bounded below over the box, neurons of fixed sign being linear.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from georecall.constructions.transformer.arithmetic import dense, float64, softmax, times
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.parts import placed
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.blocks import blocks
from georecall.verify.margins.balls import TINY, Ball, U

_BLOCK = 1 << 22  # entries of one block of boxes, or of bounds of logit differences
_ROUNDING = 64 * U  # a dozen roundings of numbers of the same size, with room to spare


class Box:
    """Where the residual of a step lies, whatever the context, and what margins that leaves."""

    def __init__(self, model: Transformer, facts: FactTable, scores: Ball) -> None:
        self.model, self.facts = model, facts
        self.floats = model.map(Ball.of)
        attention = self.floats.blocks[0].attention
        assert attention is not None
        everyone = np.arange(model.d_vocab)
        values = times(times(self.floats.W_E[everyone], attention.W_V[0]), attention.W_O[0])
        self.values, self.doubt = values.mid, values.radius.max(axis=0)
        N = facts.n_subjects
        self.least = [self.values[part].min(axis=0) for part in (slice(N, None), slice(N))]
        self.most = [self.values[part].max(axis=0) for part in (slice(N, None), slice(N))]
        self.weights = list(_weights(scores))
        d = model.d_model
        none = MLP(np.zeros((d, 0)), np.zeros(0), np.zeros((0, d)), np.zeros(d))
        self.mlp = model.blocks[0].mlp or none
        self.gather, self.linear, self.identity = _linear_parts(self.mlp, d)
        n_terms = np.bincount(self.linear.indices, minlength=1).max()  # neurons that join one pair
        self.rounding = _ROUNDING * max(1.0, n_terms / 32)  # a sum of n has n roundings: at least 2 n u

    @property
    def n_pairs(self) -> int:
        """How many pairs of coordinates the MLP (and the skip) joins."""
        return int(self.gather[0].shape[1])

    def residuals(self, subjects: Numbers, relations: Numbers) -> tuple[Floats, Floats]:
        """Centres and half-widths, shape (facts, d_model): a box over all contexts and steps."""
        asked = self.values[self.facts.n_subjects + relations]
        if self._leaks_by_level is None:
            low, high = self._leaks(self.values[subjects], asked)
        else:
            level, leaks = self._leaks_by_level
            at = (level[subjects], relations[:, None], np.arange(self.model.d_model))
            low, high = (leak[at] for leak in leaks)
        embedded = np.asarray(self.model.W_E[subjects], dtype=np.float64)
        centre = embedded + asked + (low + high) / 2
        rounding = _ROUNDING * (np.abs(embedded) + np.abs(asked) + np.abs(low) + np.abs(high))
        return centre, (high - low) / 2 + rounding + TINY

    @cached_property
    def _leaks_by_level(self) -> tuple[Numbers, tuple[Floats, Floats]] | None:
        """What leaks for each value that a coordinate takes, and each relation; None if values are many.

        Returns:
            Of each subject's coordinates the number of its value, shape (N, d_model), and the bounds of
            `_leaks`, shape (values, R, d_model).
        """
        N, R = self.facts.n_subjects, self.facts.n_relations
        found = [np.unique(column, return_inverse=True) for column in self.values[:N].T]
        most = max(len(values) for values, _ in found)
        if 2 * most > N:
            return None
        levels = np.stack([np.resize(values, most) for values, _ in found], axis=1)
        return np.stack([number for _, number in found], axis=1), self._leaks(
            levels[:, None], np.broadcast_to(self.values[N:], (most, R, self.model.d_model))
        )

    def _leaks(self, subjects: Floats, asked: Floats) -> tuple[Floats, Floats]:
        """The least and the most that leaks into each coordinate, over all contexts and steps."""
        own = subjects - asked
        low = np.full(asked.shape, np.inf)
        high = np.full(asked.shape, -np.inf)
        size = np.abs(self.values).max(axis=0)
        for w_own, w_relations, w_entities, doubt in self.weights:
            leak = w_own * own
            slack = 4 * (doubt * size + self.doubt)
            below = (w_relations, self.least[0]), (w_entities, self.least[1])
            above = (w_relations, self.most[0]), (w_entities, self.most[1])
            low = np.minimum(low, leak + sum(w * (v - asked) for w, v in below) - slack)
            high = np.maximum(high, leak + sum(w * (v - asked) for w, v in above) + slack)
        return low, high

    def all_margins(self) -> Floats:
        """Lower bounds of the margins of all facts, shape (facts,)."""
        size = _BLOCK // max(self.n_pairs, self.model.d_model, self.model.d_vocab_out)
        numbers = np.arange(self.facts.n_facts)
        return np.concatenate([self.margins(numbers[block]) for block in blocks(len(numbers), size)])

    def margins(self, block: Numbers) -> Floats:
        """Lower bounds of the margins of some facts."""
        relations, subjects = np.divmod(block, self.facts.n_subjects)
        answers = self.facts.answers[relations, subjects]
        centre, radius = self.residuals(subjects, relations)
        x = Ball.of(centre)
        W_in, W_out = Ball.of(self.mlp.W_in), Ball.of(self.mlp.W_out)
        before = times(x, W_in) + Ball.of(self.mlp.b_in)
        moved = times(radius, W_in.absolute) * (1 + _ROUNDING * self.model.d_model) + TINY
        reach = moved + before.radius + _ROUNDING * np.abs(before.mid)
        active, silent = before.mid - reach >= 0, before.mid + reach <= 0
        spread = self._spread(radius, active)
        spread += times(np.where(active | silent, 0.0, moved), W_out.absolute)
        spread = spread * (1 + _ROUNDING * self.n_pairs) + TINY

        after = MLP(W_in, Ball.of(self.mlp.b_in), W_out, Ball.of(self.mlp.b_out))
        logits = times(x + after(x), self.floats.W_U) + self.floats.b_U
        right = (logits.mid - logits.radius)[np.arange(len(block)), answers]
        return self._least_differences(right, logits.mid + logits.radius, spread, answers)

    def _least_differences(self, right: Floats, high: Floats, spread: Floats, answers: Numbers) -> Floats:
        """For each fact the least of right - high_b - sum_c spread_c |W_ca - W_cb| over b != a, rounded down.

        That is evaluated only for the b that may attain it: |v - v'| <= (v - v')^2 for numbers that differ by
        1 at least makes of the sum three products of matrices, and of the whole a bound from below; where a
        row has two values, as of signs, nothing is lost.
        """
        used, W, gap = self._readout
        spread, rounding = spread[:, used], _ROUNDING * self.model.d_model

        def differences(i: Numbers, b: Numbers) -> Floats:
            """Of some facts and some b."""
            found, size = right[i] - high[i, b], np.abs(right[i]) + np.abs(high[i, b])
            for c, row in enumerate(W):
                swing = spread[i, c] * np.abs(row[answers[i]] - row[b])
                found -= swing
                size += swing
            return np.where(b == answers[i], np.inf, found - (rounding * size + TINY))

        facts, V, scaled = np.arange(len(answers)), W / gap[:, None], spread * gap
        own = V[:, answers].T
        below = right[:, None] - high - (scaled @ (V * V) - 2 * ((scaled * own) @ V))
        below -= (scaled * own * own).sum(axis=1)[:, None]
        most = np.abs(right) + np.abs(high).max(axis=1) + 4 * scaled @ (V * V).max(axis=1)
        below -= 4 * rounding * most[:, None] + TINY
        below[facts, answers] = np.inf
        enough = differences(facts, below.argmin(axis=1))
        i, b = np.nonzero(~(below > enough[:, None]))  # what is no number is evaluated
        least = enough.copy()
        np.minimum.at(least, i, differences(i, b))
        return least

    @cached_property
    def _readout(self) -> tuple[Numbers, Floats, Floats]:
        """The coordinates that W_U reads, its rows there, and the least difference of two numbers of each.

        No number where that is so small that its products may underflow: then all words are evaluated.
        """
        W_U = dense(self.model.W_U).astype(np.float64)
        used = np.flatnonzero(W_U.any(axis=1))
        most = np.abs(W_U[used]).max(axis=1)
        steps = (np.diff(np.unique(row)) for row in W_U[used])
        gap = np.array([step.min(initial=size) for step, size in zip(steps, most, strict=True)])
        return used, W_U[used], np.where(gap >= most * 2.0**-30, gap, np.nan)

    def _spread(self, radius: Floats, active: NDArray[np.bool_]) -> Floats:
        """How far y = x + MLP(x) is off its centre if only neurons of fixed sign count: (facts, d_model)."""
        source, target = self.gather
        signs = csr_array(active.astype(np.float64))
        paths = np.abs(self.identity + (signs @ self.linear).toarray())
        paths += self.rounding * (self.identity + (signs @ abs(self.linear)).toarray()) + TINY
        return np.asarray((times(radius, source) * paths) @ target)


def _weights(scores: Ball) -> Iterator[tuple[float, float, float, float]]:
    """For every step and prompt: weights of the current entity, other relations, earlier entities; doubt."""
    max_hops = scores.shape[0]
    positions = np.arange(2 * max_hops)
    for i in range(max_hops):
        own, hops = max_hops + i, np.arange(i + 1, max_hops + 1)[:, None]
        shown = np.where(positions < max_hops, positions < hops, positions <= own)
        rows = softmax(scores[np.full(len(hops), i)], ~shown)
        leaking = rows.mid.copy()
        leaking[:, i] = 0.0  # the relation asked for
        doubts = rows.radius.sum(axis=1) + _ROUNDING * max_hops * leaking.sum(axis=1)
        relations, entities = leaking[:, :max_hops].sum(axis=1), leaking[:, max_hops:own].sum(axis=1)
        yield from zip(*(a.tolist() for a in (leaking[:, own], relations, entities, doubts)), strict=True)


def _linear_parts(mlp: MLP, d_model: int) -> tuple[tuple[csr_array, csr_array], csr_array, Floats]:
    """The paths from coordinate to coordinate through one neuron, and the skip past all of them.

    Returns:
        source (d_model, pairs) and target (pairs, d_model), which say what each pair joins; what each neuron
        contributes to each pair, shape (neurons, pairs); and 1 for the pairs of the skip, shape (pairs,).
    """
    W_in, W_out = csc_array(float64(mlp.W_in)), csr_array(float64(mlp.W_out))
    n_in, n_out = np.diff(W_in.indptr), np.diff(W_out.indptr)
    neuron = np.repeat(np.arange(W_in.shape[1]), n_in * n_out)
    place = np.arange(len(neuron)) - np.repeat(np.cumsum(n_in * n_out) - n_in * n_out, n_in * n_out)
    into = W_in.indptr[neuron] + place // np.maximum(n_out[neuron], 1)
    out = W_out.indptr[neuron] + place % np.maximum(n_out[neuron], 1)
    through = W_in.indices[into].astype(np.int64) * d_model + W_out.indices[out]
    skip = np.arange(d_model) * (d_model + 1)
    pairs, number = np.unique(np.concatenate([skip, through]), return_inverse=True)
    source, target = np.divmod(pairs, d_model)
    each = np.arange(len(pairs))
    contribution = placed(
        (W_in.shape[1], len(pairs)), neuron, number[d_model:], W_in.data[into] * W_out.data[out]
    )
    identity = np.zeros(len(pairs))
    identity[number[:d_model]] = 1.0
    joins = placed((d_model, len(pairs)), source, each, 1.0), placed((len(pairs), d_model), each, target, 1.0)
    return joins, contribution, identity
