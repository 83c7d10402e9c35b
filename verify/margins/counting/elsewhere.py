"""Counting by the workers of any executor: each makes the weights for itself."""

import pickle
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.blocks import blocks, fold
from georecall.verify.executors import awaited, n_workers
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.fingerprint import fingerprint
from georecall.verify.margins.counting.linear_map import NotExactError
from georecall.verify.margins.counting.partial_count import PartialCount, blas, count_piece, piece_size

_HANDFUL = 512  # pieces of a task at most: what is lost with a worker is less than a minute's work ...
_TASKS = 8  # ... and there are so many for each worker, if there is work enough
_ONE_AT_A_TIME = Lock()  # a worker of several threads makes the judge once


@dataclass(frozen=True)
class Elsewhere:
    """Who counts instead of this process.

    Args:
        executor: whose workers do: processes, or a Dask cluster's.
        make: what they make the weights and the facts of, each for itself; it is pickled.
    """

    executor: Executor
    make: Callable[[], tuple[Transformer, Table]]


def in_order_elsewhere(
    judge: ExactMargins, start: int, elsewhere: Elsewhere, gone_through: dict[str, Any]
) -> Iterator[PartialCount]:
    """The same, pieces by the handful: what a scheduler does for a task takes as long as many facts."""
    N, piece = judge.facts.n_subjects, piece_size(judge)
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
    with blas().limit(limits=1):
        try:
            return [
                count_piece(judge, start + at.start, start + at.stop) for at in blocks(stop - start, piece)
            ]
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

    with blas().limit(limits=1):
        judge = ExactMargins.of(model, facts, known)
    assert judge is not None  # as it was not for who sent the job
    return judge
