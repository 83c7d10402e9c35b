"""Where training leads to superposition and to transfer: a map over sizes and dimensions."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import axes
from georecall.verify.sweep.learned_grids import BASE

_MEASURES = {"transfer": "transfer accuracy", "r2": "held-out $R^2$ of the superposition"}


def draw_learned(frame: pd.DataFrame) -> Figure:
    """Colour: transfer (i) or R^2, means over the runs, at the sweep's base settings; rows: relations."""
    base = {name: value for name, value in BASE.items() if name in frame and name != "steps"}
    rows = needed(frame, "learned", sweep="learned", **base)
    rows = rows[rows["width"] == 4 * rows["dimension"]]
    rows = rows.assign(per=(rows["dimension"] / rows["n_relations"]).round().astype(int))
    relations = sorted(int(R) for R in rows["n_relations"].unique())
    height = 0.8 + 2.7 * len(relations)
    figure, panels = axes(len(_MEASURES), n_rows=len(relations), width=7.6, height=height)
    for number, R in enumerate(relations):
        line = panels[number * len(_MEASURES) :][: len(_MEASURES)]
        chosen = rows[rows["n_relations"] == R]
        grid_only = chosen.groupby("per").filter(lambda part: part["n_attributes"].nunique() > 1)
        chosen = grid_only if len(grid_only) else chosen
        for ax, (name, label) in zip(line, _MEASURES.items(), strict=True):
            table = chosen.pivot_table(index="per", columns="n_attributes", values=name)
            values = table.to_numpy()
            mesh = ax.imshow(values, cmap="cividis", vmin=0, vmax=1, origin="lower", aspect="auto")
            for (i, j), value in np.ndenumerate(values):
                if not np.isnan(value):
                    colour = "black" if value > 0.6 else "white"
                    text = f"{value:.2f}" if value > -0.005 else "<0"
                    ax.text(j, i, text, ha="center", va="center", color=colour, fontsize=8)
            ax.set_xticks(range(len(table.columns)), [str(int(N)) for N in table.columns])
            ax.set_yticks(range(len(table.index)), [str(int(per)) for per in table.index])
            ax.grid(visible=False)
            ax.set(xlabel="subjects $N = |A|$", ylabel="dimensions per relation $d/R$")
            ax.set_title(f"{label}, $R = {R}$")
    figure.colorbar(mesh, ax=panels, shrink=0.8)
    return figure


FIGURE = Plot(
    "learned",
    "What training finds: transfer and superposition",
    draw_learned,
    caption="Trained models over dimensions and table sizes, means over the runs.",
    sweep="learned",
    claims=("gradient-descent",),
)
