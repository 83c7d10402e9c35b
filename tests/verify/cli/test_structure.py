"""`georecall structure`, small: on saved weights, a construction and plain vectors."""

import json

import numpy as np
import pytest

from georecall import block_superposition
from georecall.constructions.files.weights import save_safetensors
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.cli import run

TABLE = random_bijections(32, 2, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("structure")
    model = block_superposition(TABLE)
    queries = [{"subject": 0, "relations": [0], "tokens": [0, 32], "positions": [0, 1], "answer": 0}]
    queries[0]["answer"] = int(TABLE.answers[0, 0])
    save_safetensors(model, folder / "m.safetensors", TABLE.answers, queries=queries)
    np.save(folder / "e.npy", np.asarray(model.dense().W_E)[:32, :10])
    np.save(folder / "u.npy", np.where((TABLE.answers[0].argsort()[:, None] >> np.arange(5)) & 1, 1.0, -1.0))
    np.save(folder / "a.npy", TABLE.answers)
    return folder


def told(capsys, *arguments):
    assert run(["structure", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_saved_weights_show_all_that_they_have(files, capsys):
    found = told(capsys, "--model", files / "m.safetensors", "--answers", files / "m.answers.npy")
    assert found["recall"] == found["probe"] == found["swap"] == found["transfer"] == 1.0
    assert found["worst_transfer"] == [1.0, 1.0]
    assert found["not_applicable"] == {}


def test_the_table_has_a_legend_and_the_figure_is_drawn(files, capsys):
    out = files / "f.svg"
    arguments = ["--model", files / "m.safetensors", "--answers", files / "a.npy", "--figure", out]
    assert run(["structure", *map(str, arguments)]) == 0
    text = capsys.readouterr().out
    assert "one attribute exchanged: exactly that answer follows" in text
    assert "untrained 0." in text
    assert b"worst transfer" in out.read_bytes()


def test_a_construction_is_measured_on_facts_that_are_given(files, capsys, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("from georecall import in_place_superposition as build\n")
    monkeypatch.chdir(tmp_path)
    found = told(capsys, "--construction", "mine:build", "--answers", files / "a.npy")
    assert found["recall"] == 1.0
    (tmp_path / "loose.py").write_text("def build(facts):\n    return lambda tokens: tokens\n")
    assert run(["structure", "--construction", "loose:build", "--answers", str(files / "a.npy")]) == 2
    assert "no weights: structure is in weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("narrow_superposition", "switch 5 of 5 neurons, rank 5; an exact one has rank (R-1) m = 5 or more"),
        ("packed_superposition", "rank 2, below (R-1) m = 5: it is not exact, and escapes the floor"),
        ("dense_superposition", "it is not exact, and escapes the floor"),
        ("selecting_heads", "not measured: selector (attention depends on the tokens: it may select"),
    ],
)
def test_selectors_are_told_by_how_they_select(build, said, files, capsys, tmp_path, monkeypatch):
    imported = f"from georecall{'.constructions.selector' if 'heads' in build else ''} import {build}"
    (tmp_path / f"of_{build}.py").write_text(f"{imported} as build\n")
    monkeypatch.chdir(tmp_path)
    assert run(["structure", "--construction", f"of_{build}:build", "--answers", str(files / "a.npy")]) == 0
    assert said in capsys.readouterr().out


def test_vectors_alone_name_what_is_not_measured(files, capsys):
    arguments = ("--vectors", files / "e.npy", "--attributes", files / "u.npy", "--answers", files / "a.npy")
    found = told(capsys, *arguments)
    assert found["not_applicable"].keys() == {"recall", "swaps", "gating", "transfer", "selector"}
    assert "swap" not in found
    assert run(["structure", *map(str, arguments)]) == 0
    assert "not measured: swaps (vectors answer nothing" in capsys.readouterr().out


def test_transfer_of_a_model_runs_what_applies(files, capsys, tmp_path):
    from dataclasses import replace

    from georecall.constructions.transformer.layers import Block

    model = block_superposition(TABLE)
    deeper = replace(model, blocks=(*model.blocks, Block(None, model.blocks[0].mlp.map(lambda w: 0 * w))))
    queries = [{"subject": 0, "relations": [0], "tokens": [0, 32], "positions": [0, 1], "answer": 0}]
    queries[0]["answer"] = int(TABLE.answers[0, 0])
    save_safetensors(deeper, tmp_path / "d.safetensors", TABLE.answers, queries=queries)
    asked = ["transfer", "--model", str(tmp_path / "d.safetensors"), "--answers", str(files / "a.npy")]
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["procedures"]
    assert found["superposition"]["transfer"] == 1.0
    assert all("one layer" in found[name]["not_applicable"] for name in ("inverse", "training"))
    assert run(asked) == 0
    assert "not measured: inverse (the procedure is for one layer" in capsys.readouterr().out
    assert run([*asked, "--procedure", "inverse"]) == 2
    assert "nothing that was asked for applies" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "give one of --model, --construction and --vectors"),
        (["--model", "m", "--vectors", "v"], "give one of --model, --construction and --vectors"),
        (["--model", "m"], "give one of --answers A.npy and --facts"),
        (["--model", "m", "--answers", "a", "--attributes", "u"], "--attributes goes with --vectors"),
        (["--vectors", "v.npy", "--answers", "absent.npy"], "absent.npy"),
        (["--vectors", "v.npy", "--answers", "a.npy"], "v.npy is no array in .npy format"),
        (["--model", "m", "--answers", "a.npy", "--figure", "f.jpg"], "--figure must end in .svg"),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments, what, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", TABLE.answers)
    assert run(["structure", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert what in captured.err
    assert captured.err.count("\n") == 1
