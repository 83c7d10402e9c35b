"""Grids of training runs (C9), around one base.

The base is the recipe but for weight decay 0.6, learning rate 0.005, batches of 128 subjects and 1500 steps;
twenty dimensions a relation and four neurons a dimension where nothing else is said.
"""

from collections.abc import Iterable
from itertools import product
from typing import Any

from georecall.constructions.training.recipe import Recipe
from georecall.verify.sweep.cell import Cell

BASE: dict[str, Any] = {
    "tables": 1,
    "attributes": "sphere",
    "subjects": "sphere",
    "attention": "uniform",
    "residual": 0,
    "initial": 0.01,
    "noise": 0.6,
    "weight_decay": 0.6,
    "learning_rate": 0.005,
    "batch": 128,
    "steps": 1500,
}
LONG: dict[str, Any] = {"weight_decay": 0.3, "learning_rate": 0.01, "batch": 256, "steps": 2000}


def runs(
    sizes: Iterable[int],
    relations: Iterable[int],
    per_relation: Iterable[int],
    *,
    kind: str = "learned",
    seeds: int = 3,
    seed: int = 0,
    width_per_dimension: int = 4,
    **settings: Any,
) -> list[Cell]:
    """Cells on a grid of |A|, R and d / R, so many seeds from the first on; settings in place of `BASE`'s."""
    return [
        Cell.of(
            kind,
            **BASE | settings,
            n_attributes=N,
            n_relations=R,
            dimension=R * per,
            width=width_per_dimension * R * per,
            seed=seed + i,
        )
        for R, N, per, i in product(relations, sizes, per_relation, range(seeds))
    ]


VARIANTS: dict[str, tuple[Any, ...]] = {  # one at a time, around the base
    "attributes": ("learned", "frozen"),
    "subjects": ("learned", "frozen"),
    "noise": (0.0, 0.3, 1.2),
    "weight_decay": (0.0, 0.1),
    "initial": (1.0,),
    "width_per_dimension": (1, 2),
    "residual": (1,),
    "attention": ("trained",),
    "mlp": ("frozen",),
}


def variants(size: int, R: int, per: int, *, seeds: int = 3, seed: int = 0) -> list[Cell]:
    """The base at one point, and everything that differs from it in one setting."""
    changes = ({name: value} for name, values in VARIANTS.items() for value in values)
    return [
        cell
        for change in ({}, *changes)
        for cell in runs([size], [R], [per], seeds=seeds, seed=seed, **change)
    ]


# What a library's user would take: AdamW's own rate and decay, a language model's layer.
PLAIN: dict[str, Any] = {
    "attributes": "learned",
    "subjects": "learned",
    "initial": 1.0,
    "noise": 0.0,
    "weight_decay": 0.01,
    "learning_rate": 0.001,
    "attention": "trained",
    "residual": 1,
    "norm": True,
    "activation": "gelu",
}
RECIPE: dict[str, Any] = {name: getattr(Recipe(dimension=1, width=1), name) for name in PLAIN}
STEPS: dict[str, tuple[str, ...]] = {  # from plain to the recipe, each a thing that one would change at once
    "small first embeddings": ("initial",),
    "noise": ("noise",),
    "weight decay": ("weight_decay",),
    "learning rate": ("learning_rate",),
    "vectors on a sphere": ("attributes", "subjects"),
    "the sum alone": ("attention", "residual", "norm"),
    "ReLU": ("activation",),
}


def ablated() -> dict[str, dict[str, Any]]:
    """Plain defaults, and each with one step taken; the recipe, and each with one step taken back."""
    found: dict[str, dict[str, Any]] = {}
    for name, sign, whole, other in (("plain defaults", "+", PLAIN, RECIPE), ("recipe", "-", RECIPE, PLAIN)):
        found[name] = whole
        for step, changed in STEPS.items():
            found[f"{sign} {step}"] = whole | {field: other[field] for field in changed}
    return {name: settings | {"residual": int(settings["residual"])} for name, settings in found.items()}


def ablation(seed: int = 0, *, seeds: int = 3) -> list[Cell]:
    """N = 256, R = 2, d = 40: every row of `ablated`, 3000 steps on all subjects at once."""
    return [
        cell
        for settings in ablated().values()
        for cell in runs([256], [2], [20], seeds=seeds, seed=seed, batch=0, steps=3000, **settings)
    ]


def without_mlp(seed: int = 0, *, seeds: int = 3) -> list[Cell]:
    """N = 256, R = 2, d = 40: the sum, a softmax head, one with norms; attributes shared and disjoint."""
    trained: dict[str, Any] = {"attention": "trained"}
    settings: dict[str, Any] = {"mlp": "none", "subjects": "learned", "attributes": "learned", "initial": 1.0}
    settings |= {"noise": 0.0, "weight_decay": 0.01, "learning_rate": 0.003, "batch": 0, "steps": 3000}
    return [
        cell
        for selector in ({}, trained, trained | {"residual": 1, "norm": True})
        for disjoint in (0, 1)
        for cell in runs([256], [2], [20], seeds=seeds, seed=seed, disjoint=disjoint, **settings | selector)
    ]


def worst(seed: int = 0, *, seeds: int = 3) -> list[Cell]:
    """|A| = 128, R = 2, d = 40: the recipe, and what might make transfer good for every table."""
    changes: tuple[dict[str, Any], ...] = (
        *({"tables": tables} for tables in (1, 2, 4, 8)),
        *({"noise": noise} for noise in (0.3, 1.0)),
        *({"width_per_dimension": width} for width in (2, 8)),
        {"tables": 8, "width_per_dimension": 8},
        {"tables": 8, "noise": 1.0},
    )
    return [
        cell
        for change in changes
        for cell in runs([128], [2], [20], seeds=seeds, seed=seed, everywhere=1, **LONG | change)
    ]


def proofs(seed: int = 0, *, seeds: int = 1) -> list[Cell]:
    """|A| = 64, R = 2, d = 40: the recipe on more tables, for longer, and with other noise or width."""
    changes: tuple[dict[str, Any], ...] = (
        *({"tables": tables} for tables in (1, 8, 32, 128)),
        {"tables": 128, "steps": 6000},
        *({"tables": 8, "noise": noise} for noise in (0.0, 1.2)),
        {"tables": 8, "width_per_dimension": 16},
    )
    return [
        cell
        for change in changes
        for cell in runs([64], [2], [20], kind="proof-size", seeds=seeds, seed=seed, **LONG | change)
    ]


def shared(counts: Iterable[int], *, seeds: int = 3, seed: int = 0) -> list[Cell]:
    """Four relations, 256 attributes: more and more tables that share them, embeddings of free length."""
    settings = LONG | {"subjects": "learned"}
    return [
        cell
        for tables in counts
        for cell in runs([256], [4], [16], seeds=seeds, seed=seed, tables=tables, **settings)
    ]
