"""One look for all figures, and files that are the same bytes for the same data."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import BytesIO
from math import ceil
from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from georecall.theory.tools.files import replacing
from georecall.theory.tools.version import VERSION

FORMATS = ("svg", "pdf", "png")
WIDTHS = {"column": 3.3, "page": 6.9}
"""Inches of what a figure usually stands in."""

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


class Drawing(Figure):
    """A figure that notebooks show by themselves, with or without pyplot."""

    def _repr_png_(self) -> bytes:
        with style(), BytesIO() as drawn:
            self.savefig(drawn, format="png")
            return drawn.getvalue()


Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(eq=False)
class Sheet:
    """What one figure is drawn on, and what of the results went into it.

    Args:
        width: inches; None: as the figure is in the gallery.
        font_size: points of labels and legends.
        title: whether figures carry their titles.
        ax: axes of the caller's own; only for figures of one panel.
        curves: the caller's own, by label: x and y, in the units of the first panel.
        used: the rows that were drawn.
    """

    width: float | None = None
    font_size: float = 9
    title: bool = True
    ax: Axes | None = None
    curves: Curves = field(default_factory=dict)
    used: list[pd.DataFrame] = field(default_factory=list)


_SHEET: ContextVar[Sheet] = ContextVar("sheet", default=Sheet())  # noqa: B039 (the default is never drawn on)


@contextmanager
def style(sheet: Sheet | None = None) -> Iterator[None]:
    """The look, for a `with` block; the user's own settings stay out of it."""
    sheet = sheet or Sheet()
    sizes = {"font.size": sheet.font_size, "legend.fontsize": sheet.font_size - 1}
    sizes |= dict.fromkeys(("axes.labelsize", "axes.titlesize"), sheet.font_size + 1)
    settings: Any = {**mpl.rcParamsDefault, **_STYLE, **sizes, "backend": mpl.rcParams["backend"]}
    with mpl.rc_context(settings):
        token = _SHEET.set(sheet)
        try:
            yield
        finally:
            _SHEET.reset(token)


def use(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that the figure shows: they can be written beside it."""
    _SHEET.get().used.append(rows)
    return rows


def inches(width: str | float | None) -> float | None:
    """A width in inches: a name of `WIDTHS`, or a number from 1 to 50.

    Raises:
        ValueError: it is neither.
    """
    if width is None or width in WIDTHS:
        return WIDTHS.get(str(width))
    try:
        number = float(width)
    except ValueError:
        number = 0.0
    if not 1 <= number <= 50:
        raise ValueError(f"a width is {', '.join(WIDTHS)} or 1 to 50 inches, not {width!r}")
    return number


def save(
    figure: Figure,
    path: str | PathLike[str],
    *,
    title: str,
    about: dict[str, Any],
    sheet: Sheet | None = None,
    ending: str | None = None,
) -> None:
    """Writes a figure in the format of its ending, with what it is about (JSON) as metadata and no date.

    Raises:
        ValueError: another ending.
        OSError: the file cannot be written.
    """
    ending = (ending or Path(path).suffix.lstrip(".")).lower()
    if ending not in FORMATS:
        raise ValueError(f"figures are svg, pdf or png; got {path if Path(path).suffix else ending}")
    described = json.dumps(about, sort_keys=True)
    software = f"georecall {VERSION}"
    kinds: dict[str, dict[str, Any]] = {
        "svg": {"Title": title, "Description": described, "Creator": software, "Date": None},
        "pdf": {"Title": title, "Keywords": described, "Creator": software, "CreationDate": None},
        "png": {"Title": title, "Description": described, "Software": software},
    }
    with style(sheet), replacing(path) as temporary:
        figure.savefig(temporary, format=ending, metadata=kinds[ending])


def axes(
    n_columns: int = 1, *, n_rows: int = 1, width: float = 6.4, height: float = 4.2, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure that no window knows of, and its axes, row by row; on a narrow sheet, in a column.

    Raises:
        ValueError: the caller gave axes, and the figure has several panels.
    """
    sheet = _SHEET.get()
    if sheet.ax is not None:
        if n_columns * n_rows > 1:
            raise ValueError(f"a figure of {n_columns * n_rows} panels does not go into one `ax`")
        return sheet.ax.get_figure(root=True), [_with_curves(sheet.ax, sheet)]  # type: ignore[return-value]
    if sheet.width is not None:
        if n_columns > 1 and sheet.width < 5:
            n_rows, width, height = n_rows * n_columns, width / n_columns, 0.75 * height * n_columns
            n_columns = 1
        width, height = sheet.width, height * sheet.width / width
    figure = Drawing(figsize=(width, height), layout="constrained")
    made = list(figure.subplots(n_rows, n_columns, squeeze=False, **options).flat)
    return figure, [_with_curves(made[0], sheet), *made[1:]]


def _with_curves(ax: Axes, sheet: Sheet) -> Axes:
    for label, (x, y) in sheet.curves.items():
        ax.plot(x, y, color=COLOURS["black"], lw=2, label=label)
    return ax


def legend(figure: Figure, ax: Axes, *, columns: int = 2) -> None:
    """One legend for all panels: below the figure, or inside the axes that the caller gave."""
    sheet = _SHEET.get()
    if sheet.ax is not None:
        ax.legend()
        return
    handles, labels = ax.get_legend_handles_labels()
    if sheet.width is not None:
        columns = columns if sheet.width >= 5 else min(columns, 2 if max(map(len, labels)) < 24 else 1)
        rows = -(-len(labels) // columns)
        panels = max(0.8 * figure.get_figheight(), 0.8 * min(sheet.width, 5))
        figure.set_figheight(panels + rows * sheet.font_size * 1.35 / 72)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def fit(figure: Figure) -> None:
    """Breaks titles and labels that are longer than a narrow sheet has room for; formulas stay whole."""
    width = _SHEET.get().width
    if width is None or width >= 5:
        return
    figure.draw_without_rendering()  # where everything is, is known only then
    for ax in figure.axes:
        at = ax.get_window_extent()
        middle = (at.x0 + at.x1) / 2
        across = 2 * min(middle, figure.bbox.width - middle)
        rooms = (ax.title, figure.bbox.width), (ax.xaxis.label, across), (ax.yaxis.label, 1.1 * at.height)
        ax.title.set_x((figure.bbox.width / 2 - at.x0) / at.width)  # in the middle of the sheet
        for text, room in rooms:
            box = text.get_window_extent()
            lines = ceil((box.height if text is ax.yaxis.label else box.width) / room)
            if lines > 1:
                text.set_text(_broken(text.get_text(), lines))


def _broken(text: str, lines: int) -> str:
    """The text in about so many lines."""
    words = re.findall(r"(?:\$[^$]*\$|[^\s$])+", text)
    most, broken = len(text) / lines, [""]
    for word in words:
        if broken[-1] and len(broken[-1]) + len(word) / 2 > most:
            broken.append("")
        broken[-1] = f"{broken[-1]} {word}".strip()
    return "\n".join(broken)
