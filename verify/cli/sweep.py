"""`georecall sweep`: grids of measurements into one results file."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from verify.cli.options import Count, input_errors

if TYPE_CHECKING:
    from verify.sweep import Cell


KINDS = click.Choice(["learned", "sphere", "frozen"])


def results_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where results go, and what measures them."""
    options = (
        click.option("--out", required=True, metavar="FILE.sqlite", help="Results file; made, or continued."),
        click.option("--workers", type=Count(), default=1, show_default=True, help="Processes to use."),
        click.option("--scheduler", metavar="ADDRESS", help="Use the Dask cluster at this address instead."),
        click.option("--rows", metavar="FILE.csv", help="Also write all rows of the file, without timings."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(name="sweep")
def command() -> None:
    """Measure a grid of cells and keep every finished one in a results file.

    A sweep may be killed and run again; several processes may share one file.
    """


@command.command(name="capacity")
@click.option(
    "--construction",
    "constructions",
    multiple=True,
    help="What to measure, several times for several; default single-hop-dense.",
)
@click.option("--subjects", type=Count(), multiple=True, help="N, several times for several.")
@click.option("--relations", type=Count(), multiple=True, help="R, several times for several; default 4.")
@click.option(
    "--dimension",
    "dimensions",
    type=Count(),
    multiple=True,
    help="Measure the success probability here; without it, search for the threshold.",
)
@click.option("--level", type=float, default=0.5, show_default=True, help="Success probability searched for.")
@click.option("--share", default="1", show_default=True, help="Share of facts a success recalls.")
@click.option("--trials", type=Count(), default=200, show_default=True, help="Most draws at one dimension.")
@click.option("--seed", type=Count(), default=0, show_default=True, help="Seed of the random draws.")
@click.option("--preset", type=click.Choice(["quick", "paper"]), help="The cells behind the figures.")
@results_options
def capacity(
    preset: str | None,
    out: str,
    workers: int,
    scheduler: str | None,
    rows: str | None,
    as_json: bool,
    seed: int,
    **grid: Any,
) -> None:
    """Measure how many dimensions recall takes.

    \b
    georecall sweep capacity --preset quick --out results.sqlite
    georecall sweep capacity --subjects 256 --relations 4 --out results.sqlite
    georecall sweep capacity --subjects 256 --dimension 120 --dimension 136 --out results.sqlite
    """  # noqa: D301 (click wants the backspace)
    with input_errors(), store_errors():
        cells = _cells(preset, seed, grid)
    _sweep(cells, out, workers, scheduler, rows, as_json)


@command.command(name="hops")
@click.option("--subjects", type=Count(), default=64, show_default=True, help="N, entities.")
@click.option("--relations", type=Count(), default=3, show_default=True, help="R, relations at every hop.")
@click.option("--hops", type=Count(), default=4, show_default=True, help="Most hops; every number up to it.")
@click.option(
    "--most", type=Count(), default=20000, show_default=True, help="Dimensions beyond this are left out."
)
@click.option("--seed", type=Count(), default=0, show_default=True, help="Seed of the random tables.")
@click.option("--preset", type=click.Choice(["quick", "paper"]), help="The cells behind the figure `depth`.")
@results_options
def hops(
    subjects: int,
    relations: int,
    hops: int,
    most: int,
    seed: int,
    preset: str | None,
    out: str,
    workers: int,
    scheduler: str | None,
    rows: str | None,
    as_json: bool,
) -> None:
    """Measure dimension against depth: k hops in c stages, for every k and c (C5)."""
    from verify.sweep import HOP_PRESETS, hop_cells

    if min(subjects, relations, hops) < 1:
        raise click.UsageError("--subjects, --relations and --hops must be at least 1")
    chosen = (
        HOP_PRESETS[preset](seed) if preset else hop_cells(subjects, relations, hops, most=most, seed=seed)
    )
    _sweep(chosen, out, workers, scheduler, rows, as_json)


@command.command(name="learned")
@click.option("--subjects", type=Count(), multiple=True, help="N = |A|, several times for several.")
@click.option("--relations", type=Count(), multiple=True, help="R, several times for several; default 2.")
@click.option("--dimension", "dimensions", type=Count(), multiple=True, help="d per relation; default 20.")
@click.option("--seeds", type=Count(), default=3, show_default=True, help="Training runs per point.")
@click.option("--seed", type=Count(), default=0, show_default=True, help="Seed of the first run.")
@click.option("--width", type=Count(), help="Neurons per dimension; default 4.")
@click.option("--tables", type=Count(), help="Tables of bijections that share the attributes; default 1.")
@click.option("--attributes", type=KINDS, help="Attribute vectors; default on a sphere.")
@click.option("--noise", type=float, help="On the subjects' embeddings, in units of their size; default 0.6.")
@click.option("--weight-decay", type=float, help="AdamW's; default 0.6.")
@click.option("--steps", type=Count(), help="Of AdamW; default 1500.")
@click.option(
    "--preset", type=click.Choice(["quick", "paper"]), help="The cells behind the figure `learned`."
)
@results_options
def learned(
    subjects: tuple[int, ...],
    relations: tuple[int, ...],
    dimensions: tuple[int, ...],
    seeds: int,
    seed: int,
    width: int | None,
    preset: str | None,
    out: str,
    workers: int,
    scheduler: str | None,
    rows: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train models and measure structure and transfer (C9; extra `learn`)."""
    from constructions.recipe import Recipe
    from verify.sweep import LEARNED_PRESETS, Cell
    from verify.sweep.learned import runs

    given = {name: value for name, value in settings.items() if value is not None}
    with input_errors():
        if preset is not None:
            if subjects or relations or dimensions or given or width is not None:
                raise click.UsageError("give --preset, or a grid of your own, not both")
            cells = LEARNED_PRESETS[preset](seed)
        else:
            if not subjects:
                raise click.UsageError("--subjects says which N to measure; or take a --preset")
            for value in (*subjects, *relations, *dimensions, seeds, given.get("tables", 1), width or 1):
                if value < 1:
                    raise click.UsageError(f"numbers of things must be at least 1, got {value}")
            try:
                Recipe(dimension=1, width=1, **{n: v for n, v in given.items() if n != "tables"})
            except ValueError as error:
                raise click.UsageError(str(error)) from error
            grid = runs(
                subjects,
                relations or (2,),
                dimensions or (20,),
                seeds=seeds,
                seed=seed,
                width_per_dimension=width or 4,
                **given,
            )
            cells = [Cell.of(kind, **parameters) for kind, parameters in grid]
    _sweep(cells, out, workers, scheduler, rows, as_json)


def _sweep(
    cells: "list[Cell]", out: str, workers: int, scheduler: str | None, rows: str | None, as_json: bool
) -> None:
    """Measures cells into a results file and says what it holds."""
    from verify.cli.output import print_json, progress_bar

    if workers < 1:
        raise click.UsageError(f"--workers must be at least 1, got {workers}")
    with input_errors(), store_errors(), progress_bar("sweeping") as progress:
        from contextlib import nullcontext

        from theory.atomic import replacing
        from verify.sweep import Store, cluster, sweep

        with Store(out) as store:
            with nullcontext(None) if scheduler is None else cluster(scheduler) as executor:
                sweep(cells, store, workers=workers, executor=executor, progress=progress)
            table = store.rows()
            if rows is not None:
                with replacing(rows) as temporary:
                    temporary.write_text(store.csv(), encoding="utf-8")
    report = {"out": out, "cells": len(set(cells)), "rows": len(table), "csv": rows}
    if as_json:
        print_json(report)
    else:
        click.echo(f"{out} holds {len(table)} cells, among them all {len(set(cells))} of this sweep")


def store_errors() -> Any:
    """Turns errors about results files, clusters and measurements into one line and exit status 2."""
    from contextlib import contextmanager

    @contextmanager
    def errors() -> Any:
        from verify.sweep import SweepError

        try:
            yield
        except (OSError, SweepError) as error:
            raise click.ClickException(str(error)) from error

    return errors()


def _cells(preset: str | None, seed: int, grid: dict[str, Any]) -> "list[Cell]":
    from fractions import Fraction

    from verify.experiments.readouts import READOUTS
    from verify.sweep import PRESETS, Cell

    if preset is not None:
        if grid["subjects"] or grid["dimensions"] or grid["constructions"] or grid["relations"]:
            raise click.UsageError("give --preset, or a grid of your own, not both")
        return PRESETS[preset](seed)
    if not grid["subjects"]:
        raise click.UsageError("--subjects says which N to measure; or take a --preset")
    for name in (*grid["subjects"], *grid["relations"], *grid["dimensions"], grid["trials"]):
        if name < 1:
            raise click.UsageError(
                f"subjects, relations, dimensions and trials must be at least 1, got {name}"
            )
    for construction in grid["constructions"]:
        if construction not in READOUTS:
            known = ", ".join(READOUTS)
            raise click.UsageError(f"capacity is measured of {known}; not of {construction!r}")
    try:
        share = Fraction(grid["share"])
    except (ValueError, ZeroDivisionError):
        raise click.UsageError(
            f"--share must be a number such as 0.99 or 99/100, got {grid['share']}"
        ) from None
    if not 0 < share <= 1 or not 0 < grid["level"] < 1:
        raise click.UsageError("--share must lie in (0, 1] and --level in (0, 1)")
    options = {"trials": grid["trials"], "seed": seed, "share": str(share)}
    cells = []
    for construction in grid["constructions"] or ("single-hop-dense",):
        for R in grid["relations"] or (4,):
            for N in grid["subjects"]:
                at = {"construction": construction, "n_subjects": N, "n_relations": R, **options}
                if grid["dimensions"]:
                    cells += [Cell.of("success", **at, dimension=d) for d in grid["dimensions"]]
                else:
                    cells.append(Cell.of("threshold", **at, level=grid["level"]))
    return cells
