"""The lemmas under the claims: proved for all real inputs by z3, each hypothesis shown to be needed.

The identities of `theory.lemmas.analysis` need SymPy and are imported from there.
"""

from georecall.theory.lemmas.catalogue import LEMMAS
from georecall.theory.lemmas.lemma import Counterexample, Hypothesis, Lemma, Proof
from georecall.theory.lemmas.solver import NoCounterexampleError, counterexample, prove

__all__ = [
    "LEMMAS",
    "Counterexample",
    "Hypothesis",
    "Lemma",
    "NoCounterexampleError",
    "Proof",
    "counterexample",
    "prove",
]
