"""`georecall bench`: how fast facts are certified, and against what."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from georecall.verify.cli.options import answering, input_errors, refusals, store_errors


def _show(found: dict[str, Any]) -> None:
    {"waits": _show_waits, "scaling": _show_scaling}.get(found["preset"], _show_rates)(found)


@click.command(name="bench")
@click.option(
    "--preset",
    type=click.Choice(["quick", "paper", "scaling", "waits"]),
    default="quick",
    show_default=True,
    help="quick takes under a minute; paper goes to a billion facts; scaling fits exponents of every method; "
    "waits times whole commands, as users type them.",
)
@click.option(
    "--against",
    metavar="FILE|REVISION",
    help="With waits: beside the figures of a file of --out, or in turn with another revision's commands.",
)
@click.option("--only", metavar="WAIT", multiple=True, help="With waits: these alone, by name.")
@click.option("--out", metavar="FILE.json", help="Write the figures here, too; in a folder, by revision.")
@answering(_show)
def command(preset: str, against: str | None, only: Sequence[str], out: str | None) -> dict[str, Any]:
    """Time certified recall against brute force, onnxruntime, JAX and the machine's limits, in one run.

    Timings go from weights to verdict, every fact through the weights; each case runs in an interpreter of
    its own. Close other programs first. Waits are told in processor time, which other programs disturb less.

    \b
    georecall bench --preset waits --out waits/
    georecall bench --preset waits --against v0.1 --only report
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.bench import bench
    from georecall.verify.bench.scaling import scaling
    from georecall.verify.bench.waits import revision, waits
    from georecall.verify.cli.output import progress_bar

    if preset != "waits" and (against is not None or only):
        raise click.UsageError("--against and --only go with --preset waits")
    if out is not None:
        if Path(out).is_dir():
            out = str(Path(out, f"{revision()}.json"))
        _write({}, out)  # said before the work, not after
    found: dict[str, Any]
    with input_errors(), store_errors(), progress_bar("timing") as progress:
        if preset == "waits":
            with refusals():
                found = waits(only, against=against, progress=progress)
        elif preset == "scaling":
            found = scaling(progress=progress)
        else:
            found = bench(preset, progress=progress)
    if out is not None:
        _write(found, out)
    return found


def _write(found: dict[str, Any], out: str) -> None:
    from georecall.theory.tools.files import replacing

    try:
        with replacing(out) as temporary:
            temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror}") from error


def _show_rates(found: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, table

    to, shown = console(), table("way", "N", "R", "facts", "seconds", "facts/s", "peak MB", numbers=True)
    for row in found["timings"]:
        way = row["way"] + ", compiled" * row["compiled"] + " (implicit)" * row["implicit"]
        numbers = (row["subjects"], row["relations"], row["facts"], f"{row['median_seconds']:.3g}")
        shown.add_row(way, *map(str, numbers), f"{row['facts_per_second']:.3g}", _peak(row))
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
        + (f", compiled {100 * limits['share_compiled']:.0f}%" if "share_compiled" in limits else "")
    )


def _show_waits(found: dict[str, Any]) -> None:
    """Processor seconds, memory, what is least, and what was before."""
    from georecall.verify.cli.terminal import console, table

    compared = found["before"] is not None
    beside = ("before", "peak MB", "times shorter") if compared else ()
    shown = table("wait", "CPU s", "least", "s", "peak MB", *beside, numbers=True)
    for row in found["waits"]:
        cells = [_seconds(row), f"{row['least_cpu_seconds']:.3g}", f"{row['seconds']:.3g}", _peak(row)]
        if compared:
            old = row["before"]
            cells += ["-"] * 3 if old is None else [_seconds(old), _peak(old), f"{row['times']:.3g}"]
        shown.add_row(row["name"], *cells)
    console().print(shown)
    console().print(f"revision {found['revision']}" + (f", beside {found['before']}" if compared else ""))


def _seconds(row: dict[str, Any]) -> str:
    """Processor seconds, or what they are more than; and how a command ended that did not do its work."""
    if row["status"] is None:
        return f"> {row['cpu_seconds']:.3g}"
    failed = "" if row["status"] in (0, 1, 3) else f" (status {row['status']})"
    return f"{row['cpu_seconds']:.3g}{failed}"


def _peak(row: dict[str, Any]) -> str:
    return "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}"


def _show_scaling(found: dict[str, Any]) -> None:
    """Exponents beside what theory has."""
    from georecall.verify.cli.terminal import console, table
    from georecall.verify.usage import show

    shown = table("method", "claim", "along", "exponent", "95% interval", "theory", numbers=True)
    for row in found["exponents"]:
        measured = f"{row['estimate']:.2f}", f"{row['lower']:.2f} to {row['upper']:.2f}"
        along = f"{row['in']} {row['sizes'][0]} to {row['sizes'][-1]}"
        what = f"{row['claim']}, {show(row['fixed'])}"
        shown.add_row(row["method"], what, along, *measured, row["theory"])
    console().print(shown)
