"""Another engine against what is proved of every query: onnxruntime, or JAX.

The verdict on a claim rests on NumPy's arithmetic and its audit. Here the same weights go through an ONNX
graph and an engine that nobody here wrote, with its optimisations off so that it computes what the graph
says; or through the forward pass as XLA compiles it (`verify.engines.in_jax`).
`verify.engines.agreement` compares every logit of every query.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from math import prod

import numpy as np

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.strings import letters
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.errors import MissingExtraError
from georecall.theory.tools.jax_as_shipped import started
from georecall.theory.tools.progress import Progress
from georecall.verify.engines.agreement import Engine, agreement
from georecall.verify.engines.in_jax import jax_engine
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.decide import Found
from georecall.verify.margins.filtered import Some
from georecall.verify.margins.found import Margins
from georecall.verify.margins.queries import Chains, Queries, SingleSteps, UpTo
from georecall.verify.usage import UsageError
from georecall.verify.verdict.verdict import ControlResult, Status, Verdict

ENGINES = ("numpy", "onnxruntime", "jax")

_NEEDS = {"onnxruntime": ("export", "onnx", "onnxruntime"), "jax": ("learn", "jax")}  # extra, then modules
_SAMPLE = 64  # queries of the control


def require(name: str) -> None:
    """Whether an engine is known and installed; it is imported.

    Raises:
        ValueError: no such engine.
        ImportError: it is not installed, the message names the extra; or JAX does not start.
    """
    if name not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    extra, *modules = _NEEDS.get(name, ("",))
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise MissingExtraError(f"{module} is not installed: pip install 'georecall[{extra}]'") from error
    if name == "jax":
        started()


def onnxruntime_engine(model: Transformer, *, dtype: str = "float64") -> Engine:
    """The model's graph in onnxruntime, on one thread, every operation as the graph has it.

    Raises:
        ImportError: onnx or onnxruntime is not installed; the message names the extra.
        ValueError: see `constructions.files.onnx`.
    """
    require("onnxruntime")
    import onnxruntime

    from georecall.constructions.files.onnx import onnx_graph

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


def everything_asked(found: Margins) -> list[Queries]:
    """The queries that margins speak for; of chains of thought every step of every one, short ones too."""
    queries = found.queries
    if isinstance(queries, UpTo):
        queries = queries.longest
    if isinstance(queries, SingleSteps):
        alphabet = letters(queries.facts, queries.max_hops)
    elif isinstance(queries, Chains) and queries.step is None and queries.max_hops:
        alphabet = queries.alphabet
    else:
        return [queries]
    facts, K = queries.facts, queries.max_hops
    return [
        Chains(facts, alphabet[:k], step=i, max_hops=K)
        for k in range(1, len(alphabet) + 1)
        for i in range(1, k + 1)
    ]


@np.errstate(over="ignore", invalid="ignore")  # what overflows is different, or open
def in_engine(
    verdict: Verdict,
    model: Transformer,
    found: Found,
    name: str,
    progress: Progress | None = None,
    *,
    controls: bool = True,
) -> Verdict:
    """The verdict, after an engine has been asked the same.

    Where the engine's answer is wrong and a right one is proved, the claim is refuted in that engine; any
    other disagreement, queries that are too many to compare, a model that is too large for the engine, and a
    control that is not seen make it inconclusive. Facts that were counted are asked of NumPy alone.
    `measured` gains `engine_queries` and `engine_min_margin`.

    Raises:
        ImportError: see `require`.
    """
    if name == "numpy" or not isinstance(found, Margins) or verdict.status != "holds":
        return verdict
    asked = everything_asked(found)
    start: Callable[[Transformer], Engine] = {"onnxruntime": onnxruntime_engine, "jax": jax_engine}[name]
    try:
        engine = start(model)
    except ValueError as error:  # a model that no graph, or no device, can hold
        return replace(verdict, status="inconclusive", reason=f"{name} was not asked: {error}")
    result = agreement(model, asked, engine, progress=progress)
    own = (altered_weight(model, asked[0], start),) if controls else ()
    least = Fraction(result.least) if np.isfinite(result.least) else None
    measured = {**verdict.measured, "engine_queries": result.n_compared, "engine_min_margin": least}
    verdict = replace(verdict, measured=measured, controls=(*verdict.controls, *own))
    if result.first is not None:
        wrong = result.first.turned and not result.first.witness.margin > 0
        status: Status = "refuted" if wrong else "inconclusive"
        reason = f"{name} disagrees on {result.n_different} of {result.n_compared} queries; {result.first}"
        return replace(verdict, status=status, reason=reason, witness=result.first.witness)
    n_all = max(result.n_all, verdict.n_queries or 0)
    if result.n_compared < n_all:
        reason = f"{name} agrees on all of {result.n_compared} queries compared, which are not all {n_all}"
    elif result.n_open:
        reason = f"rounding may turn {result.n_open} answers: {name} cannot be held to them"
    elif failed := [control.name for control in own if not control.ok]:
        reason = f"control not as predicted: {failed[0]}"
    else:
        return verdict
    return replace(verdict, status="inconclusive", reason=reason)


def altered_weight(
    model: Transformer, queries: Queries, engine: Callable[[Transformer], Engine]
) -> ControlResult:
    """The control: the graph of a model with one weight of W_U negated, one that some query reads most.

    It goes the way of the verdict, through `agreement`.
    """
    numbers = np.arange(min(_SAMPLE, prod(queries.shape)))
    tokens, positions, _ = queries.prompts(numbers)
    read, W_U = model.map(Ball.of).residual(tokens, positions), dense(model.W_U).astype(np.float64)
    most = np.abs(read.mid).max(axis=0)[:, None] * np.abs(W_U)
    W_U[np.unravel_index(most.argmax(), W_U.shape)] *= -1
    found = agreement(model, [Some(queries, numbers)], engine(replace(model, W_U=W_U)))
    return ControlResult(
        name="one weight of the graph negated",
        expected="the engine disagrees",
        got=f"the engine disagrees on {found.n_different} of {found.n_compared} queries",
        ok=found.n_different > 0,
    )


def check_engine(engine: str) -> None:
    """Whether an engine can be asked.

    Raises:
        UsageError: there is none of that name, or it is not installed.
    """
    try:
        require(engine)
    except (ImportError, ValueError) as error:
        raise UsageError(str(error)) from error
