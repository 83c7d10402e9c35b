"""`georecall transfer`: new bijections through a frozen MLP."""

from typing import Any

import click

from georecall.verify.cli.options import answering, count, input_errors, read_answers, refusals
from georecall.verify.cli.training_options import asked, training_options

_PROCEDURES = ("superposition", "inverse", "training")


def _show(answer: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, table
    from georecall.verify.learned.measured import share

    to, found = console(), answer["procedures"]
    shown = table("procedure", "transfer", "untrained MLP", "shuffled", "random", "discriminates")
    applied = {name: row for name, row in found.items() if "not_applicable" not in row}
    for name, row in applied.items():
        shares = (row.get(key) for key in ("transfer", "untrained", "shuffled", "random"))
        told = "-" if "discriminates" not in row else "yes" if row["discriminates"] else "no"
        shown.add_row(name, *("-" if share is None else f"{share:.3f}" for share in shares), told)
    to.print(shown)
    for row in applied.values():
        if "expected_transfer" in row:
            expected, worst = share(row["expected_transfer"]), share(row["worst_transfer"])
            how = "" if row["over_all_tables"] == "all tuples" else " (by sampled tuples, and a search)"
            to.print(f"  over all tables: expected {expected}, worst {worst}{how}", soft_wrap=True)
    for name in found.keys() - applied.keys():
        to.print(f"  not measured: {name} ({found[name]['not_applicable']})", soft_wrap=True)
    if not all(row.get("discriminates", True) for row in applied.values()):
        told = "where a procedure does not discriminate, an untrained MLP does it too: nothing is shown"
        to.print(f"  {told}", soft_wrap=True)


@click.command(name="transfer")
@training_options
@click.option("--model", metavar="M.safetensors", help="A saved model instead of a new one.")
@click.option("--answers", metavar="A.npy", help="With --model: the answers it was made for, shape (R, N).")
@click.option(
    "--procedure",
    "procedures",
    type=click.Choice(_PROCEDURES),
    multiple=True,
    help="Of making new embeddings; several times for several; default all three.",
)
@count("--tables", "New tables to average over.", default=1, show_default=True)
@answering(_show)
def command(
    seed: int,
    model: str | None,
    answers: str | None,
    procedures: tuple[str, ...],
    tables: int,
    checkpoint: str | None,
    **training: Any,
) -> dict[str, Any]:
    """Answer new bijections by new subject embeddings alone, everything else frozen (extra `learn`).

    \b
    georecall transfer --preset quick
    georecall transfer --model model.safetensors --answers model.answers.npy --procedure superposition

    Beside each procedure stands what it makes of an untrained MLP: where that succeeds too, the procedure
    shows nothing of what was learned.
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.cli.output import progress_bar

    if tables < 1:
        raise click.UsageError(f"--tables must be at least 1, got {tables}")
    with input_errors(), progress_bar("training") as progress:
        from georecall.verify.learned import transfers
        from georecall.verify.usage import UsageError

        if model is not None:
            if any(value is not None for value in (checkpoint, *training.values())):
                raise click.UsageError("--model takes its facts from --answers and is not trained again")
            weights, table = _loaded(model, answers)
        else:
            if answers is not None:
                raise click.UsageError("--answers goes with --model")
            from georecall.constructions.gradient_descent import trained

            table, recipe = asked(seed, **training)
            weights = trained(table, recipe, checkpoint=checkpoint, progress=progress)
        with refusals():
            found = transfers(weights, table, procedures=procedures or _PROCEDURES, tables=tables, seed=seed)
        if all("not_applicable" in row for row in found.values()):
            reasons = "; ".join(f"{name}: {row['not_applicable']}" for name, row in found.items())
            raise UsageError(f"nothing that was asked for applies to this model: {reasons}")
    return {"n_facts": table.n_facts, "tables": tables, "seed": seed, "procedures": found}


def _loaded(path: str, answers: str | None) -> Any:
    from georecall.constructions.files.loading import load_safetensors
    from georecall.verify.margins.margins import check_fits

    if answers is None:
        raise click.UsageError("--model needs the answers that it was made for: --answers A.npy")
    with refusals():
        model = load_safetensors(path)
        facts = read_answers(answers, model.d_vocab_out)
        check_fits(model, facts)
    return model, facts
