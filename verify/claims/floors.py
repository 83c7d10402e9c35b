"""What the floors C4, C6 and C7 under test share: does anything here beat them, and by how much not?

A floor is refuted by a model that recalls everything with less than it. So every construction is built at the
parameters asked for, shown to recall, and what it uses is compared with the enclosure of the floor.
"""

import math
from collections.abc import Callable
from typing import Any

from georecall import bounds
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.claim import Claim
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import controlled
from georecall.verify.claims.instance import Instance
from georecall.verify.claims.path_control import path_control
from georecall.verify.margins.certify import certify
from georecall.verify.margins.margins import Found, Progress, margins
from georecall.verify.verdict.judgement import covered, judged
from georecall.verify.verdict.stored_bits import subject_bits
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

Outcome = Mismatch | str | None  # a floor beaten, undecided (in words), or not beaten
Judge = Callable[..., Verdict]  # (facts, progress, **the claim's options)

Paths = dict[str, Instance]  # a way that decided of some construction that it recalls, and one of these

COMPANION_SIZES = {"subjects": 16, "relations": 4, "table": "bijections"}


def seen(controls: bool, paths: Paths, own: Callable[[], ControlResult]) -> list[ControlResult]:
    """What the controls showed: the claim's own, and that of every way that decided."""
    if not controls:
        return []
    return [own(), *filter(None, (path_control(instance, path) for path, instance in paths.items()))]


def companion() -> FactTable:
    """The table on which the controls run."""
    n_subjects, n_relations = int(str(COMPANION_SIZES["subjects"])), int(str(COMPANION_SIZES["relations"]))
    return random_bijections(n_subjects, n_relations, rng=generator(0, "controls"))


def bits_used(model: Transformer, facts: FactTable) -> int:
    """All fact-dependent bits of a model: of the embeddings, and of the other weights."""
    assert model.storage is not None
    return facts.n_subjects * (subject_bits(model, facts.n_subjects) or 0) + model.storage.other_bits


def verified(model: Transformer, facts: FactTable, progress: Progress | None) -> Found:
    """Counted where that can be done, as the claims of C1 are."""
    return certify(model, facts, lambda: margins(model, facts, progress=progress), progress=progress)


def recalls_all(found: Found, n_queries: int) -> tuple[bool | None, str | None]:
    """Whether a construction recalls every query (None: not known), and why not: no floor binds it then."""
    asked = Verdict(claim="recall", status="inconclusive", n_queries=n_queries)
    verdict = covered(judged(asked, found), found)
    return {"holds": True, "refuted": False}.get(verdict.status), verdict.reason


def against(quantity: str, floor: bounds.Enclosure, used: float) -> Outcome:
    """None: the floor is not beaten; a mismatch: it is; words: the enclosure is too wide to tell."""
    decided = floor.at_most(used)
    if decided is None:
        return f"{quantity}: {used} lies within the enclosure {floor}"
    return None if decided else Mismatch(quantity, f"at least {floor}", used)


def ratio(used: int, floor: bounds.Enclosure) -> float:
    """How many times the floor something is."""
    return float(used / floor.lower) if floor.lower > 0 else math.inf


def ends(floor: bounds.Enclosure) -> dict[str, float]:
    """The enclosure of a floor."""
    return {"lower": floor.lower_float, "upper": floor.upper_float}


def floor_verdict(
    claim: Claim,
    hypotheses: tuple[HypothesisResult, ...],
    predicted: dict[str, Any],
    measured: dict[str, Any],
    outcomes: list[Outcome],
    controls: list[ControlResult],
) -> Verdict:
    """Refuted by what beats a floor, inconclusive where an enclosure is too wide or a recall is not shown."""
    beaten = next((outcome for outcome in outcomes if isinstance(outcome, Mismatch)), None)
    close = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
    reason = f"{beaten.quantity}: {beaten.measured}, {beaten.predicted}" if beaten else close
    verdict = Verdict(
        claim=claim.name,
        status="refuted" if beaten else "inconclusive" if close else "holds",
        reason=reason,
        predicted=predicted,
        measured=measured,
        hypotheses=hypotheses,
        witness=beaten,
    )
    return controlled(verdict, controls, dict(COMPANION_SIZES)) if controls else verdict


def control_of(claim: Claim, got: str, ok: bool) -> ControlResult:
    """What the one control of a floor showed."""
    (control,) = claim.controls
    return ControlResult(control.name, control.expected, got, ok)
