"""Check a claim: hypotheses, weights, margins, predictions, controls; then a verdict."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from constructions.transformer import Transformer
from theory.claim import Claim
from theory.claims import CLAIMS
from theory.facts import FactTable
from theory.hops import letters
from verify.asked import EXPERIMENTS, UsageError, check_options, facts_asked, prepare, require_memory
from verify.floors import FLOORS
from verify.induction import PremiseError, induction
from verify.instance import Experiment, Instance
from verify.margin import Margins, Progress, margins
from verify.multi_hop import all_margins
from verify.promise import kept
from verify.storage import subject_bits
from verify.verdict import HypothesisResult, Mismatch, Verdict


def check(
    claim: str | Claim,
    facts: FactTable | None = None,
    *,
    subjects: int | None = None,
    relations: int | None = None,
    table: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
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
    name = claim if isinstance(claim, str) else claim.name
    if name in FLOORS:
        return _check_floor(name, facts, subjects, relations, table, seed, options, progress)
    start = time.perf_counter()
    prepared = prepare(
        claim, facts, subjects=subjects, relations=relations, table=table, seed=seed, **options
    )
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
        parameters=prepared.parameters,
        seed=seed,
    )
    unmet = [hypothesis.name for hypothesis in hypotheses if not hypothesis.holds]
    if unmet:
        at = {h.name: f": {h.at(instance.values)}" for h in experiment.claim.hypotheses}
        reason = "; ".join(f"not {name}{at.get(name, '')}" for name in unmet)
        return replace(verdict, reason=reason, seconds=time.perf_counter() - start)
    verdict = _measured(verdict, experiment.claim, instance, facts, progress)
    verdict = replace(verdict, seconds=time.perf_counter() - start)
    return _controlled(verdict, experiment)


def check_recall(
    model: Transformer,
    facts: FactTable,
    *,
    asked: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> Verdict:
    """A recall verdict on anyone's weights: is every margin positive?

    Args:
        model: see `verify.margin.margins`.
        facts: what it should recall.
        asked: sample queries (relations and tokens) that show how its prompts are made; default `[s, r]`.
            Several relations after the subject are hops of one pass, before it a chain of thought; typed
            hops if in every sample the t-th relation is one of the t-th share of the table's.
        progress: see `check`.

    Raises:
        ValueError: the model does not fit the facts.
    """
    start = time.perf_counter()
    hops = max((len(query["relations"]) for query in asked), default=1)
    thinks = any(query["tokens"][0] >= facts.n_subjects for query in asked)
    n_queries = facts.n_facts
    try:
        if thinks:
            found = induction(model, facts, max_hops=model.n_ctx // 2, progress=progress)
            n_queries = facts.n_subjects * facts.n_relations ** (model.n_ctx // 2)
        elif hops > 1:
            alphabet = letters(facts, hops, typed=_typed(asked, facts.n_relations, hops))
            found = all_margins(model, facts, alphabet, progress=progress)
            n_queries = facts.n_subjects * alphabet.shape[1] ** hops
        else:
            found = margins(model, facts, progress=progress)
    except PremiseError as error:
        return Verdict(claim="recall", status="inconclusive", reason=str(error))
    verdict = Verdict(
        claim="recall",
        status="inconclusive",
        n_facts=facts.n_facts,
        n_queries=n_queries,
        measured=_quantities(model, found, facts),
        parameters={
            "subjects": facts.n_subjects,
            "relations": facts.n_relations,
            "attributes": facts.n_attributes,
        },
    )
    verdict = _covered(_judged(verdict, found), found)
    return replace(verdict, seconds=time.perf_counter() - start)


def _typed(asked: Sequence[Mapping[str, Any]], n_relations: int, hops: int) -> bool:
    """Whether hop t asks only for the t-th of equal shares of the relations, as typed facts have them."""
    share, rest = divmod(n_relations, hops)
    return not rest and all(r // share == t for query in asked for t, r in enumerate(query["relations"]))


def _check_floor(
    name: str,
    facts: FactTable | None,
    subjects: int | None,
    relations: int | None,
    table: str | None,
    seed: int,
    options: dict[str, Any],
    progress: Progress | None,
) -> Verdict:
    """The verdict on a floor: what the constructions use at one table, against what anything must."""
    options = {option: v for option, v in options.items() if v is not None}
    check_options(CLAIMS[name], options)
    if facts is None:
        like = "composed-hops" if "hops" in CLAIMS[name].parameters else "single-hop"
        default_subjects, default_relations = EXPERIMENTS[like].default_table
        subjects = default_subjects if subjects is None else subjects
        relations = default_relations if relations is None else relations
    start = time.perf_counter()
    facts, drawn = facts_asked(facts, subjects, relations, table, seed)
    try:
        verdict = FLOORS[name](facts, progress, **options)
    except ImportError as error:
        raise UsageError(str(error)) from error
    return replace(
        verdict,
        n_facts=facts.n_facts,
        n_queries=facts.n_facts,
        parameters=drawn | options,
        seed=seed,
        seconds=time.perf_counter() - start,
    )


def _measured(
    verdict: Verdict, claim: Claim, instance: Instance, facts: FactTable, progress: Progress | None
) -> Verdict:
    """Builds and measures; the verdict on the claim before its controls."""
    predicted = claim.predict(instance.values)
    rows = facts.n_subjects + facts.n_relations + 2 * facts.n_attributes  # W_E, and W_U with its codebook
    require_memory(8 * rows * int(str(predicted["d_model"])), f"weights of d_model {predicted['d_model']}")
    model = instance.build()
    try:
        found = instance.margins(model, progress)
    except PremiseError as error:
        reason = (
            f"{instance.n_queries} queries are too many to enumerate, and no certificate applies: {error}"
        )
        return replace(verdict, status="inconclusive", predicted=predicted, reason=reason)
    measured = _quantities(model, found, facts)
    verdict = replace(verdict, predicted=predicted, measured=measured)
    if instance.draws is None:
        verdict = _judged(verdict, found)
    else:
        verdict = kept(verdict, found, instance.draws, progress)
        measured = verdict.measured
    if verdict.status != "holds":
        return verdict
    for name, value in predicted.items():
        if name in instance.promises:
            agrees = measured[name] >= Fraction(str(value))
        elif name == "min_margin":
            agrees = found.minimum[0] <= Fraction(str(value)) <= found.minimum[1]
        else:
            agrees = measured[name] == value
        if not agrees:
            predicted_as = "promised at least" if name in instance.promises else "predicted"
            reason = f"{name} is {measured[name]}, {predicted_as} {value}"
            return replace(
                verdict, status="refuted", reason=reason, witness=Mismatch(name, value, measured[name])
            )
    return _covered(verdict, found)


def _covered(verdict: Verdict, found: Margins) -> Verdict:
    """What holds of the queries asked is inconclusive where they, and no certificate, stand for all."""
    if verdict.status != "holds" or found.method in ("induction", "transitions"):
        return verdict
    if found.n_facts >= (verdict.n_queries or 0):
        return verdict
    reason = (
        f"only {found.n_facts} of {verdict.n_queries} queries verified, all strings of "
        f"{found.lower.shape[-1]} of the subjects, drawn at random; all of those are recalled"
    )
    return replace(verdict, status="inconclusive", reason=reason)


def _quantities(model: Transformer, found: Margins, facts: FactTable) -> dict[str, Any]:
    return {
        "d_model": model.d_model,
        "d_mlp": model.d_mlp,
        "d_mlp_per_layer": model.d_mlp_per_layer,
        "n_layers": model.n_layers,
        "min_margin": found.minimum[0],
        "subject_bits": subject_bits(model, facts.n_subjects),
        "other_bits": model.storage.other_bits if model.storage else None,
    }


def _judged(verdict: Verdict, found: Margins) -> Verdict:
    """The recall verdict: refuted by a fact that is certainly wrong, inconclusive if one is undecided."""
    verdict = replace(verdict, min_margin=found.minimum[0], exact=found.exact, method=found.method)
    if found.n_wrong:
        asked = "facts" if found.lower.ndim == 2 else "queries"
        reason = f"{found.n_wrong} of {found.n_facts} {asked} wrong"
        return replace(verdict, status="refuted", reason=reason, witness=found.worst)
    undecided = found.n_facts - found.n_recalled
    if undecided:
        return replace(
            verdict, status="inconclusive", reason=f"the sign of {undecided} margins is not decided"
        )
    return replace(verdict, status="holds")


def _controlled(verdict: Verdict, experiment: Experiment) -> Verdict:
    """Runs the controls; one that comes out otherwise than the theory says takes the verdict back."""
    verdict = replace(verdict, controls=tuple(experiment.controls()), controls_at=experiment.controls_at())
    failed = [control.name for control in verdict.controls if not control.ok]
    if failed and verdict.status != "refuted":  # a witness does not rest on the controls
        return replace(
            verdict, status="inconclusive", reason=f"control not as predicted: {', '.join(failed)}"
        )
    return verdict


__all__ = ["EXPERIMENTS", "UsageError", "check", "check_recall", "prepare"]
