"""`georecall claims`: what is claimed, under which hypotheses, and what it predicts."""

from typing import TYPE_CHECKING

import click

from georecall.verify.cli.complete import ClaimName
from georecall.verify.cli.options import JSON

if TYPE_CHECKING:
    from georecall.theory.claims.claim import Claim


@click.command(name="claims")
@click.argument("name", required=False, type=ClaimName())
@click.option("--latex", is_flag=True, help="Print a LaTeX document that states the claim (or all of them).")
@JSON
def command(name: str | None, latex: bool, as_json: bool) -> None:
    """List the claims, or show one: statement, hypotheses, predicted quantities, proof, controls."""
    from georecall.theory.claims import CLAIMS
    from georecall.theory.claims.latex import latex_document
    from georecall.theory.tools.names import no_such

    if latex and as_json:
        raise click.UsageError("--json or --latex, not both")
    if name is not None and name not in CLAIMS:
        raise click.UsageError(no_such("claim", name, CLAIMS))
    chosen = list(CLAIMS.values()) if name is None else [CLAIMS[name]]
    if latex:
        click.echo(latex_document(*chosen))
    elif as_json:
        from georecall.verify.cli.output import print_json

        described = [claim.described() for claim in chosen]
        print_json(described if name is None else described[0])
    else:
        _print(chosen, in_full=name is not None)


def _print(claims: "list[Claim]", in_full: bool) -> None:
    from georecall.verify.cli.terminal import console, table

    to = console()
    if not in_full:
        listed = table("claim", "", "says")
        for claim in claims:
            listed.add_row(claim.name, claim.label, claim.title)
        to.print(listed)
        to.print("\n`georecall claims NAME` shows hypotheses, predictions, proof and controls.")
        return
    (claim,) = claims
    to.print(f"[bold]{claim.name}[/bold] ({claim.label}): {claim.title}\n")
    for heading, lines in _sections(claim).items():
        to.print(f"[bold]{heading}[/bold]")
        for line in lines:
            to.print(f"  {line}", markup=False, soft_wrap=True)


def _sections(claim: "Claim") -> dict[str, list[str]]:
    """What is shown of one claim, heading by heading."""
    from georecall.verify.proofs.standing import standing

    return {
        "statement": [claim.statement.replace("\n", " ")],
        "hypotheses": [f"{h.name}: {h.condition}" for h in claim.hypotheses],
        "predicted": [
            f"{name} = {quantity}" + (f" ({claim.units[name]})" if name in claim.units else "")
            for name, quantity in claim.predicted.items()
        ],
        "where": [f"{name}: {meaning}" for name, meaning in claim.explained().items()],
        "proof": [claim.proof.replace("\n", " ")],
        "trust": [str(step) for step in claim.trust],
        "machine-checked": [*standing(claim).said(), f"georecall prove {claim.name} compiles it again"],
        "negative controls": [f"{c.name}: {c.expected}" for c in claim.controls],
        "options": [", ".join(f"--{p.replace('_', '-')}" for p in claim.parameters)],
        "page": [claim.page],
        "source": [claim.source],
    }
