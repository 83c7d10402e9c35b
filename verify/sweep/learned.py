"""Cells of what gradient descent finds (C9): one training run, its structure and its transfer."""

import json
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
from georecall.verify.learned.vectors import Parts, all_prompts, right

_DIGITS = 4  # of what is not a share of counts: the rest differs between machines


def learned_cell(*, seed: int, everywhere: int = 0, **run: Any) -> dict[str, Any]:
    """One training run on random bijections and what it leads to.

    Args:
        seed: of table and training.
        everywhere: 1: transfer over all tables too.
        run: the other arguments of `trained_once`.

    Returns:
        What `structure` names; without an MLP, where neurons say nothing, the `cross_entropy` in nats a fact.
    """
    facts, model = trained_once(seed=seed, **run)
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
    """The facts of a cell and what training makes of them.

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
        settings: the other fields of `Recipe`.
    """
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
    """One training run and what proofs of different sizes certify of it; parameters of `trained_once`.

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
    logits = parts.model.logits(all_prompts(facts))
    right = np.take_along_axis(logits, facts.answers.reshape(-1, 1), 1)[:, 0]
    return {"cross_entropy": float((logsumexp(logits, axis=1) - right).mean())}
