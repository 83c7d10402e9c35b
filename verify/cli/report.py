"""`georecall report`: everything on one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from georecall.verify.cli.options import SCHEDULER, SEED, answering, count, input_errors, store_errors

if TYPE_CHECKING:
    from georecall.verify.report import Content


def _show(report: dict[str, Any]) -> None:
    for name, claim in report["claims"].items():
        click.echo(f"{name}: {claim['status']}" + (f" ({claim['reason']})" if claim["reason"] else ""))
    for name, figure in report["figures"].items():
        if not figure["drawn"]:
            click.echo(f"figure {name}: not drawn ({figure['reason']})")
    click.echo(f"wrote {report['out']}")


def _status(report: dict[str, Any]) -> int:
    statuses = {claim["status"] for claim in report["claims"].values()}
    return 1 if "refuted" in statuses else 0 if statuses <= {"holds", "stated"} else 3


@click.command(name="report")
@click.option("--out", required=True, metavar="DIR", help="Folder for index.html; made if it is not there.")
@click.option(
    "--preset",
    type=click.Choice(["quick", "paper"]),
    default="quick",
    show_default=True,
    help="Parameters of the claims, and the cells behind the figures.",
)
@click.option("--results", metavar="FILE.sqlite", help="Draw from this file of `sweep capacity`.")
@click.option("--hops", metavar="FILE.sqlite", help="Draw from this file of `sweep hops`.")
@click.option("--learned", metavar="FILE.sqlite", help="Draw from this file of `sweep learned`.")
@SEED
@count("--workers", "Processes that share the work; default this one.")
@SCHEDULER
@answering(_show, _status)
def command(
    out: str, preset: str, seed: int, workers: int | None, scheduler: str | None, **files: str | None
) -> dict[str, Any]:
    """Check every claim and write DIR/index.html, one page that needs no network and no other file.

    \b
    georecall report --out report
    georecall report --out report --preset paper --results results.sqlite --hops hops.sqlite

    What the figures need is swept into DIR, and a report that was interrupted continues there. The page is
    the same, byte for byte, whoever works.

    Exit status: 0; 1 if a claim is refuted; 3 if one is inconclusive or its hypotheses are not met. The page
    is written in any case.
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.cli.output import progress_bar

    if seed < 0:
        raise click.UsageError(f"--seed must be at least 0, got {seed}")
    folder = Path(out)
    with input_errors(), store_errors(), progress_bar("reporting") as progress:
        _require_writable(folder)
        from georecall.theory.tools.files import replacing
        from georecall.verify.cli.forecast import of_report, tell
        from georecall.verify.executors import working
        from georecall.verify.report import gather, page
        from georecall.verify.sweep import HOP_PRESETS, PRESETS

        given = {kind: Path(file) for kind, file in files.items() if file}
        swept = ("results", PRESETS), ("hops", HOP_PRESETS)
        cells = [cell for kind, presets in swept if kind not in given for cell in presets[preset](seed)]
        if scheduler is None:
            tell(of_report(preset, cells), workers or 1)
        with working(workers, scheduler) as executor:
            content = gather(folder, preset=preset, seed=seed, executor=executor, progress=progress, **given)
        path = folder / "index.html"
        with replacing(path) as temporary:
            temporary.write_text(page(content), encoding="utf-8")
    return _described(content, path)


def _require_writable(folder: Path) -> None:
    """Refuses a folder that the page cannot be written to, before anything is measured."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".georecall-writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise click.ClickException(
            f"--out {folder} is no folder that can be written: {error.strerror}; give another"
        ) from error


def _described(content: "Content", path: Path) -> dict[str, Any]:
    return {
        "out": str(path),
        "preset": content.preset,
        "seed": content.seed,
        "claims": {
            checked.claim.name: {
                "status": checked.status,
                "reason": checked.missing if checked.verdict is None else checked.verdict.reason,
                "command": checked.command,
                "seconds": checked.seconds,
            }
            for checked in content.claims
        },
        "figures": {f.name: {"drawn": f.svg is not None, "reason": f.missing} for f in content.figures},
        "lemmas": {row.lemma.name: row.status for row in content.lemmas},
        "seconds": content.seconds,
    }
