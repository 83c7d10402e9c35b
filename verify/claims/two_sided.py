"""C10 under test: instances, and controls that break the side on which a fact is kept."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall import bounds
from georecall.constructions.codes.code import sign_code
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.sides import inverted_relations, middle_entities, parts, sides
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.hop_parts import dyadic
from georecall.constructions.transformer.layers import Attention
from georecall.constructions.two_sided import two_sided_hops
from georecall.theory.claims import symbols as sym
from georecall.theory.claims import two_sided as claims
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.softmax import SOFTER
from georecall.theory.facts.fact_table import FactsError, FactTable, random_bijections
from georecall.theory.facts.strings import letters, spelled, string_answers
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import companion_sizes, neighbour, result
from georecall.verify.claims.hop_controls import all_softer, softer
from georecall.verify.claims.hops import (
    as_entities,
    code_asked,
    few_hops,
    gate_asked,
    of_one_pass,
    shared_values,
    softness,
)
from georecall.verify.claims.instance import Experiment, Instance, exact_biases
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.usage import UsageError
from georecall.verify.verdict.verdict import ControlResult

_N, _R = 10, 3  # of the companion
_MOST_HOPS = 4  # of the companion of the way that decided
_CODE = sign_code(_N)


def _companion(n_relations: int) -> FactTable:
    return random_bijections(_N, n_relations, rng=generator(0, "controls", "two-sided", n_relations))


COMPANION = _companion(_R)


@dataclass(frozen=True)
class TwoSided(Experiment):
    """C10, and at one hop its split of the relations."""

    claim: Claim
    default_hops: int
    default_table: tuple[int, int] = (64, 3)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        facts, strangers = as_entities(facts)
        hops, typed = options.get("hops", self.default_hops), bool(options.get("typed", False))
        stages, merged = options.get("stages", 1), bool(options.get("merged", False))
        try:
            lengths, balanced = parts(hops, options.get("split"), stages)
        except ValueError as error:
            raise UsageError(str(error)) from error
        alphabet, code = letters(facts, hops, typed=typed), code_asked(facts, **options)
        gate = gate_asked(code.spread, **options)
        rows = inverted_relations(alphabet, lengths, balanced=balanced)
        no_inverse = sum(len(np.unique(facts.answers[row])) < facts.n_subjects for row in rows)
        own = {"split": options.get("split"), "stages": stages, "typed": typed, "merged": merged}
        chosen = {name: v for name, v in ({"hops": hops} | own).items() if name in self.claim.parameters}
        distance = 0
        if not strangers and not no_inverse and code.n_words > 1:
            left, _ = sides(facts, alphabet, lengths, balanced=balanced)
            between = middle_entities(facts, alphabet, lengths, left)
            distance = int(nearest_squared_distances(code.words, between).min())
        asked = softness(distance, **options)
        soft = asked["attention"] == "soft"
        awaited = {sum(lengths), hops - sum(lengths), hops}  # letters that a gate waits for
        small = options | {"hops": hops}
        if hops > _MOST_HOPS:  # split by default
            small = {name: value for name, value in small.items() if name not in ("split", "stages")}
        return Instance(
            **of_one_pass(facts, alphabet, lambda: few_hops(self, facts, alphabet, small, _MOST_HOPS)),
            values=shared_values(facts, alphabet, code, asked, strangers, typed=typed)
            | {
                sym.c: stages,
                sym.gate: Fraction(gate),
                sym.merged: int(merged),
                claims.a: sum(lengths),
                claims.balanced: int(balanced),
                claims.middle: distance,
                claims.unmet: no_inverse,
            },
            parameters={**chosen, **asked, "gate": gate, "code_length": code.length},
            build=lambda: two_sided_hops(facts, code=code, gate=gate, **{"hops": hops} | chosen, **asked),
            promises=("min_margin",) if soft else (),
            premises=(
                exact_biases({2 * Fraction(dyadic(gate)) * n - Fraction(1, 1 + soft) for n in awaited}),
            ),
        )

    def controls(self, **_: Any) -> list[ControlResult]:
        """All controls of the claim, whatever was asked for, every option as itself, on a companion table."""
        found = {
            claims.ALTERED_OUTPUT.name: self._altered_output,
            claims.NOT_BIJECTIVE.name: self._not_bijective,
            claims.SWAPPED.name: self._swapped,
            claims.QUANTISED.name: lambda: below_the_floor(self.default_hops),
            SOFTER.name: self._softer,
        }
        return [found[control.name]() for control in self.claim.controls]

    def controls_at(self, **_: Any) -> dict[str, Any]:
        return companion_sizes(COMPANION, hops=self.default_hops)

    def _altered_output(self) -> ControlResult:
        """One column of W_U, block by block and option by option."""
        variants: list[dict[str, Any]] = [{}, {"merged": True}]
        if self.default_hops > 1:
            variants += [{"typed": True}, {"hops": 3}, {"hops": 3, "stages": 2}, {"hops": 3, "split": 1}]
        said, fine = [], True
        for options in variants:
            wrong, expected = _with_altered_column({"hops": self.default_hops} | options)
            what = ", ".join(options) or "as it is"
            said.append(f"{what}: {wrong.sum()} wrong, {expected.sum()} predicted")
            fine &= np.array_equal(wrong, expected) and bool(wrong.any())
        return result(claims.ALTERED_OUTPUT, "; ".join(said), fine)

    def _not_bijective(self) -> ControlResult:
        """Two subjects share an answer of the last relation: no inverse, and queries that go astray."""
        facts = COMPANION
        altered = facts.altered(0, _R - 1, int(facts.answers[_R - 1, 1]))
        try:
            two_sided_hops(altered, hops=self.default_hops)
            refused = ""
        except FactsError as error:
            refused = str(error)
        alphabet = letters(facts, self.default_hops)
        found = margins(two_sided_hops(facts, hops=self.default_hops), Chains(altered, alphabet))
        differ = string_answers(facts, alphabet) != string_answers(altered, alphabet)
        wrong = (found.upper <= 0).reshape(differ.shape)
        got = f"{refused or 'not refused'}; {wrong.sum()} wrong, {differ.sum()} go another way"
        return result(claims.NOT_BIJECTIVE, got, refused and wrong.any() and np.array_equal(wrong, differ))

    def _swapped(self) -> ControlResult:
        """The heads of the first and the second letter exchanged."""
        facts = COMPANION
        model, alphabet = two_sided_hops(facts, hops=2), letters(facts, 2)
        attention = model.blocks[0].attention
        assert attention is not None
        heads = {name: list(weights) for name, weights in vars(attention).items()}
        for name in ("W_Q", "W_K"):
            heads[name][1:3] = heads[name][2:0:-1]
        first, second = model.blocks
        swapped = replace(model, blocks=(replace(first, attention=Attention(**heads)), second))
        right = margins(swapped, Chains(facts, alphabet)).lower > 0
        there = string_answers(facts, alphabet).reshape(_R, _R, _N)
        same = there == there.swapaxes(0, 1)
        got = f"{right.sum()} right, {same.sum()} the same either way"
        return result(claims.SWAPPED, got, np.array_equal(right, same) and not same.all())

    def _softer(self) -> ControlResult:
        """Of each shape as itself: stages, the middle letter, merged."""
        facts, hops = COMPANION, self.default_hops
        variants: list[dict[str, Any]] = [{"hops": hops}, {"hops": hops, "merged": True}]
        if hops > 1:
            variants += [{"hops": 3}, {"hops": 3, "stages": 2}]
        several = (softer(two_sided_hops, facts, letters(facts, v["hops"]), **v) for v in variants)
        return all_softer(list(several))


def below_the_floor(hops: int) -> ControlResult:
    """Words of so few signs that both sides hold less than the floor asks for: some query must be lost."""
    facts = COMPANION
    floor = bounds.two_sided(_N, _R, hops)
    lengths, balanced = parts(hops, None, 1)
    (left,), right = sides(facts, letters(facts, hops), lengths, balanced=balanced)
    blocks = max(len(left.entities), len(right.entities))
    length = int((floor.lower - Fraction(1, 10**9)) // blocks)
    model = two_sided_hops(facts, hops=hops, code=sign_code(_N, length=max(1, length)))
    lost = margins(model, Chains(facts, letters(facts, hops))).n_wrong
    bits = blocks * max(1, length)
    got = f"{bits} bits a side, floor {floor.lower_float:.4g}: {lost} queries lost"
    return result(claims.QUANTISED, got, floor.compare(bits) == 1 and lost > 0)


def _with_altered_column(options: dict[str, Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which queries fail with one word of W_U moved to a neighbour's, and which should."""
    hops, typed = options["hops"], options.get("typed", False)
    facts = _companion(_R * (hops if typed else 1))
    alphabet = letters(facts, hops, typed=typed)
    lengths, balanced = parts(hops, options.get("split"), options.get("stages", 1))
    _, right = sides(facts, alphabet, lengths, balanced=balanced)
    model, block = two_sided_hops(facts, **options), len(right.entities) - 1
    y, coordinate, other = neighbour(_CODE, right.entities[block])
    W_U = dense(model.W_U).copy()
    rows = np.flatnonzero(W_U.any(axis=1)).reshape(len(right.entities), -1)
    W_U[rows[block, coordinate], y] *= -1
    found = margins(replace(model, W_U=W_U), Chains(facts, alphabet))
    answers = string_answers(facts, alphabet)
    asked = _asked(right.waits[block], alphabet)
    ends = (answers == y) | (right.entities[block][answers] == other)
    return (found.upper <= 0).reshape(answers.shape), asked[:, None] & ends


def _asked(waits: NDArray[np.bool_], alphabet: Numbers) -> NDArray[np.bool_]:
    """Which strings open a gate: shape (strings,)."""
    hops, R = alphabet.shape
    strings = spelled(np.arange(R**hops), np.tile(np.arange(R), (hops, 1)))
    opens = np.ones(len(strings), dtype=bool)
    for hop in np.flatnonzero(waits.any(axis=1)):
        opens &= waits[hop, strings[:, hop]]
    return opens


TWO_SIDED = (TwoSided(claims.TWO_SIDED_HOPS, 2), TwoSided(claims.SINGLE_HOP_SPLIT, 1))
