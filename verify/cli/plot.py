"""`georecall plot`: one figure from one results file."""

from typing import Any

import click

from georecall.verify.cli.complete import Word
from georecall.verify.cli.options import count, input_errors, refusals, store_errors


@click.command(name="plot")
@click.argument("kind", type=Word("georecall.verify.figures.catalogue", "FIGURES"))
@click.argument("results", metavar="RESULTS.sqlite...", nargs=-1, required=True)
@click.option("--out", required=True, metavar="FIGURE.svg|pdf|png", help="Where to; the ending says what.")
@click.option("--format", metavar="svg|pdf|png", help="What, whatever --out ends in.")
@count("--relations", "R, for figures of one R; default: that of most cells.")
@click.option("--width", metavar="column|page|INCHES", help="3.3, 6.9 or so many inches.")
@click.option("--font-size", type=float, default=9, show_default=True, help="Points.")
@click.option("--title/--no-title", default=True, help="Whether the figure carries its title.")
@click.option("--data", metavar="FILE.csv", help="Also write the rows that were drawn.")
def command(kind: str, results: tuple[str, ...], out: str, **options: Any) -> None:
    """Draw a figure from one results file, or from several together.

    Figures: capacity, phase, margins, bits, comparison, depth, plane, learned, dimensions, ablation,
    proof-size, layers.

    \b
    georecall sweep capacity --preset quick --out results.sqlite
    georecall plot capacity results.sqlite --out capacity.svg
    georecall plot capacity mine.sqlite theirs.sqlite --relations 3 --width column --out r3.pdf --data r3.csv

    The file's metadata holds the parameters and seeds; the same results give the same bytes.
    """  # noqa: D301 (click wants the backspace)
    with input_errors(), store_errors(), refusals():
        from georecall.verify.figures import plot

        plot(kind, results, out, **options)
    click.echo(f"wrote {out}")
