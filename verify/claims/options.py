"""What is asked of `check`: a claim, facts and options, examined and turned into an instance."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np

from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.codes.code import Code
from georecall.constructions.embeddings import EMBEDDINGS
from georecall.theory.claims import CLAIMS, claim_name, family
from georecall.theory.claims.claim import Claim
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.theory.facts.keyed import KeyedBijections
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.modules import Offers
from georecall.theory.tools.names import meant
from georecall.theory.tools.numerals import as_float
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.instance import Asked, Experiment, Instance
from georecall.verify.usage import Option, UsageError, require_memory, require_memory_for_table, show
from georecall.verify.verdict.outcome import assumed, table_sizes


def _offered(module: ModuleType) -> Iterator[tuple[str, Experiment]]:
    """What stands in a module and puts a claim to the test, alone or in a tuple."""
    for value in vars(module).values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Experiment):
                yield each.name, each


EXPERIMENTS: Offers[Experiment] = Offers(
    str(__package__), _offered, home=family, order=lambda found: [name for name in CLAIMS if name in found]
)
TABLES: dict[str, Callable[..., FactTable]] = {"bijections": random_bijections, "functions": random_functions}
_LARGEST = 2.0**500  # of a gate or margin: weights and logits made of it stay far from float64's largest
_MOST_SOFT_HOPS = 512  # k^2 / 2 contexts, some 15 s; ten times as many would take half an hour
_WHOLE = ("bits", "code_length", "code_distance", "hops", "split", "stages", "trials")
_REAL = ("gate", "margin", "delta")
_OWN_CODE = ("linear-memory", "random-feature-memory", "best-linear-memory")  # as long as the dimension says
_CHOICES = {
    "attention": ("hard", "soft"),
    "readout": ("in-place", "separate"),
    "embedding": tuple(EMBEDDINGS),
}


@dataclass(frozen=True)
class Question:
    """A claim, the facts it is asked about, and what they make of it; nothing is built yet."""

    experiment: Experiment
    facts: FactTable
    instance: Asked
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Prepared(Question):
    """A question about weights."""

    instance: Instance


def prepare(claim: str | Claim, facts: FactTable | None = None, **asked: Any) -> Prepared:
    """What `check` would build and measure; arguments and errors as there."""
    question = examined(claim, facts, **asked)
    if not isinstance(question.instance, Instance):
        built = ", ".join(name for name in EXPERIMENTS if name in CONSTRUCTIONS)
        raise UsageError(f"{question.experiment.name} is about all models; weights have {built}")
    return Prepared(question.experiment, question.facts, question.instance, question.parameters)


def examined(
    claim: str | Claim,
    facts: FactTable | None = None,
    *,
    subjects: int | None = None,
    relations: int | None = None,
    table: str | None = None,
    seed: int = 0,
    implicit: bool = False,
    **options: Any,
) -> Question:
    """What `check` is asked, before anything is built; arguments and errors as there."""
    experiment = _experiment(claim)
    options = {name: value for name, value in options.items() if value is not None}
    options = check_options(experiment.claim, options)
    if facts is None:
        default_subjects, default_relations = experiment.default_table
        subjects = default_subjects if subjects is None else subjects
        relations = default_relations if relations is None else relations
        if options.get("typed"):
            relations *= options.get("hops", experiment.default_hops)
    if implicit and not experiment.on_demand:
        raise no_option(experiment.name, "implicit")
    asked, drawn = facts_asked(facts, subjects, relations, table, seed, implicit=implicit)
    if facts is None and not implicit and (other := experiment.of_random(asked)) is not asked:
        asked, shape = facts_asked(other, None, None, None, seed)
        drawn = shape | {"table": drawn["table"]}
    if "trials" in experiment.claim.parameters or experiment.seeded:
        options["seed"] = seed  # it also draws the instances
    try:
        instance = experiment.instance(asked, **options)
    except UsageError:
        raise
    except ValueError as error:  # options that no code or construction has
        raise UsageError(str(error)) from error
    parameters = drawn | instance.parameters
    return Question(experiment, instance.facts, instance, parameters | filling(instance.facts, parameters))


def _experiment(claim: str | Claim) -> Experiment:
    name = claim_asked(claim)
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    wrong = "is stated, but has no check yet" if name in CLAIMS else f"is no claim{meant(name, EXPERIMENTS)}"
    raise UsageError(f"{name!r} {wrong}; there are {', '.join(EXPERIMENTS)}")


def claim_asked(claim: str | Claim) -> str:
    """The name of a claim, by its name or label.

    Raises:
        UsageError: a label that several claims share.
    """
    try:
        return claim_name(claim) if isinstance(claim, str) else claim.name
    except ValueError as error:
        raise UsageError(str(error)) from error


def no_option(claim: str, option: str) -> UsageError:
    """The error of an option that only claims have whose facts are counted, or whose work is shared."""
    more = ", those of memories, draws and training too" if option == "workers" else ""
    return UsageError(f"{claim} has no option ", Option(option), f"; the single-hop claims of C1 have{more}")


def check_options(claim: Claim, options: dict[str, Any]) -> dict[str, Any]:
    """The options in Python's own numbers; refuses what the claim does not take, and what means nothing.

    Raises:
        UsageError: see above.
    """
    plain = {}
    build = CONSTRUCTIONS.get(claim.name)
    takes_code = build and "code" in signature(build).parameters and claim.name not in _OWN_CODE
    for name, value in options.items():
        option = Option(name)
        if name not in claim.parameters and not (name == "code" and takes_code):
            taken = [part for other in claim.parameters for part in (", ", Option(other))][1:]
            raise UsageError(
                f"{claim.name} has no option ", option, "; beside the facts it takes ", *(taken or ["none"])
            )
        if name in _WHOLE and not (isinstance(value, int | np.integer) and not isinstance(value, bool)):
            raise UsageError(option, f" must be a whole number, got {value!r}")
        if name in _REAL:
            try:
                value = as_float(value)
            except OverflowError:
                value = math.inf
            except (TypeError, ValueError) as error:
                raise UsageError(option, f": {error}") from error
        if name in _WHOLE:
            value = int(value)
        if name == "code" and not isinstance(value, Code):
            raise UsageError(option, f" must be a Code, got {type(value).__name__}")
        if name == "bits" and not 1 <= value <= 16:
            raise UsageError(option, f" must be from 1 to 16, got {value}")
        if name == "split" and value < 0:
            raise UsageError(option, f" must be at least 0, got {value}")
        if name in ("code_length", "code_distance", "trials", "hops", "stages") and value < 1:
            raise UsageError(option, f" must be at least 1, got {value}")
        if name in ("gate", "margin") and not abs(value) < _LARGEST:
            beyond = "; weights allow less than 2^500" if abs(value) < math.inf else ""
            raise UsageError(option, f" must be a finite number, got {value}{beyond}")
        if name == "delta" and not 0 < value < 1:
            raise UsageError(option, f" must lie between 0 and 1, got {value}")
        if name == "hops":
            each = 50 if "attention" in claim.parameters else 16  # bytes of a pair of positions
            require_memory(each * int(value) ** 2, f"attention at the positions of {show(value)} hops")
            if options.get("attention") == "soft" and value > _MOST_SOFT_HOPS:
                raise UsageError(
                    option, f" of soft attention are certified step by step and context by context, at most "
                    f"{_MOST_SOFT_HOPS}; hard attention takes any number, got {show(value)}"
                )  # fmt: skip
        if name in ("code_length", "code_distance"):
            require_memory(8 * int(value), f"a word of {show(value)} coordinates")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise UsageError(option, f" must be one of {', '.join(_CHOICES[name])}, got {value!r}")
        plain[name] = value
    for name in ("code_length", "code_distance"):
        if "code" in options and name in options:
            code = Option("code")
            raise UsageError(Option(name), " is a property of the ", code, " given: give one of them")
    if options.get("margin") is not None and options.get("attention", "hard") != "soft":
        raise UsageError(
            Option("margin"), " is what softmax attention keeps: it goes with ", Option("attention"), " soft"
        )
    return plain


def filling(facts: Table, options: dict[str, Any]) -> dict[str, Any]:
    """What a verdict at these options says of cells that were filled."""
    hops, typed = options.get("hops", 1), bool(options.get("typed"))
    chain = hops == 1 or (isinstance(facts, FactTable) and facts.of_entities)
    return assumed(facts, hops, typed=typed) if chain else {}


def facts_asked(
    facts: FactTable | None,
    subjects: int | None,
    relations: int | None,
    table: str | None,
    seed: int,
    *,
    implicit: bool = False,
) -> tuple[Any, dict[str, Any]]:
    """The table to recall, and the parameters that say which it is."""
    kind = table or "bijections"
    if implicit and (facts is not None or kind != "bijections"):
        raise UsageError(
            "implicit facts are keyed bijections: they go with neither given facts nor functions"
        )
    if facts is not None:
        if subjects is not None or relations is not None or table is not None:
            raise UsageError("give facts, or subjects, relations and table for random ones, not both")
        return facts, table_sizes(facts) | {"table": "given", "facts_sha256": facts.digest}
    N, R = int(subjects or 0), int(relations or 0)
    for name, number, least in (("subjects", N, 1), ("relations", R, 1), ("seed", seed, 0)):
        if number < least:
            raise UsageError(Option(name), f" must be at least {least}, got {number}")
    if kind not in TABLES:
        raise UsageError(Option("table"), f" must be one of {', '.join(TABLES)}, got {kind!r}")
    drawn: Table
    if implicit:
        try:
            drawn, kind = KeyedBijections(N, R, seed=seed), "keyed bijections"
        except ValueError as error:
            raise UsageError(str(error)) from error
    else:
        require_memory_for_table(N, R)
        drawn = TABLES[kind](N, R, rng=generator(seed, kind, N, R))
    return drawn, table_sizes(drawn) | {"table": kind, "facts_sha256": drawn.digest}
