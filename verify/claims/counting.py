"""C4 under test: what every construction of C1's family stores, against the floor."""

import math
from itertools import count
from typing import Any

from georecall import bounds
from georecall.constructions.codes.code import code_length, sign_code
from georecall.constructions.single_hop import in_place_superposition
from georecall.theory.claims.counting import COUNTING_BOUND
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress
from georecall.verify.claims import floors
from georecall.verify.claims.instance import Paths, built
from georecall.verify.claims.single_hop import FAMILY
from georecall.verify.margins.margins import margins
from georecall.verify.verdict.verdict import ControlResult, Mismatch, Verdict


def _compare(verdict: Verdict, facts: FactTable, progress: Progress | None) -> tuple[Verdict, Paths]:
    """C4 at one table of bijections: total fact-dependent bits of every C1 construction against the floor."""
    floor = bounds.counting(facts.n_subjects, facts.n_relations)
    beside = floors.Beside(progress)
    for experiment in FAMILY:
        name, instance = experiment.name, experiment.instance(facts)
        model = built(experiment.claim, instance)
        bits = floors.bits_used(model, facts)
        recall = beside.recall(name, instance, model)
        beside.enter(
            name, recall, (f"bits of {name}", floor, bits), bits=bits, times_floor=floors.ratio(bits, floor)
        )
    for exponent in range(4, 41, 6):
        beside.measured[f"C1' at N = 2^{exponent}, by formula"] = _by_formula(
            1 << exponent, facts.n_relations
        )
    return beside.judged(verdict, {"table_bits": floors.ends(floor)})


def _stored_below_the_floor() -> list[ControlResult]:
    """C1' with so few coordinates that N R m bits are below the floor: facts must be lost."""
    facts = floors.COMPANION
    sizes = facts.n_subjects, facts.n_relations
    floor = bounds.counting(*sizes)
    length = math.ceil(floor.lower / facts.n_facts) - 1
    model = in_place_superposition(facts, code=sign_code(facts.n_attributes, length=length))
    bits, lost = floors.bits_used(model, facts), margins(model, facts).n_wrong
    least = next(e for e in count() if bounds.approximate_counting(*sizes, e).at_most(bits))
    got = f"{bits} bits, floor {floor.lower_float:.4g}: {lost} of {facts.n_facts} facts lost, {least} must be"
    below = isinstance(floors.against("bits", floor, bits), Mismatch)
    return floors.control_of(COUNTING_BOUND, got, below and 0 < least <= lost)


def _by_formula(n_subjects: int, n_relations: int) -> dict[str, Any]:
    """What C1' stores, N R ceil(log2 N) bits, where it may be too large to build."""
    used = n_subjects * n_relations * code_length(n_subjects)
    times = floors.ratio(used, bounds.counting(n_subjects, n_relations))
    return {"bits": used, "times_floor": times, "recalls": None}


COUNTING = floors.Floor(
    COUNTING_BOUND, _compare, _stored_below_the_floor, lambda facts: {"bijective": facts.bijective}
)
