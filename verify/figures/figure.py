"""What a figure is: how it is drawn, what it shows and of which claims, and which sweep makes its cells."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from georecall.verify.sweep.cell import Cell


def no_cells(_preset: str, _seed: int) -> list[Cell]:
    """Of a figure that draws what its sweep measures anyway."""
    return []


@dataclass(frozen=True)
class Plot:
    """A figure, the `FIGURE` of its module; `catalogue` finds it there.

    Args:
        name: what `georecall plot` calls it.
        title: in words.
        draw: from the rows of results files, and perhaps `relations`, to a figure made by `style.axes`.
        caption: what it shows, for the report.
        sweep: which `georecall sweep` makes its cells: capacity, hops or learned.
        claims: the claims that it is about; in a report it stands with the first.
        timings: whether it shows how long things took, which differs from run to run.
        cells: further cells for that sweep's presets, by preset and seed.
    """

    name: str
    title: str
    draw: Callable[..., Figure]
    caption: str
    sweep: str
    claims: tuple[str, ...]
    cells: Callable[[str, int], list[Cell]] = no_cells
    timings: bool = False
