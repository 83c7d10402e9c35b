"""Dimension against depth without chain of thought: what a further layer saves (C5), and the floor (C6)."""

from contextlib import suppress
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from georecall import bounds
from georecall.verify.figures import theory_lines as lines
from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.hop_sizes import others
from georecall.verify.figures.style import COLOURS, axes, legend

_OTHERS = (
    ("sequential, merged (C5(b))", "x"),
    ("two-sided (C10)", "*"),
    ("two-sided, one layer", "p"),
    ("two-sided with memories", "h"),
    ("parallel (C5(d))", "X"),
    ("chain of thought (C3), k passes", "1"),
)
_STYLES = (("blue", "o"), ("green", "D"), ("vermilion", "^"), ("sky", "v"), ("orange", "P"), ("purple", "s"))


def draw_depth(frame: pd.DataFrame) -> Figure:
    """The hybrid construction's d at depth 2 c - 1, for every c from 1 to k stages of k hops.

    Curves are the formulas of the claims, markers are models built and measured; a hollow one recalled all
    its queries, a filled one all strings of some random subjects. Ticks are C6's floor on the bits of one
    subject's embedding (untyped, T = 1) at the other fact-dependent bits B of the model, where it says
    something: no embedding of 1-bit coordinates beside so many bits has fewer. For the most hops the other
    constructions stand there too, by their formulas, and as a line C10's floor on the larger of what a
    subject's embedding and a column of W_U hold, untyped.
    """
    rows = needed(frame, "hops", sweep="hops")
    N, R = (int(rows[name].iloc[0]) for name in ("n_subjects", "n_relations"))
    rows = rows[(rows["n_subjects"] == N) & (rows["n_relations"] == R)]
    figure, (ax,) = axes(height=5.4)
    tick: dict[str, Any] = {"marker": "_", "ms": 14, "mew": 2, "ls": "none"}
    for k, (colour, marker) in zip(sorted(set(rows["hops"].astype(int))), _STYLES, strict=False):
        stages = range(1, k + 1)
        curve = [lines.hybrid_dimension(N, R, k, c) for c in stages]
        ax.plot([2 * c - 1 for c in stages], curve, color=COLOURS[colour], lw=1.2)
        found = rows[rows["hops"] == k][["n_layers", "d_model", "floor", "verified_share"]]
        for depth, d, floor, share in found.itertuples(index=False):
            fill = "white" if share == 1 else COLOURS[colour]
            ax.plot([depth], [d], marker=marker, color=COLOURS[colour], mfc=fill, ls="none")
            if floor > 0:
                ax.plot([depth], [floor], **tick, color=COLOURS[colour])
        label = f"$k = {k}$ hop" + "s" * (k > 1)
        ax.plot([], [], marker=marker, color=COLOURS[colour], mfc="white", label=label)
    label = "floor (C6): untyped, $T = 1$, model's own $B$"
    ax.plot([], [], **tick, color=COLOURS["grey"], label=label)
    if (rows["verified_share"] < 1).any():
        ax.plot([], [], "o", color=COLOURS["grey"], label="filled: all strings of random subjects")
    most = int(rows["hops"].max())
    for family, marker in _OTHERS:
        same = [size for size in others(N, R, most) if size.family == family]
        look: dict[str, Any] = {"marker": marker, "ms": 6, "ls": ":" if len(same) > 1 else "none"}
        layers, dimensions = [size.n_layers for size in same], [size.d_model for size in same]
        label = f"{family}, $k = {most}$"
        ax.plot(layers, dimensions, **look, color=COLOURS["black"], mfc="white", label=label)
    with suppress(bounds.MissingExtraError):
        floor = bounds.two_sided(N, R, most, untyped=True).lower_float
        ax.axhline(floor, color=COLOURS["grey"], ls="--", lw=1, label=f"floor (C10), $k = {most}$")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set_xticks(range(1, 2 * most))
    ax.set(xlabel="layers", ylabel="dimension $d$ of the residual stream")
    ax.set_title(f"Depth buys dimension (C5): $R = {R}$ relations, $N = {N}$ entities")
    legend(figure, ax)
    return figure


FIGURE = Plot(
    "depth",
    "Dimension against depth without chain of thought",
    draw_depth,
    caption="Every hybrid construction, from one stage (a single layer) to one stage per hop. Curves are "
    "C5(c), markers are models built and asked.",
    sweep="hops",
    claims=("hybrid-hops", "composed-hops", "sequential-hops"),
)
