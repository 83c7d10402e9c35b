"""`georecall bench`: how fast facts are certified, and against what."""

import json
from typing import Any

import click


@click.command(name="bench")
@click.option(
    "--preset",
    type=click.Choice(["quick", "paper"]),
    default="quick",
    show_default=True,
    help="Sizes: quick takes under a minute; paper goes to a billion facts.",
)
@click.option("--out", metavar="FILE.json", help="Write the figures here, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(preset: str, out: str | None, as_json: bool) -> None:
    """Time certified recall against brute force, onnxruntime and the machine's limits, in one run.

    Timings go from weights to verdict, every fact through the weights; each case runs in an interpreter of
    its own. Close other programs first.
    """
    from georecall.verify.bench import bench
    from georecall.verify.cli.output import print_json, progress_bar
    from georecall.verify.cli.sweep import store_errors

    if out is not None:
        _writable(out)
    with store_errors(), progress_bar("timing") as progress:
        found = bench(preset, progress=progress)
    if out is not None:
        from georecall.theory.tools.files import replacing

        with replacing(out) as temporary:
            temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        _show(found)


def _writable(out: str) -> None:
    """Refuses a file that cannot be written before the work, not after."""
    from georecall.theory.tools.files import replacing

    try:
        with replacing(out) as temporary:
            temporary.write_text("{}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror}") from error


def _show(found: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, table

    to, shown = console(), table()
    for column in ("way", "N", "R", "facts", "seconds", "facts/s", "peak MB"):
        shown.add_column(column, justify="left" if column == "way" else "right", overflow="fold")
    for row in found["timings"]:
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}"
        way = row["way"] + (" (implicit)" if row["implicit"] else "")
        numbers = (row["subjects"], row["relations"], row["facts"], f"{row['median_seconds']:.3g}")
        shown.add_row(way, *map(str, numbers), f"{row['facts_per_second']:.3g}", peak)
    to.print(shown)
    for way, ratio in found["ratios"].items():
        to.print(f"certified is {ratio:.0f} times as fast as {way} at the same N and R")
    for size, fit in found["exponents"].items():
        interval = f"{fit['lower']:.3f} to {fit['upper']:.3f}"
        to.print(f"time ~ ({size})^{fit['estimate']:.3f}, 95% interval {interval}")
    machine, limits = found["machine"], found["limits"]
    most = min(limits["arithmetic"], limits["memory"]) / 1e6
    to.print(
        f"{machine['cores']} cores: {machine['bytes_per_second'] / 1e9:.3g} GB/s and "
        f"{machine['operations_per_second'] / 1e9:.3g} G int8 operations/s; at most {most:.0f} M facts/s, "
        f"of which the first row reached {100 * limits['share']:.0f}%"
    )
