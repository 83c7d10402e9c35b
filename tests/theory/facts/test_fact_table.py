"""FactTable: what it refuses, what it says of itself, and how relations compose."""

import copy
import pickle

import numpy as np
import pandas as pd
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
        ([["0", 1]], {}, "must be integers .* or all of them names, got int"),
        ([["a", None]], {}, "or all of them names, got NoneType"),
        ([["a", "z"]], {"attributes": ["a", "b"]}, "the answer 'z' is none of the attributes"),
        ([[0, 1], [0]], {}, "rows that differ"),
        (np.ma.masked_equal([[0, 1]], 1), {}, "masked"),
        ([[0, 1]], {"n_attributes": 2.5}, "n_attributes must be a whole number, got 2.5"),
        ([[0, 1]], {"n_attributes": True}, "n_attributes must be a whole number"),
        ([[0, 1]], {"subjects": "ab"}, "names of subjects must be several texts, got 'ab'"),
        ([[0, 1]], {"subjects": [1, 2]}, "names of subjects must be several texts"),
        ([[0, 1]], {"filled": [[0, 1]]}, "filled must be truth values"),
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


def test_with_missing_unknown_a_stranger_is_an_entity_whose_own_relations_are_unknown():
    table = FactTable([[0, 1], [1, 0]], subjects=["a", "b"], attributes=["b", "z"])
    entities = table.to_entities(missing="unknown")
    assert entities.subjects == entities.attributes == ("a", "b", "z", "unknown")
    assert entities.answers.tolist() == [[1, 2, 3, 3], [2, 1, 3, 3]]
    assert entities.compose([1, 0]).tolist() == [3, 2, 3, 3]
    assert entities.filled.tolist() == [[False, False, True, True]] * 2
    assert (table.n_filled, entities.n_filled) == (0, 4)


def test_missing_unknown_uses_an_entity_of_that_name_if_it_has_no_facts_of_its_own():
    table = FactTable([[0, 1]], subjects=["a", "unknown"], attributes=["z", "unknown"])
    assert table.to_entities(missing="unknown").answers.tolist() == [[2, 1, 1]]
    table = FactTable([[0, 1]], subjects=["a", "unknown"], attributes=["z", "a"])
    with pytest.raises(FactsError, match="'unknown' is a subject with facts of its own"):
        table.to_entities(missing="unknown")


def test_where_every_attribute_is_a_subject_missing_unknown_adds_nothing():
    table = FactTable([[1, 0]], subjects=["a", "b"], attributes=["b", "a"])
    assert table.to_entities(missing="unknown") == table.to_entities()


def test_entities_without_names_are_known_by_number():
    entities = FactTable([[0, 2]]).to_entities(missing="unknown")
    assert entities.subjects == ("s0", "s1", "s2", "unknown")
    assert entities.answers.tolist() == [[0, 2, 3, 3]]


def test_filled_cells_are_kept_by_what_is_made_of_a_table_and_are_no_content():
    table = FactTable([[0, 1, 1]], filled=[[False, True, True]])
    assert table == FactTable([[0, 1, 1]])
    assert table.n_filled == 2
    assert table.restricted(subjects=[1]).n_filled == 1
    assert table.altered(1, 0, 0).n_filled == 1
    assert pickle.loads(pickle.dumps(table)).n_filled == 2
    assert table.to_entities().n_filled == 2


@given(seed=SEEDS, N=st.integers(1, 6), R=st.integers(1, 3), A=st.integers(1, 8), named=st.booleans())
def test_the_repr_of_a_small_table_makes_it_again(seed, N, R, A, named):
    table = random_functions(N, R, A, rng=np.random.default_rng(seed))
    if named:
        table = FactTable(table.answers, subjects=list("abcdef"[:N]), n_attributes=A)
    assert eval(repr(table)) == table


def test_the_repr_of_a_large_table_is_a_line():
    assert repr(FactTable(np.zeros((8, 9), int))) == "<FactTable: 8 relations over 9 subjects, 1 attributes>"


def test_answers_in_words_are_numbered_relation_by_relation_or_as_the_attributes_are():
    table = FactTable([["x", "y"], ["y", "z"]])
    assert (table.answers.tolist(), table.attributes) == ([[0, 1], [1, 2]], ("x", "y", "z"))
    assert FactTable([["x", "y"]], attributes=["y", "x"]).answers.tolist() == [[1, 0]]
    assert FactTable(np.array([["x", "yy"]])) == FactTable([["x", "yy"]])


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint64, ">i4", object, list, tuple, "fortran"])
def test_the_digest_depends_on_the_facts_and_not_on_what_held_them(kind):
    answers = [[1, 2, 0], [0, 0, 1]]
    if kind == "fortran":
        held = np.asfortranarray(answers)
    elif kind in (list, tuple):
        held = kind(map(kind, answers))
    else:
        held = np.array(answers, dtype=kind).astype(int if kind is object else kind)
    names = np.array(["ann", "bob", "cy"])  # NumPy's own strings
    assert FactTable(held, subjects=names, relations=["likes", "owes"], attributes=list(names)) == NAMED


def test_relations_of_disjoint_attributes_are_known():
    assert FactTable([[0, 1, 1], [2, 2, 3]]).disjoint_attributes
    assert not FactTable([[0, 1, 1], [2, 2, 1]]).disjoint_attributes


TRIPLES = [("ann", "boss", "bob"), ("bob", "boss", "bob"), ("ann", "age", "7"), ("bob", "age", "9")]


def test_triples_dictionaries_and_frames_make_the_table_that_a_file_makes(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text("subject,boss,age\nann,bob,7\nbob,bob,9\n")
    table = FactTable.from_file(path)
    by_relation = {"boss": {"ann": "bob", "bob": "bob"}, "age": {"ann": "7", "bob": "9"}}
    wide = pd.DataFrame({"subject": ["ann", "bob"], "boss": ["bob", "bob"], "age": [7, 9]})
    frames = [wide, wide.set_index("subject"), wide.set_index("subject").rename_axis(None)]
    frames += [pd.DataFrame(TRIPLES, columns=["head", "relation", "tail"])]
    made = [FactTable.from_frame(frame) for frame in frames]
    for other in (FactTable.from_triples(TRIPLES), FactTable.from_dict(by_relation), *made):
        assert other == table
        assert other.answers.dtype == np.int64


def test_what_a_frame_or_triples_lack_is_refused_or_filled():
    frame = pd.DataFrame({"subject": ["ann", "bob"], "boss": ["bob", None]})
    with pytest.raises(FactsError, match="the frame, row 1, column boss: missing"):
        FactTable.from_frame(frame)
    assert FactTable.from_frame(frame, missing="unknown").filled.tolist() == [[False, True]]
    with pytest.raises(FactsError, match=r"row 0: 1\.5 is neither text nor a whole number"):
        FactTable.from_frame(pd.DataFrame({"subject": ["ann"], "mass": [1.5]}))
    with pytest.raises(FactsError, match="the frame has the columns 'name,boss'"):
        FactTable.from_frame(pd.DataFrame({"name": ["ann"], "boss": ["bob"]}))
    with pytest.raises(FactsError, match=r"number 0: .*, where 3 parts are wanted"):
        FactTable.from_triples([("ann", "boss")])
    with pytest.raises(FactsError, match=r"use FactTable\.from_frame"):
        FactTable(frame)


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
