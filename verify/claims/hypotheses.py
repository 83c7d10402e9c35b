"""Hypotheses of claims that have a judge of their own: what the facts alone decide."""

from georecall.theory.claims.claim import Claim
from georecall.theory.claims.symbols import A, N, R
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.verdict.verdict import HypothesisResult, Verdict


def hypotheses_of(
    claim: Claim, facts: FactTable, **further: bool
) -> tuple[tuple[HypothesisResult, ...], list[str]]:
    """Every hypothesis at a table, and the names of those that it does not meet.

    Args:
        claim: its hypotheses are about N, R and |A|.
        facts: the table.
        further: conditions beyond the claim's hypotheses, by name, already checked.
    """
    values = {N: facts.n_subjects, R: facts.n_relations, A: facts.n_attributes}
    results = [HypothesisResult(h.name, h.holds(values)) for h in claim.hypotheses]
    results += [HypothesisResult(name.replace("_", " "), holds) for name, holds in further.items()]
    return tuple(results), [result.name for result in results if not result.holds]


def not_met(claim: Claim, hypotheses: tuple[HypothesisResult, ...], unmet: list[str]) -> Verdict:
    """The verdict where some are not met."""
    reason = "; ".join(f"not {name}" for name in unmet)
    return Verdict(claim=claim.name, status="hypotheses-not-met", reason=reason, hypotheses=hypotheses)
