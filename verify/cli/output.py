"""What a person sees: tables, and progress on anything over a second; and what a machine reads."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from georecall.theory.tools.names import acts
from georecall.theory.tools.numerals import exactly
from georecall.verify.cli.options import every_digit
from georecall.verify.cli.streams import encodable
from georecall.verify.cli.terminal import console, escape, table
from georecall.verify.margins.margins import Progress as Report
from georecall.verify.margins.margins import Witness
from georecall.verify.usage import show
from georecall.verify.verdict.verdict import Mismatch, Verdict

_STYLE = {"holds": "bold green", "refuted": "bold red", "inconclusive": "bold yellow"}
_EXIT = {"holds": 0, "refuted": 1, "inconclusive": 3, "hypotheses-not-met": 3}
_AFTER = 1.0  # seconds of work that nobody needs to be told of


def print_json(value: Any) -> None:
    """One JSON object on standard output; whole numbers in full, however long."""
    with every_digit():
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        if not text.isascii() and any(acts(c) for c in set(text) - {"\n"}):
            text = "".join(json.dumps(c)[1:-1] if acts(c) and c != "\n" else c for c in text)
        if encodable(text, sys.stdout.encoding or "utf-8") != text:
            text = json.dumps(value, indent=2, allow_nan=False)
        print(text)


def exit_status(verdict: Verdict) -> int:
    """The exit status that a verdict has."""
    return _EXIT[verdict.status]


def print_verdict(verdict: Verdict) -> None:
    """A verdict as tables."""
    to = console()
    style = _STYLE.get(verdict.status, "bold yellow")
    to.print(f"[bold]{escape(verdict.claim)}[/bold]  [{style}]{verdict.status}[/{style}]")
    if verdict.reason:
        to.print(f"  {escape(verdict.reason)}", soft_wrap=True)
    for line in _setting(verdict):
        to.print(f"  {escape(line)}", soft_wrap=True)
    if verdict.measured:
        to.print(_quantities(verdict))
    if isinstance(verdict.witness, Witness):
        to.print(f"  [red]witness[/red]  {escape(verdict.witness)}", soft_wrap=True)
    elif isinstance(verdict.witness, Mismatch):
        m = verdict.witness
        told = f"{m.quantity}: predicted {show(m.predicted)}, measured {show(m.measured)}"
        to.print(f"  [red]witness[/red]  {escape(told)}", soft_wrap=True)
    for h in verdict.hypotheses:
        to.print(f"  {_mark(h.holds)} hypothesis: {escape(h.name)}", soft_wrap=True)
    if verdict.controls_at:
        to.print(f"  controls at {escape(show(verdict.controls_at))}:", soft_wrap=True)
    for c in verdict.controls:
        told = f"control: {c.name}: expected: {c.expected}; got: {c.got}"
        to.print(f"  {_mark(c.ok)} {escape(told)}", soft_wrap=True)


def _setting(verdict: Verdict) -> list[str]:
    filled, stated = (verdict.parameters.get(name) for name in ("filled_cells", "stated_queries"))
    hidden = ("facts_sha256", None), ("engine", "numpy"), ("filled_cells", None), ("stated_queries", None)
    shown = {
        k: v
        for k, v in verdict.parameters.items()
        if v is not None and (k, None) not in hidden and (k, v) not in hidden
    }
    given = (f"{k} {exactly(v) if isinstance(v, float) else show(v)}" for k, v in shown.items())
    parts = [", ".join(given)]
    if verdict.method:
        how = f"verified by {verdict.method}, {verdict.how_exact}"
        if verdict.method == "measured":
            how = "measured in the floats of a function that is not known, not certified"
        of = f"{verdict.margins_of}: " if verdict.margins_of else ""
        parts.append(f"{of}{show(verdict.n_queries)} queries {how}, in {verdict.seconds:.2f} s")
    if filled == 0:
        parts.append("no cell was missing")
    elif filled is not None:
        of = f"{show(stated)} of {show(verdict.n_queries)}"
        parts.append(f"{show(filled)} missing cells are filled; {of} queries are about stated facts")
    return parts


def _quantities(verdict: Verdict) -> Table:
    rows = list(verdict.measured.values())
    if rows and all(isinstance(row, dict) for row in rows):  # the same quantities of several things
        made = table("", *rows[0])
        for name, row in verdict.measured.items():
            made.add_row(escape(name), *(escape(show(value)) for value in row.values()))
        return made
    made = table("quantity", "measured", *(["predicted"] if verdict.predicted else []))
    for name, measured in verdict.measured.items():
        row = [measured, *([verdict.predicted.get(name)] if verdict.predicted else [])]
        of = f" of {verdict.margins_of}" if verdict.margins_of and name == "min_margin" else ""
        made.add_row(escape(name + of), *(escape(show(value)) for value in row))
    return made


def _mark(ok: bool) -> str:
    return "[green]ok[/green]" if ok else "[bold red]NOT[/bold red]"


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Such as 31.4 M/s; nothing below a hundred."""
        speed = task.finished_speed or task.speed or 0.0
        unit, name = next(((u, n) for u, n in ((1e6, " M"), (1e3, " k")) if speed >= u), (1.0, " "))
        return Text(f"{speed / unit:.1f}{name}/s" if speed >= 100 else "", style="progress.data.speed")


@contextmanager
def progress_bar(what: str) -> Iterator[Report]:
    """A callback for progress, drawn on a terminal's standard error once the work has taken a second.

    Also while nothing is told yet: drawing a table of a billion facts takes a while.
    """
    to = Console(file=sys.stderr, emoji=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=to, transient=True)
    task = bar.add_task(what, total=None)

    def report(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    begin = threading.Timer(_AFTER, bar.start)
    begin.daemon = True
    if to.is_terminal:
        begin.start()
    try:
        yield report
    finally:
        if begin.is_alive():
            begin.cancel()
            begin.join()
        if bar.live.is_started:
            bar.stop()
