"""Bits stored per parameter, and how much of what the weights could hold that is."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from georecall.verify.figures.cells import needed
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS, axes, legend

_SERIES = {  # construction, options -> label, colour, marker
    ("single-hop-in-place", None): ("in place (C1')", "blue", "o"),
    ("single-hop", None): ("separate readout (C1)", "green", "D"),
    ("single-hop-quantized", 8): ("quantised, 8 bits (C1-p)", "sky", "v"),
    ("single-hop-dense", None): ("dense, $\\delta = 0.1$ (C2)", "vermilion", "^"),
    ("linear-memory", None): ("outer-product memory (C8)", "purple", "s"),
    ("sign-code-memory", None): ("sign-code memory (C8)", "orange", "P"),
}

LANGUAGE_MODELS = 2.0  # bits per parameter, Allen-Zhu and Li, arXiv 2404.05405


def draw_bits(frame: pd.DataFrame) -> Figure:
    """Left: R log2(N!) bits over all non-zero weights. Right: over the bits of the fact-dependent ones."""
    rows = needed(frame, "recall")
    rows = rows.assign(facts=rows["n_subjects"] * rows["n_relations"])
    rows = rows[(rows["recalled"] == rows["facts"]) & (rows["n_relations"] != 16)]
    rows = rows.assign(
        per_parameter=rows["information_bits"] / rows["n_nonzero"],
        efficiency=rows["information_bits"] / rows["weight_bits"],
    )
    figure, (left, right) = axes(2, width=7.2, height=4.0)
    for (construction, bits), (label, colour, marker) in _SERIES.items():
        series = rows[rows["construction"] == construction]
        if bits is not None:
            series = series[series["bits"] == bits] if "bits" in series else series.iloc[:0]
        series = series.sort_values("facts")
        look: dict[str, Any] = {"marker": marker, "color": COLOURS[colour], "mfc": "white"}
        left.plot(series["facts"], series["per_parameter"], label=label, **look)
        right.plot(series["facts"], series["efficiency"], **look)
    grey = COLOURS["grey"]
    left.axhline(LANGUAGE_MODELS, color=grey, ls=":", lw=1.2, label="trained language models, about 2")
    right.axhline(1.0, color=grey, ls="--", lw=1)
    at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    look = {"ha": "right", "color": grey, "fontsize": 8}
    right.annotate("information-theoretic maximum", (0.97, 1.0), xytext=(0, 4), **at, **look)
    left.set(yscale="log", ylabel="bits of facts per non-zero parameter")
    right.set(yscale="log", ylabel="bits of facts per bit of stored weight")
    right.set_ylim(top=2)
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("facts")
        ax.tick_params(axis="x", labelrotation=45)
    legend(figure, left, columns=3)
    return figure


FIGURE = Plot(
    "bits",
    "Bits stored per parameter",
    draw_bits,
    caption="What a table of bijections is worth, over the non-zero parameters (left) and over the bits that "
    "the stored weights could hold (right). Codes of one bit a coordinate coincide on the right.",
    sweep="capacity",
    claims=("counting-bound", "single-hop-in-place", "linear-memory", "sign-code-memory"),
)
