"""The claims, by the names that the command line takes."""

from theory.claim import Claim
from theory.claims.single_hop import (
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
    )
}

__all__ = ["CLAIMS"]
