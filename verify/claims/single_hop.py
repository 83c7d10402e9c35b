"""The C1 family under test: instances of each claim, and the controls that must break it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from georecall.constructions import single_hop as build
from georecall.constructions.codes.code import Code, code_length, quantized_code, sign_code
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.transformer.parts import covering
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import single_hop as claims
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.formulas import Values
from georecall.theory.claims.symbols import D, V, gate, levels, m, p, words
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import (
    altered_fact,
    as_predicted,
    companion_sizes,
    nearest_word_margins,
    neighbour,
    questions,
    result,
    short_code,
)
from georecall.verify.claims.instance import Experiment, Instance, exact_biases, table_values
from georecall.verify.claims.path_control import of_facts
from georecall.verify.margins.margins import margins
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
    readout: Callable[[Floats, float, Code], Floats] = lambda v, gate, code: claims.readout_selected(
        v, gate, code.lo
    )
    biases: Callable[[Fraction, Code], tuple[Fraction, ...]] = lambda gate, code: (2 * gate + code.lo,)
    least_gate: Fraction = Fraction(1, 2)
    numerals: bool = False
    by_bits: bool = False
    packs: bool = False
    on_demand = True

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        if self.by_bits and "bits" in options:
            if "code_distance" in options or "code" in options:
                raise ValueError("bits ask for numerals: they do not go with a code or its distance")
            return self._of_numerals().instance(facts, **options)
        bits, length, code = (
            options.get("bits", DEFAULT_BITS),
            options.get("code_length"),
            options.get("code"),
        )
        if code is None and "code_distance" in options:
            code = distance_code(facts.n_attributes, options["code_distance"], length)
        code = covering(code or self.code(facts.n_attributes, bits, length), facts)
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
            **of_facts(facts, lambda small: self.instance(small, **options)),
            values=self.values(facts, code, at_gate, bits),
            parameters=parameters,
            build=lambda: self.construct(facts, **chosen),
            counts=True,
            premises=(exact_biases(self._biases(code, Fraction(at_gate), bits)),),
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

    def values(self, facts: FactTable, code: Code, at_gate: float, bits: int) -> Values:
        read = self._read(code, bits)
        asked = None if facts.onto else facts.occurring()
        return table_values(facts) | {
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
        takes = self._takes_bits or "bits" in options
        return companion_sizes(_COMPANION, **{"bits": _COMPANION_BITS} if takes else {})

    def controls(self, **options: Any) -> list[ControlResult]:
        if self.by_bits and "bits" in options:
            return self._of_numerals().controls()
        facts, code, short = _COMPANION, self._companion_code(), self._companion_code(shorter=1)
        return [
            self._weak_gate(facts, code),
            short_code(self._model(facts, short), facts, short),
            altered_fact(self._model(facts, code), facts),
            self._moved_coordinate(facts, code),
        ]

    def _model(self, facts: FactTable, code: Code, at_gate: Fraction | None = None) -> Transformer:
        at_gate = self.least_gate * code.spread if at_gate is None else at_gate
        bits = {"bits": _COMPANION_BITS} if self._takes_bits else {}
        return self.construct(facts, code=code, gate=float(at_gate), **bits)

    def _companion_code(self, shorter: int = 0) -> Code:
        A = _COMPANION.n_attributes
        return self.code(
            A, _COMPANION_BITS, code_length(A, _COMPANION_BITS if self.numerals else 1) - shorter
        )

    def _read(self, code: Code, bits: int = _COMPANION_BITS) -> Code:
        """The code that the readout holds."""
        return code.packed(bits) if self.packs else code

    def _weak_gate(self, facts: FactTable, code: Code) -> ControlResult:
        at_gate, read = _WEAK * self.least_gate * code.spread, self._read(code)
        found = margins(self._model(facts, code, at_gate), facts)
        readout = self.readout(read.words[facts.answers].astype(float), float(at_gate), read)
        predicted = nearest_word_margins(readout, read, facts.answers)
        return as_predicted(claims.WEAK_GATE, found, predicted, fails=True)

    def _moved_coordinate(self, facts: FactTable, code: Code) -> ControlResult:
        relation = 2
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
        got = f"wrong: {questions(found, facts)}, answered {worst.got_name} with margin {worst.margin:g}"
        ok = found.wrong == [(subject, relation)] and worst.got == other and found.minimum == (loss, loss)
        return result(claims.CORRUPTED_WEIGHT, got, ok)


FAMILY = (
    SingleHop(claims.SINGLE_HOP, build.block_superposition),
    SingleHop(claims.SINGLE_HOP_IN_PLACE, build.in_place_superposition),
    SingleHop(
        claims.SINGLE_HOP_NARROW,
        build.narrow_superposition,
        readout=lambda v, gate, code: claims.readout_narrow(v, gate, code.spread),
        biases=lambda gate, code: (
            code.spread - 2 * gate,
            (2 * gate - code.spread) / 2,
        ),  # of the lift undone
        least_gate=Fraction(1),
        by_bits=True,
    ),
    SingleHop(claims.SINGLE_HOP_QUANTIZED, build.quantized_superposition, numerals=True),
    SingleHop(
        claims.SINGLE_HOP_PACKED,
        build.packed_superposition,
        readout=lambda v, gate, code: claims.readout_selected(v, gate * code.hi, code.lo),
        packs=True,
    ),
)
