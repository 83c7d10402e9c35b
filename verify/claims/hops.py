"""C3 and C5 under test: instances of each claim, and what all claims about several hops share.

The controls that must break them are in `hop_controls` and `chain_controls` beside this file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from georecall.constructions.chain_of_thought import chain_of_thought
from georecall.constructions.codes.code import Code, sign_code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.hops import composed_hops, hybrid_hops, sequential_hops, stage_lengths
from georecall.constructions.transformer.hop_parts import dyadic
from georecall.constructions.transformer.parts import covering
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import symbols as sym
from georecall.theory.claims.chain_of_thought import CHAIN_OF_THOUGHT
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.hops import COMPOSED_HOPS, HYBRID_HOPS, SEQUENTIAL_HOPS
from georecall.theory.claims.softmax import DEFAULT_SOFT_GATE
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.strings import letters, reachable
from georecall.theory.tools.arrays import Numbers
from georecall.verify.claims.chain_controls import chain_controls
from georecall.verify.claims.controls import companion_sizes
from georecall.verify.claims.hop_controls import COMPANION, hop_controls
from georecall.verify.claims.instance import Experiment, Instance, exact_biases, table_values
from georecall.verify.claims.path_control import small_table
from georecall.verify.margins.found import Margins
from georecall.verify.margins.hops import all_margins, by_certificate
from georecall.verify.margins.induction import induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, sample
from georecall.verify.usage import Option, UsageError
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult

_SHORT, _FEW = 4, 2  # hops, and relations of each, of a companion


@dataclass(frozen=True)
class ChainOfThought(Experiment):
    """C3."""

    claim: Claim = CHAIN_OF_THOUGHT
    default_table: tuple[int, int] = (1000, 4)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        facts, strangers = as_entities(facts)
        N, R = facts.n_subjects, facts.n_relations
        max_hops, readout = options.get("hops", 4), options.get("readout", "in-place")
        code = code_asked(facts, **options)
        distance = _distance(code, facts.occurring())
        asked = softness(distance, **options)
        gate = gate_asked(code.spread, **options)
        chosen = {**asked, "gate": gate, "readout": readout}
        alphabet = np.tile(np.arange(R), (max_hops, 1))
        small = without_margin(options) | {"hops": min(max_hops, _SHORT)}
        return Instance(
            facts=facts,
            values=shared_values(facts, alphabet, code, asked, strangers)
            | {
                sym.K: max_hops,
                sym.gate: Fraction(gate),
                sym.D: distance,
                sym.separate: int(readout == "separate"),
            },
            parameters={
                "hops": max_hops,
                **asked,
                "gate": gate,
                "code_length": code.length,
                "readout": readout,
            },
            build=lambda: chain_of_thought(facts, max_hops=max_hops, code=code, **chosen),
            margins=lambda model, progress: induction(model, facts, max_hops=max_hops, progress=progress),
            n_queries=N * R**max_hops,
            samples=lambda: [
                sample(Chains(facts, alphabet[:k], step=i, max_hops=max_hops), last(R, k) * N)
                for k in range(1, max_hops + 1)
                for i in range(1, k + 1)
            ],
            promises=("min_margin",) if asked["margin"] is not None else (),
            again=lambda model, facts, _: induction(model, facts, max_hops=max_hops),
            companion=lambda: self.instance(small_table(facts, min(R, _FEW)), **small),
            premises=(_selectors_exact(code, Fraction(gate)),),
        )

    def controls(self, **options: Any) -> list[ControlResult]:
        return chain_controls(**_shape(options))

    def controls_at(self, **options: Any) -> dict[str, Any]:
        return companion_sizes(COMPANION, hops=5, **_shape(options))


@dataclass(frozen=True)
class Hops(Experiment):
    """One claim of C5, and what its construction and its options share with the others.

    Args:
        claim: the claim.
        construct: facts and options to weights.
        controls_lengths: hops of the stages of the companion instance that the controls run on.
        default_stages: c where it is not given, of k.
    """

    claim: Claim
    construct: Callable[..., Transformer]
    controls_lengths: tuple[int, ...]
    default_hops: int = 2
    default_stages: Callable[[int], int] = lambda k: min(2, k)
    default_table: tuple[int, int] = (64, 3)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        facts, strangers = as_entities(facts)
        hops, typed = options.get("hops", self.default_hops), bool(options.get("typed", False))
        stages, merged = options.get("stages", self.default_stages(hops)), bool(options.get("merged", False))
        readout, soft = options.get("readout", "separate"), options.get("attention", "hard") == "soft"
        if stages > hops:
            raise UsageError(Option("stages"), f" must be from 1 to the number of hops, {hops}, got {stages}")
        alphabet = letters(facts, hops, typed=typed)
        code = code_asked(facts, **options)
        gate = gate_asked(code.spread, **options)
        distance = 0 if strangers else _distance(code, reachable(facts, alphabet))
        own = {"stages": stages, "typed": typed, "merged": merged, "readout": readout}
        chosen = {"hops": hops} | {name: v for name, v in own.items() if name in self.claim.parameters}
        asked = softness(distance, **options)
        rounded = {"gate": dyadic(gate)} | ({"gate_asked": gate} if dyadic(gate) != gate else {})
        small = options | {"hops": hops, "stages": min(stages, _SHORT)}
        return Instance(
            **of_one_pass(facts, alphabet, lambda: few_hops(self, facts, alphabet, small)),
            values=shared_values(facts, alphabet, code, asked, strangers, typed=typed)
            | {
                sym.c: stages,
                sym.gate: Fraction(gate),
                sym.D: distance,
                sym.merged: int(merged),
                sym.separate: int(readout == "separate"),
            },
            parameters={**chosen, **asked, **rounded, "code_length": code.length},
            build=lambda: self.construct(facts, code=code, gate=gate, **chosen, **asked),
            promises=("min_margin",) if soft else (),
            premises=(_selectors_exact(code, Fraction(rounded["gate"]), stage_lengths(hops, stages), soft),),
        )

    def controls(self, **options: Any) -> list[ControlResult]:
        return hop_controls(self.claim, self.construct, self.controls_lengths, **_shape(options))

    def controls_at(self, **options: Any) -> dict[str, Any]:
        hops, shape = sum(self.controls_lengths), _shape(options)
        at = companion_sizes(COMPANION, hops=hops, stages=len(self.controls_lengths), **shape)
        return at | {"relations": 3 * hops} if shape.get("typed") else at


def of_one_pass(facts: FactTable, alphabet: Numbers, companion: Callable[[], Instance]) -> dict[str, Any]:
    """What instances share whose queries are hops of one pass, letters by an alphabet of shape (k, R)."""
    hops, R = alphabet.shape

    def again(model: Transformer, facts: FactTable, path: str) -> Margins:
        if path in ("transitions", "windows"):
            return by_certificate(model, facts, alphabet, path)
        return margins(model, Chains(facts, alphabet))

    return {
        "facts": facts,
        "n_queries": facts.n_subjects * R**hops,
        "margins": lambda model, progress: all_margins(model, facts, alphabet, progress=progress),
        "samples": lambda: [sample(Chains(facts, alphabet), last(R, hops) * facts.n_subjects)],
        "again": again,
        "companion": companion,
    }


def few_hops(
    experiment: Experiment,
    facts: FactTable,
    alphabet: Numbers,
    options: Mapping[str, Any],
    most: int = _SHORT,
) -> Any:
    """The same claim and options at few entities, relations and hops."""
    hops, R = min(options["hops"], most), min(alphabet.shape[1], _FEW)
    small = small_table(facts, R * hops if options.get("typed") else R)
    return experiment.instance(small, **without_margin(options) | {"hops": hops})


def code_asked(facts: FactTable, code: Code | None = None, code_length: int | None = None, **_: Any) -> Code:
    """The code asked for, cut to the attributes of the facts; default: a sign code."""
    return covering(code or sign_code(facts.n_attributes, length=code_length), facts)


def gate_asked(spread: int, gate: float | None = None, attention: str = "hard", **_: Any) -> float:
    """The gate asked for; default: half the code's spread, and for softmax what its leak asks for."""
    default = DEFAULT_SOFT_GATE if attention == "soft" else spread / 2
    return default if gate is None else gate


def shared_values(
    facts: FactTable,
    alphabet: Numbers,
    code: Code,
    asked: Mapping[str, Any],
    strangers: int,
    *,
    typed: bool = False,
) -> dict[Any, int | Fraction]:
    """What the symbols are worth that all claims about several hops share; `asked`: see `softness`."""
    hops, R = alphabet.shape
    return table_values(facts) | {
        sym.R: R,
        sym.k: hops,
        sym.typed: int(typed),
        sym.m: code.length,
        sym.V: code.spread,
        sym.words: code.n_distinct,
        sym.levels: code.n_levels,
        sym.strangers: strangers,
        sym.soft: int(asked["attention"] == "soft"),
        sym.promise: Fraction(asked["margin"] or 0),
    }


def softness(distance: int, **options: Any) -> dict[str, Any]:
    """The attention asked for and, for softmax, the margin that it is to keep; default: half of hard's."""
    soft = options.get("attention", "hard") == "soft"
    return {
        "attention": "soft" if soft else "hard",
        "margin": options.get("margin", distance / 4) if soft else None,
    }


def without_margin(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a small table can have: the margin asked for may be more than its words allow."""
    return {name: value for name, value in options.items() if name != "margin"}


def as_entities(facts: FactTable) -> tuple[FactTable, int]:
    """The facts with attributes identified with subjects, and how many attributes are no subjects."""
    try:
        return facts.to_entities(), 0
    except FactsError:
        subjects = {facts.subject_name(s) for s in range(facts.n_subjects)}
        if facts.subjects is None and facts.attributes is None:
            return facts, int((facts.occurring() >= facts.n_subjects).sum())
        return facts, sum(facts.attribute_name(int(a)) not in subjects for a in facts.occurring())


def invertible(facts: FactTable) -> dict[str, bool]:
    """What floors on several hops ask of a table: every relation has an inverse, on the same entities."""
    return {"bijective": facts.bijective, "every attribute a subject": not as_entities(facts)[1]}


def _shape(options: dict[str, Any]) -> dict[str, Any]:
    """The options that make another construction, which the controls must be about."""
    return {name: options[name] for name in ("typed", "merged", "readout") if options.get(name)}


def last(R: int, hops: int) -> int:
    """The last string of relations, by number, or one that an int64 can hold."""
    return int(min(R**hops - 1, 1 << 40))


def _distance(code: Code, answers: Any) -> int:
    """D, the least squared distance from an answer's word to another word; 0 where there is no other."""
    return int(nearest_squared_distances(code.words, answers).min()) if code.n_words > 1 else 0


def _selectors_exact(
    code: Code, gate: Fraction, lengths: Sequence[int] = (1,), pairs: bool = False
) -> HypothesisResult:
    """Whether floats hold what selectors have for lifts and thresholds after so many letters."""
    lifts = {2 * gate * length for length in lengths}
    levels = {lift + code.lo for lift in lifts}
    return exact_biases(lifts | levels | ({level + Fraction(1, 2) for level in levels} if pairs else set()))


FAMILY = (
    ChainOfThought(),
    Hops(COMPOSED_HOPS, composed_hops, (2,), default_stages=lambda k: 1),
    Hops(SEQUENTIAL_HOPS, sequential_hops, (1, 1), default_hops=3, default_stages=lambda k: k),
    Hops(HYBRID_HOPS, hybrid_hops, tuple(stage_lengths(3, 2)), default_hops=4),
)
