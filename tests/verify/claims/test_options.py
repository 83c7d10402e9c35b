"""Options mean something or are refused, in whatever numbers they come."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from georecall.constructions.codes.code import Code, sign_code
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims.check import check
from georecall.verify.usage import UsageError

FACTS = random_bijections(8, 2, rng=np.random.default_rng(0))
SPARE = Code(np.concatenate([sign_code(8, length=4).words, sign_code(16).words[8:]]))
COLLIDING = Code(np.concatenate([sign_code(8, length=4).words, sign_code(8, length=4).words]))
CODED = ["single-hop", "single-hop-in-place", "chain-of-thought", "composed-hops", "sign-code-memory"]


@pytest.mark.parametrize("claim", CODED)
@pytest.mark.parametrize("code", [SPARE, COLLIDING], ids=["spare words", "equal words among the spare ones"])
def test_spare_words_are_cut_off(claim: str, code: Code) -> None:
    verdict = check(claim, FACTS, code=code)
    assert (verdict.status, verdict.parameters["code_length"]) == ("holds", 4)


@pytest.mark.parametrize("claim", CODED)
def test_words_that_are_too_few_are_refused_and_equal_ones_no_code(claim: str) -> None:
    with pytest.raises(UsageError, match="7 words for 8 attributes"):
        check(claim, FACTS, code=sign_code(7))
    equal = check(claim, FACTS, code=sign_code(8, length=2))
    assert (equal.status, equal.reason is None) == ("hypotheses-not-met", False)
    assert "injective" in str(equal.reason)


@pytest.mark.parametrize("number", [Fraction, np.float64, np.float32, np.int64, int])
def test_any_kind_of_number_is_the_same_number(number: Any) -> None:
    verdict = check("single-hop", FACTS, gate=number(2), code_length=np.int32(4))
    assert (verdict.status, verdict.to_json()["parameters"]["gate"]) == ("holds", 2)
    soft = check("chain-of-thought", FACTS, hops=np.int8(1), attention="soft", margin=Fraction(1, 2))
    assert (soft.status, soft.parameters["margin"]) == ("holds", 0.5)
    assert check("linear-memory", FACTS, delta=Fraction(1, 4)).parameters["delta"] == 0.25


def test_a_gate_just_below_the_theorems_is_shown_as_it_is() -> None:
    for below in (1 - Fraction(1, 2**53), 1 - 2.0**-53):
        verdict = check("single-hop", FACTS, gate=below)
        assert verdict.status == "hypotheses-not-met"
        assert "gate >= V/2 at V = 2, gate = 0.9999999999999999" in str(verdict.reason)


@pytest.mark.parametrize(("asked", "stored"), [(1.1, 1 + 1677722 / 2**24), (1.5, 1.5)])
def test_the_gate_reported_is_the_one_stored(asked: float, stored: float) -> None:
    verdict = check("composed-hops", FACTS, gate=asked)
    assert (verdict.status, verdict.parameters["gate"]) == ("holds", stored)
    assert verdict.parameters.get("gate_asked", stored) == asked


def test_rounding_a_gate_does_not_make_it_one_of_the_theorem() -> None:
    assert check("composed-hops", FACTS, gate=1 - 2.0**-40).status == "hypotheses-not-met"


def test_a_table_with_as_many_attributes_as_subjects_need_not_be_bijective() -> None:
    verdict = check("counting-bound", FactTable([[0, 0, 1], [2, 1, 0]], n_attributes=3))
    said = {h.name: h.holds for h in verdict.hypotheses}
    assert (said["as many attributes as subjects"], said["bijective"]) == (True, False)
