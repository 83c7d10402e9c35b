"""Geometric recall grows exponentially in d, a linear memory as a power of it: outer product and best."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from georecall.verify.figures.capacity import thresholds
from georecall.verify.figures.cells import cells_of, needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes


def slopes(frame: pd.DataFrame, relations: int) -> tuple[float, float]:
    """The measured slopes, by least squares: log2 N over d in place, and log n over log d."""
    exact, linear = _exact(frame, relations), _linear(frame)
    geometric = np.polyfit(exact["d_model"], np.log2(exact["n_subjects"]), 1)[0]
    power = np.polyfit(np.log(linear["estimate"]), np.log(linear["n_subjects"]), 1)[0]
    return float(geometric), float(power)


def draw_comparison(frame: pd.DataFrame, *, relations: int = 16) -> Figure:
    """Left: log2 N against d, with the slope 1/R. Right: log n against log d."""
    R = relations
    exact, linear = _exact(frame, R), _linear(frame)
    geometric, power = slopes(frame, R)
    figure, (left, right) = axes(2, width=7.2, height=3.6)
    blue, purple = COLOURS["blue"], COLOURS["purple"]
    d = exact["d_model"].to_numpy()
    left.plot(d, np.log2(exact["n_subjects"]), "o", color=blue, mfc="white", label="verified, exact margins")
    left.plot(d, d / R, "-", color=blue, lw=1, label="$\\log_2 N = d/R$ (C1')")
    left.set(xlabel="dimension $d$", ylabel=f"$\\log_2 N$  (${R} N$ facts)")
    left.set_title(f"In place: slope {geometric:.4f}, $1/R$ = {1 / R:.4f}")

    facts = linear["n_subjects"].to_numpy()
    thresholds(right, linear, 1, "purple", "s", "outer product, 50%")
    best = cells_of(frame, "threshold", construction="best-linear-memory", n_relations=1, level=0.5)
    thresholds(right, best, 1, "black", "v", "best linear memory, 50%")
    n = np.geomspace(facts.min(), facts.max(), 50)
    right.plot(np.sqrt(8 * n * np.log(n)), n, "--", color=purple, lw=1, label="$d^2 = 8 n \\ln n$ (C8)")
    right.set(xscale="log", yscale="log", xlabel="dimension $d$", ylabel="facts $n$")
    for axis, values in (
        (right.xaxis, (10, 20, 40, 70, 100, 150, 250) if len(best) else (70, 100, 150, 200, 250)),
        (right.yaxis, (16, 32, 64, 128, 256, 512, 1024)),
    ):
        axis.set_major_locator(FixedLocator(values))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    right.set_ylim(min(facts.min(), best["n_subjects"].min() if len(best) else np.inf) / 1.4, facts.max() * 6)
    right.set_title(f"Outer-product memory: exponent {power:.2f}")
    for ax in (left, right):
        ax.legend(loc="upper left")
    return figure


def _exact(frame: pd.DataFrame, R: int) -> pd.DataFrame:
    rows = needed(frame, "recall", construction="single-hop-in-place", n_relations=R)
    return rows[rows["recalled"] == rows["n_subjects"] * R].sort_values("d_model")


def _linear(frame: pd.DataFrame) -> pd.DataFrame:
    rows = needed(frame, "threshold", construction="linear-memory", n_relations=1, level=0.5)
    if "share" in rows:
        rows = rows[rows["share"].isna() | (rows["share"] == "1")]
    near = rows[(rows["estimate"] >= 60) & (rows["estimate"] <= 290)]
    return (near if len(near) > 1 else rows).sort_values("n_subjects")


FIGURE = Plot(
    "comparison",
    "Geometric recall against outer-product memory",
    draw_comparison,
    caption="Left: in place, the number of subjects grows exponentially in the dimension. Right: a linear "
    "memory's grows as a power of it; the outer product is C8's, the best one is trained on the same keys "
    "and words. Intervals are 95%.",
    sweep="capacity",
    claims=("linear-memory", "best-linear-memory", "single-hop-in-place"),
)
