"""How many dimensions recall takes: gradient descent against constructions, floor and frozen embeddings."""

from math import lgamma, log

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from georecall.constructions.codes.code import code_length
from georecall.theory.numbers.dense import exact_length
from georecall.verify.figures.cells import PlotError, needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend

_RUNS = {
    "sphere": ("gradient descent", "o-", COLOURS["blue"]),
    "frozen": ("the same, embeddings frozen", "s-", COLOURS["orange"]),
}


def draw_dimensions(frame: pd.DataFrame) -> Figure:
    """Lines: medians over the runs, bars from the least to the most; curves by formula."""
    rows = needed(frame, "learned-dimension", sweep="learned")
    relations = sorted(int(R) for R in rows["n_relations"].unique())
    if len(relations) != 1:
        raise PlotError(f"the figure is about one number of relations; the file has {relations}")
    (R,) = relations
    figure, (ax,) = axes()
    sizes = sorted(int(N) for N in rows["n_attributes"].unique())
    for kind, (label, form, colour) in _RUNS.items():
        reached = rows[(rows["subjects"] == kind) & (rows["needed"] > 0)].groupby("n_attributes")["needed"]
        if not len(reached):
            continue
        middle, least, most = reached.median(), reached.min(), reached.max()
        bars = np.stack([middle - least, most - middle])
        ax.errorbar(middle.index, middle, yerr=bars, fmt=form, color=colour, capsize=3, label=label)
    dense = [exact_length(N, N, R, 0.5) for N in sizes]
    ax.plot(sizes, dense, "^--", color=COLOURS["purple"], label="C2, half of the draws (exact $p_m$)")
    in_place = [R * code_length(N) for N in sizes]
    label = "C1' in place, $R \\lceil\\log_2 N\\rceil$"
    ax.plot(sizes, in_place, "v--", color=COLOURS["green"], label=label)
    floor = [R * lgamma(N + 1) / log(2) / N for N in sizes]
    ax.plot(sizes, floor, ":", color=COLOURS["black"], label="C4's floor at one bit a coordinate")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks(sizes, [str(N) for N in sizes])
    low, high = ax.get_ylim()
    ticks = [2**k for k in range(2, 9) if low <= 2**k <= high]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="subjects $N$", ylabel="dimension $d$ for recall 1")
    ax.set_title(f"$R = {R}$ relations, width $4d$")
    legend(figure, ax)
    return figure


FIGURE = Plot(
    "dimensions",
    "Dimension that gradient descent needs",
    draw_dimensions,
    caption="The dimension that training needs to recall every fact, beside what constructions need.",
    sweep="learned",
    claims=("gradient-descent", "linear-memory"),
)
