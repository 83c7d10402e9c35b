"""`georecall prove`: what a proof kernel has checked, compiled again here and now."""

import time
from typing import Any

import click

from georecall.verify.cli.options import input_errors


@click.command(name="prove")
@click.argument("claim", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(claim: str | None, as_json: bool) -> int:
    """Compile the theorems behind CLAIM with Coq; print them, what they assume, and how long it took.

    \b
    georecall prove single-hop-in-place
    georecall prove

    Without CLAIM: every theorem, and which claims are machine-checked in full, in part, or not.
    Exit status 1 if a theorem rests on an axiom, 3 if the claim has no theorem.
    """  # noqa: D301 (click wants the backspace)
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
