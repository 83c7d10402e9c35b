"""What proofs of different sizes certify of trained models, against their arithmetic and their time."""

import json

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend

_MARKERS = {"norm": "x", "residual norm": "+", "intervals": "o", "brute force": "s"}
_LINES = ("sky", "green", "blue", "orange", "vermilion", "purple", "black", "grey")
_ABOUT = {"tuples": "all tuples of attributes", "facts": "facts of the table"}
_FIELDS = ("about", "method", "groups", "certified", "asked")


def draw_proof_size(frame: pd.DataFrame) -> Figure:
    """Above operations, below seconds; a colour a model, a marker a method; lines go to finer blocks, above.

    Rows without timings (`Store.frame()`) give the upper half.
    """
    rows = needed(frame, "proof-size", sweep="learned")
    costs = {"operations": "operations", "proof_seconds": "seconds"}
    costs = {name: label for name, label in costs.items() if name in rows}
    rows = rows[(rows["seed"] == rows["seed"].min()) & (rows["noise"] == 0.6)]
    rows = rows[rows["width"] == 4 * rows["dimension"]].sort_values(["tables", "steps"])
    figure, panels = axes(len(_ABOUT), n_rows=len(costs), width=7.4, height=3.0 * len(costs), sharey=True)
    for colour, (_, row) in zip(_LINES, rows.iterrows(), strict=False):
        proofs = pd.DataFrame({name: json.loads(row[name]) for name in (*_FIELDS, *costs)})
        tables, steps = int(row["tables"]), int(row["steps"])
        label = f"{tables} table{'s' * (tables > 1)}, {steps} steps"
        for number, cost in enumerate(costs):
            for ax, about in zip(panels[2 * number :], _ABOUT, strict=False):
                _curve(ax, proofs[proofs["about"] == about], cost, colour, label)
    for method, marker in _MARKERS.items():
        panels[0].plot([], [], marker, color=COLOURS["grey"], mfc="none", label=method)
    for ax, about in zip(panels, _ABOUT.values(), strict=False):
        ax.set_title(about)
    for number, label in enumerate(costs.values()):
        panels[2 * number].set_ylabel("certified share")
        for ax in panels[2 * number :][:2]:
            ax.set(xlabel=label, xscale="log", ylim=(-0.03, 1.03))
    legend(figure, panels[0], columns=3)
    return figure


def _curve(ax: Axes, proofs: pd.DataFrame, cost: str, colour: str, label: str) -> None:
    for method, marker in _MARKERS.items():
        of_it = proofs[proofs["method"] == method].sort_values("groups")
        share = of_it["certified"] / of_it["asked"]
        line = "-" if method == "intervals" and cost == "operations" else ""  # times are not in order
        named = label if method == "intervals" else None
        ax.plot(of_it[cost], share, marker + line, color=COLOURS[colour], mfc="none", ms=5, lw=1, label=named)


FIGURE = Plot(
    "proof-size",
    "Proof size against what is certified",
    draw_proof_size,
    caption="Trained models: what is certified by brute force (squares), by intervals over finer and finer "
    "blocks of attributes (circles, from one block to the right), and by norms. Where a model has seen "
    "enough tuples, one block proves every answer to every tuple.",
    sweep="learned",
    claims=("gradient-descent",),
    timings=True,
)
