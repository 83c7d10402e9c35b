"""C11 under test: certificates, what escapes them, and recall without an MLP."""

import math
from typing import Any

import numpy as np
import pytest

from georecall.bounds.additive import AdditiveCertificate
from georecall.theory.facts import datasets
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.verify.claims import selector
from georecall.verify.claims.check import check
from georecall.verify.claims.selector import apart, decide_additive, trained_cross_entropy


def test_two_bijections_have_a_certificate_that_adds_up_to_0() -> None:
    verdict = check("selector-necessary", subjects=200, relations=2)
    assert verdict.status == "holds"
    assert verdict.measured["certificate_sum"] == 0
    assert verdict.measured["argument"] == "equal counts"
    assert verdict.measured["certificate_terms"] == 400  # no subject has the same answer twice
    lower, upper = verdict.measured["cross_entropy_at_least"]
    assert lower <= math.log(2) <= upper
    assert lower <= verdict.measured["cross_entropy_trained"] < upper + 1e-3
    assert all(control.ok for control in verdict.controls)
    assert len(verdict.controls) == 6


@pytest.mark.parametrize(
    ("facts", "argument"),
    [
        (FactTable([[0, 1, 2], [1, 0, 0]]), "cycle"),
        (FactTable([[1, 2], [0, 1], [2, 0]]), "linear program"),
    ],
)
def test_tables_of_unequal_counts_are_refuted_too(facts: FactTable, argument: str) -> None:
    verdict = check("selector-necessary", facts, controls=False)
    assert (verdict.status, verdict.measured["argument"]) == ("holds", argument)
    assert "wrong_at_least" not in verdict.measured  # a statement about bijections


def test_where_an_additive_model_exists_the_verdict_shows_it() -> None:
    verdict = check("selector-necessary", datasets.load("countries"), controls=False)
    assert verdict.status == "hypotheses-not-met"
    assert "an additive model in whole numbers recalls every fact" in str(verdict.reason)
    assert [h.holds for h in verdict.hypotheses] == [True, False]
    alone = check("selector-necessary", FactTable([[0, 1]]), controls=False)
    assert (alone.status, alone.reason) == (
        "hypotheses-not-met",
        "not at least two relations: R >= 2 at R = 1",
    )


def test_a_certificate_that_does_not_add_up_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selector, "additive", lambda _: AdditiveCertificate(((0, 0, 1, 1),), "wrong"))
    verdict = check("selector-necessary", FactTable([[0, 1], [1, 0]]), controls=False)
    assert verdict.status == "inconclusive"
    monkeypatch.setattr(selector, "additive", lambda _: None)
    assert check("selector-necessary", FactTable([[0, 1], [1, 0]]), controls=False).status == "inconclusive"


@pytest.mark.parametrize(("n", "relations"), [(6, 2), (5, 3), (3, 4)])
def test_the_trained_optimum_meets_the_floor_of_cross_entropy(n: int, relations: int) -> None:
    facts = random_bijections(n, relations, rng=np.random.default_rng(n))
    alike = (facts.answers[:, None] == facts.answers[None]).sum(axis=0)
    floor = math.log(relations) - np.log(alike).mean()
    assert floor - 1e-9 <= trained_cross_entropy(facts) < floor + 1e-4


def test_a_control_that_comes_out_otherwise_takes_the_verdict_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selector, "in_place_superposition", lambda facts: selector.selecting_heads(
        facts.altered(0, 0, int(facts.answers[0, 1]))
    ))  # fmt: skip
    verdict = check("selector-necessary", subjects=20, relations=2)
    assert verdict.status == "inconclusive"
    assert "an MLP" in str(verdict.reason)


def test_disjoint_attributes_are_recalled_without_a_neuron() -> None:
    verdict = check("disjoint-attributes", subjects=100, relations=3)
    assert verdict.status == "holds"
    assert verdict.measured["d_model"] == 3 * (7 + 1)
    assert (verdict.measured["d_mlp"], verdict.min_margin, verdict.exact) == (0, 2, True)
    assert verdict.parameters["attributes"] == 300
    assert all(control.ok for control in verdict.controls)


@pytest.mark.parametrize(("gate", "margin"), [(0.25, 0.5), (1, 2), (3, 2)])
def test_the_margin_without_an_mlp_is_the_lesser_of_distance_and_lift(gate: float, margin: float) -> None:
    facts = apart(random_functions(9, 3, 20, rng=np.random.default_rng(1)))
    verdict = check("disjoint-attributes", facts, gate=gate, controls=False)
    assert (verdict.status, verdict.min_margin) == ("holds", margin)


@pytest.mark.parametrize(
    ("facts", "options", "unmet"),
    [
        (random_bijections(6, 2, rng=np.random.default_rng(0)), {}, "disjoint sets of attributes"),
        (FactTable([[0, 1, 2]]), {}, "at least two relations"),
        (FactTable([[0, 0], [1, 1]]), {}, "a relation with two answers"),
        (FactTable([[0, 1], [2, 3]]), {"gate": 0}, "a gate above 0"),
    ],
)
def test_what_the_claim_of_disjoint_attributes_asks_for(
    facts: FactTable, options: dict[str, Any], unmet: str
) -> None:
    verdict = check("disjoint-attributes", facts, controls=False, **options)
    assert verdict.status == "hypotheses-not-met"
    assert unmet in str(verdict.reason)


def test_a_shipped_data_set_has_disjoint_attributes() -> None:
    verdict = check("disjoint-attributes", datasets.load("elements"), controls=False)
    assert (verdict.status, verdict.min_margin) == ("holds", 2)


def test_disjoint_sets_are_the_same_functions() -> None:
    facts = random_functions(5, 3, 4, rng=np.random.default_rng(2))
    made = apart(facts)
    assert made.disjoint_attributes
    assert (made.answers % 4 == facts.answers).all()
    assert not isinstance(decide_additive(made), AdditiveCertificate)
