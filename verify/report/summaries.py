"""Lemmas, identities, bounds and constructions: one row each, in the order of their public lists."""

import inspect
from dataclasses import dataclass
from typing import Any

from georecall.bounds import BOUNDS, Enclosure, MissingExtraError
from georecall.bounds.parameters import PARAMETERS, example
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.lemmas import LEMMAS, NoCounterexampleError, counterexample, prove
from georecall.theory.lemmas.identity import Identity
from georecall.theory.lemmas.lemma import Lemma
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.options import EXPERIMENTS, prepare
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.report.commands import command_line

SUBJECTS, RELATIONS = 8, 3  # of the one table that every construction is built on


@dataclass(frozen=True)
class LemmaRow:
    """A lemma, what the solver says of it, and how many of its hypotheses a counterexample shows needed."""

    lemma: Lemma
    status: str
    n_needed: int
    reason: str = ""


@dataclass(frozen=True)
class BoundRow:
    """A bound at some parameters: its value between two exact ends, or why there is none here."""

    name: str
    says: str
    value: Enclosure | None
    missing: str | None
    command: str


@dataclass(frozen=True)
class ConstructionRow:
    """A construction on the common table: its size, and what its margins say."""

    name: str
    says: str
    shape: dict[str, int]
    found: Margins | None
    missing: str | None


def lemma_row(name: str) -> LemmaRow:
    """Proves one lemma of `theory.lemmas.LEMMAS`, and looks for a counterexample without each hypothesis."""
    lemma = LEMMAS[name]
    try:
        proof = prove(lemma)
        needed = 0
        for hypothesis in lemma.hypotheses:
            try:
                counterexample(lemma, without=hypothesis.name)
            except NoCounterexampleError:
                continue
            needed += 1
    except ImportError as error:
        return LemmaRow(lemma, "stated", 0, str(error))
    return LemmaRow(lemma, proof.status, needed, proof.reason)


def identities() -> tuple[Identity, ...]:
    """The identities that SymPy reduces, each just checked.

    Raises:
        ArithmeticError: one is false, or beyond SymPy.
    """
    from georecall.theory.lemmas.analysis import IDENTITIES

    return tuple(identity() for identity in IDENTITIES)


def bound_row(name: str) -> BoundRow:
    """Evaluates one bound of `bounds.BOUNDS`."""
    bound = BOUNDS[name]
    says = _first_line(bound)
    given = example(name, bound)
    flags = {parameter.name: parameter.option for parameter in PARAMETERS}
    again = command_line("bound", name, flags=flags, **given)
    try:
        return BoundRow(name, says, bound(**given), None, again)
    except (ValueError, MissingExtraError) as error:
        return BoundRow(name, says, None, str(error), again)


def common_table(seed: int) -> FactTable:
    """The facts that every construction is built on."""
    rng = generator(seed, "bijections", SUBJECTS, RELATIONS)
    return random_bijections(SUBJECTS, RELATIONS, rng=rng)


def construction_row(name: str, facts: FactTable) -> ConstructionRow:
    """Builds one construction of `constructions.CONSTRUCTIONS` and obtains the margins of all its queries."""
    says = _first_line(CONSTRUCTIONS[name])
    try:
        if name in EXPERIMENTS:
            instance = prepare(name, EXPERIMENTS[name].of_random(facts)).instance
            model = instance.build()
            found = instance.margins(model, None)
        else:
            model = CONSTRUCTIONS[name](facts)
            found = margins(model, facts)
    except (ValueError, ImportError) as error:
        return ConstructionRow(name, says, {}, None, str(error))
    shape = {size: getattr(model, size) for size in ("d_model", "d_mlp", "n_layers", "n_parameters")}
    return ConstructionRow(name, says, shape, found, None)


def _first_line(function: Any) -> str:
    return (inspect.getdoc(function) or "").split("\n")[0]
