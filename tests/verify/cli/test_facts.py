"""Facts on the command line: files of every kind, and what of them was filled."""

import io
import json
import os
import sys

import numpy as np
import pytest


@pytest.fixture
def lands(tmp_path):
    """Capitals that are no subjects, and neighbours that are."""
    path = tmp_path / "lands.csv"
    rows = ["Norrland,capital,Arlen City", "Sudland,capital,Port Vey"]
    rows += ["Norrland,neighbour,Sudland", "Sudland,neighbour,Norrland"]
    path.write_text("\n".join(["subject,relation,attribute", *rows]))
    return path


def test_one_hop_is_asked_of_any_facts(said):
    assert said("ask", "--facts", "countries", "capital of France")[:2] == (
        0,
        "step 1  France | capital  ->  Paris  (margin 2)\ncapital of France: Paris\n",
    )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("capital of Norrland", "Arlen City"),
        ("capital of neighbour of Norrland", "Port Vey"),
        ("neighbour of capital of Norrland", "unknown"),
        ("neighbour of Arlen City", "unknown"),
    ],
)
def test_missing_unknown_loses_no_answer_that_is_stated(said, lands, question, answer):
    status, out, _ = said("ask", "--facts", lands, "--missing", "unknown", question, "--json")
    found = json.loads(out)
    assert (status, found["answer"], found["stated"]) == (0, answer, answer != "unknown")
    _, out, _ = said("ask", "--facts", lands, "--missing", "unknown", question)
    assert out.endswith("nobody stated it)\n") == (answer == "unknown")


def test_a_verdict_counts_what_was_filled_and_what_was_stated(said, lands):
    hops = ("composed-hops", "--hops", "2")
    asked = ("check", *hops, "--facts", lands, "--missing", "unknown")
    parameters = json.loads(said(*asked, "--json")[1])["parameters"]
    assert parameters["subjects"] == 5  # two lands, two capitals, the unknown
    assert parameters["filled_cells"] == 3 * 2
    assert parameters["stated_queries"] == 4  # the neighbour first, then anything
    _, out, _ = said(*asked)
    assert "6 missing cells are filled; 4 of 20 queries are about stated facts" in " ".join(out.split())


@pytest.mark.parametrize(
    "arguments", [["single-hop"], ["counting-bound"], ["chain-of-thought", "--hops", "1"]]
)
def test_every_kind_of_claim_says_what_was_filled(said, tmp_path, arguments):
    path = tmp_path / "facts.csv"
    path.write_text("subject,a,b\nx,x,\ny,y,x\n")
    status, out, _ = said("check", *arguments, "--facts", path, "--missing", "unknown", "--json")
    parameters = json.loads(out)["parameters"]
    assert status in (0, 3)
    assert parameters["filled_cells"] == (3 if "hops" in parameters else 1)
    assert parameters["stated_queries"] == 3


def test_weights_and_constructions_say_what_was_filled(said, lands, tmp_path):
    model, filled = tmp_path / "m.safetensors", ("--facts", lands, "--missing", "unknown")
    assert said("export", "composed-hops", "--hops", 2, *filled, "--out", model)[0] == 0
    for judged in (
        ("--model", model),
        ("--construction", "georecall:composed_hops", "--hops", "2"),
    ):
        verdict = json.loads(said("check", *judged, *filled, "--json")[1])
        assert verdict["status"] == "holds"
        assert verdict["parameters"]["filled_cells"] == 6
        assert verdict["parameters"]["stated_queries"] == 4


def test_a_construction_is_judged_on_answers_in_numbers(said, tmp_path):
    path = tmp_path / "A.npy"
    np.save(path, np.array([[1, 2, 0], [3, 3, 1]], dtype=np.int32))
    build = ("check", "--construction", "georecall:in_place_superposition", "--answers", path)
    verdict = json.loads(said(*build, "--json")[1])
    assert (verdict["status"], verdict["n_facts"]) == ("holds", 6)
    assert verdict["parameters"]["attributes"] == 4
    assert "not both" in said(*build, "--facts", "elements")[2]
    np.save(path, np.array([[0.5]]))
    assert "must hold one array of integers" in said(*build)[2]


def test_facts_that_are_stated_in_full_say_nothing_of_filling(said):
    parameters = json.loads(said("check", "single-hop", "--facts", "elements", "--json")[1])["parameters"]
    assert "filled_cells" not in parameters


def test_a_file_that_exists_is_read_whatever_it_is_called(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("facts", "facts.txt", "elements"):
        (tmp_path / name).write_text("Ann\tmother\tZoe\nBen\tmother\tEva\n")
        assert said("ask", "--facts", name, "mother of Ben")[1].endswith("mother of Ben: Eva\n")
    assert "no data set is called 'facts2'" in said("ask", "--facts", "facts2", "x")[2]
    assert "cannot read facts2.txt: No such file" in said("ask", "--facts", "facts2.txt", "x")[2]
    assert "the shipped data set is called 'countries'" in said("ask", "--facts", "countries.csv", "x")[2]


def test_what_was_read_is_shown_with_the_number_of_each_attribute(said, lands, tmp_path):
    status, out, _ = said("facts", lands, "--missing", "unknown", "--entities")
    assert status == 0
    assert {"subjects 5", "filled_cells 6", "of_entities True", "bijective False"} <= set(out.splitlines())
    assert "2       Arlen City  capital of Norrland" in out
    found = json.loads(said("facts", lands, "--json")[1])
    assert found["attribute_names"] == ["Arlen City", "Port Vey", "Sudland", "Norrland"]
    assert (found["bijective"], found["disjoint_attributes"]) == (False, True)
    assert said("facts", lands, "--answers", tmp_path / "A.npy")[0] == 0
    assert np.load(tmp_path / "A.npy").tolist() == [[0, 1], [2, 3]]
    assert "which is no subject" in said("facts", lands, "--entities")[2]


def test_where_nothing_was_missing_the_verdict_says_so(said, lands):
    asked = ("check", "single-hop", "--facts", lands, "--missing", "unknown")
    assert json.loads(said(*asked, "--json")[1])["parameters"]["filled_cells"] == 0
    assert "no cell was missing" in said(*asked)[1]


def test_facts_come_through_standard_input(said, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"subject,mother\nAnn,Zoe\n")))
    assert said("ask", "--facts", "-", "mother of Ann")[1].endswith("mother of Ann: Zoe\n")


def test_what_may_not_be_meant_so_is_noted_in_one_line(said, tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text("subject,boss\nUS,Ann\nus,Ben; Eva\n")
    status, out, err = said("ask", "--facts", path, "boss of US")
    assert (status, out.splitlines()[-1]) == (0, "boss of US: Ann")
    assert err.count("\n") == err.count("georecall: note: ") == 2
    assert "row 3, column boss: 'Ben; Eva' looks like several values" in err
    status, out, err = said("ask", "--facts", path, "boss of uS")
    assert (status, out, err.count("\n")) == (2, "", 1)  # a failure is one line


def test_a_pipe_that_nobody_writes_to_is_one_line(said, tmp_path, monkeypatch):
    monkeypatch.setattr("georecall.theory.tools.streams._PIPE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    status, out, err = said("check", "single-hop", "--facts", tmp_path / "pipe")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "a pipe that did not end" in err
