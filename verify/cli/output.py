"""What a person sees: tables, and progress on anything over a second; and what a machine reads."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from georecall.theory.tools.names import acts
from georecall.theory.tools.progress import Progress as Report
from georecall.verify.cli.options import every_digit
from georecall.verify.cli.streams import encodable
from georecall.verify.cli.terminal import console, escape, table
from georecall.verify.verdict.shown import Shown
from georecall.verify.verdict.verdict import Verdict

_STYLE = {"holds": "bold green", "refuted": "bold red", "inconclusive": "bold yellow"}
_WORDS = {
    "": "",
    "witness": "[red]witness[/red] ",
    "ok": "[green]ok[/green] ",
    "NOT": "[bold red]NOT[/bold red] ",
}
_EXIT = {"holds": 0, "refuted": 1, "inconclusive": 3, "hypotheses-not-met": 3}
_EVERY = 10.0  # seconds between lines where nobody watches
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
    to, words = console(), Shown.of(verdict)
    style = _STYLE.get(verdict.status, "bold yellow")
    to.print(f"[bold]{escape(words.claim)}[/bold]  [{style}]{words.status}[/{style}]")
    for word, line in words.lines():
        if word != "quantities":
            to.print(f"  {_WORDS[word]}{escape(line)}", soft_wrap=True)
        elif words.rows:
            made = table(*words.header)
            for row in words.rows:
                made.add_row(*map(escape, row))
            to.print(made)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Such as 31.4 M/s; nothing below a hundred."""
        speed = task.finished_speed or task.speed or 0.0
        unit, name = next(((u, n) for u, n in ((1e6, " M"), (1e3, " k")) if speed >= u), (1.0, " "))
        return Text(f"{speed / unit:.1f}{name}/s" if speed >= 100 else "", style="progress.data.speed")


def duration(seconds: float) -> str:
    """Such as 40 s, 3 min, 2 h."""
    unit, name = next(((u, n) for u, n in ((3600, "h"), (60, "min")) if seconds >= 1.5 * u), (1, "s"))
    return f"{seconds / unit:.0f} {name}"


@contextmanager
def progress_bar(what: str) -> Iterator[Report]:
    """A callback for progress, drawn on a terminal's standard error once the work has taken a second.

    Also while nothing is told yet: drawing a table of a billion facts takes a while. In a file or pipe it is
    a line every ten seconds, of what is done and about how long the rest takes, or how long it has taken.
    """
    to = Console(file=sys.stderr, emoji=False)
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    bar = Progress("{task.description}", *columns, console=to, transient=True)
    task = bar.add_task(what, total=None)
    begun, over, told = time.monotonic(), threading.Event(), (0, 0)
    first = begun, 0  # when the first was told, and what was done then: of a checkpoint, or by others

    def report(done: int, total: int) -> None:
        nonlocal told, first
        first = first if told[1] else (time.monotonic(), done)
        told = done, total
        bar.update(task, completed=done, total=total)

    def show() -> None:
        if to.is_terminal:
            if not over.wait(_AFTER):
                bar.start()
            return
        while not over.wait(_EVERY):
            now = time.monotonic()
            rate = (told[0] - first[1]) / (now - first[0])
            click.echo(f"georecall: {what}: {_so_far(now - begun, rate, *told)}", err=True)

    showing = threading.Thread(target=show, daemon=True)
    showing.start()
    try:
        yield report
    finally:
        over.set()
        showing.join()
        if bar.live.is_started:
            bar.stop()


def _so_far(seconds: float, rate: float, done: int, total: int) -> str:
    """What is done and about how long the rest takes: such as 2 of 14, about 72 s left."""
    if not rate:
        return f"{duration(seconds)} so far" + (f", {done} of {total} done" if total else "")
    return f"{done} of {total}, about {duration((total - done) / rate)} left"
