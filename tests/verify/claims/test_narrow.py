"""C1'' on numerals: the smallest selector, R - 1 neurons."""

import numpy as np
import pytest

from georecall.constructions.codes.code import quantized_code
from georecall.constructions.single_hop import narrow_superposition
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.claims.check import check
from georecall.verify.margins.margins import margins
from georecall.verify.usage import UsageError


def test_three_neurons_select_among_four_relations_whatever_the_number_of_subjects() -> None:
    verdict = check("single-hop-narrow", subjects=1000, relations=4, bits=10)
    assert (verdict.status, verdict.exact) == ("holds", True)
    assert (verdict.measured["d_model"], verdict.measured["d_mlp"]) == (4, 3)
    assert verdict.controls_at is not None
    assert verdict.controls_at["bits"] == 2
    assert all(control.ok for control in verdict.controls)


def test_without_bits_the_code_is_of_signs() -> None:
    verdict = check("single-hop-narrow", subjects=16, relations=3, controls=False)
    assert (verdict.status, verdict.parameters["code_length"]) == ("holds", 4)
    assert "bits" not in verdict.parameters


@pytest.mark.parametrize("other", [{"code_distance": 2}, {"code": quantized_code(16, bits=4)}])
def test_numerals_and_another_code_are_not_asked_for_together(other: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="bits ask for numerals"):
        check("single-hop-narrow", subjects=16, relations=2, bits=4, **other)


def test_a_gate_below_the_spread_of_numerals_is_not_the_theorem() -> None:
    assert (
        check("single-hop-narrow", subjects=16, relations=2, bits=4, gate=14).status == "hypotheses-not-met"
    )
    facts = random_bijections(16, 2, rng=np.random.default_rng(0))
    assert margins(narrow_superposition(facts, bits=4, gate=7), facts).n_wrong > 0
    assert margins(narrow_superposition(facts, bits=4), facts).n_wrong == 0
