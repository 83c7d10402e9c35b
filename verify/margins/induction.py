"""The induction certificate of C3: single steps prove every chain of thought.

With hard attention a step reads two tokens only, whatever the rest of the prompt holds, if

- the model has one layer with one head, and 2K positions;
- tokens write to neither queries nor keys, so that scores depend on positions alone;
- relation i has the one largest score among all 2K positions at step i.

Then the residual at step i of any chain is that of the prompt `[r_i, x]` at positions i-1 and K+i-1, x one
of the entities that i-1 hops reach: at most N R K steps decide all N R^k chains for every k <= K. If besides
values, neurons and readout ignore positions (checked too), all steps are alike, and N R of them do. All of
it is read off the weights.

With softmax every token of the prompt leaks in. Weights depend on positions alone, so that the residual is

    W_E[x] + V[r_i] + sum over the other positions j of w_j (V[token j] - V[r_i]),      V = W_E W_V W_O,

which lies in a box for all contexts together: other relations range over all relations, earlier entities
over all entities. The margin is bounded below over the box, neurons of fixed sign being linear.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from georecall.constructions.transformer.arithmetic import dense, float64, hardmax, inner, softmax, times
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.parts import placed
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters, reachable
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.progress import Progress
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.found import Margins
from georecall.verify.margins.lead import Witness
from georecall.verify.margins.ledger import signs_of_bounds, witness
from georecall.verify.margins.margins import check_fits, margins
from georecall.verify.margins.queries import SingleSteps, over_entities

_BLOCK = 1 << 22  # entries of one block of boxes, or of bounds of logit differences
_U = 2.0**-53
_ROUNDING = 64 * _U  # a dozen roundings of numbers of the same size, with room to spare
_TINY = 2.0**-1000  # covers underflow of up to 2^70 products, each off by at most 2^-1074


class PremiseError(ValueError):
    """The certificate does not apply to these weights; the message names the premise that fails."""


@np.errstate(over="ignore", invalid="ignore")  # what overflows proves nothing
def induction(
    model: Transformer, facts: FactTable, *, max_hops: int, progress: Progress | None = None
) -> Margins:
    """The least margin of each fact over every step of every chain of at most K hops.

    Args:
        model: a transformer for prompts `[r_1, ..., r_k, s, ...]` (see `constructions.chain_of_thought`).
        facts: what it should recall; entities to entities.
        max_hops: K.
        progress: called with the number of single steps done and of all.

    Returns:
        Margins of shape (R, N) with method "induction". With hard attention they are those of the single
        steps; with softmax `lower` holds in every context, and `upper` is attained in the shortest one.

    Raises:
        PremiseError: a premise fails.
        ValueError: the model does not fit the facts, or an answer is no entity.
    """
    facts = over_entities(facts)
    check_fits(model, facts)
    _check_premises(model, max_hops)
    alike = _ignores_positions(model)
    if model.attention == "soft":
        if not alike:
            raise PremiseError("with softmax, values, neurons and readout must ignore positions")
        return _soft(model, facts, max_hops, progress)
    first = margins(model, SingleSteps(facts, max_hops, 1), progress=progress)
    found = [first]
    for i in range(2, 1 if alike else max_hops + 1):
        entities = reachable(facts, letters(facts, i - 1))  # of nobody else is step i ever asked
        step = margins(model, SingleSteps(facts, max_hops, i, entities), progress=progress)
        found.append(_spread(step, entities, first))
    return replace(Margins.least(found, first.queries), method="induction", path="induction")


def _spread(step: Margins, entities: Numbers, first: Margins) -> Margins:
    """Margins of a step of some entities; for the others those of the first step."""

    def spread(some: NDArray[Any], everyone: NDArray[Any]) -> NDArray[Any]:
        out = everyone.copy()
        out[:, entities] = some
        return out

    return replace(
        step,
        lower=spread(step.lower, first.lower),
        upper=spread(step.upper, first.upper),
        signs=spread(step.signs, first.signs),
    )


def _check_premises(model: Transformer, max_hops: int) -> None:
    if not model.plain:
        raise PremiseError("the model must be plain: ReLU, no norms, no biases of attention, no first token")
    attention = model.blocks[0].attention if model.n_layers == 1 else None
    if attention is None or len(attention.W_Q) != 1:
        raise PremiseError("the model must have one layer with one head")
    if model.W_pos is None:
        raise PremiseError("without W_pos no position can be told from another")
    if model.n_ctx != 2 * max_hops:
        raise PremiseError(f"{max_hops} hops need {2 * max_hops} positions, the model has {model.n_ctx}")
    for name, weight in (("queries", attention.W_Q[0]), ("keys", attention.W_K[0])):
        if _meet(model.W_E, weight):
            raise PremiseError(f"tokens must not write to {name}")
    if model.attention == "soft":
        return
    scores = _scores(model, max_hops)
    largest = hardmax(scores, np.zeros(scores.shape, dtype=bool))
    for i, (share, doubt) in enumerate(zip(largest.mid, largest.radius, strict=True)):
        if share[i] != 1 or doubt[i] != 0:
            rival = int(np.delete(np.nan_to_num(share), i).argmax())
            raise PremiseError(
                f"relation {i + 1} must have the one largest score at step {i + 1}; "
                f"position {rival + (rival >= i)} has as much"
            )


def _scores(model: Transformer, max_hops: int) -> Ball:
    """Scores of all positions at every step, for tokens that write to neither queries nor keys: (K, 2K)."""
    attention = model.blocks[0].attention
    assert attention is not None
    positions = Ball.of(dense(model.W_pos))
    queries = times(positions[max_hops:], Ball.of(attention.W_Q[0]))
    scores: Ball = inner(queries, times(positions, Ball.of(attention.W_K[0])), model.attn_scale)
    return scores


def _ignores_positions(model: Transformer) -> bool:
    """Whether values, neurons and readout have nothing to do with what positions write."""
    attention, mlp = model.blocks[0].attention, model.blocks[0].mlp
    readers = [model.W_U, *(attention.W_V if attention else ()), *([mlp.W_in] if mlp else [])]
    return not any(_meet(model.W_pos, weight) for weight in readers)


def _meet(rows: Any, weight: Any) -> bool:
    """Whether a non-zero entry of some row meets a non-zero entry of the weight in rows @ weight."""
    written = np.asarray(abs(float64(rows)).max(axis=0)).ravel() > 0
    read = np.asarray(abs(csr_array(dense(float64(weight)))).sum(axis=1)).ravel() > 0
    return bool((written & read).any())


def _soft(model: Transformer, facts: FactTable, max_hops: int, progress: Progress | None) -> Margins:
    """Bounds over all contexts: below over the box, above in the shortest one."""
    shortest = margins(model, SingleSteps(facts, max_hops, 1), progress=progress)
    box = _Box(model, facts, max_hops)
    lower = np.full(facts.n_facts, -np.inf)
    size = max(1, _BLOCK // max(box.n_pairs, model.d_model, model.d_vocab_out))
    for start in range(0, facts.n_facts, size):
        block = np.arange(start, min(start + size, facts.n_facts))
        lower[block] = box.margins(block)
    if not np.isfinite(lower).all():
        raise PremiseError("bounds over all contexts overflow float64")
    certified = np.minimum(lower.reshape(shortest.lower.shape), shortest.upper)
    decided = signs_of_bounds(certified, shortest.upper)

    def show() -> Witness:
        if (decided < 0).any():
            return shortest.worst  # a prompt that is answered wrong
        least = int(lower.argmin())
        return witness(model.map(Ball.of), shortest.queries, least, float(lower[least]))

    return Margins(
        queries=shortest.queries,
        lower=certified,
        upper=shortest.upper,
        minimum=(Fraction(float(lower.min())), shortest.minimum[1]),
        exact=False,
        method="induction",
        show=show,
        signs=decided,
        path="induction",
    )


class _Box:
    """Where the residual of a step lies, whatever the context, and what margins that leaves."""

    def __init__(self, model: Transformer, facts: FactTable, max_hops: int) -> None:
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
        self.weights = list(_weights(_scores(model, max_hops), max_hops))
        self.mlp = model.blocks[0].mlp or _no_mlp(model.d_model)
        self.gather, self.linear, self.identity = _linear_parts(self.mlp, model.d_model)
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
        return centre, (high - low) / 2 + rounding + _TINY

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

    def margins(self, block: Numbers) -> Floats:
        """Lower bounds of the margins of some facts."""
        relations, subjects = np.divmod(block, self.facts.n_subjects)
        answers = self.facts.answers[relations, subjects]
        centre, radius = self.residuals(subjects, relations)
        x = Ball.of(centre)
        W_in, W_out = Ball.of(self.mlp.W_in), Ball.of(self.mlp.W_out)
        before = times(x, W_in) + Ball.of(self.mlp.b_in)
        moved = times(radius, W_in.absolute) * (1 + _ROUNDING * self.model.d_model) + _TINY
        reach = moved + before.radius + _ROUNDING * np.abs(before.mid)
        active, silent = before.mid - reach >= 0, before.mid + reach <= 0
        spread = self._spread(radius, active)
        spread += times(np.where(active | silent, 0.0, moved), W_out.absolute)
        spread = spread * (1 + _ROUNDING * self.n_pairs) + _TINY

        after = MLP(W_in, Ball.of(self.mlp.b_in), W_out, Ball.of(self.mlp.b_out))
        logits = times(x + after(x), self.floats.W_U) + self.floats.b_U
        right = (logits.mid - logits.radius)[np.arange(len(block)), answers]
        return self._least_differences(right, logits.mid + logits.radius, spread, answers)

    def _least_differences(self, right: Floats, high: Floats, spread: Floats, answers: Numbers) -> Floats:
        """For each fact the least of right - high_b - sum_c spread_c |W_ca - W_cb| over b != a, rounded down.

        That is evaluated only for the b that may attain it: |v - v'| <= (v - v')^2 for numbers that differ by
        1 at least makes of the sum three products of matrices, and of the whole a bound from below; where a
        row has two values, as of signs, nothing is lost.

        Args:
            right: lower bounds of the logits of a, the right answer, shape (facts,).
            high: upper bounds of all logits, shape (facts, |A|).
            spread: shape (facts, d_model).
            answers: a, shape (facts,).
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
            return np.where(b == answers[i], np.inf, found - (rounding * size + _TINY))

        facts, V, scaled = np.arange(len(answers)), W / gap[:, None], spread * gap
        own = V[:, answers].T
        below = right[:, None] - high - (scaled @ (V * V) - 2 * ((scaled * own) @ V))
        below -= (scaled * own * own).sum(axis=1)[:, None]
        most = np.abs(right) + np.abs(high).max(axis=1) + 4 * scaled @ (V * V).max(axis=1)
        below -= 4 * rounding * most[:, None] + _TINY
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
        paths += self.rounding * (self.identity + (signs @ abs(self.linear)).toarray()) + _TINY
        return np.asarray((times(radius, source) * paths) @ target)


def _weights(scores: Ball, max_hops: int) -> Iterator[tuple[float, float, float, float]]:
    """For every step and prompt: weights of the current entity, other relations, earlier entities; doubt."""
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
    gather = (
        placed((d_model, len(pairs)), source, each, 1.0),
        placed((len(pairs), d_model), each, target, 1.0),
    )
    return gather, contribution, identity


def _no_mlp(d_model: int) -> MLP:
    return MLP(np.zeros((d_model, 0)), np.zeros(0), np.zeros((0, d_model)), np.zeros(d_model))
