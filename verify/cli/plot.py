"""`georecall plot`: one figure from one results file."""

import click

from georecall.verify.cli.options import input_errors
from georecall.verify.cli.sweep import store_errors


@click.command(name="plot")
@click.argument("kind")
@click.argument("results", metavar="RESULTS.sqlite")
@click.option("--out", required=True, metavar="FIGURE.svg|pdf|png", help="Where to; the ending says what.")
def command(kind: str, results: str, out: str) -> None:
    """Draw a figure from a results file.

    Figures: capacity, phase, margins, bits, comparison, depth, plane, learned, dimensions.

    \b
    georecall sweep capacity --preset quick --out results.sqlite
    georecall plot capacity results.sqlite --out capacity.svg

    The file's metadata holds the parameters and seeds; the same results give the same bytes.
    """  # noqa: D301 (click wants the backspace)
    with input_errors(), store_errors():
        from georecall.verify.figures import plot

        try:
            plot(kind, results, out)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"wrote {out}")
