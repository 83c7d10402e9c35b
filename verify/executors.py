"""Whoever works for this process: other processes, or a Dask cluster, by the interface that they share.

Every check loads this module and few ask for workers: what these need is imported where they are.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, wait
from contextlib import contextmanager
from itertools import starmap
from typing import Any, TypeVar

from georecall.verify.usage import Option, UsageError

LOOK = 20.0  # seconds without a result after which a cluster is asked whether anyone is there

Result = TypeVar("Result")


@contextmanager
def working(workers: int | None, scheduler: str | None) -> Iterator[Executor | None]:
    """So many processes, or the Dask cluster at an address; None where neither is asked for.

    Raises:
        UsageError: both are, or no process; or as of `cluster`.
        ChildProcessError: a process was ended from outside.
    """
    if scheduler is not None:
        if workers is not None:
            raise UsageError(Option("workers"), " and ", Option("scheduler"), " exclude each other")
        with cluster(scheduler) as executor:
            yield executor
    elif workers is not None:
        if workers < 1:
            raise UsageError(Option("workers"), f" must be at least 1, got {workers}")
        from georecall.theory.tools.processes import processes

        with processes(workers) as pool:
            yield pool
    else:
        yield None


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The executor of the Dask cluster whose scheduler is at this address.

    Raises:
        UsageError: Dask is not installed (extra `distributed`), or nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--scheduler needs Dask: install georecall[distributed]") from error
    with _quiet("distributed", "tornado", "asyncio"):
        try:
            client = Client(address, timeout=8)  # before a line of progress is due
        except (OSError, ValueError) as error:
            raise UsageError(f"no Dask scheduler answers at {address}: {error}") from error
        with client:
            yield client.get_executor(pure=False)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """What these libraries log of a connection that breaks is not told beside the line that says it."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith(names)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def deserted(executor: Executor) -> bool:
    """Whether it is a Dask cluster that has no worker: it would wait for one for ever."""
    client = getattr(executor, "_client", None)
    return client is not None and not client.scheduler_info(n_workers=1)["workers"]


def n_workers(executor: Executor) -> int:
    """How many tasks an executor may be at together, as far as it says."""
    client = getattr(executor, "_client", None)
    if client is not None:
        return max(1, sum(int(threads) for threads in client.nthreads().values()))
    return int(getattr(executor, "_max_workers", 1))


def in_order(
    executor: Executor,
    function: Callable[..., Result],
    calls: Iterable[tuple[Any, ...]],
    what: str | None = None,
    *,
    ahead: int | None = None,
) -> Iterator[Result]:
    """What a function gives for each of several arguments, in their order, begun a little ahead.

    Args:
        executor: whose workers call it.
        function: picklable, where the workers are other processes.
        calls: the arguments of each.
        what: a call, in a word; None for threads of this process, whose errors are its own.
        ahead: how many are begun before the first is there; default twice as many as there are workers.

    Raises:
        ChildProcessError: as of `awaited`.
    """
    waiting, running, begun = iter(calls), deque[Future[Result]](), False
    most = 2 * n_workers(executor) if ahead is None else ahead
    try:
        while True:
            while len(running) < most and (call := next(waiting, None)) is not None:
                running.append(executor.submit(function, *call))
            if not running:
                return
            yield running[0].result() if what is None else awaited(running[0], executor, what, begun=begun)
            running.popleft()
            if not begun and ahead is None:
                most = 2 * n_workers(executor)  # some may have come meanwhile
            begun = True
    finally:
        for future in running:
            future.cancel()


def each(
    executor: Executor | None, function: Callable[..., Result], calls: Iterable[tuple[Any, ...]], what: str
) -> Iterator[Result]:
    """As `in_order`, all begun at once; without an executor this process does the work, call by call."""
    if executor is None:
        return starmap(function, calls)
    several = list(calls)
    return in_order(executor, function, several, what, ahead=len(several))


def awaited(future: "Future[Result]", executor: Executor, what: str, *, begun: bool = True) -> Result:
    """What a worker gives.

    Args:
        future: of a task of the executor.
        executor: who has it.
        what: the task, in a word.
        begun: whether workers have answered before; else they may be on their way.

    Raises:
        ChildProcessError: the cluster lost it, with its worker or its scheduler, or has no workers left.
    """
    import asyncio
    from concurrent.futures.process import BrokenProcessPool

    while not wait([future], timeout=LOOK).done:
        if begun and deserted(executor):
            raise ChildProcessError("the cluster has no workers left")
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except (Exception, CancelledError, asyncio.CancelledError) as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ChildProcessError(f"the cluster lost a {what} ({said})") from error
