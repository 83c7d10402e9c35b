"""The claims, by the names that the command line takes."""

from georecall.theory.claims.chain_of_thought import CHAIN_OF_THOUGHT
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.dense import SINGLE_HOP_DENSE
from georecall.theory.claims.floors import COUNTING_BOUND, MARGIN_BOUND, MULTI_HOP_BOUND
from georecall.theory.claims.gradient_descent import GRADIENT_DESCENT
from georecall.theory.claims.hops import COMPOSED_HOPS, HYBRID_HOPS, SEQUENTIAL_HOPS
from georecall.theory.claims.memories import (
    BEST_LINEAR_MEMORY,
    LINEAR_MEMORY,
    RANDOM_FEATURE_MEMORY,
    SIGN_CODE_MEMORY,
)
from georecall.theory.claims.parallel import PARALLEL_HOPS
from georecall.theory.claims.selector import DISJOINT_ATTRIBUTES, SELECTOR_NECESSARY
from georecall.theory.claims.single_hop import (
    SINGLE_HOP,
    SINGLE_HOP_IN_PLACE,
    SINGLE_HOP_NARROW,
    SINGLE_HOP_PACKED,
    SINGLE_HOP_QUANTIZED,
)
from georecall.theory.claims.two_sided import SINGLE_HOP_SPLIT, TWO_SIDED_BOUND, TWO_SIDED_HOPS

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
        PARALLEL_HOPS,
        MULTI_HOP_BOUND,
        MARGIN_BOUND,
        LINEAR_MEMORY,
        SIGN_CODE_MEMORY,
        RANDOM_FEATURE_MEMORY,
        TWO_SIDED_HOPS,
        SINGLE_HOP_SPLIT,
        TWO_SIDED_BOUND,
        BEST_LINEAR_MEMORY,
        GRADIENT_DESCENT,
        SELECTOR_NECESSARY,
        DISJOINT_ATTRIBUTES,
    )
}


def claim_name(name: str) -> str:
    """The name of the claim that a name or a label means; what is neither stays as it is.

    Raises:
        ValueError: a label that several claims share; the message names them.

    Example:
        >>> claim_name("C1"), claim_name("c5b"), claim_name("C1'"), claim_name("C99")
        ('single-hop', 'sequential-hops', 'single-hop-in-place', 'C99')
    """
    found = [claim.name for claim in CLAIMS.values() if _bare(claim.label) == _bare(name)]
    if name in CLAIMS or not found:
        return name
    if len(found) > 1:
        raise ValueError(f"{name} is the label of {', '.join(found)}: say which by its name")
    return found[0]


def _bare(label: str) -> str:
    return label.casefold().translate(str.maketrans("\u2019\u2032", "''", "() "))


__all__ = ["CLAIMS", "claim_name"]
