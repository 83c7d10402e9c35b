"""One look for all figures, and files that are the same bytes for the same data."""

import json
from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from georecall.theory.tools.files import replacing
from georecall.theory.tools.version import VERSION

FORMATS = ("svg", "pdf", "png")

# Okabe and Ito's colours, told apart with any colour vision; every series also has a marker or dash.
COLOURS = {
    "black": "#000000",
    "orange": "#e69f00",
    "sky": "#56b4e9",
    "green": "#009e73",
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "purple": "#cc79a7",
    "grey": "#777777",
}

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.figsize": (6.4, 4.2),
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "svg.hashsalt": "georecall",  # the same ids in every run
}


def style() -> AbstractContextManager[None]:
    """The look, for a `with` block; the user's own settings stay out of it."""
    settings: Any = {**mpl.rcParamsDefault, **_STYLE, "backend": mpl.rcParams["backend"]}
    return mpl.rc_context(settings)


def save(figure: Figure, path: str | PathLike[str], *, title: str, about: dict[str, Any]) -> None:
    """Writes a figure, with its parameters and seeds in the file's metadata and no date.

    Args:
        figure: what to write.
        path: ends in .svg, .pdf or .png.
        title: the figure's name.
        about: parameters and seeds, in JSON's own types.

    Raises:
        ValueError: another ending.
        OSError: the file cannot be written.
    """
    ending = Path(path).suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise ValueError(f"figures end in .svg, .pdf or .png; got {path}")
    described = json.dumps(about, sort_keys=True)
    software = f"georecall {VERSION}"
    kinds: dict[str, dict[str, Any]] = {
        "svg": {"Title": title, "Description": described, "Creator": software, "Date": None},
        "pdf": {"Title": title, "Keywords": described, "Creator": software, "CreationDate": None},
        "png": {"Title": title, "Description": described, "Software": software},
    }
    with style(), replacing(path) as temporary:
        figure.savefig(temporary, format=ending, metadata=kinds[ending])


def axes(
    n_columns: int = 1, *, width: float = 6.4, height: float = 4.2, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure that no window knows of, and its axes in a row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    made = figure.subplots(1, n_columns, squeeze=False, **options)
    return figure, list(made[0])
