"""C2 under test: many draws against the promise, and the controls that must break it."""

from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from georecall.constructions.dense import by_signs, dense_superposition, n_levels, reach_of, signs, suffices
from georecall.constructions.embeddings import EMBEDDINGS
from georecall.constructions.single_hop import in_place_superposition
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import dense as claims
from georecall.theory.claims.claim import Control
from georecall.theory.claims.symbols import delta as delta_symbol
from georecall.theory.claims.symbols import failures, gate, levels, m
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.numbers.dense import closed_form_length, exact_length, pair_failure, table_failure
from georecall.theory.numbers.zero_forced import failure
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.claims import readouts
from georecall.verify.claims.controls import altered_fact, as_predicted, companion_sizes, result
from georecall.verify.claims.instance import Experiment, Instance, table_values
from georecall.verify.claims.path_control import of_facts
from georecall.verify.claims.promise import Promise, put_to_test
from georecall.verify.margins.margins import margins
from georecall.verify.usage import require_memory
from georecall.verify.verdict.intervals import falls_short, reaches
from georecall.verify.verdict.verdict import ControlResult

DEFAULT_DELTA = 0.1

_COMPANION = random_bijections(12, 4, rng=generator(0, "controls", "dense"))
_COMPANION_LENGTH = closed_form_length(12, 12, 4, DEFAULT_DELTA)
_SHORT_LENGTH = {  # p_m is 0.18 at 16: every draw has hundreds of pairs that go wrong; of 16 words 12 collide
    "plain": 16,
    "zero-forced": 8,
    "optimised": 4,
}
_SHORT_PROMISE = Fraction(9, 10)  # that it must be seen to fall short of
_DRAWS = 512
_CONTROL_ERROR = Fraction(1, 10**6)


class Dense(Experiment):
    """The claim `single-hop-dense`."""

    claim = claims.SINGLE_HOP_DENSE
    default_table = (128, 4)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table; `delta`, `code_length`, `gate`, `trials`, `embedding` and `seed`."""
        delta, seed = options.get("delta", DEFAULT_DELTA), options.get("seed", 0)
        kind = options.get("embedding", "plain")
        length = options.get("code_length") or suffices(kind, *_sizes(facts), delta)
        own = () if kind == "plain" else (kind,)
        if own:
            require_memory(24 * facts.n_facts * length, f"the {kind} embeddings of {facts.n_facts} facts")
        embeddings = cache(lambda: drawn_embeddings(facts, length, kind, seed))
        half = facts.n_relations / 2 if kind == "plain" else reach_of(embeddings(), facts.n_relations) / 2
        at_gate = options.get("gate", half)
        read = readouts.dense_by(kind)

        def trial(i: int) -> bool:
            rng = generator(seed, "dense", facts.digest, length, i, *own)
            return readouts.n_wrong(read(facts, length, rng), facts) == 0

        draws = Promise(1 - Fraction(str(delta)), trial, options.get("trials"))
        per_coordinate = n_levels(embeddings(), facts.n_relations) if own else facts.n_relations + 1
        kept = {name: value for name, value in options.items() if name != "gate" or not own}
        return Instance(
            **of_facts(facts, lambda small: self.instance(small, **kept)),
            values=self.values(facts, length, kind, delta)
            | {gate: Fraction(at_gate), claims.reach: Fraction(2 * half), levels: per_coordinate},
            parameters={
                "delta": delta,
                "code_length": length,
                "gate": at_gate,
                **({"embedding": kind} if own else {}),
                **draws.parameters,
            },
            build=lambda: dense_superposition(facts, length=length, gate=at_gate, seed=seed, embedding=kind),
            promises=("success",),
            draws=draws,
            redraw=lambda i: self.instance(facts, **options | {"seed": seed + i}),
        )

    def values(self, facts: FactTable, length: int, kind: str, delta: float) -> dict[Any, int | Fraction]:
        """What the claim's symbols are worth that no draw decides."""
        return table_values(facts) | {
            m: length,
            delta_symbol: Fraction(str(delta)),
            failures: expected_failures(kind, *_sizes(facts), length),
        }

    def controls_at(self, **options: Any) -> dict[str, Any]:
        short = _SHORT_LENGTH[options.get("embedding", "plain")]
        return companion_sizes(_COMPANION, code_length=_COMPANION_LENGTH, short_code_length=short)

    def controls(self, **options: Any) -> list[ControlResult]:
        facts, kind, rng = _COMPANION, options.get("embedding", "plain"), generator(0, "controls", "dense")
        u, D = (signs(rng, n, _COMPANION_LENGTH) for n in (facts.n_attributes, facts.n_relations))
        embed, equal = EMBEDDINGS[kind], np.broadcast_to(D[0], D.shape)
        own, at_equal = embed(facts, u, D), embed(facts, u, equal)
        weak = facts.n_relations / 8 if kind == "plain" else 0.0
        whatever_is_asked = readouts.Readouts(u, iter([at_equal * D[0]] * facts.n_relations))
        weakly = readouts.Readouts(u, (claims.readout_dense(own * turn, weak) for turn in D))

        def as_read(control: Control, model: Transformer, read: readouts.Readouts) -> ControlResult:
            return as_predicted(
                control, margins(model, facts), readouts.margins_read(read, facts), fails=True
            )

        return [
            self._short_draw(facts, kind),
            as_read(claims.EQUAL_DIAGONALS, by_signs(facts, u, equal, None, at_equal), whatever_is_asked),
            as_read(claims.GATE_BELOW_REACH, by_signs(facts, u, D, weak, own), weakly),
            altered_fact(by_signs(facts, u, D, None, own), facts),
            self._generic(facts),
        ]

    def _short_draw(self, facts: FactTable, kind: str) -> ControlResult:
        length = _SHORT_LENGTH[kind]
        read = readouts.dense_by(kind)

        def draw(i: int) -> readouts.Readouts:
            return read(facts, length, generator(0, "controls", "dense", i))

        def beats(drawn: readouts.Readouts) -> bool:
            answer, logits = facts.answers[0, 0], next(drawn.each)[0] @ drawn.words.T
            return bool(logits[(answer + 1) % facts.n_attributes] >= logits[answer])

        trials = None if kind == "plain" else 16
        short = put_to_test(Promise(_SHORT_PROMISE, lambda i: readouts.n_wrong(draw(i), facts) == 0, trials))
        if kind != "plain":
            return result(claims.SHORT_DRAW, f"{short} of the draws succeed", short.side == "below")
        beaten = sum(beats(draw(i)) for i in range(_DRAWS))
        p = pair_failure(length, facts.n_relations)
        above, below = (
            reaches(beaten, _DRAWS, p, _CONTROL_ERROR),
            falls_short(beaten, _DRAWS, p, _CONTROL_ERROR),
        )
        predicted = f"p_m predicts {float(p * _DRAWS):.1f} of {_DRAWS}"
        got = f"{short} of the draws succeed; one competitor wins in {beaten}, {predicted}"
        return result(claims.SHORT_DRAW, got, not above and not below and short.side == "below")

    def _generic(self, facts: FactTable) -> ControlResult:
        """Every tuple of attributes a subject: whatever table is chosen after the draw."""
        every = FactTable(np.array(list(product(range(facts.n_attributes), repeat=facts.n_relations))).T)
        length, rng = exact_length(*_sizes(facts), DEFAULT_DELTA), generator(0, "controls", "dense")
        lost = readouts.n_wrong(readouts.dense_by("plain")(every, length, rng), every, allowed=every.n_facts)
        exact = margins(in_place_superposition(every), every).n_wrong
        got = f"{lost} of {every.n_facts} lost at m = {length}, {exact} by C1'"
        return result(claims.GENERIC, got, lost > 0 == exact)


def drawn_embeddings(facts: FactTable, length: int, kind: Any, seed: int) -> Floats:
    """The subjects' rows of draw 0, as `dense_superposition` makes them."""
    model = dense_superposition(facts, length=length, seed=seed, embedding=kind)
    return np.asarray(model.W_E[: facts.n_subjects])


def expected_failures(kind: str, *sizes: int) -> Fraction:
    """A proved bound on the expected number of (fact, competitor) pairs that fail; sizes: N, |A|, R, length.

    Optimised embeddings succeed wherever plain or zero-forced ones do.
    """
    bounds = []
    if kind != "zero-forced":
        bounds.append(table_failure(*sizes))
    if kind != "plain":
        bounds.append(Fraction(failure(*sizes)))
    return min(bounds)


def _sizes(facts: FactTable) -> tuple[int, int, int]:
    """N, |A|, R."""
    return facts.n_subjects, facts.n_attributes, facts.n_relations


DENSE = Dense()
