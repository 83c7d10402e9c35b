"""Facts in JSON: the plain shapes, and what is refused by entry and key."""

import json

import pytest

from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.spelling import FactsWarning


@pytest.fixture
def read(tmp_path):
    """Writes a text and reads it as facts."""

    def written_and_read(content, **options):
        path = tmp_path / "facts.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), "utf-8")
        return FactTable.from_file(path, **options)

    return written_and_read


MOTHERS = FactTable.from_triples([("Ann", "mother", "Zoe"), ("Ben", "mother", "Eva")])
SHAPES = {
    "triples": [
        {"head": "Ann", "relation": "mother", "tail": "Zoe"},
        {"tail": "Eva", "relation": "mother", "head": "Ben"},
    ],
    "lists of three": [["Ann", "mother", "Zoe"], ["Ben", "mother", "Eva"]],
    "wide": [{"subject": "Ann", "mother": "Zoe"}, {"mother": "Eva", "subject": "Ben"}],
    "wide, name": [{"name": "Ann", "mother": "Zoe"}, {"name": "Ben", "mother": "Eva"}],
    "lines": '{"name": "Ann", "mother": "Zoe"}\r\n\n {"name": "Ben", "mother": "Eva"}\n',
    "samples": {
        "name": "mother",
        "samples": [{"subject": "Ann", "object": "Zoe"}, {"subject": "Ben", "object": "Eva"}],
    },
    "samples of several relations": [
        {"name": "mother", "samples": [{"subject": "Ann", "object": "Zoe"}]},
        {"name": "mother", "samples": [{"object": "Eva", "subject": "Ben"}]},
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_plain_shapes_are_read(read, shape):
    assert read(SHAPES[shape]) == MOTHERS


def test_known_facts_are_read_and_what_is_left_out_is_said(read):
    known = [
        {"known_id": 0, "subject": "Ann", "attribute": "Zoe", "relation_id": "mother", "prompt": "{} is"},
        {"known_id": 1, "subject": "Ben", "attribute": "Eva", "relation_id": "mother", "prompt": "{} is"},
    ]
    with pytest.warns(FactsWarning, match="read as facts without 'known_id', 'prompt'"):
        assert read(known) == MOTHERS


def test_numbers_and_truth_values_are_the_text_that_they_are(read):
    table = read('[{"subject": "a", "x": 1.50, "y": true, "z": 123456789012345678901234567890}]')
    assert table.attributes == ("1.50", "true", "123456789012345678901234567890")


def test_what_is_null_or_not_there_is_missing(read):
    text = '[{"subject": "a", "x": "1", "y": null}, {"subject": "b", "y": "2"}]'
    with pytest.raises(FactsError, match="entry 1, column y: missing"):
        read(text)
    assert read(text, missing="unknown").filled.tolist() == [[False, True], [True, False]]


REFUSED = {
    "nested": ([{"case_id": 1, "orig": {"triples": []}}], "entry 1, key 'orig': an object where one text"),
    "several values": ([{"name": "Ann", "pals": ["Zoe", "Eva"]}], "entry 1, key 'pals': several values"),
    "no objects": (["a", "b"], "entry 1: no object: want objects"),
    "triples of more": ([["a", "b", ["c", "d"]]], "entry 1, key 'attribute': several values"),
    "an empty list": ([], "holds no object"),
    "no subject": ([{"a": "1", "b": "2"}], "objects of 'a', 'b': want"),
    "no relation": ([{"subject": "a", "object": "b"}], "objects of 'subject', 'object': want"),
    "a key twice": ('{"name": "a", "x": "1", "x": "2"}', "the key 'x' stands twice"),
    "cut off": ('[{"name": "a"', "row 1: no JSON: "),
    "a bad line": ('{"name": "a", "x": "1"}\n{"name": "b", x}\n', "row 2: no JSON: "),
    "NaN": ('[{"name": "a", "x": NaN}]', "NaN is no JSON"),
    "half a character": ('[{"name": "a", "x": "\\ud800"}]', "entry 1, column x: .*half a character"),
    "too deep": ("[" * 100_000, "nested too deep"),
    "a subject twice": (
        [{"name": "a", "x": "1"}, {"name": "a", "x": "2"}],
        "entry 2: the subject 'a' stands already in entry 1",
    ),
    "contradicting samples": (
        {"name": "x", "samples": [{"subject": "a", "object": "1"}, {"subject": "a", "object": "2"}]},
        "sample 2: x of a is '2', but '1' in sample 1",
    ),
    "samples of more": ({"name": "x", "samples": [{"subject": "a"}]}, "sample 1: want one subject and one"),
    "samples of nothing": ({"name": 3, "samples": 4}, "entry 1: samples want a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_shapes_are_refused_by_entry_and_key(read, case):
    content, message = REFUSED[case]
    with pytest.raises(FactsError, match=message) as caught:
        read(content)
    assert "facts.json" in str(caught.value)
    assert "\n" not in str(caught.value)
