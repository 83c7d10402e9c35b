"""How many dimensions recall takes: success probabilities of random constructions, and where they cross.

A draw is a new random bijection table and a new instance of the construction; it succeeds if all facts (or
a stated share of them) are recalled. Every draw comes from a generator of its own, which the construction,
the sizes, the seed and the draw's number determine, so that results do not depend on order or workers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, log

import numpy as np

from georecall.constructions.memories import feature_width
from georecall.theory.facts.fact_table import random_bijections
from georecall.theory.numbers.dense import closed_form_length
from georecall.theory.numbers.memories import feature_noise, linear_noise, memory_dimension
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.readouts import READOUTS, n_wrong
from georecall.verify.verdict.intervals import Estimate, clopper_pearson, sequential_test

MAX_EVALUATIONS = 16  # dimensions that a search may try; the error is split over them


def draw_succeeds(
    construction: str,
    n_subjects: int,
    n_relations: int,
    dimension: int,
    trial: int,
    *,
    seed: int = 0,
    share: Fraction = Fraction(1),
) -> bool:
    """Whether the draw numbered `trial` recalls this share of its facts; decided exactly for the signs.

    The dimension is m of dense superposition, d of a memory.

    Raises:
        ValueError: the construction is none of `verify.claims.readouts.READOUTS`.
    """
    if construction not in READOUTS:
        raise ValueError(f"capacity is measured of {', '.join(READOUTS)}; got {construction!r}")
    rng = generator(seed, "capacity", construction, n_subjects, n_relations, dimension, trial)
    facts = random_bijections(n_subjects, n_relations, rng=rng)
    allowed = int((1 - share) * facts.n_facts)
    return n_wrong(READOUTS[construction](facts, dimension, rng), facts, allowed=allowed) <= allowed


def success(
    construction: str,
    n_subjects: int,
    n_relations: int,
    dimension: int,
    *,
    trials: int = 200,
    seed: int = 0,
    share: Fraction = Fraction(1),
    error: float = 0.05,
) -> Estimate:
    """The success probability at one dimension, from `trials` draws; the rest as `draw_succeeds`."""
    succeeded = sum(
        draw_succeeds(construction, n_subjects, n_relations, dimension, i, seed=seed, share=share)
        for i in range(trials)
    )
    lower, upper = clopper_pearson(succeeded, trials, error)
    return Estimate(succeeded, trials, lower, upper, error)


@dataclass(frozen=True)
class Threshold:
    """Where the success probability crosses a level.

    With probability at least 1 - error all decisions are right, and then the success probability is at most
    the level at `lower` and at least the level at `upper`: it crosses between them. That this is the only
    crossing is assumed (that the probability does not fall as the dimension grows); `monotone` says whether
    the decisions agree with it.

    Args:
        lower: the largest dimension decided to be below the level.
        upper: the smallest dimension decided to be above it.
        estimate: where the line through the measured shares of success crosses the level.
        level: the level.
        error: of all decisions together.
        monotone: whether no dimension decided above lies under one decided below.
        tried: dimension -> estimate, in the order tried.
    """

    lower: int
    upper: int
    estimate: float
    level: float
    error: float
    monotone: bool
    tried: dict[int, Estimate] = field(default_factory=dict)


def threshold(
    construction: str,
    n_subjects: int,
    n_relations: int,
    *,
    level: float = 0.5,
    share: Fraction = Fraction(1),
    trials: int = 200,
    seed: int = 0,
    error: float = 0.05,
    precision: float = 0.02,
    progress: Progress | None = None,
) -> Threshold:
    """The dimension at which the success probability crosses a level, by bisection.

    Each dimension tried is tested sequentially with an error of error/MAX_EVALUATIONS, so that all
    decisions hold together whichever dimensions the search turns to. It stops when the bracket is as narrow
    as `precision`, relative to its upper end, when the dimensions left are undecided after all trials, or
    after MAX_EVALUATIONS.

    At most `trials` draws are made at one dimension; `error` is of the whole search; progress is told of the
    dimensions tried, out of the most there may be.

    Raises:
        ValueError: an unknown construction, or no dimension tried was decided on either side.
    """
    goal = Fraction(str(level))
    tried: dict[int, Estimate] = {}

    def test(dimension: int) -> str | None:
        if dimension not in tried:
            if len(tried) == MAX_EVALUATIONS:
                return None
            tried[dimension] = sequential_test(
                lambda i: draw_succeeds(
                    construction, n_subjects, n_relations, dimension, i, seed=seed, share=share
                ),
                goal,
                trials=trials,
                error=error / MAX_EVALUATIONS,
            )
            if progress is not None:
                progress(len(tried), MAX_EVALUATIONS)
        return tried[dimension].side

    low, high = _bracket(test, guide(construction, n_subjects, n_relations, level))
    undecided: list[int] = []
    while len(tried) < MAX_EVALUATIONS:
        edges = [low, *([min(undecided), max(undecided)] if undecided else []), high]
        gaps = [(b - a, a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        width, a, b = max(gaps)  # below..undecided, or undecided..above, or the whole bracket
        if width <= max(1, precision * high):
            break
        middle = (a + b) // 2
        side = test(middle)
        if side == "below":
            low, undecided = middle, [d for d in undecided if d > middle]
        elif side == "above":
            high, undecided = middle, [d for d in undecided if d < middle]
        else:
            undecided.append(middle)
    return _threshold(tried, level, error)


def guide(construction: str, n_subjects: int, n_relations: int, level: float) -> int:
    """Where to start looking: what the theory's union bound says, or its Gaussian guide for the memories."""
    n, delta = n_subjects * n_relations, 1 - level
    if construction == "single-hop-dense-optimised":  # a little below 2 R ln N
        return ceil(1.75 * n_relations * log(n_subjects + 1))
    if construction.startswith("single-hop-dense"):
        length = closed_form_length(n_subjects, n_subjects, n_relations, delta)
        return ceil(length * (0.6 if construction == "single-hop-dense-zero-forced" else 1.0))

    def noise(d: int) -> float:
        if construction == "linear-memory":
            return linear_noise(n, n_relations, d)
        if construction == "best-linear-memory":  # about a third of the outer product's d
            return linear_noise(n, n_relations, 3 * d)
        return feature_noise(n, n_relations, d, feature_width(d) // 2)

    return memory_dimension(n * max(1, n_subjects - 1), delta, noise)


def _bracket(test: Callable[[int], str | None], guess: int) -> tuple[int, int]:
    """A dimension decided below and one decided above, from a guess outward."""
    high = guess
    for _ in range(4):
        if test(high) == "above":
            break
        high = max(high + 1, int(np.ceil(1.3 * high)))
    else:
        raise ValueError(f"no dimension up to {high} is decided to succeed often enough")
    low = guess if guess < high and test(guess) == "below" else max(1, int(0.75 * guess))
    for _ in range(6):
        if low < 1 or test(low) == "below":
            return low, high
        if test(low) == "above":
            high = low
        low = int(0.7 * low)
    raise ValueError("no dimension is decided to fail often enough")


def _threshold(tried: dict[int, Estimate], level: float, error: float) -> Threshold:
    below = [d for d, e in tried.items() if e.side == "below"]
    above = [d for d, e in tried.items() if e.side == "above"]
    low, high = max(below, default=0), min(above)  # dimension 0 recalls nothing
    monotone = low < high
    if not monotone:
        low, high = min(below), max(above)  # some crossing lies between; which, the data do not say
    return Threshold(low, high, _crossing(tried, level), level, error, monotone, tried)


def _crossing(tried: dict[int, Estimate], level: float) -> float:
    """Where the measured shares, made non-decreasing (isotonic), cross the level by linear interpolation."""
    from scipy.optimize import isotonic_regression

    dimensions = sorted(tried)
    weights = [float(tried[d].trials) for d in dimensions]
    fitted = isotonic_regression([tried[d].share for d in dimensions], weights=weights).x
    reached = np.flatnonzero(fitted >= level)
    if not len(reached) or reached[0] == 0:
        return float(dimensions[0] if len(reached) else dimensions[-1])
    i = int(reached[0])
    rise = (level - fitted[i - 1]) / (fitted[i] - fitted[i - 1])
    return float(dimensions[i - 1] + rise * (dimensions[i] - dimensions[i - 1]))
