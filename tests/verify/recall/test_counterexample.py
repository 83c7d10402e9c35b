"""Counterexamples shrink as far as the failure lets them, and large tables are shown in part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.facts.fact_table import FactTable
from georecall.verify.recall import counterexample
from georecall.verify.recall.counterexample import Counterexample, shown, shrunk
from georecall.verify.strategies import table_of
from georecall.verify.verdict import table as facts_table


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


def test_no_more_constructions_are_built_than_planned(monkeypatch):
    monkeypatch.setattr(counterexample, "_ATTEMPTS", 7)
    tried = []
    found = Counterexample("it holds", table_of("functions", 9, 3, 5), "no")
    assert shrunk(found, tried.append, bijective=False, entities=False) is found
    assert len(tried) == 7


def size(facts):
    return facts.n_subjects, facts.n_relations, facts.n_attributes, int(facts.answers.sum())


@pytest.mark.parametrize("kind", ["bijections", "functions"])
@pytest.mark.parametrize("entities", [False, True])
@given(N=st.integers(1, 14), R=st.integers(1, 4), A=st.integers(2, 6), seed=st.integers(0, 99))
def test_every_table_tried_is_smaller(kind, entities, N, R, A, seed):
    facts = table_of(kind, N, R, A, seed=seed, entities=entities)
    for table in counterexample._smaller(facts, kind == "bijections", entities):
        assert min(size(table)[:3]) >= 1
        assert all(a <= b for a, b in zip(size(table)[:3], size(facts)[:3], strict=True))
        assert size(table) < size(facts)


def sizes(facts, bijective=False, entities=False):
    return [size(table)[:3] for table in counterexample._smaller(facts, bijective, entities)]


def test_the_tables_tried_are_halves_then_all_but_one_then_lower_answers():
    facts = FactTable([[0, 1, 4, 0, 0, 0, 0]] * 3, n_attributes=5)
    subjects = [(3, 3, 5), (6, 3, 5), (6, 3, 5), *7 * [(6, 3, 5)]]
    relations = [(7, 1, 5), (7, 2, 5), *3 * [(7, 2, 5)]]
    attributes = [*4 * [(7, 3, 2)], *2 * [(7, 3, 4)]]
    answers = 9 * [(7, 3, 5)]  # of each relation 1 becomes 0, and 4 becomes 0 or 3
    assert sizes(facts) == subjects + relations + attributes + answers
    assert sizes(facts, entities=True)[: len(subjects)] == [(n, r, n) for n, r, _ in subjects]
    assert (7, 3, 4) not in sizes(facts, entities=True)
    named = FactTable(facts.answers, attributes=list("abcde"))
    assert sizes(named) == subjects + relations + answers
    bijections = table_of("bijections", 7, 3)
    assert sizes(bijections, bijective=True) == [(n, r, n) for n, r, _ in subjects] + [
        (7, r, 7) for _, r, _ in relations
    ]


@pytest.mark.parametrize("N", [1, 2, 12, 13])
def test_single_subjects_relations_and_answers_are_tried_in_tables_that_are_small(N):
    """As many rows, or columns, as are shown."""
    small = N <= 12
    fewer = sizes(FactTable([[1] * N], n_attributes=2)).count((N - 1, 1, 2))
    assert fewer == (N > 1) * (1 + small * N + (N == 2))  # a half of 2 is 1
    fewer = sizes(FactTable([[1]] * N, n_attributes=2)).count((1, N - 1, 2))
    assert fewer == (N > 1) * (1 + small * N + (N == 2))
    lower = sizes(FactTable([[1] * N] * 12, n_attributes=2)).count((N, 12, 2))
    assert lower == (12 * N if small else 0)


def test_subjects_that_are_entities_take_the_first_for_those_that_are_gone():
    facts = FactTable([[1, 2, 0, 3]])
    (kept,) = counterexample._kept(facts, np.array([1, 3]), False, True)
    assert kept.answers.tolist() == [[0, 1]]  # 1 -> 2, gone; 3 -> 3
    assert list(counterexample._kept(facts, np.array([1]), False, True)) == []
    (kept,) = counterexample._kept(facts, np.array([1, 3]), True, False)
    assert (kept.answers.tolist(), kept.n_attributes) == ([[0, 1]], 2)


@pytest.mark.parametrize(("N", "R", "in_part"), [(12, 12, False), (13, 1, True), (1, 13, True)])
def test_tables_of_more_than_twelve_rows_or_columns_are_shown_in_part(N, R, in_part):
    text = shown(FactTable(np.zeros((R, N), dtype=int), n_attributes=2))
    assert text.splitlines()[-1] == f"{'... ' if in_part else ''}N = {N}, R = {R}, |A| = 2"
    assert len(text.splitlines()) == min(N, 12) + 2
    assert "[" not in text


def test_a_query_is_marked_as_far_as_there_are_entities_and_relations():
    facts = FactTable([[4, 1], [0, 0]], n_attributes=5)
    assert facts_table._asked(facts, 0, (0, 1)) == {(0, 0)}  # attribute 4 is no subject
    assert facts_table._asked(facts, 1, (0, 2, 1)) == {(1, 0)}  # there is no third relation
    assert facts_table._asked(facts, None, (0,)) == set()


def test_what_is_not_decided_is_not_said_to_fail():
    facts = FactTable([[0]], n_attributes=2)
    assert str(Counterexample("it holds", facts, "no")).endswith("|A| = 2; does not hold: it holds")
    open_ = Counterexample("it holds", facts, "no", certain=False)
    assert str(open_).endswith("|A| = 2; not decided: it holds")


def test_a_large_table_is_shown_in_part_with_the_query_in_it():
    text = shown(FactTable(np.zeros((30, 40), dtype=int), n_attributes=2), 33, (20,))
    assert len(text.splitlines()) == 14
    assert text.count("[a0]") == 1
    assert "s33" in text
    assert text.endswith("... N = 40, R = 30, |A| = 2")


def test_every_hop_of_a_query_is_marked():
    text = shown(FactTable([[1, 2, 0], [0, 0, 1]]), 0, (0, 1))
    assert [line.count("[") for line in text.splitlines()] == [0, 1, 1, 0, 0]
