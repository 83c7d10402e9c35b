"""What is claimed: facts, claims, lemmas."""

from typing import TYPE_CHECKING

from theory.lazy import lazy
from theory.version import VERSION

if TYPE_CHECKING:
    from theory.facts import FactsError, FactTable, random_bijections, random_functions

_HOMES = dict.fromkeys(("FactsError", "FactTable", "random_bijections", "random_functions"), "theory.facts")

__all__ = ["VERSION", "FactTable", "FactsError", "random_bijections", "random_functions"]
__getattr__, __dir__ = lazy("theory", _HOMES)
