"""Options of the commands that train, and what they come to: facts and settings."""

from typing import TYPE_CHECKING, Any

import click

from georecall.verify.cli.options import MISSING, SEED, count, facts_option, read_facts, refusals, together

if TYPE_CHECKING:
    from georecall.constructions.training.recipe import Recipe
    from georecall.theory.facts.fact_table import FactTable

KIND = click.Choice(["learned", "sphere", "frozen"])
_PRESETS = click.Choice(["quick", "every-table", "four-relations"])

training_options = together(
    count("--subjects", "N of random bijections; default 512."),
    count("--relations", "R of random bijections; default 2."),
    facts_option(),
    MISSING,
    SEED,
    click.option("--preset", type=_PRESETS, help="Facts and settings that show the effect."),
    count("--dimension", "d of embeddings; default 20 R."),
    count("--width", "Neurons; default 4 d."),
    click.option("--attributes", type=KIND, help="Attribute vectors; default learned on a sphere."),
    click.option("--embeddings", type=KIND, help="Subjects' embeddings; default learned on a sphere."),
    click.option("--attention", type=click.Choice(["uniform", "trained"]), help="Default uniform."),
    click.option("--residual", is_flag=True, default=None, help="Add the MLP's output to x."),
    click.option("--noise", type=float, help="On embeddings, in units of their size; default 0.6."),
    click.option("--weight-decay", type=float, help="AdamW's; default 0.3."),
    count("--steps", "Of AdamW; default 2000."),
    count("--batch", "Subjects per step, 0 for all; default 256."),
    click.option("--checkpoint", metavar="FILE", help="State of the training; made, or continued."),
)
"""Which facts, and how to train on them."""


def asked(
    seed: int,
    *,
    facts: str | None,
    missing: Any,
    subjects: int | None,
    relations: int | None,
    preset: str | None,
    **settings: Any,
) -> "tuple[FactTable, Recipe]":
    """The facts and the settings of one run at one seed."""
    from dataclasses import replace

    from georecall.constructions.training.recipe import recipe_for
    from georecall.theory.facts.fact_table import FactsError
    from georecall.verify.claims.gradient_descent import DEFAULT_TABLE
    from georecall.verify.claims.options import facts_asked
    from georecall.verify.learned.run import PRESETS

    given = {name: value for name, value in settings.items() if value is not None}
    if "embeddings" in given:
        given["subjects"] = given.pop("embeddings")
    if preset is not None:
        if facts is not None or missing is not None or subjects is not None or relations is not None or given:
            raise click.UsageError("give --preset, or facts and settings of your own, not both")
        return PRESETS[preset].facts(seed), PRESETS[preset].recipe(seed)
    table = read_facts(facts, missing)
    if table is None:
        subjects = DEFAULT_TABLE[0] if subjects is None else subjects
        relations = DEFAULT_TABLE[1] if relations is None else relations
    found, _ = facts_asked(table, subjects, relations, None, seed)
    if found.n_attributes < 2 or found.n_subjects < 2:
        raise FactsError("training takes at least two subjects and two attributes")
    if given.get("dimension", 1) >= 1 and "width" not in given:
        given["width"] = 4 * given.get("dimension", recipe_for(found).dimension)
    with refusals():
        return found, replace(recipe_for(found, seed), **given)
