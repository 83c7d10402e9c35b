"""FactTable: what it refuses, what it says of itself, and how relations compose."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.facts.fact_table import FactsError, FactTable, random_bijections, random_functions

SEEDS = st.integers(0, 2**32 - 1)
NAMED = FactTable(
    [[1, 2, 0], [0, 0, 1]],
    subjects=["ann", "bob", "cy"],
    relations=["likes", "owes"],
    attributes=["ann", "bob", "cy"],
)


@pytest.mark.parametrize(
    ("answers", "names", "message"),
    [
        ([], {}, r"shape \(relations, subjects\) with at least one of each, got \(0,\)"),
        ([[]], {}, r"got \(1, 0\)"),
        ([1, 0], {}, r"got \(2,\)"),
        ([[[0]]], {}, r"got \(1, 1, 1\)"),
        ([[0.0, 1.0]], {}, "must be integers .* got float64"),
        ([[True, False]], {}, "must be integers .* got bool"),
        ([["0", "1"]], {}, "must be integers"),
        ([[0, -1]], {}, r"answers\[0, 1\] is -1; attributes are numbered 0 to 0"),
        ([[0, 1], [1, 2]], {"n_attributes": 2}, r"answers\[1, 1\] is 2; attributes are numbered 0 to 1"),
        ([[0, 1]], {"attributes": ["a"]}, r"answers\[0, 1\] is 1; attributes are numbered 0 to 0"),
        ([[0, 1]], {"attributes": ["a", "b"], "n_attributes": 3}, "2 names for 3 attributes"),
        ([[0, 1]], {"subjects": ["a"]}, "1 names for 2 subjects"),
        ([[0, 1]], {"relations": ["a", "b"]}, "2 names for 1 relations"),
        ([[0, 1]], {"subjects": ["a", "a"]}, "'a' stands twice among the subjects"),
        ([[0], [0]], {"relations": ["r", "r"]}, "'r' stands twice among the relations"),
        ([[0, 1, 2]], {"attributes": ["x", "y", "x"]}, "'x' stands twice among the attributes"),
    ],
)
def test_a_table_that_is_none_is_refused(answers, names, message):
    with pytest.raises(FactsError, match=message):
        FactTable(answers, **names)


def test_facts_errors_are_value_errors():
    assert issubclass(FactsError, ValueError)


def test_a_table_keeps_what_it_was_given():
    assert NAMED.answers.dtype == np.int64
    assert NAMED.answers.tolist() == [[1, 2, 0], [0, 0, 1]]
    assert (NAMED.n_subjects, NAMED.n_relations, NAMED.n_attributes, NAMED.n_facts) == (3, 2, 3, 6)
    assert NAMED.question(2, 0) == "likes of cy"
    assert NAMED.question(2, 0, 1) == "owes of likes of cy"  # the first hop last
    assert (NAMED.subject_name(1), NAMED.relation_name(1), NAMED.attribute_name(2)) == ("bob", "owes", "cy")
    assert "2 relations over 3 subjects, 3 attributes" in repr(NAMED)


def test_without_names_subjects_relations_and_attributes_are_numbered():
    table = FactTable([[3, 0]])
    assert table.n_attributes == 4
    assert (table.subject_name(1), table.relation_name(0), table.attribute_name(3)) == ("s1", "r0", "a3")


def test_a_table_does_not_change_with_the_array_it_was_made_from():
    answers = np.array([[0, 1]])
    table = FactTable(answers)
    answers[0, 0] = 1
    assert table.answers.tolist() == [[0, 1]]


def test_a_table_is_immutable():
    with pytest.raises(ValueError, match="read-only"):
        NAMED.answers[0, 0] = 2
    with pytest.raises(AttributeError, match="immutable: cannot set n_attributes"):
        NAMED.n_attributes = 4
    with pytest.raises(AttributeError, match="immutable"):
        NAMED.colour = "red"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_are_equal_and_immutable(copied):
    twin = copied(NAMED)
    assert twin == NAMED
    assert hash(twin) == hash(NAMED)
    assert twin.digest == NAMED.digest
    with pytest.raises(ValueError, match="read-only"):
        twin.answers[0, 0] = 2


def test_the_digest_changes_with_every_part_of_the_content():
    tables = [
        NAMED,
        NAMED.altered(0, 0, 0),
        FactTable(NAMED.answers),
        FactTable(NAMED.answers, n_attributes=4),
        FactTable(NAMED.answers, subjects=["ann", "bob", "cy"]),
        FactTable(NAMED.answers, relations=["likes", "owes"]),
        FactTable(NAMED.answers, attributes=["ann", "bob", "cy"]),
        FactTable(NAMED.answers.T),
        FactTable(NAMED.answers.reshape(1, 6)),
        FactTable(NAMED.answers.reshape(6, 1)),
    ]
    assert len({table.digest for table in tables}) == len(tables)
    assert len(set(tables)) == len(tables)
    assert NAMED != "a table"


def test_the_digest_does_not_depend_on_the_type_of_the_integers():
    assert FactTable(np.array([[1, 0]], dtype=np.uint8)).digest == FactTable([[1, 0]]).digest


@given(seed=SEEDS, N=st.integers(1, 6), R=st.integers(1, 3), A=st.integers(1, 8))
def test_bijective_means_that_every_relation_takes_every_attribute_once(seed, N, R, A):
    rng = np.random.default_rng(seed)
    for table in (random_functions(N, R, A, rng=rng), random_bijections(N, R, rng=rng)):
        once = all(sorted(row) == list(range(table.n_attributes)) for row in table.answers.tolist())
        assert table.bijective == once


@given(seed=SEEDS, N=st.integers(1, 12), R=st.integers(1, 3))
def test_random_bijections_are_bijections(seed, N, R):
    table = random_bijections(N, R, rng=np.random.default_rng(seed))
    assert (table.n_relations, table.n_subjects, table.n_attributes) == (R, N, N)
    assert table.bijective


@given(seed=SEEDS, N=st.integers(1, 6), R=st.integers(1, 3), A=st.integers(1, 8))
def test_random_functions_have_the_shape_asked_for(seed, N, R, A):
    table = random_functions(N, R, A, rng=np.random.default_rng(seed))
    assert (table.n_relations, table.n_subjects, table.n_attributes) == (R, N, A)
    assert table.occurring().tolist() == sorted(set(table.answers.ravel().tolist()))
    assert random_functions(N, R, rng=np.random.default_rng(seed)).n_attributes == N


def test_random_bijections_reach_every_permutation():
    rng = np.random.default_rng(0)
    rows = {tuple(random_bijections(3, 1, rng=rng).answers[0].tolist()) for _ in range(200)}
    assert len(rows) == 6


def test_random_functions_reach_every_function():
    rng = np.random.default_rng(0)
    rows = {tuple(random_functions(2, 1, 3, rng=rng).answers[0].tolist()) for _ in range(300)}
    assert len(rows) == 9


@given(seed=SEEDS, N=st.integers(1, 7), R=st.integers(1, 3), hops=st.lists(st.integers(0, 2), max_size=5))
def test_composition_follows_one_relation_after_the_other(seed, N, R, hops):
    table = random_functions(N, R, rng=np.random.default_rng(seed))
    hops = [r % R for r in hops]
    for start, reached in enumerate(table.compose(hops).tolist()):
        entity = start
        for r in hops:
            entity = int(table.answers[r, entity])
        assert reached == entity


def test_relations_do_not_compose_where_attributes_are_not_subjects():
    for table in (FactTable([[0, 1]], n_attributes=3), FactTable([[0, 1]], subjects=["a", "b"])):
        assert not table.of_entities
        with pytest.raises(FactsError, match="compose only where the attributes are the subjects"):
            table.compose([0])


def test_to_entities_identifies_attributes_with_subjects_by_name():
    table = FactTable([[0, 1, 0]], subjects=["a", "b", "c"], attributes=["c", "a"])
    entities = table.to_entities()
    assert entities.of_entities
    assert entities.answers.tolist() == [[2, 0, 2]]
    assert entities.compose([0, 0]).tolist() == [2, 2, 2]
    assert entities.to_entities() is entities


def test_to_entities_refuses_an_attribute_that_is_no_subject():
    table = FactTable([[0, 1]], subjects=["a", "b"], attributes=["b", "z"], relations=["next"])
    with pytest.raises(FactsError, match="next of b is 'z', which is no subject"):
        table.to_entities()


def test_to_entities_does_not_mind_a_foreign_attribute_that_never_occurs():
    table = FactTable([[0, 0]], subjects=["a", "b"], attributes=["b", "z"])
    assert table.to_entities().answers.tolist() == [[1, 1]]


def test_missing_unknown_adds_an_entity_that_every_relation_maps_to_itself():
    table = FactTable([[0, 1], [1, 0]], subjects=["a", "b"], attributes=["b", "z"])
    entities = table.to_entities(missing="unknown")
    assert entities.subjects == entities.attributes == ("a", "b", "unknown")
    assert entities.answers.tolist() == [[1, 2, 2], [2, 1, 2]]
    assert entities.compose([1, 0, 1]).tolist() == [2, 2, 2]


def test_missing_unknown_uses_an_entity_of_that_name_where_there_is_one():
    table = FactTable([[0, 1]], subjects=["a", "unknown"], attributes=["z", "a"])
    assert table.to_entities(missing="unknown").answers.tolist() == [[1, 0]]


def test_a_restricted_table_keeps_all_attributes_and_the_names_of_what_is_left():
    part = NAMED.restricted(subjects=[2, 0], relations=[1])
    assert part.answers.tolist() == [[1, 0]]
    assert (part.subjects, part.relations, part.attributes) == (("cy", "ann"), ("owes",), NAMED.attributes)
    assert FactTable(NAMED.answers, n_attributes=5).restricted(subjects=[0]).n_attributes == 5
    assert NAMED.restricted() == NAMED


def test_an_altered_table_differs_in_one_fact():
    other = NAMED.altered(2, 1, 0)
    assert np.argwhere(other.answers != NAMED.answers).tolist() == [[1, 2]]
    assert other.answers[1, 2] == 0
    assert other.subjects == NAMED.subjects
    with pytest.raises(FactsError, match=r"answers\[1, 2\] is 3"):
        NAMED.altered(2, 1, 3)
