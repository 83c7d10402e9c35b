"""`georecall learn`: train a model and look for the structure that C9 predicts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from georecall.theory.tools.errors import in_words
from georecall.verify.cli.options import SCHEDULER, answering, count, input_errors
from georecall.verify.cli.training_options import asked, training_options

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from georecall.constructions.training.recipe import Recipe
    from georecall.constructions.transformer.transformer import Transformer
    from georecall.theory.facts.fact_table import FactTable
    from georecall.theory.tools.progress import Progress


def _show(whole: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, table
    from georecall.verify.learned.measured import share
    from georecall.verify.learned.run import SHOWN
    from georecall.verify.usage import show

    to, runs, recipe = console(), whole["runs"], whole["recipe"]
    to.print("[bold]learn[/bold]  " + ", ".join(f"{n} {v}" for n, v in whole["facts"].items()))
    to.print("  " + ", ".join(f"{n} {show(v)}" for n, v in recipe.items()), soft_wrap=True)
    shown = table("", *(f"seed {run['seed']}" for run in runs))
    for name in SHOWN:
        shown.add_row(name, *(share(run[name]) for run in runs))
        interval = f"{name}_interval"
        if interval in runs[0]:
            shown.add_row("  95% interval", *(share(run[interval]) for run in runs))
    to.print(shown)
    recalled = [f"{run['n_recalled']} of {run['n_facts']}" for run in runs]
    to.print(f"  recalled {', '.join(recalled)} facts, proved by margins ({runs[0]['method']})")
    sampled = sum(run["over_all_tables"] != "all tuples" for run in runs)
    how = "an interval; the worst is at most that of a table found by search" if sampled else "exact"
    to.print(f"  expected and worst transfer over all tables: {how}", soft_wrap=True)
    for run in runs:
        if not run["discriminates"]:
            to.print(f"  [red]seed {run['seed']}: an untrained MLP transfers as well: nothing is shown[/red]")
        for name in run["fit_fails"]:
            told = f"{name} is {run[name]:.3g}: the regression fails, and no map of it says anything"
            to.print(f"  [red]seed {run['seed']}: {told}[/red]")
    if whole["out"]:
        to.print(f"  wrote {whole['out']}", soft_wrap=True)


@click.command(name="learn")
@training_options
@count("--seeds", "Runs, at the seeds from --seed on; default 1, of a preset 3.")
@count("--workers", "Processes that share several runs; default this one.")
@SCHEDULER
@click.option("--out", metavar="FILE.safetensors", help="Where the weights go; answers go beside them.")
@answering(_show)
def command(
    seed: int,
    seeds: int | None,
    workers: int | None,
    scheduler: str | None,
    checkpoint: str | None,
    out: str | None,
    **training: Any,
) -> dict[str, Any]:
    """Train on a table of facts; measure recall, superposition, selection and transfer (extra `learn`).

    \b
    georecall learn --preset quick
    georecall learn --subjects 256 --relations 2 --out model.safetensors --checkpoint run.npz

    Ctrl-C keeps the checkpoint; the same command goes on from there.
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.cli.output import progress_bar
    from georecall.verify.learned.run import PRESETS

    preset = training["preset"]
    n = seeds if seeds is not None else PRESETS[preset].seeds if preset else 1
    if n < 1:
        raise click.UsageError(f"--seeds must be at least 1, got {n}")
    if n > 1 and (checkpoint is not None or out is not None):
        raise click.UsageError("--checkpoint and --out are of one run: add --seeds 1")
    if n == 1 and (workers is not None or scheduler is not None):
        raise click.UsageError("--workers and --scheduler share several runs: one alone is not divided")
    if out is not None and Path(out).suffix != ".safetensors":
        raise click.UsageError(f"--out must end in .safetensors, got {out}")
    if out is not None and not Path(out).parent.is_dir():  # said before the training, not after
        raise click.UsageError(f"there is no folder {Path(out).parent} to write --out to")
    runs = []
    with input_errors(), progress_bar("training") as progress:
        from georecall.verify.cli.forecast import of_training, tell
        from georecall.verify.executors import working

        settings = [asked(seed + i, **training) for i in range(n)]
        table, recipe = settings[-1]
        if scheduler is None:
            one = of_training(recipe, table.n_subjects, table.n_relations, table.n_attributes)
            tell(n * one, min(workers or 1, n))
        with working(workers, scheduler) as executor:
            for model, found in _runs(settings, checkpoint, executor, progress):
                runs.append(found)
                if out is not None:
                    _save(model, table, recipe.described(), out)
    described = {
        "subjects": table.n_subjects,
        "relations": table.n_relations,
        "attributes": table.n_attributes,
        **({"filled_cells": table.n_filled} if table.n_filled else {}),
    }
    return {"facts": described, "recipe": recipe.described() | {"seed": seed}, "runs": runs, "out": out}


def _runs(
    settings: "list[tuple[FactTable, Recipe]]",
    checkpoint: str | None,
    executor: "Executor | None",
    progress: "Progress",
) -> "Iterator[tuple[Transformer, dict[str, Any]]]":
    """Model and measures of every run; here one after the other, or by workers."""
    from georecall.constructions.training.loop import libraries
    from georecall.verify.executors import each
    from georecall.verify.learned.run import train_and_measure

    libraries()
    if executor is not None:
        for done, found in enumerate(each(executor, train_and_measure, settings, "run"), start=1):
            progress(done, len(settings))
            yield found
        return
    for i, (table, recipe) in enumerate(settings):

        def report(done: int, total: int, i: int = i) -> None:
            progress(i * total + done, len(settings) * total)

        yield train_and_measure(table, recipe, checkpoint=checkpoint, progress=report)


def _save(model: Any, facts: Any, recipe: dict[str, Any], out: str) -> None:
    from georecall.constructions.files.weights import save_safetensors
    from georecall.theory.tools.version import VERSION
    from georecall.verify.margins.queries import Facts, sample

    queries = [sample(Facts(facts), r * facts.n_subjects) for r in range(facts.n_relations)]
    stored = {"claim": "gradient-descent", "parameters": recipe, "version": VERSION}
    try:
        save_safetensors(model, out, facts.answers, queries=queries, metadata=stored)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"cannot write {out}: {in_words(error, out)}") from error
