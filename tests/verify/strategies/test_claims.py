"""Claims inside and outside their hypotheses: the verdict is the one that the case asks for."""

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from georecall.theory.claims import CLAIMS
from georecall.verify.claims.check import check
from georecall.verify.strategies import claim_cases
from georecall.verify.strategies.claims import CERTAIN

QUIET = settings(derandomize=True, database=None)


@settings(max_examples=settings.default.max_examples // 2)
@given(case=claim_cases())
def test_a_claim_holds_inside_its_hypotheses_and_names_the_one_that_is_not_met(case):
    verdict = check(case.claim, case.facts, **case.options)
    unmet = [hypothesis.name for hypothesis in verdict.hypotheses if not hypothesis.holds]
    if case.unmet is None:
        assert (verdict.status, unmet) == ("holds", [])
    else:
        assert (verdict.status, unmet) == ("hypotheses-not-met", [case.unmet])


@pytest.mark.parametrize("claim", CERTAIN)
def test_every_hypothesis_that_a_default_code_can_miss_is_missed(claim):
    possible = {h.name for h in CLAIMS[claim].hypotheses if "if attention is soft" not in h.name}
    possible -= {"a sign code", "distinct names"}  # the default code is of signs, the default names differ
    for name in possible:
        case = find(
            claim_cases(claims=claim, meets=False), lambda case, n=name: case.unmet == n, settings=QUIET
        )
        assert case.claim == claim


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"claims": "counting-bound"}, "claims must be one of single-hop, .*, got 'counting-bound'"),
        ({"meets": "yes"}, "meets must be True, False or a strategy"),
        ({"seeds": -3}, "seeds must be at least 0"),
    ],
)
def test_bad_arguments_are_refused_at_once(options, says):
    with pytest.raises(InvalidArgument, match=says):
        claim_cases(**options)


@given(st.data())
def test_meets_may_be_a_strategy(data):
    assert data.draw(claim_cases(meets=st.just(True))).unmet is None
