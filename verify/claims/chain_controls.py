"""The negative controls of C3, each on a small companion whose every margin the theory predicts."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.chain_of_thought import Readout, chain_of_thought
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import Attention
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import chain_of_thought as chain
from georecall.theory.claims.single_hop import readout_selected
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters, spelled
from georecall.theory.tools.arrays import Floats
from georecall.verify.claims.controls import altered_fact, as_predicted, nearest_word_margins, result
from georecall.verify.claims.hop_controls import CODE, COMPANION, WEAK
from georecall.verify.margins.found import Margins
from georecall.verify.margins.hops import enumeration
from georecall.verify.margins.induction import PremiseError, induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Prompts, SingleSteps
from georecall.verify.verdict.verdict import ControlResult

_MAX_HOPS = 5  # three signs of position


def chain_controls(facts: FactTable = COMPANION, readout: Readout = "in-place") -> list[ControlResult]:
    """C3's controls."""
    certify = partial(induction, max_hops=_MAX_HOPS)
    words = CODE.words[facts.answers].astype(float)
    weak = chain_of_thought(facts, max_hops=_MAX_HOPS, code=CODE, gate=WEAK, readout=readout)
    model = chain_of_thought(facts, max_hops=_MAX_HOPS, code=CODE, readout=readout)
    halves = model.W_pos[:_MAX_HOPS] + model.W_pos[_MAX_HOPS:]  # entity i has the codes of relation i
    shared = replace(model, W_pos=np.concatenate([halves, halves]))
    same_key = _attention(model)["W_K"]  # of relations whose position codes differ in the first sign alone
    same_key[:, 0] = 0
    weakly, sharing = readout_selected(words, WEAK, -1), chain.readout_shared_positions(words, 1.0)
    predicted = [nearest_word_margins(read, CODE, facts.answers) for read in (weakly, sharing)]
    return [
        as_predicted(chain.WEAK_GATE_OF_STEPS, _steps(weak, facts), predicted[0], fails=True),
        as_predicted(chain.SHARED_POSITIONS, _steps(shared, facts), predicted[1], fails=True),
        _contiguous(model, facts, words),
        _uncaught_by_single_steps(chain.CORRUPTED_KEYS, _with_attention(model, W_K=(same_key,)), facts),
        _uncaught_by_single_steps(chain.CORRUPTED_TOKENS, _with_a_loud_token(model, facts), facts),
        altered_fact(model, facts, control=chain.ALTERED_STEP, ask=certify),
        _softer(facts, readout),
    ]


def _steps(model: Transformer, facts: FactTable) -> Margins:
    """The least margin of every single step over all its places."""
    found = [margins(model, SingleSteps(facts, _MAX_HOPS, i)) for i in range(1, _MAX_HOPS + 1)]
    return Margins.least(found, found[0].queries)


def _with_attention(model: Transformer, **weights: Any) -> Transformer:
    attention = model.blocks[0].attention
    assert attention is not None
    changed = Attention(**{**vars(attention), **weights})
    return replace(model, blocks=(replace(model.blocks[0], attention=changed),))


def _attention(model: Transformer) -> dict[str, NDArray[Any]]:
    """The one head's matrices, dense copies."""
    attention = model.blocks[0].attention
    assert attention is not None
    return {name: dense(heads[0]).copy() for name, heads in vars(attention).items()}


def _with_a_loud_token(model: Transformer, facts: FactTable) -> Transformer:
    """Relation 0's token writes to one key coordinate; it adds 2.5 to its score at the first steps.

    Two position codes differ by 2 at least, so that it wins from any place; its own score, at least 3 - 2.5
    at the other steps, stays above that of entities, 0, so that single steps pass.
    """
    W_E = model.W_E.copy()
    key = np.flatnonzero(_attention(model)["W_K"].any(axis=1))[-1]
    W_E[facts.n_subjects, key] = 2.5 * model.W_pos[0, key]
    return replace(model, W_E=W_E)


@dataclass(frozen=True, eq=False)
class _Contiguous(Chains):
    """Chains whose subject stands right after the relations."""

    def prompts(self, numbers: NDArray[np.int64]) -> Prompts:
        """The prompts of some queries, at positions 0, 1, .., k."""
        prompts = super().prompts(numbers)
        return prompts._replace(positions=np.arange(prompts.tokens.shape[1]))


def _contiguous(model: Transformer, facts: FactTable, words: Floats) -> ControlResult:
    """Step 1 of three hops where five are the most: position 3 has no query."""
    alphabet = letters(facts, 3)
    found = margins(model, _Contiguous(facts, alphabet, step=1, max_hops=_MAX_HOPS))
    asked = spelled(np.arange(facts.n_relations**3), alphabet)
    read = chain.readout_contiguous(words, 1.0, asked)
    predicted = nearest_word_margins(read, CODE, facts.answers[asked[:, 0]])
    return as_predicted(chain.CONTIGUOUS, found, predicted.reshape(found.lower.shape), fails=True)


def _uncaught_by_single_steps(control: Any, model: Transformer, facts: FactTable) -> ControlResult:
    """Single steps pass, and chains fail: the certificate must refuse."""
    steps, chains = _steps(model, facts), enumeration(model, facts, 3, max_hops=_MAX_HOPS)
    try:
        induction(model, facts, max_hops=_MAX_HOPS)
        refusal = None
    except PremiseError as error:
        refusal = str(error)
    got = (
        f"{steps.n_recalled} of {steps.n_facts} single steps pass, {chains.n_wrong} of {chains.n_facts} "
        f"chains of 3 hops fail, {f'refused: {refusal}' if refusal else 'not refused'}"
    )
    ok = steps.n_recalled == steps.n_facts and chains.n_wrong > 0 and refusal is not None
    return result(control, got, ok)


def _softer(facts: FactTable, readout: Readout) -> ControlResult:
    """Softmax with the scores halved: the bound, and the chains that the model is shown, fall short."""
    promised = 1.0
    asked: dict[str, Any] = {"attention": "soft", "margin": promised, "readout": readout}
    model = chain_of_thought(facts, max_hops=_MAX_HOPS, code=CODE, **asked)
    softer = _with_attention(model, W_Q=(_attention(model)["W_Q"] / 2,))
    kept = induction(model, facts, max_hops=_MAX_HOPS).minimum[0]
    bound = induction(softer, facts, max_hops=_MAX_HOPS).minimum[0]
    shown = enumeration(softer, facts, 4, max_hops=_MAX_HOPS).minimum[1]
    got = (
        f"promised {promised:g}; certified {float(kept):.3g} at the scale, {float(bound):.3g} at half of it, "
        f"where a chain has margin {float(shown):.3g}"
    )
    return result(chain.SOFTER_CONTEXT, got, bound <= shown < promised <= kept)
