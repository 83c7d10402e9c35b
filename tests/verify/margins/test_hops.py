"""Chains of thought as wholes: the least margin over every step of a chain and of what it begins with."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall import chain_of_thought
from georecall.constructions.chain_of_thought import generate
from georecall.theory.facts.fact_table import FactTable, random_functions
from georecall.verify.margins.hops import enumeration, steps, up_to
from georecall.verify.margins.margins import margins

FACTS = FactTable([[1, 2, 0], [0, 0, 1]])


def asker(model):
    return lambda queries: margins(model, queries)


def test_each_chain_is_asked_with_all_that_it_begins_with():
    asked = []

    def ask(queries):
        asked.append((len(queries.alphabet), queries.step, queries.max_hops))
        return margins(chain_of_thought(FACTS, max_hops=3), queries)

    found = up_to(ask, FACTS, 3, max_hops=3)
    assert asked == [(1, 1, 3), (2, 1, 3), (2, 2, 3), (3, 1, 3), (3, 2, 3), (3, 3, 3)]
    assert (found.lower.shape, found.n_recalled, found.exact) == ((6 + 12 + 24,), 42, True)
    assert [found.queries.query(n) for n in (0, 1, 5)] == [(0, 0), (1, 0), (2, 1)]
    assert [found.queries.query(n) for n in (6, 17)] == [(0, 0, 0), (2, 1, 1)]
    assert [found.queries.query(n) for n in (18, 19, 41)] == [(0, 0, 0, 0), (1, 0, 0, 0), (2, 1, 1, 1)]
    assert found.queries.occurring().tolist() == [0, 1, 2]


@settings(max_examples=settings.default.max_examples // 3)
@given(seed=st.integers(0, 10**6), gate=st.sampled_from([0.5, 0.75, 1.0]), hops=st.integers(1, 3))
def test_a_chain_passes_exactly_if_it_generates_its_entities(seed, gate, hops):
    facts = random_functions(4, 2, rng=np.random.default_rng(seed))
    model = chain_of_thought(facts, max_hops=3, gate=gate)
    found = up_to(asker(model), facts, hops, max_hops=3)
    for number, sign in enumerate(found.signs.ravel()):
        subject, *relations = found.queries.query(number)
        said = generate(model, [subject], np.array([relations]), n_entities=4)[0]
        right = said.tolist() == [facts.compose(relations[:i])[subject] for i in range(1, len(relations) + 1)]
        assert (sign > 0) <= right
        assert right or sign < 0


def test_a_fault_of_short_chains_alone_counts_for_these():
    def faulty(queries):
        found = margins(chain_of_thought(FACTS, max_hops=2), queries)
        if len(queries.alphabet) == 1:
            found.signs[1, 2] = -1
        return found

    assert steps(faulty, FACTS, 2, max_hops=2).n_wrong == 0
    found = up_to(faulty, FACTS, 2, max_hops=2)
    assert found.wrong == [(2, 1)]
    assert (found.n_facts, found.how_many_wrong) == (18, "1 of 18 queries wrong")


def test_bounds_of_chains_of_each_length_are_kept_side_by_side():
    def bounded(queries):
        found = margins(chain_of_thought(FACTS, max_hops=2), queries)
        off = 1 / len(queries.alphabet)
        return replace(found, lower=found.lower - off, upper=found.upper - off / 4)

    found = up_to(bounded, FACTS, 2, max_hops=2)
    exactly = up_to(asker(chain_of_thought(FACTS, max_hops=2)), FACTS, 2, max_hops=2)
    off = np.repeat([1, 1 / 2], [6, 12])
    assert (found.lower == exactly.lower - off).all()
    assert (found.upper == exactly.upper - off / 4).all()
    assert found.minimum == exactly.minimum


def test_enumeration_is_of_chains_of_one_length():
    model = chain_of_thought(FACTS, max_hops=2)
    assert enumeration(model, FACTS, 2, max_hops=2).lower.shape == (2, 2, 3)
    assert enumeration(model, FACTS, 1, max_hops=2).lower.shape == (2, 3)


def test_a_whole_chain_is_no_one_prompt():
    whole = enumeration(chain_of_thought(FACTS, max_hops=2), FACTS, 2, max_hops=2).queries
    with pytest.raises(TypeError, match="a chain of thought is several prompts"):
        whole.prompts(np.arange(2))
