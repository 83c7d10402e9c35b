"""`georecall facts`: what was read of a file, and the number of every name."""

from typing import TYPE_CHECKING, Any

import click

from georecall.verify.cli.options import DATA_SET, JSON, MISSING, input_errors, read_facts

if TYPE_CHECKING:
    from georecall.theory.facts.fact_table import FactTable


@click.command(name="facts")
@click.argument("facts", type=DATA_SET, metavar="FILE|NAME")
@MISSING
@click.option("--entities", is_flag=True, help="Identify attributes with subjects, as several hops do.")
@click.option("--answers", metavar="A.npy", help="Also write the answers in numbers, int64, shape (R, N).")
@JSON
def command(facts: str, missing: Any, entities: bool, answers: str | None, as_json: bool) -> None:
    """Show the facts of a file or shipped data set: sizes, properties, and the number of each attribute.

    \b
    georecall facts elements
    georecall facts mine.csv --answers mine.npy
    """  # noqa: D301 (click wants the backspace)
    with input_errors():
        table = read_facts(facts, missing)
        assert table is not None
        if entities:
            table = table.to_entities(missing=missing)
    if answers is not None:
        import numpy as np

        from georecall.theory.tools.files import replacing

        with replacing(answers) as path, path.open("wb") as file:
            np.save(file, table.answers.astype("<i8"))
    if as_json:
        from georecall.verify.cli.output import print_json

        print_json(_described(table) | {"answers": answers})
        return
    from georecall.verify.cli.terminal import console, escape
    from georecall.verify.cli.terminal import table as columns

    to = console()
    described = _described(table)
    for name, value in described.items():
        if not isinstance(value, list):
            to.print(f"{name} {value}", markup=False)
    shown = columns("number", "attribute", "answers first")
    for a, (name, first) in enumerate(zip(described["attribute_names"], _first(table), strict=True)):
        shown.add_row(str(a), escape(name), escape(first))
    to.print(shown)


def _described(table: "FactTable") -> dict[str, Any]:
    """Sizes, properties and names."""
    return {
        "subjects": table.n_subjects,
        "relations": table.n_relations,
        "attributes": table.n_attributes,
        "filled_cells": table.n_filled,
        "bijective": table.bijective,
        "disjoint_attributes": table.disjoint_attributes,
        "of_entities": table.of_entities,
        "facts_sha256": table.digest,
        "subject_names": [table.subject_name(s) for s in range(table.n_subjects)],
        "relation_names": [table.relation_name(r) for r in range(table.n_relations)],
        "attribute_names": [table.attribute_name(a) for a in range(table.n_attributes)],
    }


def _first(table: "FactTable") -> list[str]:
    """The first question that each attribute answers, relation by relation."""
    import numpy as np

    first = np.full(table.n_attributes, table.n_facts)
    np.minimum.at(first, table.answers.ravel(), np.arange(table.n_facts))
    return [
        table.question(int(i % table.n_subjects), int(i // table.n_subjects)) if i < table.n_facts else ""
        for i in first
    ]
