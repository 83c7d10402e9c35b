"""What a trained model has learned: superposition, selection, transfer (C9), each beside its control."""

from georecall.verify.learned.measured import MEASURES, structure, transfers
from georecall.verify.learned.vectors import Parts

__all__ = ["MEASURES", "Parts", "structure", "transfers"]
