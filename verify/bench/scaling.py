"""The exponent of a power law, fitted to timings, with its interval; those of every method that decides."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from georecall.verify.margins.found import Margins


@dataclass(frozen=True)
class Exponent:
    """The slope of log time over log size.

    Args:
        estimate: by least squares.
        lower: of its 95% interval (Student's t, residuals independent and normal in the logarithm).
        upper: the other end.
        points: how many timings it rests on.
    """

    estimate: float
    lower: float
    upper: float
    points: int

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.lower:.3f}, {self.upper:.3f}]"


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Exponent:
    """Fits time = c size^e.

    Raises:
        ValueError: fewer than three points, or sizes that are all the same.

    Example:
        >>> str(exponent([1, 2, 4, 8], [3, 6, 12, 24]))
        '1.000 [1.000, 1.000]'
    """
    if len(sizes) < 3 or len(set(sizes)) < 2:
        raise ValueError("an exponent with its interval needs three timings of two sizes")
    fit = stats.linregress(np.log(sizes), np.log(seconds))
    half = float(stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr)
    return Exponent(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half, len(sizes))


@dataclass(frozen=True)
class Method:
    """One way of deciding, along one size.

    Args:
        name: of the way, as in a verdict's `method`.
        claim: what is checked, without its controls.
        along: which option grows: "subjects" (N), "relations" (R) or "hops" (k, or K of chains).
        sizes: what it is.
        fixed: the other options.
        theory: the exponent that the cost of the method has, and why.
    """

    name: str
    claim: str
    along: str
    sizes: tuple[int, ...]
    fixed: dict[str, Any]
    theory: str


METHODS = (
    Method("codebook", "single-hop", "subjects", (1 << 17, 1 << 18, 1 << 19, 1 << 20), {"relations": 8},
           "1.08: N R ceil(log2 N)"),
    Method("codebook", "single-hop", "relations", (4, 8, 16, 32), {"subjects": 1 << 17}, "1: N R m"),
    Method("filtered", "sign-code-memory", "subjects", (250, 500, 1000, 2000), {"relations": 4},
           "2: N R facts, each with N R neurons"),
    Method("filtered", "sign-code-memory", "relations", (2, 4, 8, 16), {"subjects": 500},
           "2: N R facts, each with N R neurons"),
    Method("a draw", "single-hop-dense", "subjects", (1000, 2000, 4000, 8000),
           {"relations": 4, "trials": 1}, "2.1: N R readouts, each with |A| = N words of m ~ ln N"),
    Method("induction", "chain-of-thought", "subjects", (1000, 2000, 4000, 8000), {"relations": 4, "hops": 4},
           "1: N R steps, each settled by its word"),
    Method("induction", "chain-of-thought", "hops", (64, 128, 256, 512), {"subjects": 500, "relations": 2},
           "0, and 2 of the K x 2K scores"),
    Method("induction, soft", "chain-of-thought", "subjects", (250, 500, 1000, 2000),
           {"relations": 2, "hops": 4, "attention": "soft"}, "2: N R boxes, each beside N words"),
    Method("induction, soft", "chain-of-thought", "hops", (16, 32, 64, 128),
           {"subjects": 128, "relations": 2, "attention": "soft"}, "3: K^2 / 2 contexts of K positions"),
    Method("transitions", "sequential-hops", "subjects", (500, 1000, 2000, 4000), {"relations": 3, "hops": 4},
           "1 of what is followed, 2 of what memories ask: N R ways, N neurons"),
    Method("transitions", "sequential-hops", "hops", (4, 8, 16, 32), {"subjects": 250, "relations": 3},
           "2: k layers of k + c coordinates"),
    Method("enumeration", "composed-hops", "relations", (3, 4, 6, 8), {"subjects": 64, "hops": 3},
           "6: N R^k queries through R^k blocks"),
)  # fmt: skip
_REPEATS = 3  # timings of each, of which the least counts: what disturbs only adds


def scaling(*, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Processor time of every method along every size, and its exponents; in JSON's types."""
    rows: list[dict[str, Any]] = []
    done, n_all = 0, sum(len(method.sizes) for method in METHODS)
    for method in METHODS:
        decision(method, method.sizes[0])()  # what a first call loads
        seconds = []
        for size in method.sizes:
            seconds.append(min(_seconds(method, size) for _ in range(_REPEATS)))
            done += 1
            if progress is not None:
                progress(done, n_all)
        fit = exponent(method.sizes, seconds)
        rows.append(
            {"method": method.name, "claim": method.claim, "in": method.along, "fixed": method.fixed}
            | {"sizes": list(method.sizes), "cpu_seconds": seconds}
            | asdict(fit)
            | {"theory": method.theory}
        )
    return {"preset": "scaling", "exponents": rows}


def decision(method: Method, size: int) -> Callable[[], bool]:
    """What decides, on facts drawn and weights built anew, so that nothing is kept from another time.

    Returns:
        What says, when it is called, whether every fact is recalled; of a claim about draws, whether one more
        draw recalls them.
    """
    from georecall.verify.claims.options import prepare
    from georecall.verify.margins.decide import decide_recall

    instance = prepare(method.claim, **method.fixed | {method.along: size}).instance
    if instance.draws is not None:
        return partial(instance.draws.trial, 1)
    model = instance.build()

    def margins() -> "Margins":
        return instance.margins(model, None)

    def all_recalled() -> bool:
        found = decide_recall(model, instance.facts, margins) if instance.counts else margins()
        return found.n_wrong == 0

    return all_recalled


def _seconds(method: Method, size: int) -> float:
    """Processor seconds of one decision, BLAS in one thread: those that wait for others would count too."""
    decide = decision(method, size)
    with threadpool_limits(1):
        start = time.process_time()
        recalled = decide()
        taken = time.process_time() - start
    assert recalled, method
    return taken
