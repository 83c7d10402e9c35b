"""Figures, each made by one command from one results file."""

from georecall.verify.figures.catalogue import FIGURES, plot
from georecall.verify.figures.cells import PlotError
from georecall.verify.figures.style import FORMATS

__all__ = ["FIGURES", "FORMATS", "PlotError", "plot"]
