"""What a model has of C9's structure, each measure beside its controls."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from georecall.verify.figures.style import COLOURS, axes, style
from georecall.verify.learned.measured import MEASURES


def draw_structure(found: Mapping[str, Any]) -> Figure:
    """Bars: what `verify.learned.structure` measured, enclosures as lines; marks: controls."""
    shown = [name for name in reversed(MEASURES) if name in found]
    with style():
        figure, (ax,) = axes()
        for y, name in enumerate(shown):
            value = found[name]
            low, high = value if isinstance(value, list) else (value, value)
            ax.barh(y, max(0.0, low), height=0.6, color=COLOURS["sky"], zorder=1)
            ax.plot([low, high], [y, y], "|-", color=COLOURS["blue"], zorder=2)
            controls = [found[control] for control in MEASURES[name][0] if control in found]
            ax.plot(controls, [y] * len(controls), "x", color=COLOURS["vermilion"], zorder=3)
        ax.plot([], [], "|-", color=COLOURS["blue"], label="measured (an enclosure, where it is a line)")
        ax.plot([], [], "x", color=COLOURS["vermilion"], label="controls: what is there without training")
        ax.set_yticks(range(len(shown)), [name.replace("_", " ").replace("r2", "$R^2$") for name in shown])
        ax.set(xlim=(-0.05, 1.05), xlabel="share")
        figure.legend(loc="outside lower center", ncols=1)
    return figure
