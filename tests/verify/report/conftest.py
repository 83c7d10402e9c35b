"""A whole report at the quick parameters, from small results files."""

import fcntl
import os
import pickle
from pathlib import Path

import pytest

from georecall.verify.report import Content, gather, page
from georecall.verify.sweep import Cell, Store, hop_cells, sweep


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Small results files, of capacity and of hops, that every figure can be drawn from."""
    folder = tmp_path_factory.mktemp("results")
    at = {"seed": 0, "trials": 12}
    cells = [
        Cell.of("threshold", construction=name, n_subjects=N, n_relations=r, level=0.5, precision=0.2, **at)
        for name, r in (("single-hop-dense", 4), ("linear-memory", 1))
        for N in (8, 64)
    ]
    cells += [
        Cell.of("success", construction="single-hop-dense", n_subjects=N, n_relations=4, dimension=d, **at)
        for N in (4, 8)
        for d in (40, 80)
    ]
    for name, r in (("single-hop", 4), ("single-hop-in-place", 4), ("single-hop-in-place", 16)):
        cells += [Cell.of("recall", construction=name, n_subjects=N, n_relations=r, seed=0) for N in (8, 16)]
    cells += [
        Cell.of("margins", construction="single-hop-dense", n_subjects=16, n_relations=4, dimension=d, seed=0)
        for d in (30, 70)
    ]
    for path, measured in (("capacity", cells), ("hops", hop_cells(8, 3, 2))):
        with Store(folder / f"{path}.sqlite") as store:
            sweep(measured, store)
    return folder / "capacity.sqlite", folder / "hops.sqlite"


@pytest.fixture(scope="session")
def content(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Content:
    """A whole report at the quick parameters, its figures from small results files; made by one worker."""

    def make() -> Content:
        return gather(tmp_path_factory.mktemp("swept"), results=files[0], hops=files[1])

    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    made = tmp_path_factory.getbasetemp().parent / "report.pickle"  # in the folder of this run
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_bytes(pickle.dumps(make()))
    found: Content = pickle.loads(made.read_bytes())
    return found


@pytest.fixture(scope="session")
def html(content: Content) -> str:
    return page(content)
