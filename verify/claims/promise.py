"""Claims about a share of all draws: is the promised probability of success kept?"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from georecall.verify.margins.margins import Found, Progress
from georecall.verify.verdict.intervals import Estimate, sequential_test
from georecall.verify.verdict.verdict import Mismatch, Verdict

DEFAULT_TRIALS = 512
ERROR = 0.01  # of the interval that a verdict rests on


@dataclass(frozen=True)
class Promise:
    """A probability of success, and how to put it to the test.

    Args:
        level: the probability that is promised at least.
        trial: the i-th draw, i >= 1, independent of the others; whether every fact is recalled, decided
            exactly. Draw 0 is the instance that is built and measured.
        trials: the most draws; looks are at fractions of it (see `verify.verdict.intervals`).
        error: of the interval.
    """

    level: Fraction
    trial: Callable[[int], bool]
    trials: int = DEFAULT_TRIALS
    error: float = ERROR


def put_to_test(promise: Promise, progress: Progress | None = None) -> Estimate:
    """Draws until the share of successes is on one side of what is promised, or the trials are spent."""
    return sequential_test(
        promise.trial, promise.level, trials=promise.trials, error=promise.error, progress=progress
    )


def kept(verdict: Verdict, found: Found, promise: Promise, progress: Progress | None = None) -> Verdict:
    """The verdict on a promise: `holds` if the interval's lower end reaches it, `refuted` if the upper end
    falls short of it, else `inconclusive`.

    Args:
        verdict: to be completed; `measured` gains the share of draws that succeeded and its interval.
        found: the margins of draw 0.
        promise: what is promised.
        progress: called with the number of draws done and the most there may be.
    """  # noqa: D205
    if found.n_recalled + found.n_wrong < found.n_facts:
        return replace(verdict, status="inconclusive", reason="the sign of some margins is not decided")

    drawn = replace(promise, trial=lambda i: promise.trial(i) if i else found.n_wrong == 0)
    estimate = put_to_test(drawn, progress)
    measured: dict[str, Any] = {
        **verdict.measured,
        "success": Fraction(estimate.successes, estimate.trials),
        "success_interval": [estimate.lower, estimate.upper],
        "success_error": promise.error,
        "trials": estimate.trials,
    }
    verdict = replace(
        verdict, measured=measured, min_margin=found.minimum[0], exact=found.exact, method=found.method
    )
    if estimate.side == "above":
        return replace(verdict, status="holds")
    if estimate.side == "below":
        reason = f"{estimate} of the draws succeed, promised at least {float(promise.level):g}"
        witness = Mismatch("success", promise.level, Fraction(estimate.successes, estimate.trials))
        return replace(verdict, status="refuted", reason=reason, witness=witness)
    reason = f"{estimate} of the draws succeed: {float(promise.level):g} is inside; more --trials decide"
    return replace(verdict, status="inconclusive", reason=reason)
