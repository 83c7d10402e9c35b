"""What a trained model has learned: superposition, selection, transfer (C9), each beside its control."""

from verify.structure.parts import Parts
from verify.structure.report import structure, transfers
from verify.structure.transfer import PROCEDURES

__all__ = ["PROCEDURES", "Parts", "structure", "transfers"]
