"""Claims about a share of all draws: is the promised probability of success kept?"""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from georecall.theory.tools.blocks import blocks
from georecall.theory.tools.numerals import exactly
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.version import VERSION
from georecall.verify.executors import in_order, n_workers
from georecall.verify.margins.decide import Found
from georecall.verify.verdict.intervals import Each, Estimate, looks, looks_for, sequential_test
from georecall.verify.verdict.verdict import Mismatch, Verdict

ERROR = 0.01  # of the interval that a verdict rests on
_TASKS = 4  # of each worker until the next look, if there are draws enough


@dataclass(frozen=True)
class Promise:
    """A probability of success, and how to put it to the test.

    Args:
        level: the probability that is promised at least.
        trial: the i-th draw, i >= 1, independent of the others; whether every fact is recalled, decided
            exactly. Draw 0 is the instance that is built and measured.
        trials: the most draws; looks are at fractions of it (see `verify.verdict.intervals.looks`). None: as
            many as decide, up to a cap (`looks_for`).
        error: of the interval.
    """

    level: Fraction
    trial: Callable[[int], bool]
    trials: int | None = None
    error: float = ERROR

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of draws at which the test looks; none where no feasible number decides."""
        return looks(self.trials) if self.trials is not None else looks_for(self.level, self.error)

    @property
    def parameters(self) -> dict[str, int | None]:
        """What a verdict says of the trials: the most that there may be."""
        return {"trials": self.looks[-1] if self.looks else None}


def put_to_test(promise: Promise, progress: Progress | None = None, each: Each = map) -> Estimate:
    """Draws until the share of successes is on one side of what is promised, or the trials are spent."""
    return sequential_test(
        promise.trial, promise.level, trials=promise.looks, error=promise.error, progress=progress, each=each
    )


def draws_by_workers(executor: Executor, make: Callable[[], Promise]) -> Each:
    """The workers of an executor draw; each makes the promise for itself. Draw 0 is the asker's."""
    theirs = pickle.dumps((make, VERSION))

    def each(trial: Callable[[int], bool], numbers: range) -> Iterator[bool]:
        start = numbers.start
        if start == 0 < numbers.stop:
            yield trial(0)
            start = 1
        several = -(-(numbers.stop - start) // (n_workers(executor) * _TASKS))
        calls = ((theirs, start + at.start, start + at.stop) for at in blocks(numbers.stop - start, several))
        for drawn in in_order(executor, draws, calls, "draw"):
            yield from drawn

    return each


def draws(theirs: bytes, start: int, stop: int) -> list[bool]:
    """What a worker does: the outcomes of draws start..stop - 1 of a promise, pickled how it is made."""
    promise = _promise(theirs)
    return [promise.trial(i) for i in range(start, stop)]


@lru_cache(maxsize=1)
def _promise(theirs: bytes) -> Promise:
    make, version = pickle.loads(theirs)
    if version != VERSION:
        raise ValueError(f"this worker runs georecall {VERSION}, the asker {version}")
    promise: Promise = make()
    return promise


def kept(
    verdict: Verdict,
    found: Found,
    promise: Promise,
    progress: Progress | None = None,
    each: Each = map,
) -> Verdict:
    """The verdict on a promise, whose draw 0 was found to be this.

    `holds` if the lower end of the interval reaches it, `refuted` if the upper end falls short of it, else
    `inconclusive`; `measured` gains the share of draws that succeeded. `each`: who draws.
    """
    if found.n_recalled + found.n_wrong < found.n_facts:
        return replace(verdict, status="inconclusive", reason="the sign of some margins is not decided")
    if not promise.looks:
        reason = f"to decide {exactly(promise.level)} takes more draws than are made without --trials"
        return replace(verdict, status="inconclusive", reason=reason)
    drawn = replace(promise, trial=lambda i: promise.trial(i) if i else found.n_wrong == 0)
    estimate = put_to_test(drawn, progress, each)
    measured: dict[str, Any] = {
        **verdict.measured,
        "success": Fraction(estimate.successes, estimate.trials),
        "success_interval": [estimate.lower, estimate.upper],
        "success_error": promise.error,
        "trials": estimate.trials,
        "draw_0": f"{found.n_recalled} of {found.n_facts} recalled",
    }
    verdict = replace(
        verdict,
        measured=measured,
        min_margin=found.minimum[0],
        exact=found.exact,
        method=found.method,
        margins_of="draw 0",
    )
    if estimate.side == "above":
        return replace(verdict, status="holds")
    if estimate.side == "below":
        reason = f"{estimate} of the draws succeed, promised at least {float(promise.level):g}"
        witness = Mismatch("success", promise.level, Fraction(estimate.successes, estimate.trials))
        return replace(verdict, status="refuted", reason=reason, witness=witness)
    reason = f"{estimate} of the draws succeed: {float(promise.level):g} is inside; more --trials decide"
    return replace(verdict, status="inconclusive", reason=reason)
