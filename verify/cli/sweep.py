"""`georecall sweep`: grids of measurements into one results file."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from georecall.verify.cli.complete import Word
from georecall.verify.cli.options import (
    SCHEDULER,
    SEED,
    answering,
    count,
    counts,
    input_errors,
    refusals,
    store_errors,
)
from georecall.verify.cli.training_options import KIND

if TYPE_CHECKING:
    from georecall.verify.sweep import Cell

Counts = tuple[int, ...]


def _show(report: dict[str, Any]) -> None:
    held = f"{report['out']} holds {report['rows']} cells"
    click.echo(f"{held}, among them all {report['cells']} of this sweep")


def sweeping(
    presets: str, shows: str, *further: str
) -> Callable[[Callable[..., "list[Cell]"]], Callable[..., None]]:
    """Makes a command, that measures cells, of a function that says which by a seed and options of its own.

    Args:
        presets: where in `verify.sweep` the cells of a --preset are.
        shows: what is drawn from those.
        further: presets beside "quick" and "paper".
    """

    def commanded(cells_of: Callable[..., "list[Cell]"]) -> Callable[..., None]:
        @SEED
        @click.option(
            "--preset", type=click.Choice(["quick", "paper", *further]), help=f"The cells behind {shows}."
        )
        @click.option("--out", required=True, metavar="FILE.sqlite", help="Results file; made, or continued.")
        @count("--workers", "Processes to use.", default=1, show_default=True)
        @SCHEDULER
        @click.option("--rows", metavar="FILE.csv", help="Also write all rows of the file, without timings.")
        @answering(_show)
        @wraps(cells_of)
        def sweep(
            seed: int,
            preset: str | None,
            out: str,
            workers: int,
            scheduler: str | None,
            rows: str | None,
            **options: Any,
        ) -> dict[str, Any]:
            given = {name: value for name, value in options.items() if value not in (None, ())}
            for name, n, least in ("seed", seed, 0), ("workers", workers, 1):
                if n < least:
                    raise click.UsageError(f"--{name} must be at least {least}, got {n}")
            if rows is not None and _same(rows, out):
                raise click.UsageError(
                    f"--rows and --out are one file, {out}: the rows would replace the results"
                )
            with input_errors(), store_errors(), refusals():
                if preset is None:
                    cells = cells_of(seed, **given)
                elif given:
                    raise click.UsageError("give --preset, or a grid of your own, not both")
                else:
                    from georecall.verify.figures import FIGURES

                    cells = getattr(import_module("georecall.verify.sweep"), presets)[preset](seed)
                    for figure in FIGURES.values():
                        cells += figure.cells(preset, seed) if figure.sweep == cells_of.__name__ else []
            return _swept(cells, out, workers, scheduler, rows)

        return sweep

    return commanded


def _swept(
    cells: "list[Cell]", out: str, workers: int, scheduler: str | None, rows: str | None
) -> dict[str, Any]:
    """Measures cells into a results file and says what it holds."""
    from georecall.verify.cli.output import progress_bar

    with input_errors(), store_errors(), progress_bar("sweeping") as progress:
        from georecall.theory.tools.files import replacing
        from georecall.verify.cli.forecast import of_cells, tell
        from georecall.verify.executors import cluster
        from georecall.verify.sweep import Store, sweep

        with Store(out) as store:
            if scheduler is None:
                tell(of_cells(cell for cell in set(cells) if cell not in store), workers)
            with nullcontext(None) if scheduler is None else cluster(scheduler) as executor:
                sweep(cells, store, workers=workers, executor=executor, progress=progress)
            n_rows = len(store.rows())
            if rows is not None:
                with replacing(rows) as temporary:
                    temporary.write_text(store.csv(), encoding="utf-8")
    return {"out": out, "cells": len(set(cells)), "rows": n_rows, "csv": rows}


def _same(one: str, other: str) -> bool:
    """Whether two names are of one file, perhaps to be made, or of one that is there, as hard links are."""
    there = os.path.exists(one) and os.path.exists(other)
    return os.path.samefile(one, other) if there else os.path.realpath(one) == os.path.realpath(other)


@click.group(name="sweep", no_args_is_help=False)
def command() -> None:
    """Measure a grid of cells and keep every finished one in a results file.

    A sweep may be killed and run again; several processes may share one file.
    """


@command.command(name="capacity")
@click.option(
    "--construction",
    "constructions",
    type=Word("georecall.constructions", "CONSTRUCTIONS"),
    multiple=True,
    help="What to measure, several times for several; default single-hop-dense.",
)
@counts("--subjects", says="N, also several: 64,128.")
@counts("--relations", says="R, also several; default 4.")
@counts(
    *("--dimension", "dimensions"),
    says="Measure the success probability here; without it, search for the threshold.",
)
@click.option("--level", type=float, help="Success probability searched for; default 0.5.")
@click.option("--share", help="Share of facts a success recalls; default 1.")
@count("--trials", "Most draws at one dimension; default 200.")
@sweeping("PRESETS", "the figures")
def capacity(
    seed: int,
    *,
    subjects: Counts = (),
    relations: Counts = (4,),
    dimensions: Counts = (),
    constructions: tuple[str, ...] = ("single-hop-dense",),
    trials: int = 200,
    **searched: Any,
) -> "list[Cell]":
    """Measure how many dimensions recall takes.

    Of random constructions, the dimension at which half of the draws recall every fact; of all others, and of
    your own as module:function, one instance each, verified through its weights.

    \b
    georecall sweep capacity --preset quick --out results.sqlite
    georecall sweep capacity --subjects 256 --relations 4 --out results.sqlite
    georecall sweep capacity --construction mine:build --subjects 64 --relations 3 --out results.sqlite
    georecall sweep capacity --subjects 256 --dimension 120 --dimension 136 --out results.sqlite
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.sweep import capacity_cells

    _check_counts(subjects, *relations, *dimensions, trials)
    return capacity_cells(
        constructions, subjects, relations, dimensions=dimensions, trials=trials, seed=seed, **searched
    )


@command.command(name="hops", short_help="Measure dimension against depth (C5).")
@count("--subjects", "N, entities; default 64.")
@count("--relations", "R, relations at every hop; default 3.")
@count("--hops", "Most hops, and every number up to it; default 4.")
@count("--most", "Dimensions beyond this are left out; default 20000.")
@sweeping("HOP_PRESETS", "the figure `depth`")
def hops(
    seed: int, *, subjects: int = 64, relations: int = 3, hops: int = 4, most: int = 20000
) -> "list[Cell]":
    """Measure dimension against depth: k hops in c stages, for every k and c (C5)."""
    from georecall.verify.sweep import hop_cells

    _check_counts((subjects,), relations, hops, most)
    return hop_cells(subjects, relations, hops, most=most, seed=seed)


@command.command(name="learned", short_help="Train models, measure transfer (C9).")
@counts("--subjects", says="N = |A|, also several: 64,128,256.")
@counts("--relations", says="R, also several; default 2.")
@counts("--dimension", "dimensions", says="d per relation; default 20.")
@count("--seeds", "Training runs per point, from --seed on; default 3.")
@count("--width", "Neurons per dimension; default 4.")
@count("--tables", "Tables of bijections that share the attributes; default 1.")
@click.option("--attributes", type=KIND, help="Attribute vectors; default on a sphere.")
@click.option("--noise", type=float, help="On the subjects' embeddings, in units of their size; default 0.6.")
@click.option("--weight-decay", type=float, help="AdamW's; default 0.6.")
@count("--steps", "Of AdamW; default 1500.")
@sweeping(
    "LEARNED_PRESETS",
    "the figures about training",
    *("ablation", "without-mlp", "worst", "proofs", "language-model"),
)
def learned(
    seed: int,
    *,
    subjects: Counts = (),
    relations: Counts = (2,),
    dimensions: Counts = (20,),
    seeds: int = 3,
    width: int = 4,
    **settings: Any,
) -> "list[Cell]":
    """Train models and measure structure and transfer (C9; extra `learn`)."""
    from georecall.constructions.training.recipe import Recipe
    from georecall.verify.sweep.learned_grids import runs

    _check_counts(subjects, *relations, *dimensions, seeds, settings.get("tables", 1), width)
    Recipe(dimension=1, width=1, **{n: v for n, v in settings.items() if n != "tables"})
    return runs(
        subjects, relations, dimensions, seeds=seeds, seed=seed, width_per_dimension=width, **settings
    )


def _check_counts(subjects: Counts, *others: int) -> None:
    if not subjects:
        raise click.UsageError("--subjects says which N to measure; or take a --preset")
    for n in (*subjects, *others):
        if n < 1:
            raise click.UsageError(f"numbers of things must be at least 1, got {n}")
