"""Cells of how many dimensions gradient descent needs to recall everything (C9 against C1, C2 and C4)."""

from typing import Any

from georecall.constructions.gradient_descent import trained
from georecall.constructions.training.recipe import Recipe
from georecall.theory.facts.fact_table import several_bijections
from georecall.verify.learned.vectors import right
from georecall.verify.sweep.cell import Cell, grid

LARGEST = 128  # a search that gets there without success gives up
NARROWNESS = 8  # it stops when the bracket is at most an eighth of its upper end wide, or 1

SETTINGS: dict[str, Any] = {
    "noise": 0.0,
    "weight_decay": 0.01,
    "learning_rate": 0.01,
    "attributes": "sphere",
    "batch": 256,
    "steps": 2000,
}


def learned_dimension_cell(
    n_attributes: int, n_relations: int, seed: int, width_per_dimension: int, **settings: Any
) -> dict[str, Any]:
    """The least dimension at which one run recalls every fact, by doubling and bisection.

    That recall does not fall as the dimension grows is assumed.

    The settings are the other fields of `Recipe`; subjects "frozen" are the control, an MLP over random
    embeddings.

    Returns:
        `needed`, the least dimension tried that recalls everything, 0 if none up to `LARGEST` does; `failed`,
        the largest tried below it that does not, 0 if none was; `tried`, how many were.
    """
    facts = several_bijections(n_attributes, n_relations, 1, seed=seed)
    batch = min(settings.pop("batch"), n_attributes)
    tried: dict[int, bool] = {}

    def recalls(d: int) -> bool:
        if d not in tried:
            recipe = Recipe(dimension=d, width=width_per_dimension * d, seed=seed, batch=batch, **settings)
            tried[d] = bool(right(trained(facts, recipe), facts).all())
        return tried[d]

    low, high = 2, 4
    while not recalls(high):
        low, high = high, 2 * high
        if high > LARGEST:
            return {"needed": 0, "failed": low, "tried": len(tried)}
    while high - low > max(1, high // NARROWNESS):
        middle = (low + high) // 2
        low, high = (low, middle) if recalls(middle) else (middle, high)
    return {"needed": high, "failed": low if low in tried else 0, "tried": len(tried)}


def searches(sizes: tuple[int, ...], R: int, *, seeds: int = 3, seed: int = 0) -> list[Cell]:
    """The cells behind the figure `dimensions`."""
    at: dict[str, Any] = {"n_attributes": sizes, "n_relations": R, "width_per_dimension": 4}
    at |= {"subjects": ("sphere", "frozen"), "seed": range(seed, seed + seeds)}
    return grid("learned-dimension", **SETTINGS, **at)
