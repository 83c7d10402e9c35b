"""Every claim, checked as `georecall check` checks it, or the reason why it was not."""

import time
from dataclasses import dataclass
from typing import Any

from georecall.theory.claims import CLAIMS
from georecall.theory.claims.claim import Claim
from georecall.verify.claims.check import check
from georecall.verify.report.commands import command_line
from georecall.verify.report.settings import parameters
from georecall.verify.usage import UsageError
from georecall.verify.verdict.verdict import Verdict


@dataclass(frozen=True)
class CheckedClaim:
    """A claim in a report.

    Args:
        claim: what is claimed.
        given: the parameters that were chosen; others are the claim's defaults.
        verdict: what its check said; None where it was not checked.
        missing: why it was not.
        command: what checks it again, to the same verdict.
        seconds: what it took, its controls included.
    """

    claim: Claim
    given: dict[str, Any]
    verdict: Verdict | None
    missing: str | None
    command: str
    seconds: float

    @property
    def status(self) -> str:
        """The verdict's status, or "stated" where there is no verdict."""
        return "stated" if self.verdict is None else self.verdict.status


def check_claim(name: str, *, preset: str = "quick", seed: int = 0) -> CheckedClaim:
    """Checks one claim of `theory.claims.CLAIMS` at the preset's parameters, or at its own defaults.

    A claim that has no check yet, or whose check needs an extra that is not installed, is stated only.
    """
    given: dict[str, Any] = {**parameters(name, preset), "seed": seed}
    start = time.perf_counter()
    verdict, missing = None, None
    try:
        verdict = check(name, **given)
    except (UsageError, ImportError) as error:
        missing = str(error).partition("; there are ")[0].replace(f"{name!r} is stated, but has", "it has")
    seconds = time.perf_counter() - start
    return CheckedClaim(CLAIMS[name], given, verdict, missing, command_line("check", name, **given), seconds)
