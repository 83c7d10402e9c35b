"""C8's memories under test: draws of the words against the promise, and the controls that must break it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from georecall.constructions import memories as build
from georecall.constructions.codes.code import Code, sign_code
from georecall.constructions.dense import signs
from georecall.constructions.memories import (
    FEATURE_GRAIN,
    feature_dimension,
    feature_width,
    features,
    linear_dimension,
)
from georecall.constructions.transformer.parts import covering, placed
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import memories as claims
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.formulas import Values
from georecall.theory.claims.symbols import D, failures, levels, m, words
from georecall.theory.claims.symbols import delta as delta_symbol
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.numbers.memories import memory_failure
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.blocks import blocks
from georecall.theory.tools.randomness import generator
from georecall.verify.claims import readouts
from georecall.verify.claims.controls import (
    altered_fact,
    as_predicted,
    companion_sizes,
    nearest_word_margins,
    questions,
    result,
    short_code,
)
from georecall.verify.claims.dense import DEFAULT_DELTA
from georecall.verify.claims.instance import Experiment, Instance, table_values
from georecall.verify.claims.path_control import of_facts
from georecall.verify.claims.promise import Promise, put_to_test
from georecall.verify.claims.readouts import Readouts
from georecall.verify.margins.margins import margins
from georecall.verify.verdict.verdict import ControlResult

_COMPANION = random_bijections(12, 3, rng=generator(0, "controls", "memories"))
_BLOCK = 1 << 22  # entries of one block of a kernel: 32 MiB


@dataclass(frozen=True, eq=False)
class Frozen:
    """Keys or features phi that stay while words are drawn, shape (R, N, k), in multiples of the grain."""

    phi: Floats
    facts: FactTable
    grain: float

    @cached_property
    def sums(self) -> Floats:
        """For each attribute the sum of phi over the facts it answers: shape (|A|, k)."""
        shape = (self.facts.n_attributes, self.facts.n_facts)
        at = placed(shape, self.facts.answers.ravel(), np.arange(self.facts.n_facts), 1.0)
        return np.asarray(at @ self.phi.reshape(self.facts.n_facts, -1))

    def failures(self, d: int) -> float:
        """`theory.numbers.memories`' bound on the expected number of pairs that go wrong, block by block."""
        phi, answers, sums = self.phi.reshape(self.facts.n_facts, -1), self.facts.answers.ravel(), self.sums
        parts = blocks(len(phi), _BLOCK // self.facts.n_attributes)
        return sum(memory_failure(phi[block] @ sums.T, answers[block], d) for block in parts)

    def readouts(self, u: Floats) -> Readouts:
        """What is read with words u, shape (|A|, d)."""
        W = self.sums.T @ u
        return Readouts(u, (phi @ W for phi in self.phi), grain=self.grain)


@dataclass(frozen=True)
class HebbianMemory(Experiment):
    """One of the two Hebbian claims.

    Args:
        claim: the claim.
        construct: facts and options to weights.
        freeze: keys and diagonals (and what else) as the construction draws them.
        dimension: the default d.
        width: of the memory layer.
        n_values: how many values an entry of the memory may take.
    """

    claim: Claim
    construct: Callable[..., Transformer]
    freeze: Callable[[FactTable, int, np.random.Generator], Frozen]
    dimension: Callable[[FactTable, float], int]
    width: Callable[[int], int]
    n_values: Callable[[FactTable, int], int]
    default_table: tuple[int, int] = (250, 4)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table; options `delta`, `code_length` (d), `trials` and `seed`."""
        delta, seed = options.get("delta", DEFAULT_DELTA), options.get("seed", 0)
        d = options.get("code_length") or self.dimension(facts, delta)
        frozen = self.freeze(facts, d, self._generator(facts, d, seed))

        def trial(i: int) -> bool:
            u = signs(generator(seed, self.name, "words", facts.digest, d, i), facts.n_attributes, d)
            return readouts.n_wrong(frozen.readouts(u), facts) == 0

        def construct() -> Transformer:
            return self.construct(facts, dimension=d, rng=self._generator(facts, d, seed))

        draws = Promise(1 - Fraction(str(delta)), trial, options.get("trials"))
        return Instance(
            **of_facts(facts, lambda small: self.instance(small, **options)),
            values=self.values(facts, d, delta, frozen),
            parameters={"delta": delta, "code_length": d, **draws.parameters},
            build=construct,
            promises=("success",),
            draws=draws,
            redraw=lambda i: self.instance(facts, **options | {"seed": seed + i}),
        )

    def values(self, facts: FactTable, d: int, delta: float, frozen: Frozen) -> Values:
        return table_values(facts) | {
            m: d,
            delta_symbol: Fraction(str(delta)),
            claims.width: self.width(d),
            claims.values: self.n_values(facts, d),
            failures: Fraction(frozen.failures(d)),
        }

    def controls_at(self, **_: Any) -> dict[str, Any]:
        d = self.dimension(_COMPANION, DEFAULT_DELTA)
        return companion_sizes(_COMPANION, code_length=d, short_code_length=_short(d))

    def controls(self, **_: Any) -> list[ControlResult]:
        facts, d = _COMPANION, self.dimension(_COMPANION, DEFAULT_DELTA)
        model = self.construct(facts, dimension=d, rng=generator(0, "controls", self.name))
        return [self._short_draw(facts, d), self._equal_keys(facts, model), altered_fact(model, facts)]

    def _generator(self, facts: FactTable, d: int, seed: int) -> np.random.Generator:
        return generator(seed, self.name, facts.n_subjects, facts.n_relations, facts.n_attributes, d)

    def _short_draw(self, facts: FactTable, d: int) -> ControlResult:
        short = _short(d)
        frozen = self.freeze(facts, short, generator(0, "controls", self.name))
        rng = generator(0, "controls", self.name, "words")

        def trial(_: int) -> bool:
            u = signs(rng, facts.n_attributes, short)
            return readouts.n_wrong(frozen.readouts(u), facts) == 0

        found = put_to_test(Promise(Fraction(9, 10), trial))
        return result(claims.SHORT_KEYS, f"{found} of the draws succeed", found.side == "below")

    def _equal_keys(self, facts: FactTable, model: Transformer) -> ControlResult:
        W_E = model.W_E.copy()
        W_E[5] = W_E[3]  # asked by the key of subject 3; the memory itself is what it was
        found = margins(replace(model, W_E=W_E), facts)
        wrong = [(5, r) for r in range(facts.n_relations)]
        return result(claims.EQUAL_KEYS, f"wrong: {questions(found, facts)}", sorted(found.wrong) == wrong)


class SignCodeMemory(Experiment):
    """The claim `sign-code-memory`."""

    claim = claims.SIGN_CODE_MEMORY
    companion = _COMPANION

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table; options `code_length` and `code`."""
        code = options.get("code") or sign_code(facts.n_attributes, length=options.get("code_length"))
        code = covering(code, facts)
        names = sign_code(facts.n_subjects)
        return Instance(
            **of_facts(facts, lambda small: self.instance(small, **options)),
            values=self.values(facts, code, names),
            parameters={"code_length": code.length},
            build=lambda: build.sign_code_memory(facts, code=code, names=names),
        )

    def values(self, facts: FactTable, code: Code, names: Code) -> Values:
        return table_values(facts) | {
            m: code.length,
            claims.q: names.length,
            claims.n_names: names.n_distinct,
            words: code.n_distinct,
            D: code.nearest_squared_distance(facts.occurring()) if facts.n_attributes > 1 else 0,
            levels: code.n_levels,
        }

    def controls(self, **_: Any) -> list[ControlResult]:
        facts = _COMPANION
        short = sign_code(facts.n_attributes, length=sign_code(facts.n_attributes).length - 1)
        return [
            self._low_threshold(facts),
            short_code(build.sign_code_memory(facts, code=short), facts, short),
            altered_fact(build.sign_code_memory(facts), facts),
        ]

    def _low_threshold(self, facts: FactTable) -> ControlResult:
        code, names = sign_code(facts.n_attributes), sign_code(facts.n_subjects)
        low = names.length - 1
        found = margins(build.sign_code_memory(facts, code=code, names=names, threshold=low), facts)
        # asked (s, r), neuron (s', r') is max(0, <c(s), c(s')> + [r' = r] - threshold)
        near = (names.words @ names.words.T)[:, None, :] - low  # (s, 1, s')
        asked = np.eye(facts.n_relations)[:, None, :, None]  # (r, 1, r', 1)
        active = np.maximum(0.0, near[None] + asked)
        readout = np.einsum("asrt,rtm->asm", active, code.words[facts.answers].astype(float))
        predicted = nearest_word_margins(readout, code, facts.answers)
        return as_predicted(claims.THRESHOLD_TOO_LOW, found, predicted, fails=True)


def _linear(facts: FactTable, d: int, rng: np.random.Generator) -> Frozen:
    return Frozen(_keys(facts, d, rng), facts, 1.0)


def _features(facts: FactTable, d: int, rng: np.random.Generator) -> Frozen:
    keys = _keys(facts, d, rng)
    return Frozen(features(keys, signs(rng, feature_width(d) // 2, d)), facts, FEATURE_GRAIN**2)


def _keys(facts: FactTable, d: int, rng: np.random.Generator) -> Floats:
    e, turns = signs(rng, facts.n_subjects, d), signs(rng, facts.n_relations, d)
    return np.asarray(e * turns[:, None, :])


def _short(d: int) -> int:
    """A dimension far below the bound."""
    return max(2, d // 8)


MEMORIES = (
    HebbianMemory(
        claims.LINEAR_MEMORY,
        build.linear_associative_memory,
        _linear,
        linear_dimension,
        width=lambda d: 2 * d,
        n_values=lambda facts, d: facts.n_facts + 1,
    ),
    SignCodeMemory(),
    HebbianMemory(
        claims.RANDOM_FEATURE_MEMORY,
        build.random_feature_memory,
        _features,
        feature_dimension,
        width=feature_width,
        n_values=build.n_feature_values,
    ),
)
