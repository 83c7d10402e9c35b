"""The C1 family under test: instances of each claim, and the controls that must break it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from georecall.constructions import single_hop as build
from georecall.constructions.codes.code import Code, code_length, quantized_code, sign_code
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.transformer.parts import covering
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import single_hop as claims
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.formulas import Values
from georecall.theory.claims.symbols import A, D, N, R, V, gate, levels, m, p, words
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import agreement, nearest_word_margins, neighbour, result
from georecall.verify.claims.instance import Experiment, Instance, exact_biases
from georecall.verify.claims.path_control import again, small_table
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Facts, sample
from georecall.verify.verdict.verdict import ControlResult

_COMPANION = random_bijections(10, 4, rng=generator(0, "controls"))  # leaks visibly at every weak gate
_COMPANION_BITS = 2
DEFAULT_BITS = 4
_WEAK = Fraction(3, 4)  # the gate of the control, in units of the least one


@dataclass(frozen=True)
class SingleHop(Experiment):
    """One claim of the family, and what its construction and its theory share with the others.

    Args:
        claim: the claim.
        construct: facts and options to weights.
        readout: what the theory says is read at any gate, from words, gate and code.
        biases: the biases that depend on the gate (for one coordinate), and the lifts other than the gate.
        least_gate: the gate that the claim asks for, in units of V.
        numerals: whether the default code is p-bit numerals.
        by_bits: whether it is so only where `bits` is asked for.
        packs: whether p sign coordinates are read as one.
    """

    claim: Claim
    construct: Callable[..., Transformer]
    readout: Callable[[Floats, float, Code], Floats]
    biases: Callable[[Fraction, Code], tuple[Fraction, ...]]
    least_gate: Fraction
    numerals: bool = False
    by_bits: bool = False
    packs: bool = False
    on_demand = True

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table and choice of options."""
        if self.by_bits and "bits" in options:
            if "code_distance" in options or "code" in options:
                raise ValueError("bits ask for numerals: they do not go with a code or its distance")
            return self._of_numerals().instance(facts, **options)
        bits = options.get("bits", DEFAULT_BITS)
        code = covering(options.get("code") or self._chosen_code(facts.n_attributes, bits, options), facts)
        at_gate = options.get("gate", float(self.least_gate * code.spread))
        parameters: dict[str, Any] = {"gate": at_gate, "code_length": code.length}
        if "code_distance" in options:
            parameters["code_distance"] = options["code_distance"]
        if "code" in options:
            parameters["code_sha256"] = hashlib.sha256(code.words.astype("<i8").tobytes()).hexdigest()
        chosen: dict[str, Any] = {"code": code, "gate": at_gate}
        if self._takes_bits:
            parameters["bits"] = chosen["bits"] = bits
        return Instance(
            facts=facts,
            values=self.values(facts, code, at_gate, bits),
            parameters=parameters,
            build=lambda: self.construct(facts, **chosen),
            margins=lambda model, progress: margins(model, facts, progress=progress),
            n_queries=facts.n_facts,
            counts=True,
            again=again,
            companion=lambda: self.instance(small_table(facts), **options),
            premises=(exact_biases(self._biases(code, Fraction(at_gate), bits)),),
            samples=lambda: [sample(Facts(facts), r * facts.n_subjects) for r in range(facts.n_relations)],
        )

    @property
    def _takes_bits(self) -> bool:
        return "bits" in self.claim.parameters and not self.by_bits

    def _of_numerals(self) -> "SingleHop":
        return replace(self, numerals=True, by_bits=False)

    def code(self, n_attributes: int, bits: int, length: int | None = None) -> Code:
        """The code that the claim takes where none is handed in."""
        if self.numerals:
            return quantized_code(n_attributes, bits=bits, length=length)
        return sign_code(n_attributes, length=length)

    def _chosen_code(self, n_attributes: int, bits: int, options: dict[str, Any]) -> Code:
        length, distance = options.get("code_length"), options.get("code_distance")
        if distance is None:
            return self.code(n_attributes, bits, length)
        return distance_code(n_attributes, distance, length)

    def values(self, facts: FactTable, code: Code, at_gate: float, bits: int) -> Values:
        """What the claim's symbols are worth."""
        read = self._read(code, bits)
        asked = None if facts.onto else facts.occurring()
        return {
            N: facts.n_subjects,
            R: facts.n_relations,
            A: facts.n_attributes,
            m: code.length,
            p: bits,
            V: code.spread,
            gate: Fraction(at_gate),
            words: read.n_distinct,
            D: read.nearest_squared_distance(asked) if facts.n_attributes > 1 else 0,
            levels: code.n_levels,
        }

    def _biases(self, code: Code, at_gate: Fraction, bits: int) -> set[Fraction]:
        """The biases and lifts that depend on the gate, of every group of coordinates."""
        groups = [min(bits, code.length - j) for j in range(0, code.length, bits)] if self.packs else [1]
        scales = {(1 << size) - 1 for size in groups}
        return {scale * bias for scale in scales for bias in self.biases(at_gate, code)}

    def controls_at(self, **options: Any) -> dict[str, Any]:
        """The parameters of the companion instance that the controls run on."""
        at = {"subjects": _COMPANION.n_subjects, "relations": _COMPANION.n_relations, "table": "bijections"}
        takes = self._takes_bits or "bits" in options
        return at | {"bits": _COMPANION_BITS} if takes else at

    def controls(self, **options: Any) -> list[ControlResult]:
        """All controls of the claim, on a small companion table that is always the same."""
        if self.by_bits and "bits" in options:
            return self._of_numerals().controls()
        controls = (self._weak_gate, self._short_code, self._altered_fact, self._moved_coordinate)
        return [control(_COMPANION) for control in controls]

    def _model(self, facts: FactTable, code: Code, at_gate: Fraction | None = None) -> Transformer:
        at_gate = self.least_gate * code.spread if at_gate is None else at_gate
        bits = {"bits": _COMPANION_BITS} if self._takes_bits else {}
        return self.construct(facts, code=code, gate=float(at_gate), **bits)

    def _companion_code(self, facts: FactTable, shorter: int = 0) -> Code:
        length = code_length(facts.n_attributes, _COMPANION_BITS if self.numerals else 1) - shorter
        return self.code(facts.n_attributes, _COMPANION_BITS, length)

    def _read(self, code: Code, bits: int = _COMPANION_BITS) -> Code:
        """The code that the readout holds."""
        return code.packed(bits) if self.packs else code

    def _weak_gate(self, facts: FactTable) -> ControlResult:
        code = self._companion_code(facts)
        at_gate = _WEAK * self.least_gate * code.spread
        found = margins(self._model(facts, code, at_gate), facts)
        read = self._read(code)
        readout = self.readout(read.words[facts.answers].astype(float), float(at_gate), read)
        predicted = nearest_word_margins(readout, read, facts.answers)
        return agreement(claims.WEAK_GATE, found, predicted, fails=True)

    def _short_code(self, facts: FactTable) -> ControlResult:
        code = self._companion_code(facts, shorter=1)
        _, word, count = np.unique(code.words, axis=0, return_inverse=True, return_counts=True)
        collides = (count > 1)[word.reshape(-1)][facts.answers]
        found = margins(self._model(facts, code), facts)
        zero = found.exact & (found.lower == 0)
        got = f"{zero.sum()} margins are 0, {collides.sum()} answers share a word, {found.n_wrong} are wrong"
        ok = bool(collides.any() and (zero == collides).all() and found.n_wrong == collides.sum())
        return result(claims.SHORT_CODE, got, ok)

    def _altered_fact(self, facts: FactTable) -> ControlResult:
        subject, relation = 3, 1
        answer = int(facts.answers[relation, subject] + 1) % facts.n_attributes
        model = self._model(facts, self._companion_code(facts))
        found = margins(model, facts.altered(subject, relation, answer))
        got = f"wrong: {_facts(found, facts)}"
        return result(claims.ALTERED_FACT, got, found.wrong == [(subject, relation)])

    def _moved_coordinate(self, facts: FactTable) -> ControlResult:
        code, relation = self._companion_code(facts), 2
        subject, coordinate, other = neighbour(code, facts.answers[relation])
        model = self._model(facts, code)
        assert model.storage is not None
        W_E = model.W_E.copy()
        place = model.storage.coordinates[relation * code.length + coordinate]
        W_E[subject, place] = code.words[other, coordinate]
        found = margins(replace(model, W_E=W_E), facts)
        read = self._read(code).words
        answer = facts.answers[relation, subject]
        loss = Fraction(int(((read[answer] - read[other]) ** 2).sum()), -2)
        worst = found.worst
        got = f"wrong: {_facts(found, facts)}, answered {worst.got_name} with margin {worst.margin:g}"
        ok = (
            found.wrong == [(subject, relation)]
            and found.worst.got == other
            and found.minimum == (loss, loss)
        )
        return result(claims.CORRUPTED_WEIGHT, got, ok)


def _facts(found: Margins, facts: FactTable) -> str:
    return ", ".join(facts.question(s, r) for s, r in found.wrong[:3]) + (" ..." if found.n_wrong > 3 else "")


def _selected(v: Floats, at_gate: float, code: Code) -> Floats:
    return claims.readout_selected(v, at_gate, code.lo)


def _packed(v: Floats, at_gate: float, code: Code) -> Floats:
    return claims.readout_selected(v, at_gate * code.hi, code.lo)


def _narrow(v: Floats, at_gate: float, code: Code) -> Floats:
    return claims.readout_narrow(v, at_gate, code.spread)


def _threshold(at_gate: Fraction, code: Code) -> tuple[Fraction, ...]:
    return (2 * at_gate + code.lo,)


def _undone_lift(at_gate: Fraction, code: Code) -> tuple[Fraction, ...]:
    return (code.spread - 2 * at_gate, (2 * at_gate - code.spread) / 2)


_HALF, _ONE = Fraction(1, 2), Fraction(1)

FAMILY = (
    SingleHop(claims.SINGLE_HOP, build.block_superposition, _selected, _threshold, _HALF),
    SingleHop(claims.SINGLE_HOP_IN_PLACE, build.in_place_superposition, _selected, _threshold, _HALF),
    SingleHop(
        claims.SINGLE_HOP_NARROW, build.narrow_superposition, _narrow, _undone_lift, _ONE, by_bits=True
    ),
    SingleHop(
        claims.SINGLE_HOP_QUANTIZED,
        build.quantized_superposition,
        _selected,
        _threshold,
        _HALF,
        numerals=True,
    ),
    SingleHop(claims.SINGLE_HOP_PACKED, build.packed_superposition, _packed, _threshold, _HALF, packs=True),
)
