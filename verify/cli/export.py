"""`georecall export`: a construction's weights, for other programs."""

from pathlib import Path
from typing import Any

import click

from verify.cli.options import claim_options, facts_options, input_errors, read_facts


@click.command(name="export")
@click.argument("claim")
@facts_options
@claim_options
@click.option("--out", required=True, metavar="FILE.safetensors", help="Where to; answers go beside it.")
@click.option(
    "--dtype",
    default="float64",
    show_default=True,
    help="float64, float32 or float16; refused if it would round.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    claim: str, facts: str | None, missing: Any, out: str, dtype: str, as_json: bool, **options: Any
) -> None:
    """Write the weights of CLAIM's construction, and the answers that it should give.

    \b
    georecall export single-hop --facts elements --out model.safetensors
    georecall check --model model.safetensors --answers model.answers.npy
    """  # noqa: D301 (click wants the backspace)
    given = {name: value for name, value in options.items() if value is not None}
    with input_errors():
        report = _export(claim, read_facts(facts, missing), out, dtype, given)
    if as_json:
        from verify.cli.output import print_json

        print_json(report)
    else:
        click.echo(
            f"wrote {report['model']} ({report['n_parameters']} parameters, {dtype}) and {report['answers']}"
        )


def _export(claim: str, table: Any, out: str, dtype: str, options: dict[str, Any]) -> dict[str, Any]:
    from constructions.files import DTYPES, save_safetensors
    from theory.version import VERSION
    from verify.asked import UsageError, prepare
    from verify.exactness import FORMATS, format_needed

    path = Path(out)
    if path.suffix != ".safetensors":
        raise UsageError(f"--out must end in .safetensors, got {out}")
    if dtype not in DTYPES:
        raise UsageError(f"--dtype must be one of {', '.join(DTYPES)}, got {dtype}")
    prepared = prepare(claim, table, **options)
    model, samples = prepared.instance.build(), prepared.instance.samples()
    if dtype != "float64" and not FORMATS[dtype].represents(format_needed(model, samples)):
        raise UsageError(f"{dtype} would round: the forward pass needs more digits or a wider range")
    stored = {"claim": claim, "parameters": prepared.parameters, "version": VERSION}
    try:
        answers = save_safetensors(
            model, path, prepared.facts.answers, queries=samples, dtype=dtype, metadata=stored
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot export to {out}: {error}") from error
    return {"model": str(path), "answers": str(answers), "dtype": dtype, "n_parameters": model.n_parameters}
