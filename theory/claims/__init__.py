"""The claims, by the names that the command line takes: every `Claim` of a module of this folder."""

import re

from georecall.theory.claims.claim import Claim
from georecall.theory.tools.modules import modules


def _place(claim: Claim) -> tuple[int, str]:
    """Where a claim stands among the others: C1, C1', C1-p, ..., C2, ..., C10."""
    label = re.fullmatch(r"C(\d+)(.*)", claim.label)
    return (int(label[1]), label[2]) if label else (99, claim.label)


_FOUND = (
    value for module in modules(__name__) for value in vars(module).values() if isinstance(value, Claim)
)
CLAIMS: dict[str, Claim] = {claim.name: claim for claim in sorted(_FOUND, key=_place)}


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
