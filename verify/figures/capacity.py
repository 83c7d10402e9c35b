"""Facts recalled against dimension: geometric recall, dense superposition, linear memory, floors."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from georecall.theory.numbers.dense import closed_form_length, exact_length
from georecall.verify.figures import theory_lines as lines
from georecall.verify.figures.missing import chosen, needed
from georecall.verify.figures.style import COLOURS, axes


def draw_capacity(frame: pd.DataFrame) -> Figure:
    """N = N R facts (R = 4) against d_model; the linear memory holds n facts of one relation."""
    R = 4
    dense = needed(frame, "threshold", construction="single-hop-dense", n_relations=R, level=0.5)
    linear = needed(frame, "threshold", construction="linear-memory", n_relations=1, level=0.5)
    figure, (ax,) = axes(height=5.0)
    sizes = [2**i for i in range(3, 13)]
    facts = [R * N for N in sizes]

    for bits, dash in ((1, "-"), (8, "--"), (32, ":")):
        floor = [lines.floor_dimension(N, R, bits) for N in sizes]
        ax.plot(
            floor, facts, dash, color=COLOURS["grey"], lw=1, label=f"counting floor, {bits}-bit coordinates"
        )
    _stairs(ax, R, lambda N: lines.in_place_dimension(N, R, 4), "sky", "quantised, 4 bits (C1-p)")
    _stairs(ax, R, lambda N: lines.in_place_dimension(N, R), "blue", "in place (C1')")
    _stairs(ax, R, lambda N: lines.separate_dimension(N, R), "green", "separate readout (C1)")
    _verified(ax, frame, R)

    bound = [closed_form_length(N, N, R, 0.5) for N in sizes]
    exact = [exact_length(N, N, R, 0.5) for N in sizes]
    ax.plot(bound, facts, "--", color=COLOURS["vermilion"], label="dense, closed form (C2)")
    ax.plot(exact, facts, ":", color=COLOURS["vermilion"], label="dense, exact $p_m$ (C2)")
    _measured(ax, dense, R, "vermilion", "o", "dense, measured 50%")

    line = np.geomspace(32, 16384, 60)
    for factor, dash in ((2, ":"), (8, "--")):
        d = [lines.linear_dimension(int(n), factor) for n in line]
        ax.plot(d, line, dash, color=COLOURS["purple"], label=f"linear memory, $d^2 = {factor}n\\ln n$ (C8)")
    all_facts = linear[linear["share"] == "1"] if "share" in linear else linear
    if "share" in linear:
        all_facts = linear[linear["share"].isna() | (linear["share"] == "1")]
        most = linear[linear["share"] == "99/100"]
        _measured(ax, most, 1, "purple", "^", "linear memory, 99% of facts, 50%")
    _measured(ax, all_facts, 1, "purple", "s", "linear memory, all facts, 50%")

    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("dimension $d$ of the residual stream")
    ax.set_ylabel("facts recalled ($4N$; linear memory: $n$)")
    ax.set_ylim(28, 20000)
    ax.set_title("Facts recalled against dimension, $R = 4$ relations")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _stairs(ax: Axes, R: int, dimension: Callable[[int], int], colour: str, label: str) -> None:
    """The most facts at each dimension: N grows along a stair until the code needs another coordinate."""
    sizes = sorted({min(4096, 2**i + extra) for i in range(3, 13) for extra in (0, 1)})
    d, facts = [dimension(N) for N in sizes], [R * N for N in sizes]
    ax.plot(d, facts, color=COLOURS[colour], label=label)


def _verified(ax: Axes, frame: pd.DataFrame, R: int) -> None:
    """Instances whose every margin was verified through the weights."""
    colours = {"single-hop": "green", "single-hop-in-place": "blue"}
    for construction, colour in colours.items():
        rows = chosen(frame, "recall", construction=construction, n_relations=R)
        if not rows.empty:
            right = rows[rows["recalled"] == rows["n_subjects"] * R]
            facts = right["n_subjects"] * R
            ax.plot(right["d_model"], facts, "D", color=COLOURS[colour], ms=3.5)
    ax.plot([], [], "D", color=COLOURS["grey"], ms=3.5, label="verified, every margin exact")


def _measured(ax: Axes, rows: pd.DataFrame, R: int, colour: str, marker: str, label: str) -> None:
    """Thresholds with their intervals."""
    if rows.empty:
        return
    rows = rows.sort_values("n_subjects")
    spread = np.abs(rows[["lower", "upper"]].to_numpy().T - rows["estimate"].to_numpy())
    ax.errorbar(
        rows["estimate"],
        rows["n_subjects"] * R,
        xerr=spread,
        fmt=marker,
        color=COLOURS[colour],
        mfc="white",
        capsize=2,
        lw=1,
        label=label,
    )
