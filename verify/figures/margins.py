"""Distributions of margins, and of the signal and the crosstalk that add up to them."""

import json

import pandas as pd
from matplotlib.figure import Figure

from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend


def draw_margins(frame: pd.DataFrame) -> Figure:
    """One draw of dense superposition at two dimensions: where the bound ends, and far below it."""
    rows = needed(frame, "margins", construction="single-hop-dense")
    rows = rows[rows["n_subjects"] == rows["n_subjects"].min()].sort_values("dimension")
    figure, panels = axes(len(rows), width=7.2, height=3.4, sharey=True)
    for ax, (_, row) in zip(panels, rows.iterrows(), strict=True):
        edges = json.loads(row["edges"])
        for name, colour in (("crosstalk", "orange"), ("signal", "blue"), ("margin", "black")):
            counts = json.loads(row[name])
            fill = name != "margin"
            label = "margin = signal + crosstalk" if name == "margin" else name
            alpha = 0.55 if fill else 1.0
            ax.stairs(counts, edges, label=label, lw=1.3, fill=fill, alpha=alpha, color=COLOURS[colour])
        ax.axvline(0, color=COLOURS["vermilion"], lw=1, ls="--")
        N, R, wrong = int(row["n_subjects"]), int(row["n_relations"]), int(row["n_wrong"])
        ax.set_title(f"$m = {int(row['dimension'])}$: {wrong} of {N * R} facts wrong")
        ax.set_xlabel("logit difference to the strongest competitor")
    panels[0].set_ylabel("facts")
    N, R = int(rows["n_subjects"].iloc[0]), int(rows["n_relations"].iloc[0])
    figure.suptitle(f"Dense superposition, $N = {N}$, $R = {R}$", fontsize=10)
    legend(figure, panels[0], columns=3)
    return figure


FIGURE = Plot(
    "margins",
    "Margins, split into signal and crosstalk",
    draw_margins,
    caption="One draw far below the bound and one at it. The margin of a fact is the signal of its answer's "
    "own word plus the crosstalk of all others; left of the dashed line the fact is lost.",
    sweep="capacity",
    claims=("single-hop-dense",),
)
