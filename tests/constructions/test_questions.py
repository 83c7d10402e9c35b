"""Questions in words: one hop of any facts, names as they are written, and what has two readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.constructions.questions import answer, understand
from georecall.theory.facts import datasets
from georecall.theory.facts.fact_table import FactsError, FactTable


def test_one_hop_is_asked_of_facts_whose_attributes_are_no_subjects():
    facts = datasets.load("countries")
    (step,) = answer(facts, *understand(facts, "capital of France"))
    assert (step.prompt, step.said, step.margin) == (("France", "capital"), "Paris", 2)
    with pytest.raises(FactsError, match="which is no subject"):
        answer(facts, *understand(facts, "capital of capital of France"))


@given(N=st.integers(1, 5), R=st.integers(1, 3), A=st.integers(1, 6), data=st.data())
def test_one_hop_says_the_answer_whatever_the_table(N, R, A, data):
    rows = st.lists(st.integers(0, A - 1), min_size=N, max_size=N)
    facts = FactTable(data.draw(st.lists(rows, min_size=R, max_size=R)), n_attributes=A)
    s, r = data.draw(st.integers(0, N - 1)), data.draw(st.integers(0, R - 1))
    (step,) = answer(facts, s, [r])
    assert step.said == facts.attribute_name(int(facts.answers[r, s]))


STATES = FactTable(
    [[0] * 5, [1] * 5, [2] * 5, [3] * 5],
    subjects=["US", "us", "state of X", "X", "Ann"],
    relations=["head", "head of state", "Boss", "boss"],
)


@pytest.mark.parametrize(
    ("question", "subject", "relations"),
    [
        ("boss of US", "US", ["boss"]),
        ("boss of us", "us", ["boss"]),
        ("Boss of us", "us", ["Boss"]),
        ("boss of ann", "Ann", ["boss"]),
        ("HEAD OF STATE of X", "X", ["head of state"]),
        ("head  of\tAnn", "Ann", ["head"]),
        ("head of head of state of Ann", "Ann", ["head of state", "head"]),
        ('"head" of "state of X"', "state of X", ["head"]),
        ('"head of state" of X', "X", ["head of state"]),
        ("  X ", "X", []),
    ],
)
def test_names_are_meant_as_they_are_written_else_but_for_case(question, subject, relations):
    s, rs = understand(STATES, question)
    assert (STATES.subject_name(s), [STATES.relation_name(r) for r in rs]) == (subject, relations)


@pytest.mark.parametrize(
    ("question", "subject", "relations"),
    [
        ("head of of Union of towns", "Union of towns", ["head of"]),
        ("head of of of Ann", "of Ann", ["head of"]),
        ("head  of of  head of of City", "City", ["head of", "head of"]),
    ],
)
def test_names_may_end_or_begin_with_of(question, subject, relations):
    facts = FactTable([[1, 2, 0]], subjects=["Union of towns", "of Ann", "City"], relations=["head of"])
    s, rs = understand(facts, question)
    assert (facts.subject_name(s), [facts.relation_name(r) for r in rs]) == (subject, relations)


@pytest.mark.parametrize(
    ("question", "readings"),
    [
        ("boss of Us", ['"boss" of "US"', '"boss" of "us"']),
        ("BOSS of Ann", ['"Boss" of "Ann"', '"boss" of "Ann"']),
        ("head of state of X", ['"head" of "state of X"', '"head of state" of "X"']),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused_with_both(question, readings):
    with pytest.raises(FactsError, match="may be read as") as caught:
        understand(STATES, question)
    assert all(reading in str(caught.value) for reading in readings)
    assert [understand(STATES, reading) for reading in readings]  # as they are written, they are understood


def test_a_question_of_any_length_is_understood_or_refused_at_once():
    assert understand(STATES, "head of " * 300 + "Ann") == (4, [0] * 300)
    with pytest.raises(FactsError, match="neither a subject nor") as caught:
        understand(STATES, "head of state of " * 600)
    assert len(str(caught.value)) < 300


def test_composed_and_decomposed_letters_are_the_same_name():
    facts = FactTable([[0]], subjects=["São Tomé"], relations=["capital"])
    assert understand(facts, "capital of Sa\u0303o Tome\u0301") == (0, [0])
