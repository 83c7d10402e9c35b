"""`georecall export`: a construction's weights, for other programs."""

import shutil
from pathlib import Path
from typing import Any

import click

from georecall.theory.tools.errors import in_words
from georecall.verify.cli.complete import ClaimName
from georecall.verify.cli.options import answering, claim_options, facts_options, input_errors, read_facts


def _show(report: dict[str, Any]) -> None:
    model = f"{report['model']} ({report['n_parameters']} parameters, {report['dtype']})"
    click.echo(f"wrote {model} and {report['answers']}")


@click.command(name="export")
@click.argument("claim", type=ClaimName())
@facts_options
@claim_options
@click.option(
    "--out", required=True, metavar="FILE.safetensors|onnx|json", help="Where to; answers go beside it."
)
@click.option(
    "--dtype",
    default="float64",
    show_default=True,
    help="float64, float32, float16, bfloat16 or int8; refused if it would round.",
)
@answering(_show)
def command(
    claim: str, facts: str | None, missing: Any, out: str, dtype: str, **options: Any
) -> dict[str, Any]:
    """Write the weights of CLAIM's construction, and the answers that it should give.

    \b
    georecall export single-hop --facts elements --out model.safetensors
    georecall check --model model.safetensors --answers model.answers.npy
    georecall export chain-of-thought --hops 3 --out model.onnx
    georecall export single-hop --out model.json && python3 recheck.py model.json
    """  # noqa: D301 (click wants the backspace)
    given = {name: value for name, value in options.items() if value is not None}
    with input_errors():
        return _export(claim, read_facts(facts, missing, claim), out, dtype, given)


def _export(claim: str, table: Any, out: str, dtype: str, options: dict[str, Any]) -> dict[str, Any]:
    from georecall.constructions.files.integers import save_integers
    from georecall.constructions.files.onnx import ONNX_DTYPES, save_onnx
    from georecall.constructions.files.safetensors import DTYPES
    from georecall.constructions.files.weights import save_safetensors
    from georecall.theory.tools.files import replacing
    from georecall.theory.tools.version import VERSION
    from georecall.verify.claims.instance import recalling
    from georecall.verify.claims.options import prepare
    from georecall.verify.engines.formats import arithmetic, what_rounds
    from georecall.verify.usage import UsageError

    path = Path(out)
    kinds = {
        ".safetensors": (save_safetensors, tuple(DTYPES)),
        ".onnx": (save_onnx, ONNX_DTYPES),
        ".json": (save_integers, ("float64",)),
    }
    if path.suffix not in kinds:
        raise UsageError(f"--out must end in .safetensors, .onnx or .json, got {out}")
    save, dtypes = kinds[path.suffix]
    if dtype not in dtypes:
        raise UsageError(f"--dtype must be one of {', '.join(dtypes)} for {path.suffix}, got {dtype}")
    prepared = prepare(claim, table, **options)
    for each in prepared.experiment.claim.hypotheses:
        if not each.holds(prepared.instance.values):
            click.echo(f"georecall: warning: not {each.name}: these weights may not recall", err=True)
    model, further = recalling(prepared.experiment.claim, prepared.instance)
    if further is None:
        click.echo("georecall: warning: this draw does not recall every fact, nor did any tried", err=True)
    elif further:
        prepared.parameters["draw_seed"] = int(options.get("seed", 0)) + further
        click.echo(
            "georecall: the draw of this seed does not recall every fact; exported that of seed "
            f"{prepared.parameters['draw_seed']}, which does",
            err=True,
        )
    samples = prepared.instance.samples()
    stored = {"claim": claim, "parameters": prepared.parameters, "version": VERSION}
    if "typed" in prepared.parameters:  # hops of one pass; a sample query alone may be of either kind
        stored["typed"] = prepared.parameters["typed"]
    try:
        if dtype != "float64" and (why := what_rounds(model, samples, dtype)):
            raise ValueError(why)
        stored["arithmetic"] = arithmetic(dtype)
        beside = save(model, path, prepared.facts.answers, queries=samples, dtype=dtype, metadata=stored)
        if path.suffix == ".json":  # the answers are in it; beside it stands what decides its margins
            beside = path.with_name("recheck.py")
            with replacing(beside) as temporary:
                shutil.copyfile(Path(__file__).parents[1] / "recall" / "recheck.py", temporary)
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed: pip install 'georecall[export]'") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot export to {out} in {dtype}: {in_words(error)}") from error
    return {"model": str(path), "answers": str(beside), "dtype": dtype, "n_parameters": model.n_parameters}
