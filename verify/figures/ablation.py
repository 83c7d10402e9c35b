"""What the structure depends on: plain defaults and the recipe, one step taken or taken back."""

import pandas as pd
from matplotlib.figure import Figure

from georecall.verify.figures.cells import PlotError, needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend, use
from georecall.verify.sweep.learned_grids import ablated

_MEASURES = {
    "recall": ("recall", "D", COLOURS["grey"]),
    "r2": ("held-out $R^2$", "o", COLOURS["blue"]),
    "swap": ("swaps", "s", COLOURS["orange"]),
    "transfer": ("transfer", "^", COLOURS["green"]),
}


def draw_ablation(frame: pd.DataFrame) -> Figure:
    """A line for each setting: means over the runs, bars from the least to the most."""
    rows = needed(frame, "learned", sweep="learned")
    if "norm" not in rows:
        raise PlotError("the file has no cells of `georecall sweep learned --preset ablation`")
    settings = ablated()
    figure, (ax,) = axes(height=5.4)
    for y, (name, chosen) in enumerate(reversed(settings.items())):
        here = rows[(rows[list(chosen)] == pd.Series(chosen)).all(axis=1)]
        if not len(here):
            raise PlotError(f"the file has no cells of {name!r}: `georecall sweep learned --preset ablation`")
        use(here)
        for shift, (measure, (label, form, colour)) in enumerate(_MEASURES.items()):
            values = here[measure].clip(lower=0)
            middle, at = values.mean(), y + 0.27 - 0.18 * shift
            ax.plot([values.min(), values.max()], [at, at], "-", color=colour, linewidth=1)
            ax.plot([middle], [at], form, color=colour, markersize=4, label=label if y == 0 else None)
    ax.axhline(len(settings) / 2 - 0.5, color=COLOURS["grey"], linewidth=0.8)
    ax.set_yticks(range(len(settings)), list(reversed(settings)))
    title = "$N = |A| = 256$, $R = 2$, $d = 40$, width 160, 3000 steps"
    ax.set(xlim=(-0.02, 1.02), xlabel="share", ylabel="settings", title=title)
    legend(figure, ax, columns=4)
    return figure


FIGURE = Plot(
    "ablation",
    "What the structure depends on",
    draw_ablation,
    caption="Above, plain defaults and one step towards the recipe; below, the recipe and one step back. "
    "All of them recall.",
    sweep="learned",
    claims=("gradient-descent",),
)
