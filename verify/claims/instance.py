"""One claim at one choice of parameters: what its symbols are worth, how to build it, how to measure it."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.formulas import Values
from georecall.theory.claims.symbols import A, N, R
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.progress import Progress
from georecall.verify.claims.controls import companion_sizes
from georecall.verify.claims.promise import Promise, draws_by_workers, kept
from georecall.verify.engines.engine import in_engine
from georecall.verify.margins.counting.elsewhere import Elsewhere
from georecall.verify.margins.decide import Found, decide_recall
from georecall.verify.margins.found import Margins
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import margins
from georecall.verify.usage import require_memory_for_weights, show
from georecall.verify.verdict.intervals import Each
from georecall.verify.verdict.outcome import covered, quantities, recall_verdict, uncertified
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

if TYPE_CHECKING:
    from georecall.verify.claims.options import Prepared

_SEEDS = 64  # tried for a draw that recalls

Again = Callable[[Transformer, FactTable, str], Found | None]
Paths = Mapping[str, "Instance"]  # a way that decided, and what it decided


@dataclass(frozen=True)
class Run:
    """How a claim is measured: see `check`."""

    engine: str = "numpy"
    checkpoint: str | PathLike[str] | None = None
    executor: Executor | None = None
    question: "Callable[[], Prepared] | None" = None  # what its workers make, each for itself
    progress: Progress | None = None
    controls: bool = True

    @property
    def elsewhere(self) -> Elsewhere | None:
        """Who judges facts instead of this process, if somebody does."""
        if self.executor is None or self.question is None:
            return None
        return Elsewhere(self.executor, partial(_made, self.question))

    @property
    def each(self) -> Each:
        """Who draws."""
        if self.executor is None or self.question is None:
            return map
        return draws_by_workers(self.executor, partial(_promised, self.question))


def _made(question: "Callable[[], Prepared]") -> tuple[Transformer, FactTable]:
    """The weights and facts of a claim, made again by a worker."""
    prepared = question()
    return prepared.instance.build(), prepared.facts


def _promised(question: "Callable[[], Prepared]") -> Promise:
    """What is promised of its draws."""
    draws = question().instance.draws
    assert draws is not None
    return draws


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A claim at one table of facts and one choice of options.

    Args:
        facts: the table asked about; for multi-hop, with attributes identified with subjects.
        values: what the claim's symbols are worth here.
        parameters: the options taken, defaults filled in, as the verdict reports them.
        n_queries: how many queries the verdict speaks for.
        conditions: of the facts, beside the claim's hypotheses, already checked.
        premises: further ones, which a verdict names where they fail.
        counts: whether the queries are the facts, asked as `[s, r]`, so that they may be counted by the
            billion (see `verify.margins.counting.counted`) where nobody asks for their margins one by one.
    """

    about: ClassVar[str] = "all models"

    facts: FactTable
    values: Values
    parameters: dict[str, Any]
    n_queries: int
    conditions: tuple[HypothesisResult, ...] = ()
    premises: tuple[HypothesisResult, ...] = ()
    counts: bool = False

    @property
    def shared(self) -> bool:
        """Whether the workers of an executor may do it together."""
        return self.counts

    def measured(self, claim: Claim, verdict: Verdict, run: Run) -> tuple[Verdict, Paths]:
        """The verdict before the controls of the claim and of the ways that decided, and these ways."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Instance(Asked):
    """A claim about a construction, at one table of facts and one choice of options.

    Args:
        build: makes the weights; called only if the hypotheses hold.
        margins: measures them.
        samples: sample queries for an export, one per prompt length at least: subject, relations,
            tokens, positions, answer.
        promises: the predicted quantities that are lower bounds here, not equalities.
        draws: where the claim is about a share of all draws: what is promised, and how to draw.
        redraw: the instance with draw 0 of the i-th seed from this one, at the same facts.
        lost: where losing facts does not refute: what the verdict is instead (`best-linear-memory`).
        again: decides by the way named (see `Margins.path`) what the weights recall of other facts; None if
            that way does not apply.
        companion: the same claim with the same options on a small table, for a control that goes that way.
        by_facts: whether `margins` are those of all facts, asked as `[s, r]`, which may be shared.
    """

    about: ClassVar[str] = "weights"

    build: Callable[[], Transformer]
    margins: Callable[[Transformer, Progress | None], Margins]
    samples: Callable[[], list[dict[str, Any]]]
    promises: tuple[str, ...] = ()
    draws: Promise | None = None
    redraw: "Callable[[int], Instance] | None" = None
    lost: Callable[[Verdict], Verdict] | None = None
    again: Again | None = None
    companion: "Callable[[], Instance] | None" = None
    by_facts: bool = False

    @property
    def shared(self) -> bool:
        """Whether facts, or draws, may be shared."""
        return self.counts or self.by_facts or self.draws is not None

    def measured(self, claim: Claim, verdict: Verdict, run: Run) -> tuple[Verdict, Paths]:
        """Builds the weights and judges their margins, then every quantity that is predicted."""
        predicted, counts = claim.predict(self.values), self.counts and run.engine == "numpy"
        require_memory_for_weights(self.facts, predicted["d_model"], on_demand=counts)
        model = self.build()
        try:
            found = self.found(model, run, verdict) if counts else self._margins(model, run)
        except PremiseError as error:
            reason = uncertified(self.n_queries, error)
            return replace(verdict, status="inconclusive", predicted=predicted, reason=reason), {}
        verdict = replace(verdict, predicted=predicted, measured=quantities(model, found, self.facts))
        verdict = self._judged(verdict, found, run)
        if verdict.status == "holds":
            verdict = self._as_predicted(verdict, found)
        if verdict.status == "holds":
            verdict = covered(verdict, found)
            verdict = in_engine(verdict, model, found, run.engine, run.progress, controls=run.controls)
        return verdict, {found.path: self}

    def found(self, model: Transformer, run: Run, verdict: Verdict) -> Found:
        """What counting finds of the facts, where they may be counted and that applies; or the margins."""
        if not self.counts:
            return self._margins(model, run)
        return decide_recall(
            model,
            self.facts,
            lambda: self.margins(model, run.progress),
            work={"claim": verdict.claim, "seed": verdict.seed} | verdict.parameters,
            checkpoint=run.checkpoint,
            elsewhere=run.elsewhere,
            progress=run.progress,
        )

    def _margins(self, model: Transformer, run: Run) -> Margins:
        """The margins, by whoever judges facts."""
        if self.by_facts and run.executor is not None:
            return margins(model, self.facts, elsewhere=run.elsewhere, progress=run.progress)
        return self.margins(model, run.progress)

    def _judged(self, verdict: Verdict, found: Found, run: Run) -> Verdict:
        """Whether everything is recalled, or as many draws recall everything as were promised."""
        if self.draws is not None:
            return kept(verdict, found, self.draws, run.progress, run.each)
        verdict = recall_verdict(verdict, found)
        return self.lost(verdict) if verdict.status == "refuted" and self.lost is not None else verdict

    def _as_predicted(self, verdict: Verdict, found: Found) -> Verdict:
        """Refuted by the first quantity that is not what was predicted, or less than was promised."""
        for name, value in verdict.predicted.items():
            measured, promised = verdict.measured[name], name in self.promises
            if promised:
                agrees = measured >= Fraction(str(value))
            elif name == "min_margin":
                agrees = found.minimum[0] <= Fraction(str(value)) <= found.minimum[1]
            else:
                agrees = measured == value
            if not agrees and promised and name == "min_margin" and found.minimum[1] >= Fraction(str(value)):
                reason = f"min_margin is at least {_short(measured)}, promised at least {_short(value)}"
                return replace(verdict, status="inconclusive", reason=reason)
            if not agrees:
                reason = f"{name} is {_short(measured)}, {'promised at least' if promised else 'predicted'} "
                witness = Mismatch(name, value, measured)
                return replace(verdict, status="refuted", reason=reason + _short(value), witness=witness)
            if promised and name == "min_margin":
                times = float(Fraction(measured) / Fraction(str(value)))
                verdict = replace(verdict, measured=verdict.measured | {"times_promised": times})
        return verdict


def _short(value: Any) -> str:
    """A number in full, unless that is no number for a line."""
    long = isinstance(value, Fraction) and sum(part.bit_length() for part in value.as_integer_ratio()) > 100
    return show(value) if long else str(value)


def table_values(facts: Table) -> dict[Any, Any]:
    """What the symbols of a table are worth, for a claim's values."""
    return {N: facts.n_subjects, R: facts.n_relations, A: facts.n_attributes}


def built(claim: Claim, instance: Instance) -> Transformer:
    """The weights of a claim at an instance; refused if they would not fit into memory."""
    require_memory_for_weights(instance.facts, claim.predict(instance.values).get("d_model", 0))
    return instance.build()


def recalling(claim: Claim, instance: Instance) -> tuple[Transformer, int | None]:
    """The weights of a claim at an instance; of a random one of the first seed whose draw recalls all facts.

    And how many seeds further on that is: 0 nearly always; None, and the weights of the first, if none does.
    """
    first = built(claim, instance)
    if instance.redraw is None:
        return first, 0
    again, model = instance, first
    for i in range(_SEEDS):
        if i:
            again = instance.redraw(i)
            model = again.build()
        if again.margins(model, None).n_wrong == 0:
            return model, i
    return first, None


def exact_biases(biases: Iterable[Fraction]) -> HypothesisResult:
    """Whether biases are floats: where float64 rounds them, the weights are not the theorem's."""
    exact = all(Fraction(float(bias)) == bias for bias in biases)
    return HypothesisResult("biases that float64 holds exactly (a gate of few bits has them)", exact)


class Experiment:
    """How a claim is put to the test. One joins by standing in a module of this folder.

    Args:
        claim: the claim.
        default_table: N and R of the random table where none is asked for.
        default_hops: k where it is not given.
        companion: the table that the controls run on, if it is always the same.
        seeded: whether the seed also draws the instance.
        on_demand: whether facts may be keyed bijections, evaluated on demand.
    """

    claim: Claim
    default_table: tuple[int, int] = (1000, 8)
    default_hops: int = 1
    companion: ClassVar[FactTable | None] = None
    seeded: bool = False
    on_demand: bool = False

    @property
    def name(self) -> str:
        """The claim's name."""
        return self.claim.name

    def of_random(self, facts: FactTable) -> FactTable:
        """What the claim is asked about where a random table is asked for."""
        return facts

    def instance(self, facts: FactTable, **options: Any) -> Asked:
        """The claim at these facts and options; options have been checked against the claim's parameters."""
        raise NotImplementedError

    def controls(self, **options: Any) -> list[ControlResult]:
        """Runs the claim's negative controls on a small companion instance, with the options asked for."""
        return []

    def controls_at(self, **options: Any) -> dict[str, Any]:
        """The parameters of that companion instance."""
        return {} if self.companion is None else companion_sizes(self.companion)
