"""What is claimed: facts, claims, lemmas."""

from theory.facts import FactsError, FactTable, random_bijections, random_functions
from theory.version import VERSION

__all__ = ["VERSION", "FactTable", "FactsError", "random_bijections", "random_functions"]
