"""How far a claim is machine-checked: in full, in part, or not."""

from dataclasses import dataclass
from typing import Literal

from georecall.theory.claims.claim import Claim


@dataclass(frozen=True)
class Standing:
    """What of a claim Coq has checked: theorems as `file.theorem`, the steps with one and those without.

    "In full" if a theorem stands behind every step but runs at the parameters asked.
    """

    checked: Literal["in full", "in part", "not"]
    theorems: tuple[str, ...]
    steps: tuple[str, ...]
    missing: tuple[str, ...]

    def said(self) -> list[str]:
        """The same in words, a line each: how far, by which theorems, what is left."""
        if not self.steps:
            return ["not: no theorem of Coq's stands behind it"]
        lines = [f"{self.checked}: {', '.join(self.theorems)}"]
        lines += [f"steps with a theorem: {'; '.join(self.steps)}"]
        return [*lines, f"steps without: {'; '.join(self.missing)}"] if self.missing else lines


def standing(claim: Claim) -> Standing:
    """How far a claim is machine-checked, by its table of trust."""
    general = [step for step in claim.trust if step.how != "checked"]
    steps = tuple(step.what for step in general if step.theorems)
    missing = tuple(step.what for step in general if not step.theorems)
    return Standing(
        "not" if not steps else "in part" if missing else "in full", claim.theorems, steps, missing
    )
