"""One claim at one choice of parameters: what its symbols are worth, how to build it, how to measure it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.formulas import Values
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.claims.promise import Promise
from georecall.verify.margins.margins import Found, Margins, Progress
from georecall.verify.usage import require_memory_for_weights
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Verdict

_SEEDS = 64  # tried for a draw that recalls


Again = Callable[[Transformer, FactTable, str], Found | None]


@dataclass(frozen=True)
class Instance:
    """A claim about a construction, at one table of facts and one choice of options.

    Args:
        facts: the table asked about; for multi-hop, with attributes identified with subjects.
        values: what the claim's symbols are worth here.
        parameters: the options taken, defaults filled in, as the verdict reports them.
        build: makes the weights; called only if the hypotheses hold.
        margins: measures them.
        n_queries: how many queries the margins speak for.
        samples: sample queries for an export, one per prompt length at least: subject, relations,
            tokens, positions, answer.
        premises: conditions beyond the claim's hypotheses, already checked.
        promises: the predicted quantities that are lower bounds here, not equalities.
        counts: whether the queries are the facts, asked as `[s, r]`, so that they may be counted by the
            billion (see `verify.margins.counting.tally`) where nobody asks for their margins one by one.
        draws: where the claim is about a share of all draws: what is promised, and how to draw.
        redraw: the instance with draw 0 of the i-th seed from this one, at the same facts.
        lost: where losing facts does not refute: what the verdict is instead (`best-linear-memory`).
        again: decides by the way named (see `Found.path`) what the weights recall of other facts; None where
            that way does not apply.
        companion: the same claim with the same options on a small table, for a control that goes that way.
    """

    facts: FactTable
    values: Values
    parameters: dict[str, Any]
    build: Callable[[], Transformer]
    margins: Callable[[Transformer, Progress | None], Margins]
    n_queries: int
    samples: Callable[[], list[dict[str, Any]]]
    promises: tuple[str, ...] = ()
    premises: tuple[HypothesisResult, ...] = ()
    counts: bool = False
    draws: Promise | None = None
    redraw: "Callable[[int], Instance] | None" = None
    lost: Callable[[Verdict], Verdict] | None = None
    again: Again | None = None
    companion: "Callable[[], Instance] | None" = None


def built(claim: Claim, instance: Instance) -> Transformer:
    """The weights of a claim at an instance.

    Raises:
        UsageError: they would not fit into memory, by the dimension that the claim predicts.
    """
    require_memory_for_weights(instance.facts, claim.predict(instance.values).get("d_model", 0))
    return instance.build()


def recalling(claim: Claim, instance: Instance) -> tuple[Transformer, int | None]:
    """The weights of a claim at an instance; of a random one a draw that recalls all facts, if soon found.

    Returns:
        The weights, and how many seeds further on they were drawn: 0 nearly always; None where draw 0 of no
        seed tried recalls everything, and the weights are those of the first.
    """
    first = built(claim, instance)
    if instance.redraw is None or instance.margins(first, None).n_wrong == 0:
        return first, 0
    for i in range(1, _SEEDS):
        again = instance.redraw(i)
        model = again.build()
        if again.margins(model, None).n_wrong == 0:
            return model, i
    return first, None


def exact_biases(biases: Iterable[Fraction]) -> HypothesisResult:
    """Whether biases are floats: where float64 rounds them, the weights are not the theorem's."""
    exact = all(Fraction(float(bias)) == bias for bias in biases)
    return HypothesisResult("biases that float64 holds exactly (a gate of few bits has them)", exact)


class Experiment(Protocol):
    """How a claim about a construction is put to the test."""

    @property
    def claim(self) -> Claim:
        """The claim."""

    @property
    def default_table(self) -> tuple[int, int]:
        """N and R of the random table where none is asked for."""

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at these facts and options; options have been checked against the claim's parameters."""

    def controls(self, **options: Any) -> list[ControlResult]:
        """Runs the claim's negative controls on a companion instance, with the options asked for."""

    def controls_at(self, **options: Any) -> dict[str, Any]:
        """The parameters of that companion instance."""
