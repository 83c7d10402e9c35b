"""C10's floor under test: does any split of the hops beat it, and how far above do they stand?"""

from itertools import product

from georecall import bounds
from georecall.theory.claims.two_sided import TWO_SIDED_BOUND, TWO_SIDED_HOPS
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress
from georecall.verify.claims import floors
from georecall.verify.claims.controls import companion_sizes
from georecall.verify.claims.hops import invertible
from georecall.verify.claims.instance import Paths
from georecall.verify.claims.two_sided import COMPANION, TWO_SIDED, below_the_floor
from georecall.verify.verdict.verdict import Verdict

_EXPERIMENT = next(experiment for experiment in TWO_SIDED if experiment.claim is TWO_SIDED_HOPS)


def _compare(
    verdict: Verdict, facts: FactTable, progress: Progress | None, hops: int = 2
) -> tuple[Verdict, Paths]:
    """Every split of the hops, typed and untyped, against the floors on the larger side and on one."""
    N, R = facts.n_subjects, facts.n_relations
    tables = floors.typed_and_untyped(facts, hops)
    beside = floors.Beside(progress)
    for kind, split in product(tables, (None, *range(hops + 1))):
        what = f"{kind}, {'split by default' if split is None else f'split {split}'}"
        asked = {"hops": hops, "typed": kind == "typed", "split": split}
        recall, of_subject, others = beside.of_hops(what, _EXPERIMENT, tables[kind], **asked)
        of_output = others // N
        floor = bounds.two_sided(N, R, hops, untyped=kind == "untyped")
        least = bounds.two_sided(N, R, hops, untyped=kind == "untyped", subject_bits=of_subject)
        beside.enter(
            what,
            recall,
            (f"bits of the larger side, {what}", floor, max(of_subject, of_output)),
            (f"bits of an output, {what}", least, of_output),
            subject_bits=of_subject,
            output_bits=of_output,
            floor=floor.lower_float,
            output_floor=least.lower_float,
        )
    return beside.judged(verdict, {})


TWO_SIDED_FLOOR = floors.Floor(
    TWO_SIDED_BOUND,
    _compare,
    lambda: [below_the_floor(2)],
    invertible,
    at=companion_sizes(COMPANION, hops=2),
    default_table=(64, 3),
)
