"""C6 under test: what the constructions without chain of thought store, against the floors."""

from dataclasses import replace
from itertools import product

from georecall import bounds
from georecall.constructions.hops import composed_hops
from georecall.theory.claims.hops import COMPOSED_HOPS, DROPPED_BLOCK
from georecall.theory.claims.multi_hop import MULTI_HOP_BOUND
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress
from georecall.verify.claims import floors
from georecall.verify.claims.hop_controls import COMPANION, hop_controls
from georecall.verify.claims.hops import FAMILY as MULTI_HOP_FAMILY
from georecall.verify.claims.hops import Hops, invertible
from georecall.verify.claims.instance import Paths
from georecall.verify.verdict.verdict import ControlResult, Mismatch, Verdict

MULTI_HOP = [experiment for experiment in MULTI_HOP_FAMILY if isinstance(experiment, Hops)]


def _compare(
    verdict: Verdict, facts: FactTable, progress: Progress | None, hops: int = 2
) -> tuple[Verdict, Paths]:
    """C6: what the constructions without chain of thought store, against the typed and the untyped floor.

    The floor on the bits of a subject's embedding is taken at the other bits that the construction has,
    and the floor on these at the bits of its embeddings.
    """
    N, R = facts.n_subjects, facts.n_relations
    tables = floors.typed_and_untyped(facts, hops)
    least = {"typed": bounds.multi_hop, "untyped": bounds.multi_hop_untyped}
    beside = floors.Beside(progress)
    for kind, experiment in product(tables, MULTI_HOP):
        if kind == "typed" and "typed" not in experiment.claim.parameters:
            continue
        what, asked = f"{experiment.name}, {kind}", {"hops": hops, "typed": kind == "typed"}
        recall, per_subject, others = beside.of_hops(what, experiment, tables[kind], **asked)
        floor = least[kind](N, R, hops, other_bits=others)
        elsewhere = least[kind](N, R, hops, subject_bits=per_subject)
        beside.enter(
            what,
            recall,
            (f"bits of a subject in {what}", floor, per_subject),
            (f"other bits of {what}", elsewhere, others),
            subject_bits=per_subject,
            other_bits=others,
            subject_floor=floor.lower_float,
            other_floor=elsewhere.lower_float,
        )
    return beside.judged(verdict, {})


def _dropped_block() -> list[ControlResult]:
    """C5(a) without one block of its embeddings, fewer bits than its strings need: their queries fail."""
    found = hop_controls(COMPOSED_HOPS, composed_hops, (2,))
    dropped = next(c for c in found if c.name == DROPPED_BLOCK.name)
    floor = bounds.multi_hop(COMPANION.n_subjects, COMPANION.n_relations, 2, other_bits=0)
    below = isinstance(floors.against("bits of a subject", floor, floor.lower_float // 2), Mismatch)
    return [replace(dropped, ok=dropped.ok and below)]


MULTI_HOP_FLOOR = floors.Floor(MULTI_HOP_BOUND, _compare, _dropped_block, invertible, default_table=(64, 3))
