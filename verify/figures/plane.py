"""Where the facts are kept: bits in a subject's embedding against bits elsewhere, and the floor (C6)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from georecall import bounds
from georecall.verify.figures.cells import PlotError, needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.hop_sizes import others
from georecall.verify.figures.style import COLOURS, axes, legend

POINTS = 13  # of the floor's curve


def draw_plane(frame: pd.DataFrame) -> Figure:
    """For the most hops swept: every hybrid construction, and what no model can do with less of both.

    The floor is C6's, untyped: the least fact-dependent bits elsewhere, given the bits of one subject's
    embedding, at the best number T of subjects counted together. Two-sided constructions pay in a third
    place, the columns of the unembedding, which count among the bits elsewhere: their markers say how many.
    """
    rows = needed(frame, "hops", sweep="hops")
    N, R = (int(rows[name].iloc[0]) for name in ("n_subjects", "n_relations"))
    rows = rows[(rows["n_subjects"] == N) & (rows["n_relations"] == R)]
    k = int(rows["hops"].max())
    rows = rows[rows["hops"] == k].sort_values("stages")
    most = float(rows["subject_bits"].max())
    per_subject = np.unique(np.linspace(0, most, POINTS).round().astype(int))
    try:
        floors = [bounds.multi_hop_untyped(N, R, k, subject_bits=int(x)) for x in per_subject]
    except bounds.MissingExtraError as error:
        raise PlotError(str(error)) from error
    elsewhere = [floor.lower_float for floor in floors]
    figure, (ax,) = axes()
    ax.fill_between(per_subject, elsewhere, color=COLOURS["grey"], alpha=0.25, lw=0)
    ax.plot(per_subject, elsewhere, color=COLOURS["grey"], label="floor (C6): nothing lies below")
    look: dict[str, Any] = {"marker": "o", "mfc": "white", "ls": "none", "color": COLOURS["blue"]}
    look |= {"clip_on": False}  # one stage keeps nothing elsewhere: its marker lies on the axis
    label = "hybrid construction (C5), all queries verified"
    ax.plot(rows["subject_bits"], rows["other_bits"], label=label, **look)
    for stages, x, y in rows[["stages", "subject_bits", "other_bits"]].itertuples(index=False):
        y_off, va = (-6, "top") if int(stages) % 2 == 0 else (6, "bottom")  # close ones do not overlap
        label = f"$c = {int(stages)}$"
        ax.annotate(label, (x, y), xytext=(6, y_off), va=va, textcoords="offset points")
    sides = [size for size in others(N, R, k) if size.family.startswith("two-sided") and size.output_bits]
    x, y = [size.subject_bits for size in sides], [size.other_bits for size in sides]
    label = "two-sided (C10), by formula; bits of a column of $W_U$"
    ax.plot(x, y, "*", color=COLOURS["vermilion"], label=label)
    for x, y, column in {(size.subject_bits, size.other_bits, size.output_bits) for size in sides}:
        ax.annotate(f"{column}", (x, y), xytext=(0, 5), textcoords="offset points", ha="center")
    ax.set_ylim(bottom=0)
    ax.margins(y=0.1)
    ax.set_xlim(left=0, right=1.12 * most)
    ax.set(xlabel="fact-dependent bits of one subject's embedding", ylabel="fact-dependent bits elsewhere")
    ax.set_title(f"{k} hops in one pass, $R = {R}$ relations, $N = {N}$ entities")
    legend(figure, ax, columns=1)
    return figure


FIGURE = Plot(
    "plane",
    "Bits in the embeddings against bits elsewhere",
    draw_plane,
    caption="Every hybrid construction for the most hops, against what no model can do with less of both.",
    sweep="hops",
    claims=("multi-hop-bound", "hybrid-hops"),
)
