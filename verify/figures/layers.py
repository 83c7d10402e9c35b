"""What a language model keeps of countries, layer by layer."""

import pandas as pd
from matplotlib.figure import Figure

from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend

_MEASURES = (
    ("continent", "continent", "o", "blue", ("continent_shuffled",)),
    ("capital", "capital", "s", "vermilion", ("capital_shuffled",)),
    ("r2", "$R^2$, superposition", "^", "green", ("r2_shuffled", "r2_random")),
)


def draw_layers(frame: pd.DataFrame) -> Figure:
    """Lines: shares of held-out countries by layer; dotted, in the same colours: their controls."""
    rows = needed(frame, "language-model", sweep="learned").sort_values("layer")
    figure, (ax,) = axes(height=5.0)
    for name, label, marker, colour, controls in _MEASURES:
        ax.plot(rows["layer"], rows[name], f"{marker}-", ms=4, color=COLOURS[colour], label=label)
        for control in controls:
            ax.plot(rows["layer"], rows[control], ":", color=COLOURS[colour], lw=1.2)
    ax.plot([], [], ":", color=COLOURS["grey"], lw=1.2, label="controls")
    ax.set(ylim=(-0.06, 1.02), xlabel="layer (0: embeddings)", ylabel="share")
    ax.set_title("SmolLM2-135M: residuals of countries")
    legend(figure, ax)
    return figure


FIGURE = Plot(
    "layers",
    "What a language model keeps of countries",
    draw_layers,
    caption="SmolLM2-135M at the last token of a country's name: the share of held-out countries whose "
    "continent, and whose capital where the model knows it, a linear map reads off, and how much of the "
    "residual is the sum of a vector for the continent and one for the currency.",
    sweep="learned",
    claims=("gradient-descent",),
)
