"""C10's floor under test: does any split of the hops beat it, and how far above do they stand?"""

from dataclasses import replace
from itertools import product
from typing import Any

from georecall import bounds
from georecall.theory.claims.two_sided import TWO_SIDED_BOUND, TWO_SIDED_HOPS
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.floors import Floor
from georecall.verify.claims.hops import inverted
from georecall.verify.claims.instance import Paths, built
from georecall.verify.claims.two_sided import TWO_SIDED, below_the_floor
from georecall.verify.usage import require_memory_for_table
from georecall.verify.verdict.outcome import covered, recall_verdict
from georecall.verify.verdict.stored_bits import subject_bits
from georecall.verify.verdict.verdict import Mismatch, Verdict

_EXPERIMENT = next(experiment for experiment in TWO_SIDED if experiment.claim is TWO_SIDED_HOPS)


def _compare(
    verdict: Verdict, facts: FactTable, progress: Progress | None, hops: int = 2
) -> tuple[Verdict, Paths]:
    """Every split of the hops, typed and untyped, against the floors on the larger side and on one."""
    N, R = facts.n_subjects, facts.n_relations
    require_memory_for_table(N, R * hops)
    typed = random_bijections(N, R * hops, rng=generator(0, "typed table", N, R, hops))
    verdict = replace(verdict, status="holds")
    measured: dict[str, Any] = {}
    paths = {}
    for kind, split in product(("typed", "untyped"), (None, *range(hops + 1))):
        given = {"typed": True} if kind == "typed" else {}
        table = typed if kind == "typed" else facts
        options = {} if split is None else {"split": split}
        instance = _EXPERIMENT.instance(table, hops=hops, **given, **options)
        model = built(TWO_SIDED_HOPS, instance)
        assert model.storage is not None
        found = instance.margins(model, progress)
        recall = covered(
            recall_verdict(Verdict("recall", "inconclusive", n_queries=instance.n_queries), found), found
        )
        if recall.status == "holds":
            paths[found.path] = instance
        of_subject, of_output = subject_bits(model, N) or 0, model.storage.other_bits // N
        floor = bounds.two_sided(N, R, hops, untyped=kind == "untyped")
        beside = bounds.two_sided(N, R, hops, untyped=kind == "untyped", subject_bits=of_subject)
        what = f"{kind}, {'split by default' if split is None else f'split {split}'}"
        measured[what] = {
            "subject_bits": of_subject,
            "output_bits": of_output,
            "floor": floor.lower_float,
            "output_floor": beside.lower_float,
            "recalls": recall.status == "holds",
        }
        for quantity, least, used in (
            (f"bits of the larger side, {what}", floor, max(of_subject, of_output)),
            (f"bits of an output, {what}", beside, of_output),
        ):
            if recall.status != "holds":
                if verdict.status == "holds":
                    verdict = replace(verdict, status="inconclusive", reason=f"{what}: {recall.reason}")
            elif least.at_most(used) is False:
                beaten = Mismatch(quantity, f"at least {least}", used)
                reason = f"{quantity}: {used}, at least {least}"
                verdict = replace(verdict, status="refuted", reason=reason, witness=beaten)
            elif least.at_most(used) is None and verdict.status == "holds":
                reason = f"{quantity}: {used} lies within {least}"
                verdict = replace(verdict, status="inconclusive", reason=reason)
    return replace(verdict, measured=measured), paths


TWO_SIDED_FLOOR = Floor(
    TWO_SIDED_BOUND,
    _compare,
    lambda: [below_the_floor(2)],
    inverted,
    at={"subjects": 10, "relations": 3, "table": "bijections", "hops": 2},
    default_table=(64, 3),
)
