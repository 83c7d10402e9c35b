"""Recall of more facts than margins can be kept of: what is counted is that, and how far, they hold.

Subjects are judged a piece at a time, by as many threads as there are cores or by the workers of any
executor, and counted in order, so that the outcome does not depend on who counts. What has been counted can
be written to a file and taken up again.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.progress import Progress
from georecall.verify.executors import in_order
from georecall.verify.margins.counting.beforehand import Gone, by_threads
from georecall.verify.margins.counting.elsewhere import Elsewhere, by_workers, in_order_elsewhere
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.linear_map import NotExactError
from georecall.verify.margins.counting.partial_count import PartialCount, blas, count_piece, piece_size
from georecall.verify.margins.found import Method
from georecall.verify.margins.lead import Witness

_ENOUGH = 1 << 36  # logits spent on facts not recalled, before it is enough to know that some are not


@dataclass(frozen=True)
class Counted:
    """The outcome for all facts of a table: what a verdict asks of margins.

    Args:
        tally: of all subjects, or of those that were enough to refute.
        n_facts: N R.
        worst: the fact with the least margin, if some fact is not recalled.
    """

    tally: PartialCount
    n_facts: int
    worst: Witness | None

    @property
    def complete(self) -> bool:
        """Whether every fact was judged."""
        return self.tally.n_facts == self.n_facts

    @property
    def exact(self) -> bool:
        """Whether every margin is known without error: those counted are, of the others nothing is said."""
        return self.complete

    @property
    def n_recalled(self) -> int:
        """Facts whose margin is certainly positive."""
        return self.tally.n_recalled

    @property
    def n_wrong(self) -> int:
        """Facts whose margin is certainly zero or negative."""
        return self.tally.n_wrong

    @property
    def how_many_wrong(self) -> str:
        """That, in words."""
        first = "" if self.complete else f" the first {self.tally.n_facts} of"
        return f"{self.n_wrong} of{first} {self.n_facts} facts wrong"

    @property
    def path(self) -> str:
        """Which code decided."""
        return "counting"

    @property
    def minimum(self) -> tuple[Fraction, Fraction]:
        """The least margin counted, twice."""
        least = Fraction(self.tally.least or 0)
        return least, least

    @property
    def method(self) -> Method:
        """How the margins were obtained."""
        return "codebook" if self.tally.n_settled == self.tally.n_facts else "exhaustive"


@np.errstate(over="ignore", invalid="ignore")  # what overflows is left to margins
def count(
    model: Transformer,
    facts: Table,
    *,
    begun: PartialCount | None = None,
    keep: Callable[[PartialCount], None] | None = None,
    gone: Gone | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    elsewhere: Elsewhere | None = None,
) -> Counted | None:
    """Judges every fact of a table by exact integers, or enough of them to refute it.

    Args:
        model: the weights; they fit the facts.
        facts: asked as `[s, r]`.
        begun: what was counted before.
        keep: called with all that is counted, after every piece and when interrupted.
        gone: how far the ways through all attributes are that come before the first fact.
        progress: called with the number of facts done and of all facts.
        workers: threads; default one per core. The outcome is the same.
        elsewhere: counts instead of threads. The outcome is the same.

    Returns:
        None if the model is not judged in exact integers: then ask `verify.margins`.

    Raises:
        ChildProcessError: who counts elsewhere is lost, or has other weights.
    """
    gone = Gone() if gone is None else gone
    ways = by_threads(workers) if elsewhere is None else by_workers(elsewhere, model, gone)
    with blas().limit(limits=1):  # its products are too small for threads
        judge = ExactMargins.of(model, facts, gone.folding(ways))
    if judge is None:
        return None
    total = begun or PartialCount()
    start = facts.n_subjects if _is_enough(total, facts) else total.n_subjects
    try:
        if elsewhere is None:
            parts = _in_order(judge, start, workers or os.cpu_count() or 1)
        else:
            parts = in_order_elsewhere(judge, start, elsewhere, gone)
        for part in parts:
            total = total.plus(part)
            if keep is not None:
                keep(total)
            if progress is not None:
                progress(total.n_facts, facts.n_facts)
            if _is_enough(total, facts):
                break
        return Counted(total, facts.n_facts, _witness(judge, total) if total.n_wrong else None)
    except NotExactError:
        return None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"of {facts.n_facts} facts {total}") from None


def _is_enough(total: PartialCount, facts: Table) -> bool:
    """Whether what is counted refutes the table and cost so much that it is left at that."""
    return total.n_wrong > 0 and (total.n_facts - total.n_settled) * facts.n_attributes > _ENOUGH


def _in_order(judge: ExactMargins, start: int, workers: int) -> Iterator[PartialCount]:
    """The tallies of the pieces from a subject on, each one begun a little ahead."""
    N, piece = judge.facts.n_subjects, piece_size(judge)
    calls = [(judge, at, min(at + piece, N)) for at in range(start, N, piece)]
    with blas().limit(limits=1 if workers > 1 else None), ThreadPoolExecutor(workers) as pool:
        if len(calls) == 1:  # done before a thread has begun
            yield count_piece(*calls[0])
        else:
            yield from in_order(pool, count_piece, calls)


def _witness(judge: ExactMargins, total: PartialCount) -> Witness:
    relation, subject = total.worst
    facts = judge.facts
    answer, got = int(facts.block(subject, subject + 1)[relation, 0]), judge.rival(subject, relation)
    return Witness.of(facts, (subject, relation), answer, got, float(total.least or 0.0))
