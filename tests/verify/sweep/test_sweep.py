"""Sweeps: what is entered stays, and how they were run leaves no trace in the rows."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from georecall.verify.executors import cluster
from georecall.verify.sweep import PRESETS, Cell, Store, StoreError, SweepError, cells, sweep

GRID = [
    Cell.of(
        "success",
        construction="single-hop-dense",
        n_subjects=N,
        n_relations=2,
        dimension=m,
        trials=20,
        seed=0,
    )
    for N in (4, 8)
    for m in (8, 16, 32)
] + [Cell.of("recall", construction="single-hop", n_subjects=5, n_relations=2, seed=0)]

SCRIPT = """
import sys, time
from georecall.verify.sweep import Cell, Store, cells, sweep

measured = cells.KINDS["success"]

def slowly(**parameters):
    time.sleep(0.02)
    return measured(**parameters)

cells.KINDS["success"] = slowly
at = {"construction": "single-hop-dense", "n_subjects": 4, "n_relations": 2, "trials": 8}
grid = [
    Cell.of("success", **at, dimension=m, seed=s)
    for m in range(4, 24) for s in range(3)
]
with Store(sys.argv[1]) as store:
    sweep(grid, store, workers=int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    with Store(tmp_path_factory.mktemp("sweep") / "plain.sqlite") as store:
        sweep(GRID, store)
        return store.csv()


def test_order_and_executors_leave_no_trace(tmp_path: Path, wanted: str) -> None:
    with Store(tmp_path / "threads.sqlite") as store, ThreadPoolExecutor(2) as pool:
        sweep(list(reversed(GRID)), store, executor=pool)
        assert store.csv() == wanted


def test_a_sweep_goes_on_where_it_stopped(
    tmp_path: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, done = tmp_path / "resumed.sqlite", []
    with Store(path) as store:
        sweep(GRID[:3], store)
    measured = cells.KINDS["success"]
    monkeypatch.setitem(cells.KINDS, "success", lambda **p: done.append(p) or measured(**p))
    with Store(path) as store:
        sweep(GRID, store)
        assert store.csv() == wanted
    assert len(done) == 3


def test_rows_are_tidy(wanted: str, tmp_path: Path) -> None:
    with Store(tmp_path / "rows.sqlite") as store:
        sweep(GRID, store)
        frame = store.frame("success")
        assert isinstance(frame, pd.DataFrame)
        assert len(frame) == 6
        assert {"construction", "n_subjects", "dimension", "successes", "lower", "upper"} <= set(frame)
        assert "seconds" not in frame
        assert {"seconds", "version"} <= set(store.frame(timings=True))
    assert wanted.splitlines()[0].startswith("kind,")


def test_progress_ends_with_all_cells(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with Store(tmp_path / "progress.sqlite") as store:
        sweep(GRID, store, progress=lambda *step: seen.append(step))
    assert seen[0] == (0, 7)
    assert seen[-1] == (7, 7)


def test_a_cell_that_fails_takes_no_other_with_it(tmp_path: Path, wanted: str) -> None:
    bad = Cell.of("nonesuch", n=1)
    with Store(tmp_path / "failed.sqlite") as store:
        with pytest.raises(SweepError, match=r"1 of 8 cells failed.*nonesuch"):
            sweep([bad, *GRID], store)
        assert store.csv() == wanted


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "full.sqlite"
    with Store(path) as store:
        sweep(GRID[:2], store)
        before = store.csv()
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        big = {"text": "x" * 50_000}
        with pytest.raises(StoreError, match="full; finished cells are kept"):
            store.enter(GRID[3], big, 0.0)
        assert store.csv() == before
    with Store(path) as store:
        assert store.csv() == before
        sweep(GRID, store)
        assert len(store.rows()) == len(GRID)


def test_a_read_only_file_is_said_and_still_read(tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    with Store(path) as store:
        sweep(GRID[:1], store)
        store._db.close()
        store._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        with pytest.raises(StoreError, match="readonly database; make the file"):
            sweep(GRID, store)
        assert len(store.rows()) == 1


def test_what_is_no_results_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("this is no database, however long it may be " * 50)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(tmp_path / "text.sqlite")
    with pytest.raises(StoreError, match="does its folder exist"):
        Store(tmp_path / "nowhere" / "results.sqlite")
    with pytest.raises(StoreError, match="no results file"):
        Store(tmp_path / "missing.sqlite", must_exist=True)
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(StoreError, match="no results file of"):
        Store(tmp_path / "other.sqlite", must_exist=True)


def started(path: Path, workers: int = 1) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(path), str(workers)], stderr=subprocess.PIPE)


def finished(path: Path, workers: int = 1) -> str:
    process = started(path, workers)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    with Store(path) as store:
        return store.csv()


@pytest.mark.slow
def test_ten_kills_at_random_moments_leave_no_trace(tmp_path: Path) -> None:
    whole = finished(tmp_path / "whole.sqlite")
    path, rng = tmp_path / "killed.sqlite", random.Random(5)
    seen = []
    for _ in range(10):
        process = started(path)
        while not path.exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Store(path) as store:
            seen.append(len(store.rows()))
    assert seen == sorted(seen)
    assert finished(path) == whole


@pytest.mark.slow
def test_two_processes_share_one_file(tmp_path: Path) -> None:
    whole = finished(tmp_path / "whole.sqlite")
    path = tmp_path / "shared.sqlite"
    both = [started(path), started(path)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    with Store(path) as store:
        assert store.csv() == whole
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_processes_leave_no_trace_and_die_with_their_parent(tmp_path: Path, wanted: str) -> None:
    with Store(tmp_path / "pool.sqlite") as store:
        sweep(GRID, store, workers=2)
        assert store.csv() == wanted


class Deadly(Cell):
    """A cell that ends the worker that is handed it."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (1,)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_said_and_finished_cells_are_kept(tmp_path: Path, wanted: str) -> None:
    deadly = Deadly.of("recall", construction="single-hop", n_subjects=6, n_relations=2, seed=0)
    with Store(tmp_path / "killed.sqlite") as store:
        with pytest.raises(ChildProcessError, match="finished cells are kept: run the same command"):
            sweep([*GRID, *[deadly] * 3], store, workers=1 + 1)
        sweep(GRID, store)
        assert store.csv() == wanted


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_leaves_no_trace(tmp_path: Path, wanted: str) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        Store(tmp_path / "dask.sqlite") as store,
    ):
        with cluster(local.scheduler_address) as executor:
            sweep(GRID, store, executor=executor)
        assert store.csv() == wanted


def test_every_cell_of_a_preset_has_a_kind_and_a_key_of_its_own() -> None:
    for preset in PRESETS.values():
        grid = preset(seed=1)
        assert {cell.kind for cell in grid} <= set(cells.KINDS)
        assert all(dict(cell.parameters)["seed"] == 1 for cell in grid)
        assert len({cell.key for cell in grid}) == len(set(grid))


SMALL = {"construction": "linear-memory", "n_subjects": 8, "seed": 1}


@pytest.mark.parametrize(
    "cell",
    [
        *GRID[-2:],
        Cell.of("threshold", **SMALL, n_relations=1, level=0.5, trials=16),
        Cell.of("margins", **SMALL, n_relations=2, dimension=9),
    ],
    ids=lambda cell: cell.kind,
)
def test_a_cell_determines_its_result(cell: Cell) -> None:
    assert cells.measure(cell) == cells.measure(cell)


UNGUARDED = """
import sys
from georecall.verify.sweep import Cell, Store, sweep

grid = [Cell.of("recall", construction="single-hop", n_subjects=5, n_relations=2, seed=s) for s in range(9)]
try:
    sweep(grid, sys.argv[1], workers=2)
except OSError as error:
    print(error, file=sys.stderr)
"""


def test_a_script_without_a_guard_is_told_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "unguarded.py").write_text(UNGUARDED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    command = [sys.executable, str(tmp_path / "unguarded.py"), str(tmp_path / "results.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert 'put what it does under `if __name__ == "__main__":`; finished cells are kept' in done.stderr
    assert done.stderr.count("\n") == 1


class Lost(ThreadPoolExecutor):
    """A cluster that loses what it was given after a while."""

    def __init__(self, error: BaseException, after: int) -> None:
        super().__init__(1)
        self.error, self.left = error, after

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            return super().submit(fn, *args, **kwargs)
        gone: Future[Any] = Future()
        gone.set_exception(self.error)
        return gone


@pytest.mark.parametrize("error", [OSError("connection closed"), asyncio.CancelledError(), RuntimeError()])
def test_what_a_cluster_loses_is_said_and_finished_cells_are_kept(
    error: BaseException, tmp_path: Path
) -> None:
    with Store(tmp_path / "lost.sqlite") as store, Lost(error, 3) as executor:
        with pytest.raises(ChildProcessError, match=r"the cluster lost a cell \(.*kept: run"):
            sweep(GRID, store, executor=executor)
        assert len(store.rows()) <= 3


def test_an_interrupt_says_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, path = cells.KINDS["success"], tmp_path / "interrupted.sqlite"

    def third(**parameters: Any) -> Any:
        if parameters["dimension"] == 32:
            raise KeyboardInterrupt
        return measured(**parameters)

    monkeypatch.setitem(cells.KINDS, "success", third)
    with pytest.raises(KeyboardInterrupt, match=r"2 of 7 cells are in .*interrupted.sqlite, and the same"):
        sweep(GRID, path)
    with Store(path) as store:
        assert len(store.rows()) == 2


def test_a_cell_that_ends_the_program_or_raises_the_unheard_of_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(**parameters: Any) -> Any:
        raise SystemExit(1)

    monkeypatch.setitem(cells.KINDS, "success", leaves)
    with Store(tmp_path / "left.sqlite") as store:
        with pytest.raises(SweepError, match=r"6 of 7 cells failed.*SystemExit: 1"):
            sweep(GRID, store)
        assert len(store.rows()) == 1


def test_rows_of_a_frame_come_by_construction_and_by_size_as_a_number(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        for N in (128, 16, 1024):
            for name in ("single-hop", "linear-memory"):
                store.enter(
                    Cell.of("recall", construction=name, n_subjects=N, n_relations=2, seed=0), {}, 0.0
                )
        frame = store.frame()
        assert Store(tmp_path / "empty.sqlite").frame().empty
    assert frame["n_subjects"].tolist() == [16, 128, 1024] * 2
    assert frame["construction"].tolist() == ["linear-memory"] * 3 + ["single-hop"] * 3
