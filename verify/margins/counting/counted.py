"""Recall of more facts than margins can be kept of: what is counted is that, and how far, they hold.

Subjects are judged a piece at a time, by as many threads as there are cores or by the workers of any
executor, and counted in order, so that the outcome does not depend on who counts. What has been counted can
be written to a file and taken up again.
"""

import math
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.blocks import Fold, blocks, fold
from georecall.theory.tools.progress import Progress
from georecall.verify.executors import awaited, n_workers
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.fingerprint import fingerprint
from georecall.verify.margins.counting.linear_map import NotExactError
from georecall.verify.margins.found import Method
from georecall.verify.margins.lead import Witness

_PIECE_BYTES = 16 << 20  # of residuals judged together; smaller pieces lose to calls, larger ones to memory
_PIECES = 8  # of a table at least, the same for any number of threads ...
_WORTH_A_THREAD = 1 << 21  # ... unless they get smaller than this, done before a second thread has begun
_HANDFUL = 64  # pieces of a task at most: what is lost with a worker is less than a minute's work ...
_TASKS = 16  # ... and each worker has so many, to the end
_ONE_AT_A_TIME = Lock()  # a worker of several threads makes the judge once
_ENOUGH = 1 << 36  # logits spent on facts not recalled, before it is enough to know that some are not


@dataclass(frozen=True)
class PartialCount:
    """What has been counted of subjects 0..n_subjects - 1.

    Args:
        n_subjects: how many are done.
        n_facts: how many facts these have.
        n_recalled: facts whose margin is positive.
        n_settled: facts whose margin the codebook knew.
        least: the least margin, exact; None before the first fact.
        worst: relation and subject of the first fact that has it.
    """

    n_subjects: int = 0
    n_facts: int = 0
    n_recalled: int = 0
    n_settled: int = 0
    least: float | None = None
    worst: tuple[int, int] = (0, 0)

    @property
    def n_wrong(self) -> int:
        """Facts that are not recalled; a tie is an error."""
        return self.n_facts - self.n_recalled

    def __str__(self) -> str:
        """In words, as after 'of 100 facts'."""
        if self.least is None:
            return "none were counted yet"
        wrong = f"{self.n_wrong} of them wrong" if self.n_wrong else "all recalled"
        return f"{self.n_facts} were counted, {wrong}, least margin {self.least:g}"

    def plus(self, other: "PartialCount") -> "PartialCount":
        """Both, `other` being about the subjects that come next."""
        first = other.least is None or (self.least is not None and self.least <= other.least)
        return PartialCount(
            self.n_subjects + other.n_subjects,
            self.n_facts + other.n_facts,
            self.n_recalled + other.n_recalled,
            self.n_settled + other.n_settled,
            *((self.least, self.worst) if first else (other.least, other.worst)),
        )


@dataclass(frozen=True)
class Elsewhere:
    """Who counts instead of this process.

    Args:
        executor: whose workers do: processes, or a Dask cluster's.
        make: what they make the weights and the facts of, each for itself; it is pickled.
    """

    executor: Executor
    make: Callable[[], tuple[Transformer, Table]]


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

    def gap(self, n_queries: int) -> None:
        """None: every fact was asked, or enough of them to refute."""

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
    fold: Fold = fold,
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
        fold: goes through all attributes before the first fact; see `theory.tools.blocks`.
        progress: called with the number of facts done and of all facts.
        workers: threads; default one per core. The outcome is the same.
        elsewhere: counts instead of threads. The outcome is the same.

    Returns:
        None if the model is not judged in exact integers: then ask `verify.margins`.

    Raises:
        ChildProcessError: who counts elsewhere is lost, or has other weights.
    """
    gone_through: dict[str, Any] = {}

    def noted(name: str, *rest: Any) -> Any:
        gone_through[name] = fold(name, *rest)
        return gone_through[name]

    with _blas().limit(limits=1):  # its products are too small for threads
        judge = ExactMargins.of(model, facts, noted)
    if judge is None:
        return None
    total = begun or PartialCount()
    start = facts.n_subjects if _is_enough(total, facts) else total.n_subjects
    try:
        if elsewhere is None:
            parts = _in_order(judge, start, workers or os.cpu_count() or 1)
        else:
            parts = _in_order_elsewhere(judge, start, elsewhere, gone_through)
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
    N, piece = judge.facts.n_subjects, _piece_size(judge)
    starts = iter(range(start, N, piece))
    ahead: deque[Future[PartialCount]] = deque()
    with _blas().limit(limits=1 if workers > 1 else None), ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while len(ahead) < 2 * workers and (at := next(starts, None)) is not None:
                    ahead.append(pool.submit(_piece, judge, at, min(at + piece, N)))
                if not ahead:
                    return
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _piece_size(judge: ExactMargins) -> int:
    """Subjects of a piece; it does not depend on who counts."""
    N, width = judge.facts.n_subjects, max(1, len(judge.separated.rows))
    piece = min(_PIECE_BYTES // width, max(_WORTH_A_THREAD // width, N // _PIECES))
    return max(256, piece // 256 * 256)


def _in_order_elsewhere(
    judge: ExactMargins, start: int, elsewhere: Elsewhere, gone_through: dict[str, Any]
) -> Iterator[PartialCount]:
    """The same, pieces by the handful: what a scheduler does for a task takes as long as many facts."""
    N, piece = judge.facts.n_subjects, _piece_size(judge)
    workers = n_workers(elsewhere.executor)
    handful = piece * min(_HANDFUL, max(1, (N - start) // (piece * workers * _TASKS)))
    job = pickle.dumps((elsewhere.make, gone_through, fingerprint(judge.model)))
    starts, ahead, begun = iter(range(start, N, handful)), deque[Future[list[PartialCount] | None]](), False
    try:
        while True:
            while len(ahead) < 2 * workers and (at := next(starts, None)) is not None:
                ahead.append(elsewhere.executor.submit(counted, job, at, min(at + handful, N), piece))
            if not ahead:
                return
            found = awaited(ahead[0], elsewhere.executor, "piece", begun=begun)
            if found is None:
                raise NotExactError("no integers hold a number on the way")
            yield from found
            ahead.popleft()
            begun = True
    finally:
        for future in ahead:
            future.cancel()


def counted(job: bytes, start: int, stop: int, piece: int) -> list[PartialCount] | None:
    """What a worker does: the tallies of some pieces; None if they are not exact in integers.

    Args:
        job: pickled: how the weights and facts are made, what `fold` found before, the weights' fingerprint.
        start: the first subject.
        stop: the last but one.
        piece: subjects of each tally.

    Raises:
        ValueError: the worker makes other weights, as another version would.
    """
    with _ONE_AT_A_TIME:
        judge = _exact_margins(job)
    with _blas().limit(limits=1):
        try:
            return [_piece(judge, start + at.start, start + at.stop) for at in blocks(stop - start, piece)]
        except NotExactError:
            return None


@lru_cache(maxsize=1)
def _exact_margins(job: bytes) -> ExactMargins:
    make, gone_through, theirs = pickle.loads(job)
    model, facts = make()
    if fingerprint(model) != theirs:
        raise ValueError("this worker makes other weights: does it run the same version of georecall?")

    def known(name: str, *rest: Any) -> Any:
        return gone_through[name] if name in gone_through else fold(name, *rest)

    with _blas().limit(limits=1):
        judge = ExactMargins.of(model, facts, known)
    assert judge is not None  # as it was not for who sent the job
    return judge


@cache
def _blas() -> ThreadpoolController:
    """The libraries whose own threads would be in the way; finding them takes longer than small tables do."""
    return ThreadpoolController()


def _piece(judge: ExactMargins, start: int, stop: int) -> PartialCount:
    n, n_recalled, n_settled = stop - start, 0, 0
    least, worst = math.inf, (0, start)
    for relation, (margins, settled) in enumerate(judge.by_relation(start, stop)):
        place = 0 if isinstance(margins, float) else int(margins.argmin())
        lowest = margins if isinstance(margins, float) else float(margins[place])
        n_recalled += n if lowest > 0 else int(np.count_nonzero(np.asarray(margins) > 0))
        n_settled += settled
        if lowest < least:
            least, worst = lowest, (relation, start + place)
    return PartialCount(n, n * judge.facts.n_relations, n_recalled, n_settled, least, worst)


def _witness(judge: ExactMargins, total: PartialCount) -> Witness:
    relation, subject = total.worst
    facts = judge.facts
    answer, got = int(facts.block(subject, subject + 1)[relation, 0]), judge.rival(subject, relation)
    return Witness.of(facts, (subject, relation), answer, got, float(total.least or 0.0))
