"""`georecall check`: build, measure and judge."""

from typing import Any

import click

from georecall.verify.cli.complete import ClaimName
from georecall.verify.cli.options import (
    JSON,
    SCHEDULER,
    claim_options,
    count,
    facts_options,
    flag,
    input_errors,
    read_answers,
    read_facts,
    refusals,
)

_GOES_WITH = {
    **dict.fromkeys(("implicit", "checkpoint", "workers", "scheduler"), ("a claim",)),
    **dict.fromkeys(("batch_size", "chain_of_thought"), ("--construction",)),
    "answers": ("--model", "--construction"),
    "engine": ("a claim", "--model"),
}


@click.command(name="check")
@click.argument("claim", required=False, type=ClaimName())
@facts_options
@claim_options
@click.option(
    "--model",
    metavar="M.safetensors",
    help="Judge the recall of these weights, not a claim, at every number of hops that their samples show.",
)
@click.option("--answers", metavar="A.npy", help="With --model or --construction: in numbers, shape (R, N).")
@click.option(
    "--engine",
    type=click.Choice(["numpy", "onnxruntime", "jax"]),
    help="Ask the exported graph in onnxruntime, or the forward pass in JAX (on its GPU if it has one), the "
    "same besides; default numpy alone.",
)
@click.option(
    "--implicit",
    is_flag=True,
    default=None,
    help="Keyed bijections, computed on demand, instead of a random table: more facts than memory holds.",
)
@click.option("--checkpoint", metavar="FILE", help="Keep what is counted here, and go on from there.")
@count("--workers", "Processes that share facts, draws or runs; default this one.")
@SCHEDULER
@click.option(
    "--construction",
    metavar="MODULE:FUNCTION",
    help="Judge the recall of this construction of yours: a function from facts to weights, to a torch "
    "module or to a function from tokens to logits; or a model of given facts.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="With --construction: how many prompts a function or a torch module is asked at a time.",
)
@click.option(
    "--chain-of-thought",
    is_flag=True,
    default=None,
    help="With --construction: ask step by step, as the claim does, in chains of up to --hops (default 2).",
)
@JSON
def command(
    claim: str | None,
    facts: str | None,
    missing: Any,
    model: str | None,
    construction: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Check a CLAIM at the given parameters, or the recall of anyone's weights or construction.

    \b
    georecall check single-hop --subjects 1000 --relations 8
    georecall check single-hop-quantized --bits 4 --facts elements
    georecall check single-hop --subjects 2^26 --relations 16 --implicit --checkpoint run.json
    georecall check single-hop --subjects 2^30 --relations 16 --implicit --scheduler tcp://10.0.0.1:8786
    georecall check --model model.safetensors --answers model.answers.npy
    georecall check --construction mypackage.mymodule:build
    georecall check --construction mymodule:build --chain-of-thought --hops 3
    georecall check --construction mymodule:trained_model --answers answers.npy

    Exit status: 0 holds, 1 refuted, 2 bad input, 3 inconclusive or hypotheses not met.
    """  # noqa: D301 (click wants the backspace)
    from georecall.verify.cli.output import exit_status, print_json, print_verdict, progress_bar

    given = {name: value for name, value in options.items() if value is not None}
    asked = {"a claim": claim, "--model": model, "--construction": construction}
    if len(whose := [name for name, value in asked.items() if value is not None]) != 1:
        several = " and ".join(whose) or "none"
        raise click.UsageError(
            "whose recall? give one of a claim (`georecall claims` lists them), --model and --construction; "
            f"not {several}"
        )
    for name in given:
        if whose[0] not in (takes := _GOES_WITH.get(name, whose)):
            raise click.UsageError(f"{flag(name)} goes with {' or '.join(takes)}, not with {whose[0]}")
    with input_errors(), progress_bar("verifying") as progress:
        table = read_facts(facts, missing, claim if missing is not None else None)
        if construction is not None:
            verdict = _check_construction(construction, table, facts, missing, given, progress)
        elif model is not None:
            verdict = _check_model(model, table, facts, missing, given, progress)
        else:
            verdict = _check_claim(str(claim), table, facts, given, progress)
    if missing is not None:
        verdict.parameters.setdefault("filled_cells", 0)
    if as_json:
        print_json(verdict.to_json())
    else:
        print_verdict(verdict)
    return exit_status(verdict)


def _check_claim(claim: str, table: Any, named: str | None, given: dict[str, Any], progress: Any) -> Any:
    from georecall.verify.claims.check import check
    from georecall.verify.claims.options import claim_asked
    from georecall.verify.cli.forecast import of_check, tell
    from georecall.verify.executors import working

    workers, scheduler = given.pop("workers", None), given.pop("scheduler", None)
    if scheduler is None:
        tell(of_check(claim_asked(claim), table, given), workers or 1)
    with working(workers, scheduler) as executor:
        verdict = check(claim, table, executor=executor, progress=progress, **given)
    if named is not None:
        verdict.parameters["table"] = named
    return verdict


def _check_model(
    path: str, facts: Any, named: str | None, missing: Any, given: dict[str, Any], progress: Any
) -> Any:
    from georecall.constructions.files.loading import load_weights
    from georecall.verify.recall.weights import check_recall
    from georecall.verify.usage import UsageError

    answers, engine = given.pop("answers", None), given.pop("engine", "numpy")
    if names := ", ".join(flag(name) for name in given if name != "seed"):
        raise click.UsageError(
            f"--model has no option {names}; it takes --answers or --facts, and its samples say what is asked"
        )
    if (answers is None) == (facts is None):
        raise UsageError("--model needs its facts: either --answers A.npy or --facts")
    with refusals():
        file = load_weights(path)
        asked = file.queries
        if answers is not None:
            facts = read_answers(answers, file.model.d_vocab_out)
        elif any(len(query["relations"]) > 1 or query["tokens"][0] >= facts.n_subjects for query in asked):
            facts = facts.to_entities(missing=missing)
        verdict = check_recall(
            file.model,
            facts,
            asked=asked,
            typed=file.typed,
            made_for=(file.answers_sha256, file.facts_sha256 if facts.subjects else None),
            assumed=file.assumed,
            engine=engine,
            progress=progress,
        )
    verdict.parameters.update({"model": path, "answers": answers} | ({"table": named} if named else {}))
    return verdict


def _check_construction(
    spec: str, table: Any, named: str | None, missing: Any, given: dict[str, Any], progress: Any
) -> Any:
    """The verdict on `module:function`: on given or random facts if asked for, else on the whole battery."""
    import sys
    from contextlib import redirect_stdout
    from dataclasses import replace

    from georecall.theory.facts.fact_table import FactsError
    from georecall.verify.claims.options import facts_asked
    from georecall.verify.recall.assert_recalls import check_construction
    from georecall.verify.recall.construction import load_construction
    from georecall.verify.recall.user_code import ConstructionError
    from georecall.verify.usage import UsageError

    seed, hops, batch_size = given.pop("seed"), given.pop("hops", None), given.pop("batch_size", None)
    thinks, answers = given.pop("chain_of_thought", False), given.pop("answers", None)
    if answers is not None:
        if table is not None:
            raise FactsError("give --facts, or --answers in numbers, not both")
        with refusals():
            table, named = read_answers(answers), answers
    subjects, relations, kind = (given.pop(name, None) for name in ("subjects", "relations", "table"))
    if given:
        option = flag(next(iter(given)))
        raise click.UsageError(
            f"--construction has no option {option}; it takes --hops and facts, or subjects and relations"
        )
    if hops is not None and hops < 1:
        raise UsageError(f"--hops must be at least 1, got {hops}")
    drawn: dict[str, Any] = {}
    if table is not None or (subjects, relations, kind) != (None, None, None):
        if table is None:
            subjects = 100 if subjects is None else subjects
            relations = 4 if relations is None else relations
        table, drawn = facts_asked(table, subjects, relations, kind, seed)
        if thinks or (hops or 1) > 1:
            table = table.to_entities(missing=missing)
    how = {"hops": hops, "chain_of_thought": thinks, "batch_size": batch_size, "progress": progress}
    try:
        with redirect_stdout(sys.stderr):  # what a construction prints is not the verdict
            verdict = check_construction(load_construction(spec), table, **how)
    except ConstructionError as error:
        raise UsageError(f"--construction {spec}: {error}") from error
    parameters = {"construction": spec} | drawn | verdict.parameters
    if named is not None:
        parameters["table"] = named
    return replace(verdict, parameters=parameters, seed=seed if drawn and table is not None else None)
