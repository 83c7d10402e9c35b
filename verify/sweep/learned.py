"""Cells of what gradient descent finds (C9): one training run, its structure and its transfer.

The grids around one base, the recipe but for weight decay 0.6, learning rate 0.005, batches of 128 subjects
and 1500 steps; twenty dimensions a relation and four neurons a dimension where nothing else is said.
"""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.special import logsumexp

from georecall.constructions.gradient_descent import trained
from georecall.constructions.training.recipe import Recipe
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, several_bijections
from georecall.verify.learned.all_tables import over_all_tables
from georecall.verify.learned.proof_size import proof_sizes
from georecall.verify.learned.selection import alignment, gating, swaps
from georecall.verify.learned.superposition import probes, superposition_r2
from georecall.verify.learned.transfer import transfer
from georecall.verify.learned.vectors import Parts, prompts, right

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
_DIGITS = 4  # of what is not a share of counts: the rest differs between machines


def learned_cell(
    n_attributes: int,
    n_relations: int,
    dimension: int,
    width: int,
    seed: int,
    tables: int,
    residual: int,
    disjoint: int = 0,
    everywhere: int = 0,
    **settings: Any,
) -> dict[str, Any]:
    """One training run on random bijections and what it leads to.

    Args:
        n_attributes: |A|.
        n_relations: R.
        dimension: d.
        width: of the hidden layer.
        seed: of table and training.
        tables: bijections per relation, each onto all attributes from |A| subjects of its own: N is
            tables |A|.
        residual: 0 or 1.
        disjoint: 1: every relation has attributes of its own, R |A| in all.
        everywhere: 1: transfer over all tables too.
        settings: the other fields of `Recipe`.

    Returns:
        What `structure` names; without an MLP, where neurons say nothing, the `cross_entropy` in nats a fact.
    """
    facts, model = trained_once(
        n_attributes, n_relations, dimension, width, seed, tables, residual, disjoint, **settings
    )
    parts = Parts.of(model, facts.n_subjects)
    moved = {
        f"transfer_{name}" if name != "transfer" else name: value
        for name, value in transfer(parts, facts, "superposition", seed=seed).items()
    }
    aligned = alignment(parts, facts)
    del aligned["singular_values"]
    found = {
        **superposition_r2(parts, facts, seed=seed),
        **probes(parts, facts, seed=seed),
        **swaps(parts, facts, seed=seed),
        **(gating(parts, facts, seed=seed) if parts.has_mlp else cross_entropy(parts, facts)),
        **aligned,
        **moved,
    }
    if everywhere:
        all_ = over_all_tables(parts, facts, seed=seed)
        found |= {"expected_transfer": float(all_.expected[0]), "worst_transfer": float(all_.worst[1])}
    return {"recall": float(right(parts.model, facts).mean())} | {
        name: round(value, _DIGITS) for name, value in found.items()
    }


def trained_once(
    n_attributes: int,
    n_relations: int,
    dimension: int,
    width: int,
    seed: int,
    tables: int,
    residual: int,
    disjoint: int = 0,
    **settings: Any,
) -> tuple[FactTable, Transformer]:
    """The facts of a cell and what training makes of them; arguments as `learned_cell`."""
    facts = several_bijections(n_attributes, n_relations, tables, seed=seed)
    if disjoint:
        apart = facts.answers + n_attributes * np.arange(n_relations)[:, None]
        facts = FactTable(apart, n_attributes=n_relations * n_attributes)
    batch = min(settings.pop("batch"), facts.n_subjects)
    recipe = Recipe(
        dimension=dimension, width=width, seed=seed, residual=bool(residual), batch=batch, **settings
    )
    return facts, trained(facts, recipe)


def proof_size_cell(**parameters: Any) -> dict[str, Any]:
    """One training run and what proofs of different sizes certify of it; parameters as of `learned_cell`.

    Returns:
        By name a list with an entry a proof, as JSON: the fields of `learned.proof_size.Proof`, of which the
        time is `proof_seconds`.
    """
    facts, model = trained_once(**parameters)
    proofs = proof_sizes(model, facts)
    names = ("about", "method", "groups", "certified", "asked", "operations", "room")
    found = {name: json.dumps([getattr(proof, name) for proof in proofs]) for name in names}
    return found | {"proof_seconds": json.dumps([round(proof.seconds, 6) for proof in proofs])}


def cross_entropy(parts: Parts, facts: FactTable) -> dict[str, float]:
    """Mean loss of all facts in nats."""
    logits = parts.model.logits(prompts(facts))
    right = np.take_along_axis(logits, facts.answers.reshape(-1, 1), 1)[:, 0]
    return {"cross_entropy": float((logsumexp(logits, axis=1) - right).mean())}


def runs(
    sizes: Iterable[int],
    relations: Iterable[int],
    per_relation: Iterable[int],
    *,
    seeds: int = 3,
    seed: int = 0,
    width_per_dimension: int = 4,
    **settings: Any,
) -> list[tuple[str, dict[str, Any]]]:
    """Kind and parameters of cells on a grid.

    Args:
        sizes: |A|.
        relations: R.
        per_relation: d / R.
        seeds: how many runs each.
        seed: the first.
        width_per_dimension: neurons per dimension.
        settings: other values than `BASE` has.
    """
    return [
        (
            "learned",
            BASE
            | settings
            | {
                "n_attributes": N,
                "n_relations": R,
                "dimension": R * per,
                "width": width_per_dimension * R * per,
                "seed": seed + i,
            },
        )
        for R in relations
        for N in sizes
        for per in per_relation
        for i in range(seeds)
    ]


Grid = list[tuple[str, dict[str, Any]]]

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


def variants(size: int, R: int, per: int, *, seeds: int = 3, seed: int = 0) -> Grid:
    """The base at one point, and everything that differs from it in one setting."""
    grid = runs([size], [R], [per], seeds=seeds, seed=seed)
    for name, values in VARIANTS.items():
        for value in values:
            grid += runs([size], [R], [per], seeds=seeds, seed=seed, **{name: value})
    return grid


PLAIN: dict[
    str, Any
] = {  # what a library's user would take: AdamW's own rate and decay, a language model's layer
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


def ablation(*, seeds: int = 3, seed: int = 0) -> Grid:
    """N = 256, R = 2, d = 40: every row of `ablated`, 3000 steps on all subjects at once."""
    return [
        cell
        for settings in ablated().values()
        for cell in runs([256], [2], [20], seeds=seeds, seed=seed, batch=0, steps=3000, **settings)
    ]


def without_mlp(*, seeds: int = 3, seed: int = 0) -> Grid:
    """N = 256, R = 2, d = 40: the sum, a softmax head, one with norms; attributes shared and disjoint."""
    trained: dict[str, Any] = {"attention": "trained"}
    grid: Grid = []
    for selector in ({}, trained, trained | {"residual": 1, "norm": True}):
        for disjoint in (0, 1):
            settings = selector | {"mlp": "none", "disjoint": disjoint, "noise": 0.0, "weight_decay": 0.01}
            settings |= {
                "subjects": "learned",
                "attributes": "learned",
                "learning_rate": 0.003,
                "initial": 1.0,
            }
            grid += runs([256], [2], [20], seeds=seeds, seed=seed, batch=0, steps=3000, **settings)
    return grid


def worst(*, seeds: int = 3, seed: int = 0) -> Grid:
    """|A| = 128, R = 2, d = 40: the recipe, and what might make transfer good for every table."""
    grid: Grid = []
    changes: tuple[dict[str, Any], ...] = (
        *({"tables": tables} for tables in (1, 2, 4, 8)),
        *({"noise": noise} for noise in (0.3, 1.0)),
        *({"width_per_dimension": width} for width in (2, 8)),
        {"tables": 8, "width_per_dimension": 8},
        {"tables": 8, "noise": 1.0},
    )
    for change in changes:
        settings: dict[str, Any] = {"weight_decay": 0.3, "learning_rate": 0.01, "batch": 256, "steps": 2000}
        settings |= {"everywhere": 1} | change
        grid += runs([128], [2], [20], seeds=seeds, seed=seed, **settings)
    return grid


def proofs(*, seeds: int = 1, seed: int = 0) -> Grid:
    """|A| = 64, R = 2, d = 40: the recipe on more tables, for longer, and with other noise or width."""
    settings: dict[str, Any] = {"weight_decay": 0.3, "learning_rate": 0.01, "batch": 256, "steps": 2000}
    changes: tuple[dict[str, Any], ...] = (
        *({"tables": tables} for tables in (1, 8, 32, 128)),
        {"tables": 128, "steps": 6000},
        *({"tables": 8, "noise": noise} for noise in (0.0, 1.2)),
        {"tables": 8, "width_per_dimension": 16},
    )
    grid = [
        run
        for change in changes
        for run in runs([64], [2], [20], seeds=seeds, seed=seed, **settings | change)
    ]
    return [("proof-size", parameters) for _, parameters in grid]


def shared(counts: Iterable[int], *, seeds: int = 3, seed: int = 0) -> Grid:
    """Four relations, 256 attributes: more and more tables that share them, embeddings of free length."""
    settings: dict[str, Any] = {
        "subjects": "learned",
        "weight_decay": 0.3,
        "learning_rate": 0.01,
        "batch": 256,
        "steps": 2000,
    }
    return [
        cell
        for tables in counts
        for cell in runs([256], [4], [16], seeds=seeds, seed=seed, tables=tables, **settings)
    ]
