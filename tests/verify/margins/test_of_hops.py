"""`margins` of several hops, in one pass and step by step."""

import numpy as np
import pytest

from georecall import chain_of_thought, composed_hops, parallel_hops, two_sided_hops
from georecall.theory.facts.fact_table import FactsError, FactTable, random_bijections
from georecall.theory.facts.strings import letters
from georecall.verify.margins.hops import enumeration
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Facts

FACTS = random_bijections(7, 2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("construct", [composed_hops, two_sided_hops, parallel_hops])
def test_every_query_of_k_hops_in_one_pass(construct):
    found = margins(construct(FACTS, hops=3), FACTS, hops=3)
    assert found.n_facts == 7 * 2**3
    assert found.minimum[0] == 2
    asked = margins(construct(FACTS, hops=3), Chains(FACTS, letters(FACTS, 3)))
    np.testing.assert_array_equal(found.lower, asked.lower)


def test_typed_hops_have_relations_of_their_own():
    facts = random_bijections(7, 4, rng=np.random.default_rng(1))
    assert margins(two_sided_hops(facts, hops=2, typed=True), facts, hops=2, typed=True).minimum[0] == 2


def test_a_chain_of_thought_is_asked_step_by_step():
    model = chain_of_thought(FACTS, max_hops=4)
    found = margins(model, FACTS, hops=3, chain_of_thought=True)
    assert found.minimum[0] == 2
    assert found.n_facts == 7 * (2 + 4 + 8)
    assert enumeration(model, FACTS, 3, max_hops=4).minimum == found.minimum


def test_a_wrong_fact_fails_the_queries_that_pass_it():
    altered = FACTS.altered(2, 1, int(FACTS.answers[1, 2] + 1) % 7)
    assert margins(parallel_hops(FACTS, hops=2), altered, hops=2).n_wrong > 0
    assert margins(chain_of_thought(FACTS), altered, hops=2, chain_of_thought=True).n_wrong > 0


@pytest.mark.parametrize(
    ("facts", "options", "says"),
    [
        (Facts(FACTS), {"hops": 2}, "queries say what is asked"),
        (FACTS, {"hops": 2, "chain_of_thought": True, "typed": True}, "one forward pass"),
        (FACTS, {"hops": 9, "chain_of_thought": True}, "hops must be from 1 to 4"),
        (FACTS, {"hops": 0}, "hops must be at least 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(facts, options, says):
    with pytest.raises(ValueError, match=says):
        margins(chain_of_thought(FACTS), facts, **options)


def test_attributes_that_are_no_subjects_do_not_compose():
    facts = FactTable([[0, 1], [1, 2]], n_attributes=3)
    with pytest.raises(FactsError):
        margins(composed_hops(FACTS), facts, hops=2)
