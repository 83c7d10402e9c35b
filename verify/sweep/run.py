"""Runs the cells that a results file lacks, on any executor."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, nullcontext
from os import PathLike

import pandas as pd

from georecall.theory.tools.processes import processes
from georecall.verify.sweep.cells import Cell, Result, measure
from georecall.verify.sweep.store import Store

Progress = Callable[[int, int], None]

_LOOK = 20.0  # seconds without a result after which a cluster is asked whether anyone is there
_AHEAD = 2  # cells handed out per worker; the others stay free for a second process


class SweepError(RuntimeError):
    """Cells that could not be measured; the message names the first."""


def sweep(
    cells: Iterable[Cell],
    store: Store | str | PathLike[str],
    *,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measures every cell that the store lacks; each is entered as soon as it is finished.

    It may be killed at any moment and run again, and several processes may share one store.

    Args:
        cells: what to measure.
        store: where results go, or the path of its file, which is made or continued.
        workers: processes to use; with 1 this process does the work.
        executor: used instead, for example a Dask cluster's (`cluster`); it is not shut down.
        progress: called with the number of cells done and of all cells.

    Returns:
        All rows of the store, sorted by their keys, typed: kind, parameters, results.

    Raises:
        SweepError: some cells could not be measured; all others have been.
        ChildProcessError: a worker was ended from outside; finished cells are kept.
        StoreError: the store cannot be written; finished cells are kept.
    """
    if not isinstance(store, Store):
        with Store(store) as opened:
            return sweep(cells, opened, workers=workers, executor=executor, progress=progress)
    wanted = list(dict.fromkeys(cells))
    missing = [cell for cell in wanted if cell not in store]
    done = len(wanted) - len(missing)
    if progress is not None:
        progress(done, len(wanted))
    failed: list[tuple[Cell, str]] = []
    try:
        with closing(_outcomes(missing, store, workers, executor)) as outcomes:
            for cell, outcome, seconds in outcomes:
                if isinstance(outcome, str):
                    failed.append((cell, outcome))
                elif outcome is not None:
                    store.enter(cell, outcome, seconds)
                done += 1
                if progress is not None:
                    progress(done, len(wanted))
    except ChildProcessError as ended:
        raise ChildProcessError(f"{ended}; finished cells are kept: run the same command again") from ended
    except KeyboardInterrupt:
        kept = f"{done} of {len(wanted)} cells are in {store.path}"
        raise KeyboardInterrupt(f"{kept}, and the same command goes on from there") from None
    if failed:
        cell, error = failed[0]
        raise SweepError(f"{len(failed)} of {len(wanted)} cells failed, the first {cell.key}: {error}")
    return store.frame()


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The executor of the Dask cluster whose scheduler is at this address.

    Raises:
        SweepError: Dask is not installed (extra `distributed`), or nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SweepError("--scheduler needs Dask: install georecall[distributed]") from error
    with _quiet("distributed", "tornado", "asyncio"):
        try:
            client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise SweepError(f"no Dask scheduler answers at {address}: {error}") from error
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


Outcome = tuple[Cell, Result | str | None, float]  # text: why there is no result


def _outcomes(
    missing: list[Cell], store: Store, workers: int, executor: Executor | None
) -> Generator[Outcome, None, None]:
    """Results, errors, or None where another process has entered the cell meanwhile."""
    if executor is None and workers == 1:
        yield from ((cell, *_timed(cell)) if cell not in store else (cell, None, 0.0) for cell in missing)
        return
    with nullcontext(executor) if executor is not None else processes(workers) as pool:
        waiting = iter(missing)
        running: dict[Future[tuple[Result | str, float]], Cell] = {}
        begun = False
        width = _AHEAD * max(workers, os.cpu_count() or 1)
        try:
            while True:
                for cell in waiting:
                    if cell in store:
                        yield cell, None, 0.0
                        continue
                    running[pool.submit(_timed, cell)] = cell
                    if len(running) >= width:
                        break
                if not running:
                    return
                finished = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED).done
                if not finished and begun and _deserted(pool):  # before, workers may be on their way
                    raise ChildProcessError("the cluster has no workers left")
                begun = begun or bool(finished)
                for future in finished:
                    yield running.pop(future), *_result(future)
        finally:
            for future in running if executor is not None else ():  # processes end, with all they were given
                future.cancel()


def _deserted(executor: Executor) -> bool:
    """Whether it is a Dask cluster that has no worker: it would wait for one for ever."""
    client = getattr(executor, "_client", None)
    return client is not None and not client.scheduler_info(n_workers=1)["workers"]


def _result(future: "Future[tuple[Result | str, float]]") -> tuple[Result | str, float]:
    """What a worker gave.

    Raises:
        ChildProcessError: the cluster lost it, with its worker or its scheduler.
    """
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except (Exception, CancelledError, asyncio.CancelledError) as error:  # what a cell raises is text
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ChildProcessError(f"the cluster lost a cell ({said})") from error


def _timed(cell: Cell) -> tuple[Result | str, float]:
    """The cell's result, or the error that it raised, in words that any process can read; and the seconds."""
    start = time.perf_counter()
    outcome: Result | str
    try:
        outcome = measure(cell)
    except (Exception, SystemExit) as error:  # one cell must not take the others with it
        outcome = f"{type(error).__name__}: {error}"
    return outcome, time.perf_counter() - start
