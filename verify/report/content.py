"""What a report says: everything measured, nothing typeset."""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from georecall.bounds import BOUNDS
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.claims import CLAIMS
from georecall.theory.lemmas import LEMMAS
from georecall.theory.lemmas.identity import Identity
from georecall.theory.tools.progress import Progress
from georecall.verify.executors import each
from georecall.verify.figures import FIGURES
from georecall.verify.report.checks import CheckedClaim, check_claim
from georecall.verify.report.commands import command_line
from georecall.verify.report.figures import Drawn, Results, draw_all
from georecall.verify.report.summaries import (
    BoundRow,
    ConstructionRow,
    LemmaRow,
    bound_row,
    common_table,
    construction_row,
    identities,
    lemma_row,
)
from georecall.verify.sweep import HOP_PRESETS, PRESETS, Store, sweep

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Content:
    """A report.

    Args:
        preset: at whose parameters everything was measured.
        seed: of every random draw.
        claims: all of `theory.claims.CLAIMS`, in its order.
        figures: all of `verify.figures.FIGURES`.
        lemmas, identities, bounds, constructions: all of their public lists.
        again: the command that makes the report again.
        seconds: what it took; not on the page, whose bytes depend on what was found alone.
    """

    preset: str
    seed: int
    claims: tuple[CheckedClaim, ...]
    figures: tuple[Drawn, ...]
    lemmas: tuple[LemmaRow, ...]
    identities: tuple[Identity, ...]
    bounds: tuple[BoundRow, ...]
    constructions: tuple[ConstructionRow, ...]
    again: str
    seconds: float


def gather(
    folder: Path,
    *,
    preset: str = "quick",
    seed: int = 0,
    results: Path | None = None,
    hops: Path | None = None,
    learned: Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Content:
    """Checks every claim, sweeps what the figures need, and collects the rest.

    Args:
        folder: where the results files of its own sweeps are kept; a sweep that was interrupted continues.
        preset: "quick" or "paper".
        seed: of every random draw.
        results: a results file of `georecall sweep capacity`, in place of a sweep.
        hops: one of `georecall sweep hops`.
        learned: one of `georecall sweep learned`; training is not swept here, and without it not drawn.
        executor: whose workers do all but draw, for example processes; the content is the same.
        progress: called with the number of steps done and of all steps.

    Raises:
        StoreError: a results file cannot be read or written.
        SweepError: a cell could not be measured.
        ChildProcessError: the executor lost its workers.
    """
    start = time.perf_counter()
    files = {"capacity": results, "hops": hops}
    presets = {"capacity": PRESETS[preset](seed), "hops": HOP_PRESETS[preset](seed)}
    for path in filter(None, (*files.values(), learned)):
        Store(path, must_exist=True).close()  # refused before hours of work, not after
    n_cells = sum(len(set(presets[kind])) for kind, given in files.items() if given is None)
    facts = common_table(seed)
    rows: dict[str, list[Callable[[], Any]]] = {
        "claims": [partial(check_claim, name, preset=preset, seed=seed) for name in CLAIMS],
        "lemmas": [partial(lemma_row, name) for name in LEMMAS],
        "identities": [identities],
        "bounds": [partial(bound_row, name) for name in BOUNDS],
        "constructions": [partial(construction_row, name, facts) for name in CONSTRUCTIONS],
    }
    steps = _Steps(n_cells + sum(map(len, rows.values())) + len(FIGURES), progress)

    made = each(executor, _row, ((row,) for several in rows.values() for row in several), "row")
    found = {kind: tuple(steps.after(next(made)) for _ in several) for kind, several in rows.items()}
    sources = {}
    for kind, given in files.items():
        if given is not None:
            sources[kind] = Results(given, given.name, None)
            continue
        path = folder / f"{kind}-{preset}-seed{seed}.sqlite"  # a file of its own: figures show all of it
        with Store(path) as store:
            sweep(presets[kind], store, executor=executor, progress=steps.counted_from(steps.done))
        again = command_line("sweep", kind, preset=preset, seed=seed, out=path.name)
        sources[kind] = Results(path, path.name, again)
    if learned is not None:
        sources["learned"] = Results(learned, learned.name, None)
    figures = tuple(draw_all(sources))
    steps.to(steps.total)
    swept = {"results": results, "hops": hops, "learned": learned}
    named: dict[str, Any] = {name: path and path.name for name, path in swept.items()}
    again = command_line("report", preset=preset, seed=seed, **named, out="report")
    found["identities"] = found["identities"][0]
    seconds = time.perf_counter() - start
    return Content(preset, seed, figures=figures, again=again, seconds=seconds, **found)


def _row(make: Callable[[], _Value]) -> _Value:
    """What a worker does."""
    return make()


class _Steps:
    """Counts what is done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress
        self.to(0)

    def to(self, done: int) -> None:
        self.done = done
        if self.progress is not None:
            self.progress(done, self.total)

    def counted_from(self, done: int) -> Progress:
        """Progress of a part that begins when so many steps are done."""
        return lambda cells, _: self.to(done + cells)

    def after(self, value: _Value) -> _Value:
        self.to(self.done + 1)
        return value
