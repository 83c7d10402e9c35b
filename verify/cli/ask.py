"""`georecall ask`: a question in words, answered through the weights."""

from typing import TYPE_CHECKING, Any

import click

from georecall.theory.tools.names import inert
from georecall.verify.cli.complete import Word, data_sets
from georecall.verify.cli.options import input_errors, read_facts

if TYPE_CHECKING:
    from georecall.theory.facts.fact_table import FactTable


@click.command(name="ask")
@click.argument("words", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--facts",
    required=True,
    type=Word(data_sets, files=True),
    metavar="FILE|NAME",
    help="Facts from a file, or a shipped data set.",
)
@click.option("--missing", type=click.Choice(["unknown"]), help="Read a missing cell as 'unknown'.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(words: tuple[str, ...], facts: str, missing: Any, as_json: bool) -> None:
    """Answer QUESTION, such as "capital of France" or "below of next of carbon", through weights.

    One hop, of any facts, by a layer of C1. Several by chain of thought (C3), where attributes are subjects:
    the model says one entity per hop and reads it back.
    """
    question = " ".join(words)
    with input_errors():
        from georecall.constructions.questions import answer, understand

        table = read_facts(facts, missing)
        assert table is not None
        if missing is not None:
            table = table.to_entities(missing=missing)
        subject, relations = understand(table, question)
        if not relations:
            raise click.UsageError(f"{question!r} names a subject but asks for no relation of it")
        if len(relations) > 1:
            entities = table.to_entities()
            subject = entities.subjects.index(table.subject_name(subject)) if entities.subjects else subject
            table = entities
        steps = answer(table, subject, relations)
    stated = _stated(table, subject, relations)
    if as_json:
        from georecall.verify.cli.output import print_json

        said = [{"prompt": list(s.prompt), "said": s.said, "margin": s.margin} for s in steps]
        print_json({"question": question, "answer": steps[-1].said, "stated": stated, "steps": said})
        return
    for number, step in enumerate(steps, start=1):
        prompt = " | ".join(map(inert, step.prompt))
        click.echo(f"step {number}  {prompt}  ->  {inert(step.said)}  (margin {step.margin:g})")
    nobody = "" if stated else " (nobody stated it)"
    click.echo(f"{inert(table.question(subject, *relations))}: {inert(steps[-1].said)}{nobody}")


def _stated(table: "FactTable", subject: int, relations: list[int]) -> bool:
    """Whether every hop asks for a fact that somebody stated."""
    for relation in relations:
        if table.filled is not None and table.filled[relation, subject]:
            return False
        subject = int(table.answers[relation, subject])
    return True
