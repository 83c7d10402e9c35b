"""The kinds of figures: from the rows of a results file to axes."""

from collections.abc import Callable
from os import PathLike
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from georecall.theory.tools.names import meant
from georecall.verify.figures.bits import draw_bits
from georecall.verify.figures.capacity import draw_capacity
from georecall.verify.figures.comparison import draw_comparison
from georecall.verify.figures.depth import draw_depth
from georecall.verify.figures.dimensions import draw_dimensions
from georecall.verify.figures.learned import draw_learned
from georecall.verify.figures.margins import draw_margins
from georecall.verify.figures.missing import PlotError
from georecall.verify.figures.phase import draw_phase
from georecall.verify.figures.plane import draw_plane
from georecall.verify.figures.style import save, style
from georecall.verify.sweep import Store

FIGURES: dict[str, tuple[str, Callable[[pd.DataFrame], Figure]]] = {
    "capacity": ("Facts recalled against dimension", draw_capacity),
    "phase": ("Success probability of dense superposition", draw_phase),
    "margins": ("Margins, split into signal and crosstalk", draw_margins),
    "bits": ("Bits stored per parameter", draw_bits),
    "comparison": ("Sixteen relations: geometric recall against linear memory", draw_comparison),
    "plane": ("Bits in the embeddings against bits elsewhere", draw_plane),
    "learned": ("What training finds: transfer and superposition", draw_learned),
    "dimensions": ("Dimension that gradient descent needs", draw_dimensions),
    "depth": ("Dimension against depth without chain of thought", draw_depth),
}

_PARAMETERS = (
    "construction",
    "n_subjects",
    "n_relations",
    "dimension",
    "trials",
    "level",
    "share",
    "bits",
    "hops",
    "stages",
    *("n_attributes", "tables", "attributes", "noise", "weight_decay", "steps"),
)


def plot(kind: str, results: str | PathLike[str], out: str | PathLike[str]) -> None:
    """Draws one figure from one results file.

    Args:
        kind: a name of `FIGURES`.
        results: a results file of `georecall sweep`.
        out: ends in .svg, .pdf or .png.

    Raises:
        PlotError: an unknown kind, or cells that the figure needs are not in the file.
        StoreError: no results file.
        ValueError: another ending.
    """
    if kind not in FIGURES:
        raise PlotError(f"no figure is called {kind!r}{meant(kind, FIGURES)}; there are {', '.join(FIGURES)}")
    title, draw = FIGURES[kind]
    with Store(results, must_exist=True) as store:
        frame = store.frame()
    if frame.empty:
        raise PlotError(f"{results} holds no cells yet; `georecall sweep` makes some")
    try:
        with style():
            figure = draw(frame)
    except KeyError as error:
        raise PlotError(
            f"{results} lacks {error}: its cells are of another version; sweep into a new file"
        ) from error
    save(figure, out, title=title, about={"figure": kind, **_about(frame)})


def _about(frame: pd.DataFrame) -> dict[str, Any]:
    """The values that each parameter takes in the file, and the seeds."""
    taken = {}
    for name in (*_PARAMETERS, "seed"):
        if name in frame:
            values = frame[name].dropna().unique().tolist()
            taken[name] = sorted(int(v) if isinstance(v, float) and v.is_integer() else v for v in values)
    return {"seeds": taken.pop("seed", []), "parameters": taken, "cells": len(frame)}
