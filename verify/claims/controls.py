"""What negative controls share: predictions for every margin, and what came out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code
from georecall.theory.claims.claim import Control
from georecall.theory.tools.arrays import Floats
from georecall.verify.margins.found import Margins
from georecall.verify.verdict.verdict import ControlResult, Verdict


def controlled(verdict: Verdict, controls: Sequence[ControlResult], at: dict[str, Any] | None) -> Verdict:
    """The verdict with its controls; one that comes out otherwise than the theory says takes it back.

    Args:
        verdict: of the claim, and perhaps with controls of its own.
        controls: the further ones.
        at: the parameters of the companion instance that they ran on, if one is.
    """
    verdict = replace(verdict, controls=(*verdict.controls, *controls), controls_at=at)
    failed = [control.name for control in verdict.controls if not control.ok]
    if failed and verdict.status != "refuted":  # a witness does not rest on the controls
        taken_back = f"control not as predicted: {', '.join(failed)}"
        reason = "; ".join(filter(None, (verdict.reason, taken_back)))
        return replace(verdict, status="inconclusive", reason=reason)
    return verdict


def result(control: Control, got: str, ok: bool) -> ControlResult:
    """What a control showed, and whether that is what the theory says."""
    return ControlResult(control.name, control.expected, got, bool(ok))


def agreement(
    control: Control, found: Margins, predicted: Floats, *, fails: bool = False, besides: bool = True
) -> ControlResult:
    """Every margin must be the predicted one, exactly.

    Args:
        control: the control.
        found: margins of the broken instance.
        predicted: the same shape.
        fails: whether some must not be positive.
        besides: another condition.
    """
    agree, wrong = int((found.lower == predicted).sum()), int((predicted <= 0).sum())
    got = f"{agree} of {found.n_facts} margins as predicted, {found.n_wrong} not positive"
    ok = found.exact and agree == found.n_facts and found.n_wrong == wrong and (wrong > 0 or not fails)
    return result(control, got, ok and besides)


def nearest_word_margins(readout: Floats, code: Code, answers: NDArray[np.int64]) -> Floats:
    """Margins of nearest-word logits <v_a, y> - |v_a|^2/2 for given readouts y.

    Args:
        readout: shape (..., m).
        code: the words.
        answers: the right attributes, shape (...).
    """
    logits = readout @ code.words.T - (code.words**2).sum(axis=1) / 2
    right = np.take_along_axis(logits, answers[..., None], axis=-1)[..., 0]
    np.put_along_axis(logits, answers[..., None], -np.inf, axis=-1)
    return np.asarray(right - logits.max(axis=-1))


def neighbour(code: Code, answers: NDArray[np.int64]) -> tuple[int, int, int]:
    """A subject, a coordinate, and an attribute whose word differs from the answer's there alone.

    Args:
        code: the words.
        answers: of every subject, shape (N,).

    Raises:
        ValueError: no two words differ in one coordinate alone.
    """
    for subject, answer in enumerate(answers):
        differs = code.words != code.words[answer]
        for other in np.flatnonzero(differs.sum(axis=1) == 1):
            return subject, int(np.argmax(differs[other])), int(other)
    raise ValueError("no two words of the code differ in one coordinate alone")
