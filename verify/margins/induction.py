"""The induction certificate of C3: single steps prove every chain of thought.

With hard attention a step reads two tokens only, whatever the rest of the prompt holds, if

- the model has one layer with one head, and 2K positions;
- tokens write to neither queries nor keys, so that scores depend on positions alone;
- relation i has the one largest score among all 2K positions at step i.

Then the residual at step i of any chain is that of the prompt `[r_i, x]` at positions i-1 and K+i-1, x one
of the entities that i-1 hops reach: at most N R K steps decide all N R^k chains for every k <= K. If besides
values, neurons and readout ignore positions (checked too), all steps are alike, and N R of them do. All of
it is read off the weights.

With softmax every token of the prompt leaks in, so that a step is bounded over all contexts (see `contexts`).
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from georecall.constructions.transformer.arithmetic import dense, float64, hardmax, inner, times
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters, reachable
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.progress import Progress
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.contexts import Box
from georecall.verify.margins.found import Margins
from georecall.verify.margins.lead import Witness
from georecall.verify.margins.ledger import signs_of_bounds, witness
from georecall.verify.margins.margins import check_fits, margins
from georecall.verify.margins.queries import SingleSteps, over_entities


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
    lower = Box(model, facts, _scores(model, max_hops)).all_margins()
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
