"""From facts to weights: one function per construction, and the transformer they build.

A construction joins by a module of this folder whose `BUILDS` names the claim that it belongs to.
"""

from collections.abc import Callable

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import family
from georecall.theory.tools.modules import Offers

CONSTRUCTIONS: Offers[Callable[..., Transformer]] = Offers(
    __name__, lambda module: getattr(module, "BUILDS", {}).items(), home=family
)
"""Claim name -> function from a FactTable to a Transformer: tests, exports and sweeps run over it."""
