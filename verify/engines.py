"""Another engine: the exported graph, run by onnxruntime, against what is proved of every query.

The verdict on a claim rests on NumPy's arithmetic and its audit. Here the same weights go through an ONNX
graph and an engine that nobody here wrote, with its optimisations off so that it computes what the graph
says, and every logit of every query is compared:

- where the audit proves that nothing rounds, both must be the same number (zeros of either sign alike);
- else each is within the proved radius of the exact number, in whatever order it adds, and so they are
  within two radii of each other. Of the engine's exponential the same is assumed as of NumPy's.

Beyond that, the engine must answer rightly exactly the queries of which that is proved.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from math import prod

import numpy as np
from numpy.typing import NDArray

from constructions.arithmetic import dense
from constructions.onnx_graph import onnx_graph
from constructions.transformer import Transformer
from theory.randomness import generator
from verify.exactness import Ball, Floats
from verify.margin import Margins, Progress, Witness
from verify.queries import Chains, Numbers, Queries, SingleSteps
from verify.verdict import ControlResult, Status, Verdict

ENGINES = ("numpy", "onnxruntime")
Engine = Callable[[Numbers, Numbers], Floats]  # tokens and positions, shape (batch, T), to logits

_BLOCK = 1 << 22  # entries of one block of residuals or logits
_BUDGET = 1 << 38  # products spent on comparing: about a minute in the engine, and as much here
_SAMPLE = 64  # queries of the control
_SLACK = 1.0 + 2.0**-20  # the radii around one engine's numbers against those around the other's


@dataclass(frozen=True)
class Disagreement:
    """A query of which an engine says something else than is proved.

    Args:
        witness: the query; `got` and `margin` are the engine's.
        output: the output with the largest difference, by number.
        proved: its logit, to within `radius`.
        computed: what the engine has.
        radius: 0 where the logit is known exactly.
        turned: whether the engine's answer is wrong where the right one is proved, or the other way round.
    """

    witness: Witness
    output: int
    proved: float
    computed: float
    radius: float
    turned: bool

    def __str__(self) -> str:
        """In words."""
        known = f"{self.proved:.17g}" + (f" +- {self.radius:.2g}" if self.radius else "")
        return f"{self.witness.question}: logit {self.output} is {self.computed:.17g}, proved {known}"


@dataclass(frozen=True)
class Agreement:
    """What comparing an engine with the proof came to.

    Args:
        n_compared: the queries (for a chain of thought: steps) compared.
        n_all: of how many.
        n_exact: those of which every logit was the same number.
        n_open: those whose margin the proved radius leaves open, so that any answer agrees.
        n_different: those that disagree.
        least: the engine's least margin.
        first: the first disagreement, one with another answer before all others.
    """

    n_compared: int
    n_all: int
    n_exact: int
    n_open: int
    n_different: int
    least: float
    first: Disagreement | None


def require(name: str) -> None:
    """Whether an engine is known and installed; it is imported.

    Raises:
        ValueError: no such engine.
        ImportError: it is not installed; the message names the extra.
    """
    if name not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    for module in ("onnx", "onnxruntime") if name == "onnxruntime" else ():
        try:
            import_module(module)
        except ImportError as error:
            raise ImportError(f"{module} is not installed: pip install 'georecall[export]'") from error


def onnxruntime_engine(model: Transformer, *, dtype: str = "float64") -> Engine:
    """The model's graph in onnxruntime, on one thread, every operation as the graph has it.

    Raises:
        ImportError: onnx or onnxruntime is not installed; the message names the extra.
        ValueError: see `constructions.onnx_graph`.
    """
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        onnx_graph(model, dtype=dtype).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(tokens: Numbers, positions: Numbers) -> Floats:
        wide = np.ascontiguousarray(np.broadcast_to(positions, tokens.shape), dtype=np.int64)
        (logits,) = session.run(["logits"], {"tokens": tokens.astype(np.int64), "positions": wide})
        return np.asarray(logits)

    return run


def agreement(
    model: Transformer,
    asked: Sequence[Queries],
    engine: Engine,
    *,
    most: int = _BUDGET,
    progress: Progress | None = None,
) -> Agreement:
    """Compares an engine with what is proved of a model's logits, query by query.

    Args:
        model: the weights.
        asked: the queries.
        engine: what runs the same weights.
        most: products spent; beyond it, as many queries of each kind as that allows, drawn at random.
        progress: called with the number of queries done and of all that are compared.
    """
    floats = model.map(Ball.of)
    costs = [prod(queries.shape) * _products(model, queries) for queries in asked]
    share = min(Fraction(1), Fraction(most, max(1, sum(costs))))
    numbers = [_chosen(prod(queries.shape), share) for queries in asked]
    total, done = sum(map(len, numbers)), 0
    n_exact = n_open = n_different = 0
    least, first = np.inf, None
    for queries, chosen in zip(asked, numbers, strict=True):
        for block in _blocks(model, queries, chosen):
            tokens, positions, answers = queries.prompts(block)
            found = _Compared.of(floats.logits(tokens, positions), engine(tokens, positions), answers)
            n_exact += int(found.same.sum())
            n_open += int(found.open.sum())
            n_different += int(found.different.sum())
            least = min(least, float(found.margins.min(initial=np.inf)))
            if found.different.any() and (first is None or (found.turned.any() and not first.turned)):
                first = found.disagreement(queries, block, answers)
            done += len(block)
            if progress is not None:
                progress(done, total)
    n_all = sum(prod(queries.shape) for queries in asked)
    return Agreement(total, n_all, n_exact, n_open, n_different, least, first)


def everything_asked(found: Margins) -> list[Queries]:
    """The queries that margins speak for; of a chain of thought every step of every chain of k <= K hops."""
    queries = found.queries
    if not isinstance(queries, SingleSteps):
        return [queries]
    facts, K = queries.facts, queries.max_hops
    everyone = np.tile(np.arange(facts.n_relations), (K, 1))
    return [Chains(facts, everyone[:k], step=i, max_hops=K) for k in range(1, K + 1) for i in range(1, k + 1)]


def in_engine(
    verdict: Verdict, model: Transformer, found: Margins, name: str, progress: Progress | None = None
) -> Verdict:
    """The verdict, after an engine has been asked the same.

    Where the engine's answer is wrong and a right one is proved, the claim is refuted in that engine; any
    other disagreement, queries that are too many to compare, and a control that is not seen make it
    inconclusive. `measured` gains `engine_queries` and `engine_min_margin`.

    Args:
        verdict: on the weights, by NumPy's arithmetic and its audit.
        model: the weights.
        found: their margins.
        name: of `ENGINES`.
        progress: see `agreement`.

    Raises:
        ImportError, ValueError: see `onnxruntime_engine`.
    """
    if name == "numpy" or verdict.status != "holds":
        return verdict
    asked = everything_asked(found)
    result = agreement(model, asked, onnxruntime_engine(model), progress=progress)
    control = altered_weight(model, asked[0], onnxruntime_engine)
    verdict = replace(
        verdict,
        measured={
            **verdict.measured,
            "engine_queries": result.n_compared,
            "engine_min_margin": Fraction(result.least) if np.isfinite(result.least) else None,
        },
        controls=(*verdict.controls, control),
    )
    if result.first is not None:
        wrong = result.first.turned and not result.first.witness.margin > 0
        status: Status = "refuted" if wrong else "inconclusive"
        reason = f"{name} disagrees on {result.n_different} of {result.n_compared} queries; {result.first}"
        return replace(verdict, status=status, reason=reason, witness=result.first.witness)
    if result.n_compared < max(result.n_all, verdict.n_queries or 0):
        n_all = max(result.n_all, verdict.n_queries or 0)
        reason = f"{name} agrees on all of {result.n_compared} queries compared, which are not all {n_all}"
        return replace(verdict, status="inconclusive", reason=reason)
    if result.n_open:
        reason = f"rounding may turn {result.n_open} answers: {name} cannot be held to them"
        return replace(verdict, status="inconclusive", reason=reason)
    if not control.ok:
        return replace(verdict, status="inconclusive", reason=f"control not as predicted: {control.name}")
    return verdict


def altered_weight(
    model: Transformer, queries: Queries, engine: Callable[[Transformer], Engine]
) -> ControlResult:
    """The control: the graph of a model with one weight of W_U negated, one that the first query reads."""
    numbers = np.arange(min(_SAMPLE, prod(queries.shape)))
    tokens, positions, answers = queries.prompts(numbers)
    floats = model.map(Ball.of)
    x, W_U = floats.residual(tokens[:1], positions).mid[0], dense(model.W_U).astype(np.float64)
    W_U[np.unravel_index(np.abs(x[:, None] * W_U).argmax(), W_U.shape)] *= -1
    computed = engine(replace(model, W_U=W_U))(tokens, positions)
    found = _Compared.of(floats.logits(tokens, positions), computed, answers)
    seen = int(found.different.sum())
    return ControlResult(
        name="one weight of the graph negated",
        expected="the engine disagrees",
        got=f"the engine disagrees on {seen} of {len(numbers)} queries",
        ok=bool(found.different[0]),
    )


@dataclass(frozen=True, eq=False)
class _Compared:
    """An engine's logits beside the proved ones, shape (batch, outputs), and what follows: shape (batch,)."""

    proved: Ball
    computed: Floats
    margins: Floats
    turned: NDArray[np.bool_]
    open: NDArray[np.bool_]
    same: NDArray[np.bool_]
    different: NDArray[np.bool_]

    @classmethod
    def of(cls, proved: Ball, computed: Floats, answers: Numbers) -> "_Compared":
        right, best = _right_and_best_wrong(computed.astype(np.float64), answers)
        known = _answered(proved, answers)
        turned = (known != 0) & ((known > 0) != (right > best))
        with np.errstate(invalid="ignore", over="ignore"):  # nothing is within a radius of what is no number
            off = np.abs(computed - proved.mid)
            within = (off <= 2 * proved.radius * _SLACK).all(axis=1)
            margins = right - best
        same = (computed == proved.mid).all(axis=1)
        return cls(proved, computed, margins, turned, known == 0, same, turned | ~within)

    def disagreement(self, queries: Queries, block: Numbers, answers: Numbers) -> Disagreement:
        """The first query of the block that disagrees, one whose answer is turned before all others."""
        row = int((self.turned if self.turned.any() else self.different).argmax())
        number, answer, facts = int(block[row]), int(answers[row]), queries.facts
        subject, *relations = queries.query(number)
        others = np.nan_to_num(self.computed[row].astype(np.float64), nan=-np.inf)
        output = int(np.nan_to_num(np.abs(self.computed[row] - self.proved.mid[row]), nan=np.inf).argmax())
        others[answer] = -np.inf
        got = int(others.argmax())
        witness = Witness(
            subject=subject,
            relations=tuple(relations),
            answer=answer,
            got=got,
            margin=float(self.margins[row]),
            question=facts.question(subject, *relations),
            answer_name=facts.attribute_name(answer),
            got_name=facts.attribute_name(got),
        )
        return Disagreement(
            witness,
            output,
            proved=float(self.proved.mid[row, output]),
            computed=float(self.computed[row, output]),
            radius=float(self.proved.radius[row, output]),
            turned=bool(self.turned[row]),
        )


def _right_and_best_wrong(logits: Floats, answers: Numbers) -> tuple[Floats, Floats]:
    """For each query the right logit, and the largest of the others."""
    rows, others = np.arange(len(answers)), logits.copy()
    others[rows, answers] = -np.inf
    return logits[rows, answers], others.max(axis=1, initial=-np.inf)


def _answered(proved: Ball, answers: Numbers) -> NDArray[np.int8]:
    """1 where the right logit is proved to be the largest, -1 where it is proved not to be, 0 where open."""
    low = high = proved.mid
    if proved.rad is not None:
        low, high = np.nextafter(low - proved.rad, -np.inf), np.nextafter(high + proved.rad, np.inf)
    (right_low, best_low), (right_high, best_high) = (
        _right_and_best_wrong(bound, answers) for bound in (low, high)
    )
    return (right_low > best_high).astype(np.int8) - (right_high <= best_low).astype(np.int8)


def _products(model: Transformer, queries: Queries) -> int:
    """How many products one query takes in an engine, which has no sparse weights."""
    length = queries.prompts(np.array([0])).tokens.shape[1]
    layers = sum(prod(w.shape) for name, w in model.weights().items() if name.startswith("blocks"))
    return int(length * layers + model.d_model * model.d_vocab_out)


def _chosen(n: int, share: Fraction) -> Numbers:
    """All of n numbers, or a share of them at random."""
    if share == 1:
        return np.arange(n)
    n = min(n, 1 << 62)
    rng = generator(0, "engine", n)
    return np.unique(rng.integers(n, size=max(1, int(share * n))))


def _blocks(model: Transformer, queries: Queries, numbers: Numbers) -> Iterator[Numbers]:
    """Queries by number, as many at a time as fit the memory for one block."""
    length = queries.prompts(np.array([0])).tokens.shape[1]
    widest = max(length * max(model.d_model, model.d_mlp), model.d_vocab_out)
    size = max(1, _BLOCK // widest)
    return (numbers[start : start + size] for start in range(0, len(numbers), size))
