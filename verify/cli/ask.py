"""`georecall ask`: a question in words, answered through the weights."""

from typing import Any

import click

from georecall.verify.cli.options import input_errors, read_facts
from georecall.verify.cli.streams import inert


@click.command(name="ask")
@click.argument("words", nargs=-1, required=True, metavar="QUESTION")
@click.option("--facts", required=True, metavar="FILE.csv|NAME", help="Facts about entities.")
@click.option("--missing", type=click.Choice(["unknown"]), help="Read a missing cell as 'unknown'.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(words: tuple[str, ...], facts: str, missing: Any, as_json: bool) -> None:
    """Answer QUESTION, such as "below of next of carbon", by chain of thought (C3).

    The facts become the weights of one layer; the model says one entity per hop and reads it back.
    """
    question = " ".join(words)
    with input_errors():
        from georecall.constructions.questions import answer, understand

        table = read_facts(facts, missing)
        assert table is not None
        entities = table.to_entities(missing=missing)
        subject, relations = understand(entities, question)
        if not relations:
            raise click.UsageError(f"{question!r} names a subject but asks for no relation of it")
        steps = answer(entities, subject, relations)
    if as_json:
        from georecall.verify.cli.output import print_json

        said = [{"prompt": list(s.prompt), "said": s.said, "margin": s.margin} for s in steps]
        print_json({"question": question, "answer": steps[-1].said, "steps": said})
        return
    for number, step in enumerate(steps, start=1):
        said = inert(f"{' | '.join(step.prompt)}  ->  {step.said}")
        click.echo(f"step {number}  {said}  (margin {step.margin:g})")
    click.echo(inert(f"{entities.question(subject, *relations)}: {steps[-1].said}"))
