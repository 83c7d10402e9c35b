"""C6 under test: what the constructions without chain of thought store, against the floors."""

from dataclasses import replace
from itertools import product
from typing import Any

from georecall import bounds
from georecall.constructions.hops import composed_hops
from georecall.theory.claims.hops import COMPOSED_HOPS, DROPPED_BLOCK
from georecall.theory.claims.multi_hop import MULTI_HOP_BOUND
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims import floors
from georecall.verify.claims.hop_controls import COMPANION, hop_controls
from georecall.verify.claims.hops import FAMILY as MULTI_HOP_FAMILY
from georecall.verify.claims.hops import Hops, inverted
from georecall.verify.claims.instance import Paths, built
from georecall.verify.margins.induction import PremiseError
from georecall.verify.usage import require_memory_for_table
from georecall.verify.verdict.outcome import uncertified
from georecall.verify.verdict.stored_bits import subject_bits
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
    require_memory_for_table(N, R * hops)
    rng = generator(0, "typed table", N, R, hops)
    tables = {"typed": random_bijections(N, R * hops, rng=rng), "untyped": facts}
    least = {"typed": bounds.multi_hop, "untyped": bounds.multi_hop_untyped}
    measured: dict[str, Any] = {}
    outcomes: list[floors.Outcome] = []
    paths = {}
    for kind, experiment in product(tables, MULTI_HOP):
        if kind == "typed" and "typed" not in experiment.claim.parameters:
            continue
        given = {"typed": True} if kind == "typed" else {}
        instance = experiment.instance(tables[kind], hops=hops, **given)
        model = built(experiment.claim, instance)
        assert model.storage is not None
        per_subject, others = subject_bits(model, N) or 0, model.storage.other_bits
        try:
            found = instance.margins(model, progress)
            recalls, not_all = floors.recalls_all(found, instance.n_queries)
            if recalls:
                paths[found.path] = instance
        except PremiseError as error:
            recalls, not_all = None, uncertified(instance.n_queries, error)
        floor = least[kind](N, R, hops, other_bits=others)
        elsewhere = least[kind](N, R, hops, subject_bits=per_subject)
        what = f"{experiment.name}, {kind}"
        measured[what] = {
            "subject_bits": per_subject,
            "other_bits": others,
            "subject_floor": floor.lower_float,
            "other_floor": elsewhere.lower_float,
            "recalls": recalls,
        }
        if recalls:
            outcomes.append(floors.against(f"bits of a subject in {what}", floor, per_subject))
            outcomes.append(floors.against(f"other bits of {what}", elsewhere, others))
        else:
            outcomes.append(f"{what}: {not_all}")
    return floors.compared(verdict, {}, measured, outcomes), paths


def _dropped_block() -> list[ControlResult]:
    """C5(a) without one block of its embeddings, fewer bits than its strings need: their queries fail."""
    found = hop_controls(COMPOSED_HOPS, composed_hops, (2,))
    dropped = next(c for c in found if c.name == DROPPED_BLOCK.name)
    floor = bounds.multi_hop(COMPANION.n_subjects, COMPANION.n_relations, 2, other_bits=0)
    below = isinstance(floors.against("bits of a subject", floor, floor.lower_float // 2), Mismatch)
    return [replace(dropped, ok=dropped.ok and below)]


MULTI_HOP_FLOOR = floors.Floor(
    MULTI_HOP_BOUND,
    _compare,
    _dropped_block,
    inverted,
    default_table=(64, 3),
)
