"""What negative controls share: predictions for every margin, and what came out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.claim import Control
from georecall.theory.claims.single_hop import ALTERED_FACT, SHORT_CODE
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.verdict.verdict import ControlResult, Verdict


def controlled(verdict: Verdict, controls: Sequence[ControlResult], at: dict[str, Any] | None) -> Verdict:
    """The verdict with further controls, run at these parameters; one not as predicted takes it back."""
    verdict = replace(verdict, controls=(*verdict.controls, *controls), controls_at=at)
    failed = [control.name for control in verdict.controls if not control.ok]
    if failed and verdict.status != "refuted":  # a witness does not rest on the controls
        taken_back = f"control not as predicted: {', '.join(failed)}"
        reason = "; ".join(filter(None, (verdict.reason, taken_back)))
        return replace(verdict, status="inconclusive", reason=reason)
    return verdict


def result(control: Control, got: str, ok: Any) -> ControlResult:
    """What a control showed, and whether that is what the theory says."""
    return ControlResult(control.name, control.expected, got, bool(ok))


def companion_sizes(facts: FactTable, **others: Any) -> dict[str, Any]:
    """The parameters of a companion instance, whose table is one of bijections."""
    return {"subjects": facts.n_subjects, "relations": facts.n_relations, "table": "bijections"} | others


def questions(found: Margins, facts: FactTable) -> str:
    """The first queries that went wrong, in words."""
    wrong = [facts.question(*query) for query in found.wrong[:3]]
    return ", ".join(wrong) + (" ..." if found.n_wrong > 3 else "")


def altered_fact(
    model: Transformer,
    facts: FactTable,
    relation: int = 1,
    *,
    control: Control = ALTERED_FACT,
    ask: Callable[[Transformer, FactTable], Margins] = margins,
) -> ControlResult:
    """One fact altered after building: exactly that one is wrong."""
    found = ask(model, facts.altered(3, relation, int(facts.answers[relation, 3] + 1) % facts.n_attributes))
    return result(control, f"wrong: {questions(found, facts)}", found.wrong == [(3, relation)])


def short_code(model: Transformer, facts: FactTable, code: Code) -> ControlResult:
    """A code so short that words collide: exactly the answers that share one have margin 0."""
    _, word, count = np.unique(code.words, axis=0, return_inverse=True, return_counts=True)
    collides = (count > 1)[word.reshape(-1)][facts.answers]
    found = margins(model, facts)
    zero = found.exact & (found.lower == 0)
    got = f"{zero.sum()} margins are 0, {collides.sum()} answers share a word, {found.n_wrong} are wrong"
    ok = collides.any() and (zero == collides).all() and found.n_wrong == collides.sum()
    return result(SHORT_CODE, got, ok)


def as_predicted(
    control: Control, found: Margins, predicted: Floats, *, fails: bool = False, besides: bool = True
) -> ControlResult:
    """Every margin found must be the predicted one, exactly; `fails`: some of them are not positive."""
    agree, wrong = int((found.lower == predicted).sum()), int((predicted <= 0).sum())
    got = f"{agree} of {found.n_facts} margins as predicted, {found.n_wrong} not positive"
    ok = found.exact and agree == found.n_facts and found.n_wrong == wrong and (wrong > 0 or not fails)
    return result(control, got, ok and besides)


def nearest_word_margins(readout: Floats, code: Code, answers: NDArray[np.int64]) -> Floats:
    """Margins of nearest-word logits <v_a, y> - |v_a|^2/2 for given readouts y, shape (..., m)."""
    logits = readout @ code.words.T - (code.words**2).sum(axis=1) / 2
    right = np.take_along_axis(logits, answers[..., None], axis=-1)[..., 0]
    np.put_along_axis(logits, answers[..., None], -np.inf, axis=-1)
    return np.asarray(right - logits.max(axis=-1))


def neighbour(code: Code, answers: NDArray[np.int64]) -> tuple[int, int, int]:
    """A subject, a coordinate, and an attribute whose word differs from the subject's answer's there alone.

    Raises:
        ValueError: no two words differ in one coordinate alone.
    """
    for subject, answer in enumerate(answers):
        differs = code.words != code.words[answer]
        for other in np.flatnonzero(differs.sum(axis=1) == 1):
            return subject, int(np.argmax(differs[other])), int(other)
    raise ValueError("no two words of the code differ in one coordinate alone")
