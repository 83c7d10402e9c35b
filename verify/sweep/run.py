"""Runs the cells that a results file lacks, on any executor."""

import os
import time
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import closing, nullcontext
from os import PathLike

import pandas as pd

from georecall.theory.tools.processes import processes
from georecall.theory.tools.progress import Progress, watched
from georecall.verify.executors import LOOK, awaited, deserted, n_workers
from georecall.verify.sweep.cell import Cell
from georecall.verify.sweep.cells import Result, measure
from georecall.verify.sweep.store import Store

_AHEAD = 2  # cells handed out per worker; the others stay free for a second process


class SweepError(RuntimeError):
    """Cells that could not be measured; the message names the first."""


@watched("sweeping")
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
        All rows of the store, typed, by construction and size: kind, parameters, results.

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
        width = _AHEAD * max(n_workers(pool), os.cpu_count() or 1)
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
                finished = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done
                if not finished and begun and deserted(pool):  # before, workers may be on their way
                    raise ChildProcessError("the cluster has no workers left")
                begun = begun or bool(finished)
                for future in finished:
                    yield running.pop(future), *awaited(future, pool, "cell")
        finally:
            for future in running if executor is not None else ():  # processes end, with all they were given
                future.cancel()


def _timed(cell: Cell) -> tuple[Result | str, float]:
    """The cell's result, or the error that it raised, in words that any process can read; and the seconds."""
    start = time.perf_counter()
    outcome: Result | str
    try:
        outcome = measure(cell)
    except (Exception, SystemExit) as error:  # one cell must not take the others with it
        outcome = f"{type(error).__name__}: {error}"
    return outcome, time.perf_counter() - start
