"""Dimension against depth without chain of thought: what every further layer saves (C5)."""

import pandas as pd
from matplotlib.figure import Figure

from verify.plots import theory_lines as lines
from verify.plots.style import COLOURS, axes

ENTITIES = 1024


def draw_depth(frame: pd.DataFrame) -> Figure:  # noqa: ARG001 (formulas alone, until hops are swept)
    """The hybrid construction's d at depth 2 c - 1, for c stages of k hops; formulas of THEORY.md."""
    figure, (ax,) = axes()
    series = ((2, 6, "blue", "o"), (4, 6, "green", "D"), (8, 6, "vermilion", "^"))
    for R, k, colour, marker in series:
        stages = range(1, k + 1)
        depth = [2 * c - 1 for c in stages]
        d = [lines.hybrid_dimension(ENTITIES, R, k, c) for c in stages]
        label = f"hybrid (C5), $R = {R}$, $k = {k}$ hops"
        ax.plot(depth, d, marker=marker, color=COLOURS[colour], mfc="white", label=label)
        cot = lines.chain_of_thought_dimension(ENTITIES, R, k)
        ax.plot([1], [cot], marker=marker, color=COLOURS[colour], ls="none", ms=7)
    ax.plot([], [], "o", color=COLOURS["grey"], label="with chain of thought (C3), depth 1")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set_xticks(range(1, 12, 2))
    ax.set_xlabel("layers")
    ax.set_ylabel("dimension $d$ of the residual stream")
    ax.set_title(f"Dimension against depth, $N = {ENTITIES}$ entities (formulas)")
    ax.legend(loc="upper right")
    return figure
