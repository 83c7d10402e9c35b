"""Figures, each made by one command from one results file."""

from verify.plots.figures import FIGURES, plot
from verify.plots.missing import PlotError
from verify.plots.style import FORMATS, save

__all__ = ["FIGURES", "FORMATS", "PlotError", "plot", "save"]
