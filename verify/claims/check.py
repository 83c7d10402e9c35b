"""Check a claim: hypotheses, weights, margins, predictions, controls; then a verdict."""

import time
from dataclasses import replace
from fractions import Fraction
from inspect import signature
from os import PathLike
from typing import Any

from georecall.theory.claims import CLAIMS
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.gradient_descent import GRADIENT_DESCENT
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.claims.controls import controlled
from georecall.verify.claims.floors import Judge
from georecall.verify.claims.gradient_descent import gradient_descent_claim
from georecall.verify.claims.judges import FLOORS
from georecall.verify.claims.options import (
    EXPERIMENTS,
    Prepared,
    check_options,
    facts_asked,
    filling,
    named,
    no_option,
    prepare,
)
from georecall.verify.claims.path_control import path_control
from georecall.verify.claims.promise import kept
from georecall.verify.engines.engine import check_engine, in_engine
from georecall.verify.margins.certify import certify
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import Found, Progress
from georecall.verify.usage import Option, UsageError, require_memory_for_weights, show
from georecall.verify.verdict.judgement import covered, judged, quantities, uncertified
from georecall.verify.verdict.verdict import HypothesisResult, Mismatch, Verdict

JUDGES: dict[str, Judge] = FLOORS | {GRADIENT_DESCENT.name: gradient_descent_claim}


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
        engine: "numpy", or "onnxruntime" to ask an exported graph the same besides (see
            `verify.engines.engine`).
        controls: whether the negative controls run too; without them a verdict is cheaper, and worth less:
            for property tests, which bring their own.
        options: what the claim's `parameters` name (gate, code_length, bits, ...), and `code`.

    Raises:
        UsageError: an unknown claim, an option that the claim lacks, or a value out of range.

    Example:
        >>> verdict = check("single-hop", subjects=100, relations=3)
        >>> verdict.status, verdict.min_margin, verdict.exact
        ('holds', Fraction(2, 1), True)
        >>> check("single-hop", subjects=100, relations=3, gate=0.75).reason
        'not gate at least half the spread of the code: gate >= V/2 at V = 2, gate = 0.75'
    """
    name = named(claim)
    check_engine(engine)
    if name in JUDGES:
        for option in ("implicit",) * implicit + ("checkpoint",) * (checkpoint is not None):
            raise no_option(name, option)
        if engine != "numpy":
            about = "all models" if name in FLOORS else "trained models"
            raise UsageError(
                f"{name} is about {about}; ", Option("engine"), " goes with the claims that build one"
            )
        return _check_judged(name, facts, subjects, relations, table, seed, options, progress, controls)
    if engine != "numpy" and (implicit or checkpoint is not None):
        raise UsageError("facts on demand and checkpoints are for counting by NumPy, not for another engine")
    start = time.perf_counter()
    prepared = prepare(
        claim,
        facts,
        subjects=subjects,
        relations=relations,
        table=table,
        seed=seed,
        implicit=implicit,
        **options,
    )
    if checkpoint is not None and not prepared.instance.counts:
        raise no_option(name, "checkpoint")
    facts, experiment, instance = prepared.facts, prepared.experiment, prepared.instance
    hypotheses = [HypothesisResult(h.name, h.holds(instance.values)) for h in experiment.claim.hypotheses]
    if all(hypothesis.holds for hypothesis in hypotheses):
        hypotheses += [premise for premise in instance.premises if not premise.holds]
    verdict = Verdict(
        claim=experiment.claim.name,
        status="hypotheses-not-met",
        n_facts=facts.n_facts,
        n_queries=instance.n_queries,
        hypotheses=tuple(hypotheses),
        parameters=prepared.parameters | {"engine": engine},
        seed=seed,
    )
    unmet = [hypothesis.name for hypothesis in hypotheses if not hypothesis.holds]
    if unmet:
        at = {h.name: f": {h.at(instance.values)}" for h in experiment.claim.hypotheses}
        reason = "; ".join(f"not {name}{at.get(name, '')}" for name in unmet)
        return replace(verdict, reason=reason, seconds=time.perf_counter() - start)
    verdict, path = _measured(verdict, prepared, engine, checkpoint, progress, controls)
    refuted = prepared.facts if verdict.status == "refuted" else None
    verdict = replace(verdict, seconds=time.perf_counter() - start, facts=refuted)
    if not controls:
        return verdict
    asked = {name: value for name, value in options.items() if value is not None}
    own = [path_control(instance, path)] if path else []
    seen = [*experiment.controls(**asked), *filter(None, own)]
    return controlled(verdict, seen, experiment.controls_at(**asked))


def _check_judged(
    name: str,
    facts: FactTable | None,
    subjects: int | None,
    relations: int | None,
    table: str | None,
    seed: int,
    options: dict[str, Any],
    progress: Progress | None,
    controls: bool,
) -> Verdict:
    """The verdict of a claim that has a judge of its own: a floor, or what training finds."""
    judge, parameters = JUDGES[name], CLAIMS[name].parameters
    options = {option: v for option, v in options.items() if v is not None}
    check_options(CLAIMS[name], options)
    defaults = {p.name: p.default for p in signature(judge).parameters.values() if p.name in parameters}
    draws = {"seed": seed} if "trials" in parameters else {}
    if facts is None:
        like = "composed-hops" if "hops" in parameters else "single-hop"
        default_subjects, default_relations = EXPERIMENTS.get(name, EXPERIMENTS[like]).default_table
        subjects = default_subjects if subjects is None else subjects
        relations = default_relations if relations is None else relations
    start = time.perf_counter()
    facts, drawn = facts_asked(facts, subjects, relations, table, seed)
    try:
        verdict = judge(facts, progress, **options, **draws, **({} if controls else {"controls": False}))
    except ImportError as error:
        raise UsageError(str(error)) from error
    options = defaults | options
    return replace(
        verdict,
        n_facts=facts.n_facts,
        n_queries=facts.n_subjects * facts.n_relations ** options.get("hops", 1),
        parameters=drawn | options | filling(facts, options),
        seed=seed,
        seconds=time.perf_counter() - start,
    )


def _measured(
    verdict: Verdict,
    prepared: Prepared,
    engine: str,
    checkpoint: str | PathLike[str] | None,
    progress: Progress | None,
    controls: bool,
) -> tuple[Verdict, str | None]:
    """Builds and measures; the verdict on the claim before its controls, and the way that decided."""
    claim, instance, facts = prepared.experiment.claim, prepared.instance, prepared.facts
    predicted = claim.predict(instance.values)
    require_memory_for_weights(facts, predicted["d_model"], on_demand=instance.counts and engine == "numpy")
    model = instance.build()
    found: Found
    try:
        if instance.counts and engine == "numpy":
            work = {"claim": verdict.claim, "seed": verdict.seed} | verdict.parameters
            found = certify(
                model,
                facts,
                lambda: instance.margins(model, progress),
                work=work,
                checkpoint=checkpoint,
                progress=progress,
            )
        else:
            found = instance.margins(model, progress)
    except PremiseError as error:
        reason = uncertified(instance.n_queries, error)
        return replace(verdict, status="inconclusive", predicted=predicted, reason=reason), None
    measured = quantities(model, found, facts)
    verdict = replace(verdict, predicted=predicted, measured=measured)
    if instance.draws is None:
        verdict = judged(verdict, found)
        if verdict.status == "refuted" and instance.lost is not None:
            verdict = instance.lost(verdict)
    else:
        verdict = kept(verdict, found, instance.draws, progress)
        measured = verdict.measured
    if verdict.status != "holds":
        return verdict, found.path
    for name, value in predicted.items():
        if name in instance.promises:
            agrees = measured[name] >= Fraction(str(value))
            if agrees and name == "min_margin":
                times = float(Fraction(measured[name]) / Fraction(str(value)))
                verdict = replace(verdict, measured=measured | {"times_promised": times})
            elif name == "min_margin" and found.minimum[1] >= Fraction(str(value)):
                reason = f"min_margin is at least {_short(measured[name])}, promised at least {_short(value)}"
                return replace(verdict, status="inconclusive", reason=reason), found.path
        elif name == "min_margin":
            agrees = found.minimum[0] <= Fraction(str(value)) <= found.minimum[1]
        else:
            agrees = measured[name] == value
        if not agrees:
            predicted_as = "promised at least" if name in instance.promises else "predicted"
            reason = f"{name} is {_short(measured[name])}, {predicted_as} {_short(value)}"
            witness = Mismatch(name, value, measured[name])
            return replace(verdict, status="refuted", reason=reason, witness=witness), found.path
    verdict = in_engine(covered(verdict, found), model, found, engine, progress, controls=controls)
    return verdict, found.path


def _short(value: Any) -> str:
    """A number in full, unless that is no number for a line."""
    long = isinstance(value, Fraction) and value.numerator.bit_length() + value.denominator.bit_length() > 100
    return show(value) if long else str(value)


__all__ = ["EXPERIMENTS", "UsageError", "check", "prepare"]
