"""The kinds of figures: from the rows of a results file to axes."""

from collections.abc import Sequence
from inspect import signature
from os import PathLike
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from georecall.theory.tools.files import replacing
from georecall.theory.tools.modules import modules
from georecall.theory.tools.names import no_such
from georecall.verify.figures.cells import PlotError
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import Curves, Sheet, fit, inches, save, style
from georecall.verify.sweep import Store

FIGURES: dict[str, Plot] = {
    module.FIGURE.name: module.FIGURE
    for module in modules(str(__package__), but=("catalogue",))
    if hasattr(module, "FIGURE")
}
"""Every figure: a module of this folder with a `FIGURE` in it."""

_PARAMETERS = (
    *("construction", "n_subjects", "n_relations", "dimension", "trials", "level", "share", "bits"),
    *("hops", "stages", "n_attributes", "tables", "attributes", "noise", "weight_decay", "steps"),
)


def plot(
    kind: str,
    results: str | PathLike[str] | Sequence[str | PathLike[str]] | pd.DataFrame,
    out: str | PathLike[str] | None = None,
    *,
    relations: int | None = None,
    width: str | float | None = None,
    font_size: float = 9,
    title: bool = True,
    format: str | None = None,  # noqa: A002 (Matplotlib's name)
    data: str | PathLike[str] | None = None,
    ax: Axes | None = None,
    curves: Curves | None = None,
) -> Figure:
    """Draws one figure from results, for a file, a notebook or axes of one's own.

    Args:
        kind: a name of `FIGURES`.
        results: a results file of `georecall sweep`, several of them, or their rows (`Store.frame`).
        out: where to write it; ends in .svg, .pdf or .png unless `format` says which.
        relations: R, for figures of one R; default: that of most rows.
        width: "column" (3.3 inches), "page" (6.9) or inches; default: as in the gallery.
        font_size: points.
        title: whether the figure carries its title.
        format: svg, pdf or png, whatever `out` ends in.
        data: a CSV file for the rows that were drawn.
        ax: axes to draw into, for figures of one panel.
        curves: further curves by label: x and y, in the units of the first panel.

    Returns:
        The figure, which notebooks show.

    Raises:
        PlotError: an unknown kind, an option that it lacks, or cells that it needs are not there.
        StoreError: no results file.
        ValueError: another ending or width.
    """
    if kind not in FIGURES:
        raise PlotError(no_such("figure", kind, FIGURES))
    wanted = FIGURES[kind]
    options = {} if relations is None else {"relations": relations}
    if unknown := options.keys() - signature(wanted.draw).parameters.keys():
        raise PlotError(f"{kind} has no option {', '.join(unknown)}: it shows every R that is in the file")
    frame = results if isinstance(results, pd.DataFrame) else _rows(results, wanted.timings)
    if frame.empty:
        raise PlotError(f"{results} holds no cells yet; `georecall sweep` makes some")
    if not 1 <= font_size <= 100:
        raise PlotError(f"a font is of 1 to 100 points, not {font_size:g}")
    sheet = Sheet(inches(width), font_size, title, ax, curves or {})
    with style(sheet):
        try:
            figure = wanted.draw(frame, **options)
        except KeyError as error:
            raise PlotError(
                f"{results} lacks {error}: its cells are of another version; sweep into a new file"
            ) from error
        if not title:
            for panel in figure.axes if ax is None else [ax]:
                panel.set_title("")
        if ax is None:
            fit(figure)
    if data is not None:
        with replacing(data) as temporary:
            rows = pd.concat(sheet.used).sort_index().drop_duplicates().dropna(axis="columns", how="all")
            rows.to_csv(temporary, index=False, lineterminator="\n")
    if out is not None:
        about = {"figure": kind, **_about(frame)}
        save(figure, out, title=wanted.title, about=about, sheet=sheet, ending=format)
    return figure


def _rows(results: str | PathLike[str] | Sequence[str | PathLike[str]], timings: bool) -> pd.DataFrame:
    """The rows of all files, each cell once."""
    frames = []
    for path in [results] if isinstance(results, str | PathLike) else results:
        with Store(path, must_exist=True) as store:
            frames.append(store.frame(timings=timings))
    found = pd.concat(frames, ignore_index=True).drop(columns=["seconds", "version"], errors="ignore")
    same = found.drop(columns=[name for name in found if str(name).endswith("_seconds")]).duplicated()
    return found[~same].reset_index(drop=True)


def _about(frame: pd.DataFrame) -> dict[str, Any]:
    """The values that each parameter takes in the file, and the seeds."""
    taken = {}
    for name in (*_PARAMETERS, "seed"):
        if name in frame:
            values = frame[name].dropna().unique().tolist()
            taken[name] = sorted(int(v) if isinstance(v, float) and v.is_integer() else v for v in values)
    return {"seeds": taken.pop("seed", []), "parameters": taken, "cells": len(frame)}
