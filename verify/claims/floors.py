"""What the floors C4, C6 and C7 under test share: does anything here beat them, and by how much not?

A floor is refuted by a model that recalls everything with less than it. So every construction is built at the
parameters asked for, shown to recall, and what it uses is compared with the enclosure of the floor.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from georecall import bounds
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.claim import Claim
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import companion_sizes, result
from georecall.verify.claims.instance import Asked, Experiment, Instance, Paths, Run, built, table_values
from georecall.verify.margins.induction import PremiseError
from georecall.verify.usage import require_memory_for_table
from georecall.verify.verdict.outcome import covered, recall_verdict, uncertified
from georecall.verify.verdict.stored_bits import subject_bits
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

_Outcome = Mismatch | str | None  # a floor beaten, undecided (in words), or not beaten

COMPANION = random_bijections(16, 4, rng=generator(0, "controls"))


def typed_and_untyped(facts: FactTable, hops: int) -> dict[str, FactTable]:
    """Tables for floors on several hops: bijections of each hop's own, as many, and the facts themselves."""
    N, R = facts.n_subjects, facts.n_relations
    require_memory_for_table(N, R * hops)
    rng = generator(0, "typed table", N, R, hops)
    return {"typed": random_bijections(N, R * hops, rng=rng), "untyped": facts}


def bits_used(model: Transformer, facts: FactTable) -> int:
    """All fact-dependent bits of a model: of the embeddings, and of the other weights."""
    assert model.storage is not None
    return facts.n_subjects * (subject_bits(model, facts.n_subjects) or 0) + model.storage.other_bits


def against(quantity: str, floor: bounds.Enclosure, used: float) -> _Outcome:
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


@dataclass(frozen=True)
class Floor(Experiment):
    """A claim about all models: whatever is built must not beat it.

    Args:
        claim: the claim.
        compare: what is built at a table and options, against the floor: from the verdict so far, the table,
            the progress to report and the options to the verdict before its controls, and to the ways that
            decided that something recalls everything.
        broken: the claim's own controls.
        conditions: of the table, beside the hypotheses, in words.
        at: the parameters of the companion instance that the controls run on.
    """

    claim: Claim
    compare: Callable[..., tuple[Verdict, Paths]]
    broken: Callable[[], list[ControlResult]]
    conditions: Callable[[FactTable], dict[str, bool]] = lambda facts: {}
    at: Mapping[str, Any] = field(default_factory=lambda: companion_sizes(COMPANION))
    default_table: tuple[int, int] = (1000, 8)

    def instance(self, facts: FactTable, **options: Any) -> Asked:
        options = {"hops": 2} | options if "hops" in self.claim.parameters else options
        return _Compared(
            facts=facts,
            values=table_values(facts),
            parameters=options,
            n_queries=facts.n_subjects * facts.n_relations ** options.get("hops", 1),
            conditions=tuple(HypothesisResult(*each) for each in self.conditions(facts).items()),
            compare=lambda verdict, progress: self.compare(verdict, facts, progress, **options),
        )

    def controls(self, **_: Any) -> list[ControlResult]:
        return self.broken()

    def controls_at(self, **_: Any) -> dict[str, Any]:
        return dict(self.at)


@dataclass(frozen=True, kw_only=True)
class _Compared(Asked):
    """A floor at one table and choice of options."""

    compare: Callable[[Verdict, Progress | None], tuple[Verdict, Paths]]

    def measured(self, claim: Claim, verdict: Verdict, run: Run) -> tuple[Verdict, Paths]:
        """Whether anything built here beats the floor."""
        return self.compare(verdict, run.progress)


@dataclass
class Beside:
    """What is built beside a floor: its sizes, what beats the floor, and the ways that decided its recall."""

    progress: Progress | None
    measured: dict[str, Any] = field(default_factory=dict)
    outcomes: list[_Outcome] = field(default_factory=list)
    paths: dict[str, Instance] = field(default_factory=dict)

    def recall(self, what: str, instance: Instance, model: Transformer) -> Verdict:
        """Whether a construction recalls every query; no floor binds one of which that is not known."""
        verdict = Verdict(claim="recall", status="inconclusive", n_queries=instance.n_queries)
        try:
            found = instance.found(model, Run(progress=self.progress), verdict)
        except PremiseError as error:
            verdict = replace(verdict, reason=uncertified(instance.n_queries, error))
        else:
            verdict = covered(recall_verdict(verdict, found), found)
            if verdict.status == "holds":
                self.paths[found.path] = instance
                return verdict
        self.outcomes.append(f"{what}: {verdict.reason}")
        return verdict

    def of_hops(
        self, what: str, experiment: Experiment, facts: FactTable, **options: Any
    ) -> tuple[Verdict, int, int]:
        """A construction of hops: whether it recalls everything, its bits of a subject, its other bits."""
        instance: Any = experiment.instance(facts, **options)
        model = built(experiment.claim, instance)
        assert model.storage is not None
        of_subject = subject_bits(model, facts.n_subjects) or 0
        return self.recall(what, instance, model), of_subject, model.storage.other_bits

    def enter(
        self, what: str, recall: Verdict, *uses: tuple[str, bounds.Enclosure, float], **measured: Any
    ) -> None:
        """The sizes of something built; if it recalls everything, what it uses against floors."""
        self.measured[what] = measured | {"recalls": {"holds": True, "refuted": False}.get(recall.status)}
        if recall.status == "holds":
            self.outcomes += [against(*use) for use in uses]

    def judged(self, verdict: Verdict, predicted: dict[str, Any]) -> tuple[Verdict, Paths]:
        """Refuted by what beats a floor, inconclusive where an enclosure is too wide or recall not shown."""
        beaten = next((outcome for outcome in self.outcomes if isinstance(outcome, Mismatch)), None)
        close = next((outcome for outcome in self.outcomes if isinstance(outcome, str)), None)
        verdict = replace(
            verdict,
            status="refuted" if beaten else "inconclusive" if close else "holds",
            reason=f"{beaten.quantity}: {beaten.measured}, {beaten.predicted}" if beaten else close,
            predicted=predicted,
            measured=self.measured,
            witness=beaten,
        )
        return verdict, self.paths


def control_of(claim: Claim, got: str, ok: bool) -> list[ControlResult]:
    """What the one control of a floor showed."""
    (control,) = claim.controls
    return [result(control, got, ok)]
