"""`georecall prove`: what a proof kernel has checked, compiled again here and now."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from georecall.verify.cli.options import (
    Rational,
    asks_hops,
    claim_options,
    facts_options,
    input_errors,
    read_facts,
)


@click.command(name="prove")
@click.argument("claim", required=False)
@click.option("--model", metavar="FILE", help="Weights to certify, of safetensors or ONNX; with --answers.")
@click.option("--answers", metavar="FILE.npy", help="With --model: what it should answer, shape (R, N).")
@click.option("--at-least", type=Rational(), help="The margin to certify; default: what the codebook gives.")
@click.option("--out", metavar="DIR", help="Keep the certificate, a Coq development of its own.")
@facts_options
@claim_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    claim: str | None,
    model: str | None,
    answers: str | None,
    at_least: Any,
    out: str | None,
    facts: str | None,
    missing: Any,
    as_json: bool,
    **options: Any,
) -> int:
    """Compile the theorems behind CLAIM with Coq; or certify weights at hand, of CLAIM or --model.

    \b
    georecall prove single-hop-in-place
    georecall prove
    georecall prove single-hop --facts countries
    georecall prove --model model.safetensors --answers model.answers.npy --out certificate

    Without facts: what each theorem says, what it assumes, which claims are machine-checked. With facts, or
    --model: the kernel decides whether every margin of these weights is as large as claimed (one layer of
    uniform attention).

    Exit status 1 if a margin is too small or a theorem rests on an axiom, 3 if the claim has no theorem, or
    weights are right but not by a codebook.
    """  # noqa: D301 (click wants the backspace)
    given = {name: value for name, value in options.items() if value is not None}
    asks = facts is not None or out is not None or at_least is not None or given.keys() - {"seed"}
    if model is not None or answers is not None:
        if (
            claim is not None
            or model is None
            or answers is None
            or given.keys() - {"seed"}
            or facts is not None
        ):
            raise click.UsageError("--model goes with --answers, and with neither a claim nor its options")
    elif claim is None or not asks:
        if asks:
            raise click.UsageError("whose weights? give a claim, or --model and --answers")
        return _theorems(claim, as_json)
    with input_errors():
        if model is not None:
            weights, table = _read(model, str(answers))
        else:
            weights, table = _built(str(claim), facts, missing, given)
        report = _certified(weights, table, at_least, out)
    if as_json:
        from georecall.verify.cli.output import print_json

        print_json(report)
    elif report["accepted"]:
        click.echo(
            f"certified by Coq: {report['n_facts']} facts, every margin >= {report['margin']}, "
            f"{report['assumptions']} ({report['seconds']} s)"
        )
    elif report["witness"] is None:
        right = f"every margin is >= {report['margin']} all the same, but not by a codebook"
        click.echo(f"refused by Coq: {right}")
    else:
        click.echo(f"refused by Coq: not every margin is >= {report['margin']}; {report['witness']}")
    return 0 if report["accepted"] else 1 if report["witness"] else 3


def _theorems(claim: str | None, as_json: bool) -> int:
    from georecall.theory.claims import CLAIMS
    from georecall.theory.tools.names import meant
    from georecall.verify.proofs import compiled, proved, standing

    if claim is not None and claim not in CLAIMS:
        raise click.UsageError(
            f"no claim is called {claim!r}{meant(claim, CLAIMS)}; there are {', '.join(CLAIMS)}"
        )
    names = list(CLAIMS) if claim is None else [claim]
    stand = {name: standing(CLAIMS[name]) for name in names}
    theorems = list(dict.fromkeys(theorem for found in stand.values() for theorem in found.theorems))
    began = time.perf_counter()
    with input_errors(), compiled([theorem.split(".")[0] for theorem in theorems]) as folder:
        answers = proved(theorems, folder)
    report = {
        "claims": {name: vars(found) for name, found in stand.items()},
        "theorems": [vars(answer) for answer in answers],
        "seconds": round(time.perf_counter() - began, 2),
    }
    if as_json:
        from georecall.verify.cli.output import print_json

        print_json(report)
    else:
        _print(report, in_full=claim is not None)
    return 3 if not answers else 0 if all(answer.closed for answer in answers) else 1


def _read(model: str, answers: str) -> tuple[Any, Any]:
    from georecall.constructions.files.loading import load
    from georecall.constructions.files.reading import load_answers
    from georecall.theory.facts.fact_table import FactTable
    from georecall.verify.usage import UsageError

    try:
        weights = load(model).model
        return weights, FactTable(load_answers(answers), n_attributes=weights.d_vocab_out)
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed: pip install 'georecall[export]'") from error
    except ValueError as error:
        raise UsageError(str(error)) from error


def _built(claim: str, facts: str | None, missing: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    from georecall.verify.claims.instance import built
    from georecall.verify.claims.options import prepare

    table = read_facts(facts, missing)
    if table is not None and asks_hops(claim):
        table = table.to_entities(missing=missing)
    prepared = prepare(claim, table, **given)
    return built(prepared.experiment.claim, prepared.instance), prepared.facts


def _certified(weights: Any, table: Any, at_least: Any, out: str | None) -> dict[str, Any]:
    """Writes the certificate, lets Coq run it, and asks the ordinary checker where Coq refuses."""
    from georecall.verify.margins.margins import margins
    from georecall.verify.proofs.certificate import accepted, certificate, write_certificate
    from georecall.verify.usage import UsageError

    found = certificate(weights, table.answers, at_least)
    began = time.perf_counter()
    with TemporaryDirectory(prefix="georecall-certificate-") as temporary:
        folder = Path(out or temporary)
        try:
            write_certificate(found, folder)
        except OSError as error:
            raise UsageError(f"cannot write to {folder}: {error.strerror}") from error
        assumptions = accepted(folder)
    report = {
        "accepted": assumptions is not None,
        "margin": str(found.margin),
        "n_facts": table.n_facts,
        "assumptions": assumptions,
        "out": out,
        "seconds": round(time.perf_counter() - began, 2),
        "witness": None,
    }
    if assumptions is None:
        measured = margins(weights, table)
        if measured.minimum[0] < found.margin:
            report["witness"] = str(measured.worst)
    return report


def _print(report: dict[str, Any], in_full: bool) -> None:
    from georecall.verify.cli.terminal import console, escape, table

    to = console()
    for answer in report["theorems"]:
        to.print(f"[bold]{answer['theorem']}[/bold]")
        if in_full:
            for line in answer["statement"].splitlines():
                to.print(f"  {escape(line)}", soft_wrap=True)
        to.print(f"  {escape(answer['assumptions'])}\n" if in_full else f"  {escape(answer['assumptions'])}")
    listed = table("claim", "machine-checked", "without a theorem")
    for name, found in report["claims"].items():
        listed.add_row(name, found["checked"], "; ".join(found["missing"]) or "-")
    to.print(listed)
    to.print(f"\n{len(report['theorems'])} theorems in {report['seconds']} s")
