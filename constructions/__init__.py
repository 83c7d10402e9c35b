"""From facts to weights: one function per construction, and the transformer they build.

A construction joins by a module of this folder whose `BUILDS` names the claim that it belongs to.
"""

from collections.abc import Callable

from georecall.constructions.codes.code import Code, quantized_code, sign_code
from georecall.constructions.codes.distance_codes import greedy_code, random_linear_code
from georecall.constructions.transformer.layers import MLP, Attention, Block
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.claims import family
from georecall.theory.tools.modules import Offers

__all__ = [
    "CONSTRUCTIONS",
    "MLP",
    "Attention",
    "Block",
    "Code",
    "Residual",
    "Storage",
    "Transformer",
    "greedy_code",
    "quantized_code",
    "random_linear_code",
    "sign_code",
]

CONSTRUCTIONS: Offers[Callable[..., Transformer]] = Offers(
    __name__, lambda module: getattr(module, "BUILDS", {}).items(), home=family
)
"""Claim name -> function from a FactTable to a Transformer: tests, exports and sweeps run over it."""
