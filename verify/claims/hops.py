"""C3 and C5 under test: instances of each claim, and how their queries are measured.

The controls that must break them are in `hop_controls` and `chain_controls` beside this file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from georecall.constructions.chain_of_thought import chain_of_thought
from georecall.constructions.codes.code import Code, sign_code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.hops import composed_hops, hybrid_hops, sequential_hops, stage_lengths
from georecall.constructions.transformer.arithmetic import stored
from georecall.constructions.transformer.hop_parts import dyadic
from georecall.constructions.transformer.parts import covering
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import symbols as sym
from georecall.theory.claims.chain_of_thought import CHAIN_OF_THOUGHT
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.formulas import Values
from georecall.theory.claims.hops import COMPOSED_HOPS, HYBRID_HOPS, SEQUENTIAL_HOPS
from georecall.theory.claims.softmax import DEFAULT_SOFT_GATE
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.strings import letters, reachable
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.chain_controls import chain_controls
from georecall.verify.claims.hop_controls import hop_controls
from georecall.verify.claims.instance import Again, Experiment, Instance, exact_biases
from georecall.verify.claims.path_control import small_table
from georecall.verify.margins.found import Margins
from georecall.verify.margins.hops import chains
from georecall.verify.margins.induction import PremiseError, induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, sample
from georecall.verify.margins.transitions import transitions
from georecall.verify.margins.windows import composes, windows
from georecall.verify.usage import Option, UsageError
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult

_BUDGET = 1 << 33  # products spent on enumerating all queries: less than a minute where floats decide
_MOST_HOPS = 63  # of margins with an axis for each hop and one for the subjects: NumPy's arrays have 64
_SHORT, _FEW = 4, 2  # hops, and relations of each, of a companion
_SOME = 16  # random subjects, where all are too many


@dataclass(frozen=True)
class ChainOfThought(Experiment):
    """C3."""

    claim: Claim = CHAIN_OF_THOUGHT
    default_table: tuple[int, int] = (1000, 4)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table and choice of options."""
        facts, strangers = as_entities(facts)
        max_hops, attention = options.get("hops", 4), options.get("attention", "hard")
        readout, soft = options.get("readout", "in-place"), attention == "soft"
        code = _code(facts, **options)
        distance = _distance(code, facts.occurring())
        margin = softness(distance, **options)["margin"]
        gate = options.get("gate", DEFAULT_SOFT_GATE if soft else code.spread / 2)
        values = _values(facts, facts.n_relations, code, gate, distance, strangers) | {
            sym.K: max_hops,
            sym.soft: int(soft),
            sym.promise: Fraction(margin or 0),
            sym.separate: int(readout == "separate"),
        }
        N, R = facts.n_subjects, facts.n_relations
        alphabet = np.tile(np.arange(R), (max_hops, 1))
        return Instance(
            facts=facts,
            values=values,
            parameters={
                "hops": max_hops,
                "attention": attention,
                "margin": margin,
                "gate": gate,
                "code_length": code.length,
                "readout": readout,
            },
            build=lambda: chain_of_thought(
                facts,
                max_hops=max_hops,
                attention=attention,
                margin=margin,
                code=code,
                gate=gate,
                readout=readout,
            ),
            margins=lambda model, progress: induction(model, facts, max_hops=max_hops, progress=progress),
            n_queries=N * R**max_hops,
            samples=lambda: [
                sample(Chains(facts, alphabet[:k], step=i, max_hops=max_hops), _last(R, k) * N)
                for k in range(1, max_hops + 1)
                for i in range(1, k + 1)
            ],
            promises=("min_margin",) if soft else (),
            again=lambda model, facts, _: induction(model, facts, max_hops=max_hops),
            companion=lambda: self.instance(
                small_table(facts, min(R, _FEW)),
                **without_margin(options) | {"hops": min(max_hops, _SHORT)},
            ),
            premises=(_selectors_exact(code, Fraction(gate)),),
        )

    def controls(self, **options: Any) -> list[ControlResult]:
        """All controls of the claim, on a small companion table that is always the same."""
        return chain_controls(**_asked(options))

    def controls_at(self, **options: Any) -> dict[str, Any]:
        """The parameters of the companion instance that the controls run on."""
        return {"subjects": 10, "relations": 3, "table": "bijections", "hops": 5} | _asked(options)


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
        """The claim at one table and choice of options."""
        facts, strangers = as_entities(facts)
        hops, typed = options.get("hops", self.default_hops), bool(options.get("typed", False))
        stages, merged = options.get("stages", self.default_stages(hops)), bool(options.get("merged", False))
        readout, soft = options.get("readout", "separate"), options.get("attention", "hard") == "soft"
        if stages > hops:
            raise UsageError(Option("stages"), f" must be from 1 to the number of hops, {hops}, got {stages}")
        alphabet = letters(facts, hops, typed=typed)
        R = alphabet.shape[1]
        code = _code(facts, **options)
        gate = options.get("gate", DEFAULT_SOFT_GATE if soft else code.spread / 2)
        distance = 0 if strangers else _distance(code, reachable(facts, alphabet))
        own = {"stages": stages, "typed": typed, "merged": merged, "readout": readout}
        chosen = {"hops": hops} | {name: v for name, v in own.items() if name in self.claim.parameters}
        asked = softness(distance, **options)
        values = _values(facts, R, code, gate, distance, strangers) | {
            sym.k: hops,
            sym.c: stages,
            sym.typed: int(typed),
            sym.merged: int(merged),
            sym.separate: int(readout == "separate"),
            sym.soft: int(soft),
            sym.promise: Fraction(asked["margin"] or 0),
        }
        n_queries = facts.n_subjects * R**hops
        return Instance(
            facts=facts,
            values=values,
            parameters={**chosen, **asked, **_rounded(gate), "code_length": code.length},
            build=lambda: self.construct(facts, code=code, gate=gate, **chosen, **asked),
            margins=lambda model, progress: all_margins(model, facts, alphabet, progress=progress),
            n_queries=n_queries,
            samples=lambda: [sample(Chains(facts, alphabet), _last(R, hops) * facts.n_subjects)],
            promises=("min_margin",) if soft else (),
            premises=(_selectors_exact(code, Fraction(dyadic(gate)), stage_lengths(hops, stages), soft),),
            again=again_in_a_pass(alphabet),
            companion=lambda: self._companion(facts, R, options | {"hops": hops, "stages": stages}),
        )

    def _companion(self, facts: FactTable, R: int, options: dict[str, Any]) -> Instance:
        """The same claim and options at few entities, relations and hops."""
        hops, R = min(options["hops"], _SHORT), min(R, _FEW)
        options = without_margin(options) | {"hops": hops, "stages": min(options["stages"], hops)}
        return self.instance(small_table(facts, R * hops if options.get("typed") else R), **options)

    def controls(self, **options: Any) -> list[ControlResult]:
        """All controls of the claim, on a small companion table that is always the same."""
        return hop_controls(self.claim, self.construct, self.controls_lengths, **_asked(options))

    def controls_at(self, **options: Any) -> dict[str, Any]:
        """The parameters of the companion instance that the controls run on."""
        hops, asked = sum(self.controls_lengths), _asked(options)
        at: dict[str, Any] = {
            "subjects": 10,
            "relations": 3 * hops if asked.get("typed") else 3,
            "table": "bijections",
        }
        return at | {"hops": hops, "stages": len(self.controls_lengths)} | asked


def softness(distance: int, **options: Any) -> dict[str, Any]:
    """The attention asked for and, for softmax, the margin that it is to keep; default: half of hard's."""
    soft = options.get("attention", "hard") == "soft"
    return {
        "attention": "soft" if soft else "hard",
        "margin": options.get("margin", distance / 4) if soft else None,
    }


def without_margin(options: dict[str, Any]) -> dict[str, Any]:
    """The options that a small table can have: the margin asked for may be more than its words allow."""
    return {name: value for name, value in options.items() if name != "margin"}


def again_in_a_pass(alphabet: Any) -> Again:
    """`Instance.again` for hops of one pass, whose relations are these."""

    def again(model: Transformer, facts: FactTable, path: str) -> Margins:
        if path in ("transitions", "windows"):
            return certified(model, facts, alphabet, path)
        return margins(model, Chains(facts, alphabet))

    return again


def certified(
    model: Transformer,
    facts: FactTable,
    alphabet: Any,
    path: str | None = None,
    *,
    progress: Progress | None = None,
) -> Margins:
    """Margins of queries that stand for all, by the certificate named, or the first that applies.

    Raises:
        PremiseError: none applies; the message is the first one's, but for a model of slots.
    """
    if path == "windows":
        return windows(model, facts, alphabet, progress=progress)
    try:
        return transitions(model, facts, alphabet, progress=progress)
    except PremiseError:
        if path is not None or not composes(model, facts.n_subjects):
            raise
        return windows(model, facts, alphabet, progress=progress)


def all_margins(
    model: Transformer, facts: FactTable, alphabet: Any, *, progress: Progress | None = None
) -> Margins:
    """Margins that speak for all N R^k queries where that is feasible, and what was done.

    All of them, if they are few enough; else those that stand for all (`certified`); else,
    where that is too much too, all strings for some random subjects: such margins speak for these alone, and
    their number, less than N R^k, says so.
    """
    hops, R = alphabet.shape
    enumerable = hops <= _MOST_HOPS
    each = (hops + 1) * sum(int(np.count_nonzero(stored(weight))) for weight in _layers(model))
    if enumerable and facts.n_subjects * R**hops * each <= _BUDGET:
        return margins(model, Chains(facts, alphabet), progress=progress)
    try:
        return certified(model, facts, alphabet, progress=progress)
    except PremiseError:
        if not enumerable or R**hops * each > 16 * _BUDGET:
            raise  # not even one subject is feasible
        rng = generator(0, "subjects", facts.n_subjects, R, hops)
        some = int(min(_SOME, facts.n_subjects, max(1, _BUDGET // (R**hops * each))))
        subjects = np.sort(rng.choice(facts.n_subjects, some, replace=False))
        return margins(model, Chains(facts, alphabet, subjects=subjects), progress=progress)


def chain_margins(
    model: Transformer, facts: FactTable, hops: int, *, max_hops: int, progress: Progress | None = None
) -> Margins:
    """Margins that speak for all chains of thought of at most K hops, by induction; or else of at most k.

    Where the induction does not apply, those of at most k hops are run, every step of every one, if they are
    few enough.

    Args:
        model: see `verify.margins.induction`.
        facts: entities to entities.
        hops: k, at least 1.
        max_hops: K: relations stand at positions 0..K-1, entities from K on.
        progress: called with the number of queries done and of all queries, step by step.

    Raises:
        PremiseError: the induction does not apply, and the chains are too many.
        ValueError: the model does not fit the facts, or has fewer positions.
    """
    try:
        return induction(model, facts, max_hops=max_hops, progress=progress)
    except PremiseError:
        each = 2 * hops * sum(int(np.count_nonzero(stored(weight))) for weight in _layers(model))
        n_steps = facts.n_subjects * facts.n_relations**hops * hops
        if hops > _MOST_HOPS or n_steps * max(each, 1) > _BUDGET:
            raise
    return chains(lambda queries: margins(model, queries, progress=progress), facts, hops, max_hops=max_hops)


def as_entities(facts: FactTable) -> tuple[FactTable, int]:
    """The facts with attributes identified with subjects, and how many attributes are no subjects."""
    try:
        return facts.to_entities(), 0
    except FactsError:
        subjects = {facts.subject_name(s) for s in range(facts.n_subjects)}
        if facts.subjects is None and facts.attributes is None:
            return facts, int((facts.occurring() >= facts.n_subjects).sum())
        return facts, sum(facts.attribute_name(int(a)) not in subjects for a in facts.occurring())


def inverted(facts: FactTable) -> dict[str, bool]:
    """What floors on several hops ask of a table: every relation has an inverse, on the same entities."""
    return {"bijective": facts.bijective, "every attribute a subject": not as_entities(facts)[1]}


def _rounded(gate: float) -> dict[str, Any]:
    """The gate as the weights have it, and as it was asked for where that is another."""
    return {"gate": dyadic(gate)} | ({"gate_asked": gate} if dyadic(gate) != gate else {})


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    """The options that make another construction, which the controls must be about."""
    return {name: options[name] for name in ("typed", "merged", "readout") if options.get(name)}


def _last(R: int, hops: int) -> int:
    """The last string of relations, by number, or one that an int64 can hold."""
    return int(min(R**hops - 1, 1 << 40))


def _layers(model: Transformer) -> list[Any]:
    return [weight for name, weight in model.weights().items() if name.startswith("blocks")]


def _code(facts: FactTable, code: Code | None = None, code_length: int | None = None, **_: Any) -> Code:
    """The code asked for, cut to the attributes of the facts; default: a sign code."""
    return covering(code or sign_code(facts.n_attributes, length=code_length), facts)


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


def _values(
    facts: FactTable, R: int, code: Code, gate: float, distance: int, strangers: int
) -> dict[Any, int | Fraction]:
    values: Values = {
        sym.N: facts.n_subjects,
        sym.R: R,
        sym.A: facts.n_attributes,
        sym.m: code.length,
        sym.V: code.spread,
        sym.gate: Fraction(gate),
        sym.words: code.n_distinct,
        sym.D: distance,
        sym.levels: code.n_levels,
        sym.strangers: strangers,
    }
    return dict(values)


FAMILY = (
    ChainOfThought(),
    Hops(COMPOSED_HOPS, composed_hops, (2,), default_stages=lambda k: 1),
    Hops(SEQUENTIAL_HOPS, sequential_hops, (1, 1), default_hops=3, default_stages=lambda k: k),
    Hops(HYBRID_HOPS, hybrid_hops, tuple(stage_lengths(3, 2)), default_hops=4),
)
