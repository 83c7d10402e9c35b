"""Check a claim: hypotheses, weights, margins, predictions, controls; then a verdict."""

import time
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

from georecall.theory.claims.claim import Claim
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress, watched
from georecall.verify.claims.controls import controlled
from georecall.verify.claims.instance import Run
from georecall.verify.claims.options import EXPERIMENTS, Prepared, examined, no_option, prepare
from georecall.verify.claims.path_control import path_control
from georecall.verify.engines.engine import check_engine
from georecall.verify.usage import Option, UsageError
from georecall.verify.verdict.verdict import HypothesisResult, Verdict


@watched("checking")
def check(
    claim: str | Claim,
    facts: FactTable | None = None,
    *,
    subjects: int | None = None,
    relations: int | None = None,
    table: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    engine: str = "numpy",
    implicit: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    executor: Executor | None = None,
    controls: bool = True,
    **options: Any,
) -> Verdict:
    """Builds a claim's construction, measures it, runs the controls, and judges.

    Args:
        claim: a claim or its name, for example "single-hop".
        facts: the table to recall; default: a random one.
        subjects: N of the random table; default 1000 (64 for multi-hop in a single pass).
        relations: R of the random table; default 8 (4 for chain of thought, 3 for other multi-hop); typed,
            of every hop.
        table: the random table's kind, "bijections" (default) or "functions".
        seed: of the random table.
        progress: called with the number of facts verified and of all facts.
        implicit: keyed bijections, evaluated on demand, instead of a random table (see `theory.facts.keyed`):
            for single-hop claims about more facts than memory holds.
        checkpoint: a file that keeps what has been counted, and from which a run that was cut off goes on;
            for single-hop claims.
        executor: whose workers count the facts, ask them, or draw or train several times, for example
            processes, or a Dask cluster's (`verify.executors.cluster`): not for claims of several hops, nor
            for floors. The verdict is the same.
        engine: "numpy", or "onnxruntime" (an exported graph) or "jax" (the forward pass, on JAX's device) to
            ask that the same besides (see `verify.engines.engine`).
        controls: whether the negative controls run too; without them a verdict is cheaper, and worth less:
            for property tests, which bring their own.
        options: what the claim's `parameters` name (gate, code_length, bits, ...), and `code`.

    Raises:
        UsageError: an unknown claim, an option that the claim lacks, or a value out of range.
        ChildProcessError: the executor lost its workers.

    Example:
        >>> verdict = check("single-hop", subjects=100, relations=3)
        >>> verdict.status, verdict.min_margin, verdict.exact
        ('holds', Fraction(2, 1), True)
        >>> check("single-hop", subjects=100, relations=3, gate=0.75).reason
        'not gate at least half the spread of the code: gate >= V/2 at V = 2, gate = 0.75'
    """
    if engine != "numpy" and (implicit or checkpoint is not None or executor is not None):
        what = "facts on demand, checkpoints and workers"
        raise UsageError(f"{what} are for counting by NumPy, not for another engine")
    start = time.perf_counter()
    drawn: dict[str, Any] = {"subjects": subjects, "relations": relations, "table": table}
    asked = drawn | {"seed": seed, "implicit": implicit} | options
    question = examined(claim, facts, **asked)
    experiment, instance = question.experiment, question.instance
    if checkpoint is not None and not instance.counts:
        raise no_option(experiment.name, "checkpoint")
    if executor is not None and not instance.shared:
        raise no_option(experiment.name, "workers")
    if engine != "numpy" and instance.about != "weights":
        about = f"{experiment.name} is about {instance.about}; "
        raise UsageError(about, Option("engine"), " goes with the claims that build one")
    importing = time.perf_counter()
    check_engine(engine)  # what is wrong for less is said before
    start += time.perf_counter() - importing
    hypotheses = [HypothesisResult(h.name, h.holds(instance.values)) for h in experiment.claim.hypotheses]
    hypotheses += instance.conditions
    if all(hypothesis.holds for hypothesis in hypotheses):
        hypotheses += [premise for premise in instance.premises if not premise.holds]
    verdict = Verdict(
        claim=experiment.name,
        status="hypotheses-not-met",
        n_facts=question.facts.n_facts,
        n_queries=instance.n_queries,
        hypotheses=tuple(hypotheses),
        parameters=question.parameters | ({"engine": engine} if instance.about == "weights" else {}),
        seed=seed,
    )
    unmet = [hypothesis.name for hypothesis in hypotheses if not hypothesis.holds]
    if unmet:
        at = {h.name: f": {h.at(instance.values)}" for h in experiment.claim.hypotheses}
        reason = "; ".join(f"not {name}{at.get(name, '')}" for name in unmet)
        return replace(verdict, reason=reason, seconds=time.perf_counter() - start)
    try:
        again = partial(_again, experiment.name, facts, **asked)
        run = Run(engine, checkpoint, executor, again, progress, controls)
        verdict, paths = instance.measured(experiment.claim, verdict, run)
        refuted = question.facts if verdict.status == "refuted" else None
        verdict = replace(verdict, seconds=time.perf_counter() - start, facts=refuted)
        if not controls or verdict.status == "hypotheses-not-met":
            return verdict
        given = {name: value for name, value in options.items() if value is not None}
        own = (path_control(decided, path) for path, decided in paths.items())
        seen = [*experiment.controls(**given), *filter(None, own)]
        return controlled(verdict, seen, experiment.controls_at(**given) or verdict.controls_at)
    except ImportError as error:  # an extra that is not installed
        raise UsageError(str(error)) from error


def _again(claim: str, facts: FactTable | None, **asked: Any) -> Prepared:
    """The question, made again by a worker."""
    return prepare(claim, facts, **asked)


__all__ = ["EXPERIMENTS", "UsageError", "check", "prepare"]
