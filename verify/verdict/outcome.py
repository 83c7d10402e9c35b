"""From margins to a verdict: whether everything was recalled, and what was measured."""

from dataclasses import replace
from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.protocol import Table
from georecall.theory.facts.strings import letters, stated_queries
from georecall.verify.margins.decide import Found
from georecall.verify.margins.found import Margins
from georecall.verify.usage import show
from georecall.verify.verdict.stored_bits import subject_bits
from georecall.verify.verdict.verdict import Verdict


def recall_verdict(verdict: Verdict, found: Found) -> Verdict:
    """The recall verdict: refuted by a fact that is certainly wrong, inconclusive if one is undecided."""
    verdict = replace(verdict, min_margin=found.minimum[0], exact=found.exact, method=found.method)
    if found.n_wrong:
        return replace(verdict, status="refuted", reason=found.how_many_wrong, witness=found.worst)
    undecided = found.n_facts - found.n_recalled
    if undecided:
        return replace(
            verdict, status="inconclusive", reason=f"the sign of {undecided} margins is not decided"
        )
    return replace(verdict, status="holds")


def covered(verdict: Verdict, found: Found) -> Verdict:
    """What holds of the queries asked is inconclusive where they, and no certificate, stand for all."""
    gap = found.gap(verdict.n_queries or 0) if isinstance(found, Margins) else None
    if verdict.status != "holds" or gap is None:
        return verdict
    return replace(verdict, status="inconclusive", reason=gap)


def uncertified(n_queries: int | None, error: Exception) -> str:
    """Why nothing is known of queries that are too many, where a premise of their certificate fails."""
    return f"{show(n_queries)} queries are too many to enumerate, and no certificate applies: {error}"


def assumed(facts: Table, hops: int = 1, *, typed: bool = False) -> dict[str, Any]:
    """Parameters of a verdict: cells filled with "unknown", and queries about stated facts in every hop."""
    if not isinstance(facts, FactTable) or not facts.n_filled:
        return {}
    stated = stated_queries(facts, letters(facts, hops, typed=typed))
    return {"filled_cells": facts.n_filled, "stated_queries": stated}


def table_sizes(facts: Table) -> dict[str, Any]:
    """The parameters that say how large a table is."""
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    return {"subjects": N, "relations": R, "attributes": A}


def quantities(model: Transformer, found: Found, facts: Table) -> dict[str, Any]:
    """What every claim about a construction predicts, read off the weights."""
    return {
        "d_model": model.d_model,
        "d_mlp": model.d_mlp,
        "d_mlp_per_layer": model.d_mlp_per_layer,
        "n_layers": model.n_layers,
        "min_margin": found.minimum[0],
        "subject_bits": subject_bits(model, facts.n_subjects),
        "other_bits": model.storage.other_bits if model.storage else None,
    }
