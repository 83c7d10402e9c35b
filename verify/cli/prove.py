"""`georecall prove`: what a proof kernel has checked, compiled again here and now."""

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import click

from georecall.theory.tools.names import no_such
from georecall.verify.cli.complete import ClaimName
from georecall.verify.cli.options import (
    answering,
    claim_options,
    facts_options,
    input_errors,
    number,
    read_answers,
    read_facts,
    refusals,
)


def _show(report: dict[str, Any]) -> None:
    if "theorems" in report:
        _show_theorems(report)
    elif report["accepted"]:
        chains = f"every chain of at most {report['chains']} hops, " if report["chains"] else ""
        click.echo(
            f"certified by Coq: {report['n_facts']} facts, {chains}every margin >= {report['margin']}"
            f", by {report['by']}, {report['assumptions']} ({report['seconds']} s)"
        )
    elif report["witness"] is None:
        click.echo(f"refused by Coq: {report['reason']}")
    else:
        click.echo(f"refused by Coq: not every margin is >= {report['margin']}; {report['witness']}")


def _show_theorems(report: dict[str, Any]) -> None:
    from georecall.verify.cli.terminal import console, escape

    to, in_full = console(), len(report["claims"]) == 1
    for answer in report["theorems"]:
        to.print(f"[bold]{answer['theorem']}[/bold]")
        if in_full:
            for line in answer["statement"].splitlines():
                to.print(f"  {escape(line)}", soft_wrap=True)
        to.print(f"  {escape(answer['assumptions'])}\n" if in_full else f"  {escape(answer['assumptions'])}")
    for name, found in report["claims"].items():
        to.print(f"[bold]{name}[/bold]: {found['checked']}", soft_wrap=True)
        for heading, steps in ("with a theorem", found["steps"]), ("without a theorem", found["missing"]):
            if steps and found["checked"] != "in full":
                to.print(f"  {heading}: {escape('; '.join(steps))}", soft_wrap=True)
    to.print(f"\n{len(report['theorems'])} theorems in {report['seconds']} s")


def _status(report: dict[str, Any]) -> int:
    if "theorems" in report:
        from georecall.verify.proofs.coq import CLOSED

        rests_on = {theorem["assumptions"] for theorem in report["theorems"]}
        return 3 if not rests_on else 0 if rests_on == {CLOSED} else 1
    return 0 if report["accepted"] else 1 if report["witness"] else 3


@click.command(name="prove")
@click.argument("claim", required=False, type=ClaimName())
@click.option("--model", metavar="FILE", help="Weights to certify, of safetensors or ONNX; with --answers.")
@click.option("--answers", metavar="FILE.npy", help="With --model: what it should answer, shape (R, N).")
@number("--at-least", "The margin to certify; default: what can be proved.")
@click.option(
    "--chain-of-thought",
    is_flag=True,
    help="With --model and --hops: it answers step by step. A file with sample queries says so itself.",
)
@click.option("--out", metavar="DIR", help="Keep the certificate, a Coq development of its own.")
@facts_options
@claim_options
@answering(_show, _status)
def command(
    claim: str | None,
    model: str | None,
    answers: str | None,
    at_least: Any,
    chain_of_thought: bool,
    out: str | None,
    facts: str | None,
    missing: Any,
    **options: Any,
) -> dict[str, Any]:
    """Compile the theorems behind CLAIM with Coq; or certify weights at hand, of CLAIM or --model.

    \b
    georecall prove single-hop-in-place
    georecall prove
    georecall prove single-hop --facts countries
    georecall prove chain-of-thought --facts elements-neighbours
    georecall prove --model model.safetensors --answers model.answers.npy --out certificate

    Without facts: what each theorem says, what it assumes, which claims are machine-checked. With facts, or
    --model: the kernel decides whether every margin of these weights is as large as claimed, of every prompt,
    or of every chain of thought (any number of layers, hard attention or scores of 0).

    Exit status 1 if a margin is too small or a theorem rests on an axiom, 3 if the claim has no theorem, or
    the kernel refuses weights in which the ordinary checker finds no fault.
    """  # noqa: D301 (click wants the backspace)
    given = {name: value for name, value in options.items() if value is not None}
    asks = facts is not None or out is not None or at_least is not None or given.keys() - {"seed"}
    if model is not None or answers is not None:
        alone = claim is None and facts is None and not given.keys() - {"seed", "hops"}
        if model is None or answers is None or not alone:
            raise click.UsageError(
                "--model goes with --answers and --hops, and with neither a claim nor its options"
            )
    elif claim is None or not asks:
        if asks:
            raise click.UsageError("whose weights? give a claim, or --model and --answers")
        return _theorems(claim)
    if chain_of_thought and (model is None or "hops" not in given):
        raise click.UsageError("--chain-of-thought goes with --model and --hops")
    from georecall.verify.cli.output import progress_bar

    with input_errors(), progress_bar("proving") as progress:
        if model is not None:
            weights = _read(model, str(answers), given.get("hops"), chain_of_thought)
        else:
            weights = _built(str(claim), facts, missing, given)
        return _certified(weights, at_least, out, progress)


def _theorems(claim: str | None) -> dict[str, Any]:
    from georecall.theory.claims import CLAIMS
    from georecall.verify.cli.output import progress_bar
    from georecall.verify.proofs import compiled, proved, standing

    if claim is not None and claim not in CLAIMS:
        raise click.UsageError(no_such("claim", claim, CLAIMS))
    names = list(CLAIMS) if claim is None else [claim]
    stand = {name: standing(CLAIMS[name]) for name in names}
    theorems = list(dict.fromkeys(theorem for found in stand.values() for theorem in found.theorems))
    began = time.perf_counter()
    files = [theorem.split(".")[0] for theorem in theorems]
    with input_errors(), progress_bar("proving") as progress, compiled(files, progress) as folder:
        answers = proved(theorems, folder)
    return {
        "claims": {name: vars(found) for name, found in stand.items()},
        "theorems": [vars(answer) for answer in answers],
        "seconds": round(time.perf_counter() - began, 2),
    }


class _Weights(NamedTuple):
    """Weights, what they should answer, and how they are asked."""

    model: Any
    facts: Any
    asked: list[dict[str, Any]]
    typed: bool


def _read(model: str, answers: str, hops: int | None, thinks: bool) -> _Weights:
    from georecall.constructions.files.loading import load_weights
    from georecall.verify.usage import UsageError

    with refusals():
        stored = load_weights(model)
        facts = read_answers(answers, stored.model.d_vocab_out)
    N, R = facts.n_subjects, facts.n_relations
    asked = stored.queries
    if hops is not None:
        shown = max((len(query["relations"]) for query in asked), default=hops)
        thinks = thinks or any(query["tokens"][0] >= N for query in asked)
        if hops > shown or (not thinks and hops != shown):
            raise UsageError(f"--hops {hops}: the samples in {model} show {shown}")
        tokens = [*[N] * hops, 0] if thinks else [0, *[N] * hops]
        asked = asked or [{"relations": [0] * hops, "tokens": tokens}]
    typed = stored.typed
    if typed is None:  # as `check --model` guesses it: if every sample asks relations of its share alone
        share, rest = divmod(R, max((len(query["relations"]) for query in asked), default=1))
        each = [(t, r) for query in asked for t, r in enumerate(query["relations"])]
        typed = not rest and 0 < share < R and all(r // share == t for t, r in each)
    return _Weights(stored.model, facts, asked, typed)


def _built(claim: str, facts: str | None, missing: Any, given: dict[str, Any]) -> _Weights:
    from georecall.verify.claims.instance import built
    from georecall.verify.claims.options import prepare

    prepared = prepare(claim, read_facts(facts, missing, claim), **given)
    model = built(prepared.experiment.claim, prepared.instance)
    typed = bool(prepared.parameters.get("typed", False))
    return _Weights(model, prepared.facts, prepared.instance.samples(), typed)


def _certified(weights: _Weights, at_least: Any, out: str | None, progress: Any) -> dict[str, Any]:
    """Writes certificates, lets Coq run them, and asks the ordinary checker where no codebook will do."""
    from georecall.verify.proofs.certificate import accepted, certificate, write_certificate
    from georecall.verify.recall.weights import check_recall
    from georecall.verify.usage import UsageError

    model, facts, asked, typed = weights
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise UsageError(f"cannot write to {out}: it is no folder")
    tried: list[Any] = []
    verdict: Any = None

    def attempts() -> Iterator[Any]:
        nonlocal verdict
        for by in ("codebook", "logits"):
            margin = at_least
            if by == "logits":
                verdict = check_recall(model, facts, asked=asked, typed=typed)
                if tried and verdict.status == "refuted":
                    return  # Coq has refused them, rightly
                if margin is None:  # where some margin is not positive, Coq says that it is not at least 1
                    margin = Fraction(verdict.min_margin or 1) if verdict.status == "holds" else Fraction(1)
            found = certificate(model, facts.answers, margin, asked=asked, typed=typed, by=by)
            if found is not None:
                tried.append(found)
                yield found

    began = time.perf_counter()
    taken = accepted(attempts(), progress)
    found = taken[0] if taken else tried[0]
    if out is not None:
        try:
            write_certificate(found, Path(out))
        except OSError as error:
            raise UsageError(f"cannot write to {out}: {error.strerror}") from error
    wrong = not taken and verdict is not None and verdict.witness is not None
    if not taken and verdict is not None and verdict.status == "holds":
        wrong = verdict.min_margin is not None and verdict.min_margin < found.margin
    return {
        "accepted": taken is not None,
        "margin": str(found.margin),
        "by": found.by,
        "chains": found.chains,
        "n_facts": facts.n_facts,
        "assumptions": taken and taken[1],
        "out": out,
        "seconds": round(time.perf_counter() - began, 2),
        "witness": str(verdict.witness or f"the least is {verdict.min_margin}, by the ordinary checker")
        if wrong
        else None,
        "reason": None if taken or wrong else _why(found, verdict),
    }


def _why(found: Any, verdict: Any) -> str:
    """Why Coq refuses what the ordinary checker does not refute."""
    if verdict.status != "holds":
        return f"the ordinary checker does not decide it either: {verdict.reason}"
    if found.chains:
        return "every single step is right, but the positions do not make chains of them"
    return "the ordinary checker finds every margin as large as that all the same"
