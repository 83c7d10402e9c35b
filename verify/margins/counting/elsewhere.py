"""Counting by the workers of any executor, and what comes before it: each makes the weights for itself."""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.blocks import blocks
from georecall.verify.executors import in_order, n_workers
from georecall.verify.margins.counting.beforehand import Gone, Stretches, along, keep_pages
from georecall.verify.margins.counting.exact import ExactMargins, Separate
from georecall.verify.margins.counting.fingerprint import fingerprint
from georecall.verify.margins.counting.linear_map import NotExactError
from georecall.verify.margins.counting.partial_count import PartialCount, blas, count_piece, piece_size
from georecall.verify.margins.counting.separated import Separated

_HANDFUL = 512  # pieces of a task at most: what is lost with a worker is less than a minute's work ...
_TASKS = 8  # ... and there are so many for each worker, if there is work enough
_STRETCH = 1 << 23, 1 << 27  # attributes of a task: a tenth of a second at least, a second or two at most
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


def by_workers(elsewhere: Elsewhere, model: Transformer, gone: Gone) -> Stretches:
    """They go through all attributes; what was found on ways before is told to them."""
    theirs = work(elsewhere, model)

    def stretches(name: str, start: int, n: int, size: int, *_: Any) -> Iterator[tuple[int, Any]]:
        least, most = _STRETCH
        n_blocks = min(max(least, (n - start) // (2 * n_workers(elsewhere.executor))), most) // size
        known = pickle.dumps({way: found for way, found in gone.found.items() if way != name})
        ranges = [(start + at.start, start + at.stop) for at in blocks(n - start, size * max(1, n_blocks))]
        calls = ((theirs, known, name, *at) for at in ranges)
        parts = in_order(elsewhere.executor, gone_along, calls, "stretch")
        yield from ((stop, part) for (_, stop), part in zip(ranges, parts, strict=True))

    return stretches


def in_order_elsewhere(
    judge: ExactMargins, start: int, elsewhere: Elsewhere, gone: Gone
) -> Iterator[PartialCount]:
    """The same, pieces by the handful: what a scheduler does for a task takes as long as many facts."""
    N, piece = judge.facts.n_subjects, piece_size(judge)
    workers = n_workers(elsewhere.executor)
    handful = piece * min(_HANDFUL, max(1, (N - start) // (piece * workers * _TASKS)))
    theirs, known = work(elsewhere, judge.model), pickle.dumps(gone.found)
    calls = ((theirs, known, at, min(at + handful, N), piece) for at in range(start, N, handful))
    for found in in_order(elsewhere.executor, counted, calls, "piece"):
        if found is None:
            raise NotExactError("no integers hold a number on the way")
        yield from found


def counted(theirs: bytes, known: bytes, start: int, stop: int, piece: int) -> list[PartialCount] | None:
    """What a worker does: the tallies of some pieces; None if they are not exact in integers.

    Args:
        theirs: as of `work`.
        known: pickled: what every way through all attributes came to.
        start: the first subject.
        stop: the last but one.
        piece: subjects of each tally.

    Raises:
        ValueError: the worker makes other weights, as another version would.
    """
    with _ONE_AT_A_TIME:
        judge = _exact_margins(theirs, known)
    with blas().limit(limits=1):
        try:
            return [
                count_piece(judge, start + at.start, start + at.stop) for at in blocks(stop - start, piece)
            ]
        except NotExactError:
            return None


def gone_along(theirs: bytes, known: bytes, name: str, start: int, stop: int) -> Any:
    """What a worker does before: what a way's first state comes to on a stretch of it; arguments as above."""
    with _ONE_AT_A_TIME:
        size, step, state = _way(theirs, known, name)
    with blas().limit(limits=1):
        return along(step, state, start, stop, size)


class _Reached(Exception):  # noqa: N818 (nothing went wrong)
    """The way that was looked for: size of a block, step, first state."""


@lru_cache(maxsize=1)
def _way(theirs: bytes, known: bytes, name: str) -> Any:
    model, facts = made(theirs)
    found = pickle.loads(known)

    def reached(way: str, n: int, size: int, step: Any, state: Any, merge: Any) -> Any:  # noqa: ARG001
        if way == name:
            raise _Reached(size, step, state)
        return found[way]

    try:
        ExactMargins.of(model, facts, reached, _separating(theirs))
    except _Reached as there:
        return there.args
    raise AssertionError(f"no way {name}, which who sent the job was on")


@lru_cache(maxsize=1)
def _exact_margins(theirs: bytes, known: bytes) -> ExactMargins:
    model, facts = made(theirs)
    found = pickle.loads(known)
    with blas().limit(limits=1):
        judge = ExactMargins.of(model, facts, lambda name, *_: found[name], _separating(theirs))
    assert judge is not None  # as it was not for who sent the job
    return judge


@lru_cache(maxsize=1)
def _separating(theirs: bytes) -> Separate:  # noqa: ARG001 (what is known is of that)
    """As `Separated.of`, once for all ways and the counting: of a thousand relations it takes ten seconds."""
    found: list[Separated | None] = []

    def separate(*of: Any) -> Separated | None:
        if not found:
            found.append(Separated.of(*of))
        return found[0]

    return separate


def work(elsewhere: Elsewhere, model: Transformer) -> bytes:
    """How the weights and facts are made, and the weights' fingerprint, pickled."""
    return pickle.dumps((elsewhere.make, fingerprint(model)))


@lru_cache(maxsize=1)
def made(theirs: bytes) -> tuple[Transformer, Table]:
    """The weights and facts that a worker makes of that, once.

    Raises:
        ValueError: they are other weights, as another version would make.
    """
    keep_pages()
    make, wanted = pickle.loads(theirs)
    model, facts = make()
    if fingerprint(model) != wanted:
        raise ValueError("this worker makes other weights: does it run the same version of georecall?")
    return model, facts
