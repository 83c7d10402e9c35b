"""The claims, by the names that the command line takes."""

from georecall.theory.claims.chain_of_thought import CHAIN_OF_THOUGHT
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.dense import SINGLE_HOP_DENSE
from georecall.theory.claims.floors import COUNTING_BOUND, MARGIN_BOUND, MULTI_HOP_BOUND
from georecall.theory.claims.gradient_descent import GRADIENT_DESCENT
from georecall.theory.claims.hops import COMPOSED_HOPS, HYBRID_HOPS, SEQUENTIAL_HOPS
from georecall.theory.claims.memories import LINEAR_MEMORY, RANDOM_FEATURE_MEMORY, SIGN_CODE_MEMORY
from georecall.theory.claims.single_hop import (
    SINGLE_HOP,
    SINGLE_HOP_IN_PLACE,
    SINGLE_HOP_NARROW,
    SINGLE_HOP_PACKED,
    SINGLE_HOP_QUANTIZED,
)

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        SINGLE_HOP,
        SINGLE_HOP_IN_PLACE,
        SINGLE_HOP_NARROW,
        SINGLE_HOP_QUANTIZED,
        SINGLE_HOP_PACKED,
        SINGLE_HOP_DENSE,
        CHAIN_OF_THOUGHT,
        COUNTING_BOUND,
        COMPOSED_HOPS,
        SEQUENTIAL_HOPS,
        HYBRID_HOPS,
        MULTI_HOP_BOUND,
        MARGIN_BOUND,
        LINEAR_MEMORY,
        SIGN_CODE_MEMORY,
        RANDOM_FEATURE_MEMORY,
        GRADIENT_DESCENT,
    )
}

__all__ = ["CLAIMS"]
