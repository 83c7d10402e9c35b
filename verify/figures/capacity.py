"""Facts recalled against dimension: constructions, dense superposition, linear memory, floors."""

from collections.abc import Callable, Iterable
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from georecall.theory.numbers.dense import closed_form_length, exact_length
from georecall.theory.numbers.zero_forced import gaussian_length, generic_length, proved_length
from georecall.verify.figures import theory_lines as lines
from georecall.verify.figures.cells import PlotError, cells_of
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend

# Constructions with a curve of their own: the curve, its colour, its dash and the marker of instances.
_CURVES: dict[str, tuple[Callable[[int, int], int], str, str, str, str]] = {
    "single-hop-quantized": (
        lambda N, R: lines.in_place_dimension(N, R, 4), "sky", "-.", "v", "quantised, 4 bits (C1-p)"
    ),
    "single-hop-in-place": (lines.in_place_dimension, "blue", "-", "D", "in place (C1')"),
    "single-hop": (lines.separate_dimension, "green", "--", "o", "separate readout (C1)"),
}  # fmt: skip
_OTHERS = [(colour, marker) for marker in "Ph*X<>" for colour in ("orange", "black", "purple", "sky")]


def draw_capacity(frame: pd.DataFrame, *, relations: int | None = None) -> Figure:
    """N R facts against d_model, for one R; a linear memory holds n facts of one relation.

    Drawn is what the file holds: thresholds of random constructions with their intervals, verified instances
    of any construction, and beside them the curves of the theory; by default for the R of most rows.

    Raises:
        PlotError: nothing of that R is in the file.
    """
    R = relations or _usual(frame)
    dense = cells_of(frame, "threshold", construction="single-hop-dense", n_relations=R, level=0.5)
    linear = cells_of(frame, "threshold", construction="linear-memory", n_relations=1, level=0.5)
    instances = _instances(frame, R)
    forced, optimised = (
        cells_of(frame, "threshold", construction=f"single-hop-dense-{kind}", n_relations=R, level=0.5)
        for kind in ("zero-forced", "optimised")
    )
    if all(rows.empty for rows in (dense, instances, forced, optimised)):
        raise PlotError(
            f"the results file has no cells of {R} relations; `georecall sweep capacity --relations {R} "
            "--subjects 64,256,1024 --construction single-hop-in-place` makes some"
        )
    measured = [N for rows in (dense, instances, forced, optimised) if len(rows) for N in rows["n_subjects"]]
    largest = int(max(2 ** np.ceil(np.log2(max(measured))), 1024 if R == 4 else 0))
    sizes = [N for i in range(2, 40) if (N := 2**i) <= largest]
    facts = [R * N for N in sizes]
    figure, (ax,) = axes(height=5.0)
    left = 0.75 * lines.in_place_dimension(4, R, 4)

    def curve(x: Any, y: Any, dash: str, colour: str, label: str, lw: float = 1.0) -> None:
        ax.plot(x, y, dash, color=COLOURS[colour], lw=lw, label=label)

    for bits, dash in ((1, "-"), (8, "--"), (32, ":")):
        floor = [lines.floor_dimension(N, R, bits) for N in sizes]
        if floor[-1] > left:
            curve(floor, facts, dash, "grey", f"floor, {bits}-bit coordinates")
    stairs = sorted({min(largest, 2**i + extra) for i in range(2, largest.bit_length()) for extra in (0, 1)})
    for dimension, colour, dash, _, label in _CURVES.values():  # up, until the code needs a coordinate more
        curve([dimension(N, R) for N in stairs], [R * N for N in stairs], dash, colour, label, 1.5)
    _verified(ax, instances, R)
    if len(dense):
        exact = [exact_length(N, N, R, 0.5) for N in sizes if N <= 2**14]
        closed = [closed_form_length(N, N, R, 0.5) for N in sizes]
        curve(closed, facts, "--", "vermilion", "dense, closed form (C2)")
        curve(exact, facts[: len(exact)], ":", "vermilion", "dense, exact $p_m$ (C2)", 1.5)
        every = [generic_length(N, R, 0.5) for N in sizes]
        curve(every, facts, "-.", "vermilion", "dense, every table at once (C2)")
        thresholds(ax, dense, R, "vermilion", "o", "dense, measured 50%")
    if len(forced):
        proved = [proved_length(N, N, R, 0.5) for N in sizes]
        gaussian = [gaussian_length(N, N, R, 0.5) for N in sizes]
        curve(proved, facts, "--", "orange", "zero-forced, proved (C2)")
        curve(gaussian, facts, ":", "orange", "zero-forced, if signs are as Gaussian", 1.5)
        thresholds(ax, forced, R, "orange", "^", "zero-forced, measured 50%")
    if len(optimised):
        conjectured = [2 * R * np.log(N) for N in sizes]
        curve(conjectured, facts, "-.", "black", "optimised, $2R\\ln N$: conjecture")
        thresholds(ax, optimised, R, "black", "x", "optimised embeddings, measured 50%")
    if len(linear):
        line = np.geomspace(32, R * largest, 60)
        for factor, dash in ((2, ":"), (8, "--")):
            d = [lines.linear_memory_dimension(int(n), factor) for n in line]
            curve(d, line, dash, "purple", f"outer-product memory, $d^2 = {factor}n\\ln n$ (C8)")
        share = linear.get("share", pd.Series("1", index=linear.index)).fillna("1")
        thresholds(ax, linear[share == "99/100"], 1, "purple", "^", "outer-product memory, 99% of facts, 50%")
        thresholds(ax, linear[share == "1"], 1, "purple", "s", "outer-product memory, all facts, 50%")
    best = cells_of(frame, "threshold", construction="best-linear-memory", n_relations=1, level=0.5)
    thresholds(ax, best, 1, "black", "v", "best linear memory, all facts, 50%")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlim(left=left)
    ax.set_ylim(R * 4 * 0.9, R * largest * 1.2)
    ax.set(xlabel="dimension $d$ of the residual stream", ylabel="facts recalled")
    ax.set_title(f"Facts recalled against dimension, $R = {R}$ relations")
    legend(figure, ax)
    return figure


def _usual(frame: pd.DataFrame) -> int:
    """R of most rows, the memories of one relation apart."""
    rows = frame[frame["kind"].isin(("threshold", "recall"))]
    if len(rows):
        rows = rows[~rows["construction"].astype(str).str.endswith("-memory")]
        rows = rows[rows["n_relations"] != 16] if (rows["n_relations"] != 16).any() else rows
    if rows.empty:
        raise PlotError(
            "the results file has no cells of constructions; "
            "`georecall sweep capacity --preset quick` makes some"
        )
    return int(rows["n_relations"].mode().max())


def _instances(frame: pd.DataFrame, R: int) -> pd.DataFrame:
    """Verified instances that recall all their facts."""
    rows = cells_of(frame, "recall", n_relations=R)
    return rows if rows.empty else rows[rows["recalled"] == rows["n_subjects"] * R]


def _verified(ax: Axes, rows: pd.DataFrame, R: int) -> None:
    """Instances whose every margin was verified through the weights."""
    names: Iterable[str] = rows["construction"].unique() if len(rows) else ()
    others = cycle(_OTHERS)
    for name in sorted(names):
        of_it = rows[rows["construction"] == name].sort_values("n_subjects")
        if name == "single-hop-dense" or name.endswith("-memory"):
            continue  # thresholds say more than one draw; the facts of a memory are not in its embeddings
        if name in _CURVES:
            _, colour, _, marker, _ = _CURVES[name]
            of_it = of_it[of_it["bits"] == 4] if name == "single-hop-quantized" and "bits" in of_it else of_it
        else:
            colour, marker = next(others)
        own = name not in _CURVES
        look: dict[str, Any] = {"mfc": "white", "ms": 5, "zorder": 2.5}
        if own:
            look = {"mfc": COLOURS[colour], "ms": 3.5, "zorder": 3, "label": name}
        ax.plot(of_it["d_model"], of_it["n_subjects"] * R, marker, color=COLOURS[colour], **look)
    if len(rows):
        ax.plot([], [], "D", color=COLOURS["grey"], mfc="white", ms=4, label="verified, every margin")


def thresholds(ax: Axes, rows: pd.DataFrame, R: int, colour: str, marker: str, label: str) -> None:
    """Thresholds of R relations with their intervals, facts against the dimension."""
    if rows.empty:
        return
    rows = rows.sort_values("n_subjects")
    spread = np.abs(rows[["lower", "upper"]].to_numpy().T - rows["estimate"].to_numpy())
    bars: dict[str, Any] = {"fmt": marker, "color": COLOURS[colour], "mfc": "white", "capsize": 2, "lw": 1}
    ax.errorbar(rows["estimate"], rows["n_subjects"] * R, xerr=spread, label=label, **bars)


FIGURE = Plot(
    "capacity",
    "Facts recalled against dimension",
    draw_capacity,
    caption="Curves are formulas, markers are measured: diamonds recalled every fact, hollow markers are the "
    "dimension at which half of the random draws recall, with 95% intervals. Nothing lies left of the "
    "counting floor of its precision.",
    sweep="capacity",
    claims=("single-hop-in-place", "single-hop", "single-hop-quantized", "single-hop-dense"),
)
