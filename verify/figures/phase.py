"""Where dense superposition succeeds: share of draws over table size and code length."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from georecall.theory.numbers.dense import closed_form_length, exact_length
from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes


def draw_phase(frame: pd.DataFrame, *, relations: int | None = None) -> Figure:
    """Colour: the share of draws that recall every fact; lines: C2's bounds; R of most rows by default."""
    rows = needed(frame, "success", construction="single-hop-dense")
    R = relations or int(rows["n_relations"].mode().max())
    rows = needed(rows, "success", n_relations=R)
    table = rows.assign(rate=rows["successes"] / rows["trials"]).pivot_table(
        index="dimension", columns="n_subjects", values="rate"
    )
    figure, (ax,) = axes()
    x, y = np.arange(len(table.columns)), table.index.to_numpy(dtype=float)
    mesh = ax.pcolormesh(x, y, table.to_numpy(), cmap="cividis", vmin=0, vmax=1, shading="nearest")
    figure.colorbar(mesh, ax=ax, label="share of draws that succeed")

    sizes = [int(N) for N in table.columns]
    closed = [closed_form_length(N, N, R, 0.5) for N in sizes]
    exact = [exact_length(N, N, R, 0.5) for N in sizes]
    ax.plot(x, closed, "--", color=COLOURS["vermilion"], label="closed form suffices for half")
    ax.plot(x, exact, "-", color=COLOURS["vermilion"], label="exact $p_m$ suffices for half")
    ax.set_xticks(x, [str(N) for N in sizes])
    ax.set_ylim(y.min() - 6, y.max() + 6)
    ax.grid(visible=False)
    ax.set(xlabel=f"subjects $N$ (${R}N$ facts)", ylabel="dimension $m$")
    ax.set_title(f"Dense superposition, $R = {R}$ relations")
    ax.legend(loc="upper left", facecolor="white", framealpha=0.85, frameon=True, edgecolor="none")
    return figure


FIGURE = Plot(
    "phase",
    "Success probability of dense superposition",
    draw_phase,
    caption="Share of random draws that recall every fact. Both bounds of C2 promise half of the draws.",
    sweep="capacity",
    claims=("single-hop-dense",),
)
