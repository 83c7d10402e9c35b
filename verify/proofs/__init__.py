"""What a proof kernel says: theorems for all parameters, and certificates for the weights at hand (Coq)."""

from georecall.verify.proofs.coq import Proved, compiled, proved
from georecall.verify.proofs.standing import Standing, standing

__all__ = ["Proved", "Standing", "compiled", "proved", "standing"]
