"""`check --model`: what a file says is compared with what is given; what it does not say is assumed aloud."""

import json
from pathlib import Path

import numpy as np
import pytest

from georecall.constructions.files.safetensors import read, write
from georecall.verify.cli import run

PEOPLE = "subject,boss,friend\nAnn,Bob,Cid\nBob,Cid,Ann\nCid,Ann,Bob\n"


def exported(tmp_path: Path, claim: str, *arguments: str, ending: str = ".safetensors") -> Path:
    (tmp_path / "people.csv").write_text(PEOPLE)
    out = tmp_path / f"m{ending}"
    facts = ["--facts", str(tmp_path / "people.csv")]
    assert run(["export", claim, *facts, *arguments, "--out", str(out)]) == 0
    return out


def judged(capsys: pytest.CaptureFixture[str], model: Path, *facts: str) -> dict:
    capsys.readouterr()
    run(["check", "--model", str(model), *facts, "--json"])
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_facts_that_are_others_than_it_was_made_for_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported(tmp_path, "single-hop")
    facts = tmp_path / "people.csv"
    verdict = judged(capsys, model, "--facts", str(facts))
    assert (verdict["status"], verdict["reason"]) == ("holds", None)
    assert "other_facts" not in verdict["parameters"]
    header, *rows = PEOPLE.splitlines()
    facts.write_text("\n".join([header, *sorted(rows, reverse=True)]) + "\n")
    verdict = judged(capsys, model, "--facts", str(facts))
    assert verdict["status"] == "refuted"
    assert "; its own sample of" in verdict["reason"]

    answers = tmp_path / "m.answers.npy"
    table = np.load(answers)
    table[1, 2] = 1 - table[1, 2] if table[1, 2] < 2 else 0
    np.save(answers, table)
    verdict = judged(capsys, model, "--answers", str(answers))
    assert verdict["reason"] == (
        "1 of 6 facts wrong; the answers given are not those that it was made for (answers_sha256)"
    )


def test_names_that_are_others_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = exported(tmp_path, "single-hop")
    (tmp_path / "people.csv").write_text(PEOPLE.replace("Ann", "Dan"))
    about, weights = read(model)
    about["facts_sha256"] = json.dumps("0" * 64)
    write(model, weights, "float64", about)
    verdict = judged(capsys, model, "--facts", str(tmp_path / "people.csv"))
    assert verdict["status"] == "holds"
    assert "names given are not those" in verdict["parameters"]["other_facts"]


@pytest.mark.parametrize("claim", ["chain-of-thought", "composed-hops"])
def test_a_step_that_the_file_says_otherwise_is_named(
    claim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported(tmp_path, claim, "--hops", "2")
    facts = ["--facts", str(tmp_path / "people.csv")]
    assert judged(capsys, model, *facts)["reason"] is None
    about, weights = read(model)
    samples = json.loads(about["query"])
    samples[-1]["answer"] = (samples[-1]["answer"] + 1) % 3
    write(model, weights, "float64", about | {"query": json.dumps(samples)})
    verdict = judged(capsys, model, *facts)
    assert verdict["status"] == "holds"
    assert verdict["parameters"]["other_facts"].startswith("its own sample of ")


def test_the_scale_that_a_file_does_not_say_stands_in_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported(tmp_path, "single-hop")
    about, weights = read(model)
    del about["attn_scale"]
    write(model, weights, "float64", about)
    verdict = judged(capsys, model, "--facts", str(tmp_path / "people.csv"))
    assert verdict["parameters"]["assumed"] == {"attn_scale": "1"}
    assert verdict["parameters"]["table"] == str(tmp_path / "people.csv")
    run(["check", "--model", str(model), "--facts", str(tmp_path / "people.csv")])
    assert "assumed attn_scale 1" in capsys.readouterr().out


def test_answers_that_are_turned_round_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N + R is what it was, so that the weights fit."""
    model, path = exported(tmp_path, "single-hop"), tmp_path / "m.answers.npy"
    about, weights = read(model)
    write(model, weights, "float64", {name: about[name] for name in ("attention", "attn_scale")})
    assert run(["check", "--model", str(model), "--answers", str(path)]) == 0
    assert "transpose" not in capsys.readouterr().err
    answers = np.load(path)
    np.save(path, answers.T)
    R, N = answers.T.shape
    assert R > N
    assert run(["check", "--model", str(model), "--answers", str(path)]) == 1
    says = f"note: {path} is read as {R} relations of {N} subjects; transpose it if these are {R} subjects"
    assert says in capsys.readouterr().err


def test_a_graph_of_ours_is_judged_and_another_gets_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx")
    model = exported(tmp_path, "single-hop", ending=".onnx")
    verdict = judged(capsys, model, "--answers", str(tmp_path / "m.answers.npy"))
    assert (verdict["status"], verdict["exact"]) == ("holds", True)
    graph = onnx.load(model)
    graph.graph.node[-1].op_type = "Sub"
    onnx.save(graph, model)
    assert run(["check", "--model", str(model), "--answers", str(tmp_path / "m.answers.npy")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "give the weights as M.safetensors" in captured.err
