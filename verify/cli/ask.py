"""`georecall ask`: a question in words, answered through the weights."""

from typing import TYPE_CHECKING, Any

import click

from georecall.theory.tools.names import inert
from georecall.verify.cli.complete import Word
from georecall.verify.cli.options import JSON, MISSING, count, facts_option, input_errors, read_facts

if TYPE_CHECKING:
    from georecall.constructions.transformer.transformer import Transformer
    from georecall.theory.facts.fact_table import FactTable

SINGLE_PASS = (
    *("composed-hops", "sequential-hops", "hybrid-hops"),
    *("parallel-hops", "two-sided-hops", "single-hop-split"),
)


@click.command(name="ask")
@click.argument("words", nargs=-1, required=True, metavar="QUESTION")
@facts_option(required=True)
@MISSING
@click.option(
    "--through",
    type=Word(__name__, "SINGLE_PASS"),
    metavar="CLAIM",
    help=f"Ask a construction of a single pass, and show what each layer holds: {', '.join(SINGLE_PASS)}.",
)
@count("--stages", "With --through hybrid-hops or two-sided-hops.")
@count("--split", "With --through two-sided-hops: hops answered by the embeddings.")
@click.option("--merged", is_flag=True, default=None, help="With --through: fewer layers, where it can.")
@click.option("--attention", type=click.Choice(["hard", "soft"]), help="With --through.")
@JSON
def command(
    words: tuple[str, ...], facts: str, missing: Any, through: str | None, as_json: bool, **options: Any
) -> None:
    """Answer QUESTION, such as "capital of France" or "below of next of carbon", through weights.

    One hop, of any facts, by a layer of C1. Several by chain of thought (C3), where attributes are subjects:
    the model says one entity per hop and reads it back. With --through, by a construction that answers in a
    single pass: what each layer holds at the last position is shown.
    """
    question = " ".join(words)
    with input_errors():
        from georecall.constructions.held import layers
        from georecall.constructions.questions import answer, answer_in_a_pass, understand

        table = read_facts(facts, missing)
        assert table is not None
        if missing is not None:
            table = table.to_entities(missing=missing)
        subject, relations = understand(table, question)
        if not relations:
            raise click.UsageError(f"{question!r} names a subject but asks for no relation of it")
        if len(relations) > 1 or through is not None:
            entities = table.to_entities()
            subject = entities.subjects.index(table.subject_name(subject)) if entities.subjects else subject
            table = entities
        given = {name: value for name, value in options.items() if value is not None}
        if through is None:
            if given:
                raise click.UsageError(f"--{next(iter(given))} goes with --through")
            steps, held = answer(table, subject, relations), []
        else:
            model = _built(through, table, len(relations), given)
            steps = [answer_in_a_pass(table, subject, relations, model)]
            held = layers(model, table, subject, relations)
    stated = _stated(table, subject, relations)
    if as_json:
        from georecall.verify.cli.output import print_json

        said = [{"prompt": list(s.prompt), "said": s.said, "margin": s.margin} for s in steps]
        holds = {"layers": [layer.holds for layer in held]} if through is not None else {}
        print_json({"question": question, "answer": steps[-1].said, "stated": stated, "steps": said} | holds)
        return
    for layer in held:
        click.echo(f"layer {layer.number}  {inert(str(layer))}")
    for number, step in enumerate(steps, start=1):
        prompt = " | ".join(map(inert, step.prompt))
        click.echo(f"step {number}  {prompt}  ->  {inert(step.said)}  (margin {step.margin:g})")
    nobody = "" if stated else " (nobody stated it)"
    click.echo(f"{inert(table.question(subject, *relations))}: {inert(steps[-1].said)}{nobody}")


def _built(through: str, table: "FactTable", hops: int, options: dict[str, Any]) -> "Transformer":
    """The construction asked through, for so many hops."""
    from georecall.theory.claims import claim_name
    from georecall.verify.claims.instance import built
    from georecall.verify.claims.options import prepare

    through = claim_name(through)
    if through not in SINGLE_PASS:
        raise click.UsageError(f"--through {through} is none of {', '.join(SINGLE_PASS)}")
    if through != "single-hop-split" or hops > 1:
        options["hops"] = hops
    prepared = prepare(through, table, **options)
    return built(prepared.experiment.claim, prepared.instance)


def _stated(table: "FactTable", subject: int, relations: list[int]) -> bool:
    """Whether every hop asks for a fact that somebody stated."""
    for relation in relations:
        if table.filled is not None and table.filled[relation, subject]:
            return False
        subject = int(table.answers[relation, subject])
    return True
