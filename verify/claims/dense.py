"""C2 under test: many draws against the promise, and the controls that must break it."""

from fractions import Fraction
from typing import Any

import numpy as np

from georecall.constructions.dense import by_signs, dense_superposition, signs
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import dense as claims
from georecall.theory.claims.claim import Control, Values
from georecall.theory.claims.single_hop import ALTERED_FACT
from georecall.theory.claims.symbols import A, N, R, failures, gate, m
from georecall.theory.claims.symbols import delta as delta_symbol
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.numbers.dense import closed_form_length, pair_failure, table_failure
from georecall.theory.tools.randomness import generator
from georecall.verify.claims import readouts
from georecall.verify.claims.controls import agreement, result
from georecall.verify.claims.instance import Instance
from georecall.verify.claims.path_control import again, small_table
from georecall.verify.claims.promise import Promise, put_to_test
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Facts, sample
from georecall.verify.verdict.intervals import reaches
from georecall.verify.verdict.verdict import ControlResult

DEFAULT_DELTA = 0.1

_COMPANION = random_bijections(12, 4, rng=generator(0, "controls", "dense"))
_COMPANION_LENGTH = closed_form_length(12, 12, 4, DEFAULT_DELTA)
_SHORT_LENGTH = 16  # p_m is 0.18 there: every draw has hundreds of pairs that go wrong
_SHORT_PROMISE = Fraction(9, 10)  # that it must be seen to fall short of
_DRAWS = 512
_CONTROL_ERROR = Fraction(1, 10**6)


class Dense:
    """The claim `single-hop-dense`."""

    claim = claims.SINGLE_HOP_DENSE
    default_table = (128, 4)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table; options `delta`, `code_length`, `gate`, `trials` and `seed`."""
        delta, seed = options.get("delta", DEFAULT_DELTA), options.get("seed", 0)
        sizes = facts.n_subjects, facts.n_attributes, facts.n_relations
        length = options.get("code_length") or closed_form_length(*sizes, delta)
        at_gate = options.get("gate", facts.n_relations / 2)

        def trial(i: int) -> bool:
            rng = generator(seed, "dense", facts.digest, length, i)
            return readouts.n_wrong(readouts.dense(facts, length, rng), facts) == 0

        draws = Promise(1 - Fraction(str(delta)), trial, options.get("trials"))
        return Instance(
            facts=facts,
            values=self.values(facts, length, at_gate, delta),
            parameters={"delta": delta, "code_length": length, "gate": at_gate, **draws.parameters},
            build=lambda: dense_superposition(facts, length=length, gate=at_gate, seed=seed),
            margins=lambda model, progress: margins(model, facts, progress=progress),
            n_queries=facts.n_facts,
            samples=lambda: first_subject(facts),
            again=again,
            companion=lambda: self.instance(small_table(facts), **options),
            promises=("success",),
            draws=draws,
            redraw=lambda i: self.instance(facts, **options | {"seed": seed + i}),
        )

    def values(self, facts: FactTable, length: int, at_gate: float, delta: float) -> Values:
        """What the claim's symbols are worth; the expected number of failures exactly."""
        sizes = facts.n_subjects, facts.n_attributes, facts.n_relations
        return {
            N: facts.n_subjects,
            R: facts.n_relations,
            A: facts.n_attributes,
            m: length,
            gate: Fraction(at_gate),
            delta_symbol: Fraction(str(delta)),
            failures: table_failure(*sizes, length),
        }

    def controls_at(self, **_: Any) -> dict[str, Any]:
        """The parameters of the companion instance that the controls run on."""
        return {
            "subjects": _COMPANION.n_subjects,
            "relations": _COMPANION.n_relations,
            "table": "bijections",
            "code_length": _COMPANION_LENGTH,
            "short_code_length": _SHORT_LENGTH,
        }

    def controls(self, **_: Any) -> list[ControlResult]:
        """All controls of the claim, on a small companion table that is always the same."""
        controls = (self._short_draw, self._equal_diagonals, self._weak_gate, self._altered_fact)
        return [control(_COMPANION) for control in controls]

    def _short_draw(self, facts: FactTable) -> ControlResult:
        def draw(i: int) -> readouts.Readouts:
            return readouts.dense(facts, _SHORT_LENGTH, generator(0, "controls", "dense", i))

        def beats(drawn: readouts.Readouts) -> bool:
            answer, logits = facts.answers[0, 0], next(drawn.each)[0] @ drawn.words.T
            return bool(logits[(answer + 1) % facts.n_attributes] >= logits[answer])

        beaten = sum(beats(draw(i)) for i in range(_DRAWS))
        short = put_to_test(Promise(_SHORT_PROMISE, lambda i: readouts.n_wrong(draw(i), facts) == 0))
        p = pair_failure(_SHORT_LENGTH, facts.n_relations)
        as_predicted = not reaches(beaten, _DRAWS, p, _CONTROL_ERROR) and not reaches(
            _DRAWS - beaten, _DRAWS, 1 - p, _CONTROL_ERROR
        )
        got = (
            f"{short} of the draws succeed; one competitor wins in {beaten}, "
            f"p_m predicts {float(p * _DRAWS):.1f} of {_DRAWS}"
        )
        return result(claims.SHORT_DRAW, got, as_predicted and short.side == "below")

    def _equal_diagonals(self, facts: FactTable) -> ControlResult:
        u, D = self._draw(facts)
        equal = np.broadcast_to(D[0], D.shape)
        total = u[facts.answers].sum(axis=0)  # the diagonal cancels: sum_r u(pi_r(s)), whatever is asked
        read = readouts.Readouts(u, iter([total] * facts.n_relations))
        return self._as_predicted(claims.EQUAL_DIAGONALS, facts, self._model(facts, u, equal), read)

    def _weak_gate(self, facts: FactTable) -> ControlResult:
        u, D = self._draw(facts)
        weak = facts.n_relations / 8
        unbound = readouts.dense(facts, _COMPANION_LENGTH, generator(0, "controls", "dense")).each
        read = readouts.Readouts(u, (claims.readout_dense(y, weak) for y in unbound))
        return self._as_predicted(claims.WEAK_GATE, facts, self._model(facts, u, D, weak), read)

    def _altered_fact(self, facts: FactTable) -> ControlResult:
        subject, relation = 3, 1
        altered = facts.altered(subject, relation, int(facts.answers[relation, subject] + 1) % 12)
        found = margins(self._model(facts, *self._draw(facts)), altered)
        got = "wrong: " + ", ".join(facts.question(s, r) for s, r in found.wrong)
        return result(ALTERED_FACT, got, found.wrong == [(subject, relation)])

    def _draw(self, facts: FactTable) -> tuple[readouts.Floats, readouts.Floats]:
        """Codes and diagonals of a draw that recalls the companion table."""
        rng = generator(0, "controls", "dense")
        u = signs(rng, facts.n_attributes, _COMPANION_LENGTH)
        return u, signs(rng, facts.n_relations, _COMPANION_LENGTH)

    def _model(
        self, facts: FactTable, u: readouts.Floats, D: readouts.Floats, at_gate: float | None = None
    ) -> Transformer:
        return by_signs(facts, u, D, facts.n_relations / 2 if at_gate is None else at_gate)

    def _as_predicted(
        self, control: Control, facts: FactTable, model: Transformer, read: readouts.Readouts
    ) -> ControlResult:
        """Compares every margin of a broken instance with what the theory says is read."""
        return agreement(control, margins(model, facts), readouts.margins_read(read, facts), fails=True)


def first_subject(facts: FactTable) -> list[dict[str, Any]]:
    """Sample queries: the first subject, asked for every relation."""
    return [sample(Facts(facts), r * facts.n_subjects) for r in range(facts.n_relations)]


DENSE = Dense()
