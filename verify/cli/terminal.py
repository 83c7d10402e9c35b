"""What a person reads, on any terminal and in any file: nothing cut, nothing that acts."""

from typing import Any

from rich import markup
from rich.console import Console
from rich.table import Table

from georecall.theory.tools.names import inert

_UNLIMITED = 10**6  # columns: what no person looks at is not cut
_NARROWEST = 40  # columns: COLUMNS=0, as some environments say, is no terminal's width


def console() -> Console:
    """Where tables go: as wide as they are in a file or pipe, folded in a terminal, never cut; no emoji."""
    to = Console(emoji=False, highlight=False)
    to.width = max(to.width, _NARROWEST) if to.is_terminal else _UNLIMITED
    return to


def table(*headers: str, numbers: bool = False, **looks: Any) -> Table:
    """A table without a frame, whose columns fold; those of numbers, all but the first, end at the right."""
    made = Table(box=None, header_style="dim", **looks)
    for i, header in enumerate(headers):
        made.add_column(header, justify="right" if numbers and i else "left", overflow="fold")
    return made


def escape(text: object) -> str:
    """Text as it is: neither markup nor what moves the cursor."""
    return markup.escape(inert(text))
