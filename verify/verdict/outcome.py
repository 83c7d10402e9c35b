"""From margins to a verdict: whether everything was recalled, and what was measured."""

from dataclasses import replace
from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.protocol import Table
from georecall.verify.margins.found import Found
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
    gap = found.gap(verdict.n_queries or 0)
    if verdict.status != "holds" or gap is None:
        return verdict
    return replace(verdict, status="inconclusive", reason=gap)


def uncertified(n_queries: int | None, error: Exception) -> str:
    """Why nothing is known of queries that are too many, where a premise of their certificate fails."""
    return f"{show(n_queries)} queries are too many to enumerate, and no certificate applies: {error}"


def sizes(facts: Table) -> dict[str, Any]:
    """The parameters that say how large a table is."""
    return {
        "subjects": facts.n_subjects,
        "relations": facts.n_relations,
        "attributes": facts.n_attributes,
    }


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
