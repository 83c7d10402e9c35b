"""Counterexamples shrink as far as the failure lets them, and large tables are shown in part."""

import numpy as np
import pytest

from theory import FactTable
from verify.kit.counterexample import Counterexample, shown, shrunk
from verify.strategies import table_of


def fails_where(condition, law="it holds"):
    def first(facts):
        return Counterexample(law, facts, "no") if condition(facts) else None

    return first


@pytest.mark.parametrize(
    ("condition", "sizes"),
    [
        (lambda facts: True, (1, 1, 2)),
        (lambda facts: facts.n_subjects >= 5, (5, 1, 2)),
        (lambda facts: facts.n_relations >= 3, (1, 3, 2)),
        (lambda facts: facts.n_attributes >= 7, (1, 1, 7)),
        (lambda facts: 4 in facts.answers, (1, 1, 5)),
        (lambda facts: any(len(set(row)) < len(row) for row in facts.answers.tolist()), (2, 1, 2)),
    ],
)
def test_tables_shrink_to_what_is_needed(condition, sizes):
    first = fails_where(condition)
    found = first(table_of("functions", 40, 6, 9, seed=1))
    small = shrunk(found, first, bijective=False, entities=False).facts
    assert (small.n_subjects, small.n_relations, small.n_attributes) == sizes


@pytest.mark.parametrize(("bijective", "entities"), [(True, False), (False, True)])
def test_a_shrunken_table_stays_of_its_kind(bijective, entities):
    tried = []

    def first(facts):
        tried.append(facts)
        return Counterexample("it holds", facts, "no") if facts.n_subjects >= 3 else None

    found = first(table_of("bijections", 12, 3, seed=0))
    small = shrunk(found, first, bijective=bijective, entities=entities).facts
    assert (small.n_subjects, small.n_relations) == (3, 1)
    assert all(table.bijective if bijective else table.of_entities for table in tried)


def test_another_failure_on_the_way_is_not_taken():
    def first(facts):
        return Counterexample("small" if facts.n_subjects < 4 else "large", facts, "no")

    found = shrunk(first(table_of("functions", 9, 2, 3)), first, bijective=False, entities=False)
    assert (found.law, found.facts.n_subjects) == ("large", 4)


def test_shrinking_ends():
    calls = []

    def first(facts):
        calls.append(facts)
        return Counterexample("it holds", facts, "no") if len(calls) % 2 else None

    shrunk(first(table_of("functions", 30, 9, 30)), first, bijective=False, entities=False)
    assert len(calls) < 450


def test_a_large_table_is_shown_in_part_with_the_query_in_it():
    text = shown(FactTable(np.zeros((30, 40), dtype=int), n_attributes=2), 33, (20,))
    assert len(text.splitlines()) == 14
    assert text.count("[a0]") == 1
    assert "s33" in text
    assert text.endswith("... N = 40, R = 30, |A| = 2")


def test_every_hop_of_a_query_is_marked():
    text = shown(FactTable([[1, 2, 0], [0, 0, 1]]), 0, (0, 1))
    assert [line.count("[") for line in text.splitlines()] == [0, 1, 1, 0, 0]
