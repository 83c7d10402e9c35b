"""`georecall export` and `check --engine`: files that other programs run, or one line that says why not."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from georecall.constructions import CONSTRUCTIONS
from georecall.verify.cli import run

SIZES = ["--subjects", "12", "--relations", "2"]


@pytest.mark.parametrize("claim", CONSTRUCTIONS)
def test_every_construction_is_exported_and_answers_its_sample_queries_in_onnxruntime(
    claim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    out = tmp_path / "model.onnx"
    assert run(["export", claim, *SIZES, "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["dtype"]) == (str(out), "float64")
    properties = {prop.key: json.loads(prop.value) for prop in onnx.load(out).metadata_props}
    assert (properties["claim"], properties["arithmetic"]) == (claim, "float64")
    answers = np.load(report["answers"])
    assert answers.shape == (2, 12)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert properties["query"]
    for query in properties["query"]:
        feeds = {name: np.array([query[name]]) for name in ("tokens", "positions")}
        assert session.run(None, feeds)[0].argmax() == query["answer"]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_narrow_dtypes_hold_what_float64_holds(
    dtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.safetensors"
    assert run(["export", "chain-of-thought", *SIZES, "--dtype", dtype, "--out", str(out)]) == 0
    assert dtype in capsys.readouterr().out
    answers = str(tmp_path / "m.answers.npy")
    assert run(["check", "--model", str(out), "--answers", answers, "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["status"], verdict["min_margin"], verdict["exact"]) == ("holds", 2, True)


@pytest.mark.parametrize("ending", ["safetensors", "onnx"])
def test_a_place_that_cannot_be_written_to_is_one_line(
    ending: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    """No such folder; a file where a folder should be; a folder where the file should be."""
    (tmp_path / "file").write_text("x")
    (tmp_path / f"folder.{ending}").mkdir()
    for out in ("missing/m", "file/m", "folder"):
        path = f"{tmp_path / out}.{ending}"
        message = refused("export", "single-hop", *SIZES, "--out", path)
        assert str(tmp_path / out) in message
        assert ".tmp" not in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", f"folder.{ending}"]


@pytest.mark.parametrize("ending", ["safetensors", "onnx"])
def test_a_disk_that_is_full_is_one_line_and_leaves_the_old_files(ending: str, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    path, beside = tmp_path / f"m.{ending}", tmp_path / "m.answers.npy"
    path.write_text("old")
    beside.write_text("old")
    code = (
        "import resource, sys; sys.dont_write_bytecode = True\n"  # Python keeps what was cut short
        "from georecall.verify.cli import run\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); sys.exit(run(sys.argv[1:]))"
    )
    command = ["export", "single-hop", *SIZES, "--out", str(path)]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(f"{path}: File too large\n")
    assert path.read_text() == beside.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    says = "onnx is not installed: pip install 'georecall[export]'"
    assert says in refused("check", "single-hop", *SIZES, "--engine", "onnxruntime")
    assert says in refused("export", "single-hop", *SIZES, "--out", str(tmp_path / "m.onnx"))
    assert list(tmp_path.iterdir()) == []


def test_weights_that_the_theorem_does_not_speak_of_are_written_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "m.safetensors")
    assert run(["export", "single-hop", *SIZES, "--out", out]) == 0
    assert capsys.readouterr().err == ""
    assert run(["export", "single-hop", *SIZES, "--gate", "0.5", "--out", out]) == 0
    warned = "georecall: warning: not gate at least half the spread of the code: these weights may not recall"
    assert capsys.readouterr().err.splitlines() == [warned]


def test_a_check_says_which_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    pytest.importorskip("onnxruntime")
    assert run(["check", "composed-hops", *SIZES, "--engine", "onnxruntime"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "holds",
        "engine onnxruntime",
        "engine_queries",
        "ok control: one weight of the graph negated",
    ):
        assert part in shown
    assert run(["check", "composed-hops", *SIZES]) == 0
    assert "engine" not in capsys.readouterr().out
    out = tmp_path / "m.safetensors"
    assert run(["export", "chain-of-thought", *SIZES, "--hops", "2", "--out", str(out)]) == 0
    capsys.readouterr()
    model = ["--model", str(out), "--answers", str(tmp_path / "m.answers.npy")]
    assert run(["check", *model, "--engine", "onnxruntime", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["parameters"]["engine"] == "onnxruntime"
    assert verdict["measured"]["engine_queries"] == 12 * 2 + 2 * 12 * 4  # one step, and both of two
    assert "counting-bound" in refused("check", "counting-bound", "--engine", "onnxruntime")
    assert "abacus" in refused("check", "single-hop", "--engine", "abacus")


def test_a_file_of_whole_numbers_is_decided_by_a_script_that_needs_nothing(tmp_path, monkeypatch):
    options = ["--subjects", "6", "--relations", "2"]
    assert run(["export", "single-hop", *options, "--out", str(tmp_path / "model.json")]) == 0
    command = [sys.executable, "-I", "-S", "recheck.py", "model.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "12 prompts, 0 wrong, least margin 2\n"
    stored = json.loads((tmp_path / "model.json").read_text())
    stored["answers"][1][3] = (stored["answers"][1][3] + 1) % 6
    (tmp_path / "model.json").write_text(json.dumps(stored))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("12 prompts, 1 wrong, least margin -2 ([3, 7], range(0, 2), ")


@pytest.mark.parametrize(
    ("claim", "prompts"),
    [("chain-of-thought", 3 * 2 + 3 * 4 * 2), ("sequential-hops", 12), ("two-sided-hops", 12)],
)
def test_hops_and_chains_of_thought_are_decided_by_the_script_too(tmp_path, capsys, claim, prompts):
    options = ["--subjects", "3", "--relations", "2", "--hops", "2"]
    assert run(["export", claim, *options, "--out", str(tmp_path / "model.json")]) == 0
    capsys.readouterr()
    command = [sys.executable, "-I", "-S", "recheck.py", "model.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{prompts} prompts, 0 wrong, least margin 2")
    stored = json.loads((tmp_path / "model.json").read_text())
    stored["W_E"]["rows"][1] = stored["W_E"]["rows"][0]
    (tmp_path / "model.json").write_text(json.dumps(stored))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
