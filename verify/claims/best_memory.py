"""C8's fair baseline under test: some W recalls over the frozen keys and words, or provably none does."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from georecall.bounds.linear_memory import no_linear_memory
from georecall.constructions.best_memory import LEVELS, TrainedMemory, default_dimension, trained_memory
from georecall.constructions.memories import linear_associative_memory
from georecall.theory.claims import memories as claims
from georecall.theory.claims.memories import BEST_LINEAR_MEMORY
from georecall.theory.claims.symbols import m
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import altered_fact, companion_sizes, result
from georecall.verify.claims.instance import Experiment, Instance, table_values
from georecall.verify.claims.path_control import of_facts
from georecall.verify.margins.margins import margins
from georecall.verify.usage import UsageError, require_memory
from georecall.verify.verdict.verdict import ControlResult, Mismatch, Verdict

_COMPANION = random_bijections(32, 1, rng=generator(0, "controls", "best memory"))
_ENOUGH, _TOO_FEW = 16, 6  # d at which some W recalls the companion, and at which none does


def proves_none(memory: TrainedMemory, facts: FactTable) -> bool:
    """Whether the multipliers of a training that failed prove that no W recalls these facts.

    Raises:
        UsageError: the proof takes more memory than there is, for up to 3 d^2 rows of length d^2.
    """
    d = memory.keys.shape[1]
    require_memory(8 * 6 * d**4, f"the proof that no memory of dimension {d} recalls")
    return no_linear_memory(memory.keys, facts.answers.ravel(), memory.words, memory.multipliers)


def settled(verdict: Verdict, memory: TrainedMemory, facts: FactTable) -> Verdict:
    """What a W that fails says: refuted if none recalls, which the multipliers must prove; else nothing."""
    d = memory.keys.shape[1]
    failed = f"the W that training found loses facts ({verdict.reason})"
    try:
        if proves_none(memory, facts):
            reason = f"no W of {d} x {d} recalls every fact over these keys and words: multipliers prove it"
            witness = Mismatch("recall", "some W", f"none; {failed}")
            return replace(verdict, status="refuted", reason=reason, witness=witness)
    except UsageError as error:
        return replace(verdict, status="inconclusive", reason=f"{failed}; {error}", witness=None)
    reason = f"{failed}, and no proof that none recalls was found"
    return replace(verdict, status="inconclusive", reason=reason, witness=None)


class BestLinear(Experiment):
    """The claim `best-linear-memory`: about one draw of keys and words, that of the seed."""

    claim = BEST_LINEAR_MEMORY
    default_table = (64, 4)
    seeded = True

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table; options `code_length` (d) and `seed`."""
        d, seed = options.get("code_length") or default_dimension(facts), options.get("seed", 0)
        require_memory(64 * d * d + 32 * facts.n_facts * facts.n_attributes, f"training {d} x {d} weights")
        memory = cache(lambda: trained_memory(facts, d, seed=seed))
        values = table_values(facts) | {
            m: d,
            claims.values: 2 * LEVELS + 1,
        }
        return Instance(
            **of_facts(facts, lambda small: self.instance(small, seed=seed)) | {"by_facts": False},
            values=values,
            parameters={"code_length": d},
            build=lambda: memory().model,
            lost=lambda verdict: settled(verdict, memory(), facts),
        )

    def controls_at(self, **_: Any) -> dict[str, Any]:
        return companion_sizes(_COMPANION, code_length=_ENOUGH, short_code_length=_TOO_FEW)

    def controls(self, **_: Any) -> list[ControlResult]:
        facts = _COMPANION
        good, bad = (trained_memory(facts, d) for d in (_ENOUGH, _TOO_FEW))
        recalled, lost = (margins(memory.model, facts) for memory in (good, bad))
        outer = margins(linear_associative_memory(facts, dimension=_ENOUGH), facts)
        short = settled(Verdict("", "refuted", reason=lost.how_many_wrong), bad, facts)
        bent = bad.multipliers * generator(0, "controls", "multipliers").integers(1, 3, bad.multipliers.shape)
        sound = Verdict("", "refuted", reason="none")
        others = [good, replace(bad, multipliers=bent), replace(bad, multipliers=np.zeros_like(bent))]
        statuses = [settled(sound, memory, facts).status for memory in others]
        return [
            result(claims.TOO_FEW, f"{lost.n_wrong} lost: {short.status}", short.status == "refuted"),
            result(
                claims.OUTER,
                f"outer product: {outer.n_wrong} of {outer.n_facts} lost, best: {recalled.n_wrong}",
                recalled.n_wrong == 0 < outer.n_wrong,
            ),
            result(claims.BENT, ", ".join(statuses), statuses == ["inconclusive"] * len(others)),
            altered_fact(good.model, facts, relation=0),
        ]


BEST_LINEAR = BestLinear()
