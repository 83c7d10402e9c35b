"""The exponent of a power law, fitted to timings, with its interval; those of every method that decides."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from georecall.verify.margins.decide import Found


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
        name: of the way, as in a verdict's `method`, which must be it; or "a draw", of claims about these.
        claim: what is decided.
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
    Method("codebook", "single-hop", "subjects", (1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20),
           {"relations": 8}, "1.08: N R facts, each a word of m = ceil(log2 N)"),
    Method("codebook", "single-hop", "relations", (8, 16, 32, 64, 128), {"subjects": 1 << 15},
           "1: N R facts"),
    Method("codebook", "sign-code-memory", "subjects", (4000, 5000, 6000, 8000, 10000, 12000),
           {"relations": 2}, "1 of N R facts, 2.1 of N beside N R neurons of log2 N names"),
    Method("codebook", "sign-code-memory", "relations", (8, 16, 32, 64, 128), {"subjects": 500},
           "1: N R facts, and N subjects beside N R neurons"),
    Method("filtered", "linear-memory", "subjects", (500, 750, 1000, 1250, 1500), {"relations": 4},
           "1.5 of N R readouts of d ~ sqrt(N), 2 of W, 2.5 of N logits for each"),
    Method("a draw", "single-hop-dense", "subjects", (1500, 2000, 2500, 3000, 3500, 4000),
           {"relations": 4, "delta": 0.01},
           "1.1 of drawing and summing words of m ~ ln N, 2.1 of N R readouts against N"),
    Method("induction", "chain-of-thought", "subjects", (1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16),
           {"relations": 4, "hops": 4}, "1.1: N R steps, each settled by its word of log2 N"),
    Method("induction", "chain-of-thought", "hops", (1024, 1536, 2048, 2560, 3072, 3584),
           {"subjects": 4, "relations": 2}, "2: K x 2K scores"),
    Method("induction", "chain-of-thought", "subjects", (500, 750, 1000, 1500, 2000, 3000, 4000),
           {"relations": 2, "hops": 4, "attention": "soft"}, "2: N R boxes, each beside N words"),
    Method("induction", "chain-of-thought", "hops", (64, 96, 128, 192, 256, 384),
           {"subjects": 16, "relations": 2, "attention": "soft"},
           "2 of K^2 / 2 contexts, 3 of their softmax over 2K positions"),
    Method("transitions", "sequential-hops", "subjects", (1000, 1500, 2000, 2500, 3000),
           {"relations": 2, "hops": 16}, "1 of what is followed, 2.1 of N neurons of log2 N names"),
    Method("transitions", "sequential-hops", "hops", (64, 96, 128, 192, 256, 384),
           {"subjects": 20, "relations": 2}, "1 of 2k layers, 2 where their k + c coordinates weigh"),
    Method("codebook", "composed-hops", "relations", (5, 6, 7, 8, 9), {"subjects": 16, "hops": 3},
           "6: all N R^k queries are asked, through R^k blocks"),
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


def decision(method: Method, size: int) -> Callable[[], str]:
    """What decides, on facts drawn and weights built anew, so that nothing is kept from another time.

    Returns:
        What says, when it is called, by which method; it raises AssertionError if a fact is not recalled.
    """
    from georecall.constructions.transformer.arithmetic import dense
    from georecall.verify.claims.options import prepare
    from georecall.verify.margins.decide import decide_recall
    from georecall.verify.margins.filtered import filtered

    instance = prepare(method.claim, **method.fixed | {method.along: size}).instance
    model, facts = instance.build(), instance.facts
    if method.name == "filtered":  # which is for weights that round: a third of what ReLU and sums pass on
        passed_on = [model.W_E, model.W_pos, *(w for w in model.weights().values() if len(w.shape) == 1)]
        model = model.map(lambda w: dense(w) / 3 if any(w is p for p in passed_on) else w)

    def decided() -> str:
        found: Found | None
        if method.name == "a draw" and instance.draws is not None:
            assert instance.draws.trial(1)
            return method.name
        if method.name == "filtered":
            found = filtered(model, facts)
        elif instance.counts:
            found = decide_recall(model, facts, lambda: instance.margins(model, None))
        else:
            found = instance.margins(model, None)
        assert found is not None, method
        assert not found.n_wrong, (method, size, f"{found.n_wrong} wrong")
        return found.method

    return decided


def _seconds(method: Method, size: int) -> float:
    """Processor seconds of one decision, BLAS in one thread: those that wait for others would count too."""
    decide = decision(method, size)
    with threadpool_limits(1):
        start = time.process_time()
        by = decide()
        taken = time.process_time() - start
    assert by == method.name, (method, size, by)
    return taken
