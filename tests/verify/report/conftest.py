"""A whole report from small results files: of small tables, and slowly at the quick parameters."""

import fcntl
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from cases import capacity_cells

from georecall import in_place_superposition
from georecall.verify.claims import gradient_descent
from georecall.verify.report import Content, gather, page, settings
from georecall.verify.sweep import Store, hop_cells, sweep


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Small results files, of capacity and of hops, that every figure can be drawn from."""
    folder = tmp_path_factory.mktemp("results")
    for path, measured in (("capacity", capacity_cells(8, 64)), ("hops", hop_cells(8, 3, 2))):
        with Store(folder / f"{path}.sqlite") as store:
            sweep(measured, store)
    return folder / "capacity.sqlite", folder / "hops.sqlite"


_MEMORY = {"subjects": 60, "relations": 2, "delta": 0.1, "trials": 128}
SMALL = {
    "linear-memory": _MEMORY,
    "random-feature-memory": _MEMORY,
    "best-linear-memory": {"subjects": 16, "relations": 2, "code_length": 20},
    "margin-bound": {"subjects": 60, "relations": 3},
    "multi-hop-bound": {"subjects": 16, "relations": 2, "hops": 2},
    "gradient-descent": {"subjects": 128, "relations": 2, "trials": 1},
}


@pytest.fixture(scope="session")
def gathered(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Content]:
    """A whole report, its figures from small results files; made by one worker, and called something."""

    def made(name: str) -> Content:
        make = partial(gather, tmp_path_factory.mktemp("swept"), results=files[0], hops=files[1])
        if "PYTEST_XDIST_WORKER" not in os.environ:
            return make()
        kept = tmp_path_factory.getbasetemp().parent / f"{name}.pickle"  # in the folder of this run
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make()))
        found: Content = pickle.loads(kept.read_bytes())
        return found

    return made


@pytest.fixture(scope="session")
def content(gathered: Callable[[str], Content]) -> Content:
    """A report of smaller tables where that is quicker, and of no training.

    In place of trained weights stand those of C1', as in C9's own tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_QUICK", {**settings._QUICK, **SMALL})
        patch.setattr(gradient_descent, "trained", lambda facts, *_, **__: in_place_superposition(facts))
        return gathered("small")


@pytest.fixture(scope="session")
def quick(gathered: Callable[[str], Content]) -> Content:
    """The report at the quick parameters, its models trained; for slow tests."""
    return gathered("quick")


@pytest.fixture(scope="session")
def html(content: Content) -> str:
    return page(content)
