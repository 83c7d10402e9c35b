"""`georecall check`: what a person and a program get."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from georecall.verify.cli import run

KEYS = {
    *("claim", "status", "n_facts", "n_queries", "min_margin", "exact", "method", "predicted", "measured"),
    *(
        "hypotheses",
        "controls",
        "controls_at",
        "witness",
        "parameters",
        "seed",
        "seconds",
        "version",
        "reason",
    ),
}


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    status = run(["check", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("facts", ["countries", "elements"])
def test_real_facts_are_recalled_exactly(facts: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, verdict = checked(capsys, "single-hop", "--facts", facts)
    assert status == 0
    assert verdict.keys() == KEYS
    assert (verdict["status"], verdict["exact"], verdict["min_margin"]) == ("holds", True, 2)
    assert verdict["controls"]
    assert all(control["ok"] for control in verdict["controls"])
    assert verdict["parameters"]["table"] == facts


@pytest.mark.parametrize(
    ("claim", "options", "d_model", "d_mlp", "min_margin"),
    [
        ("single-hop", [], 90, 80, 2),
        ("single-hop-in-place", [], 80, 80, 2),
        ("single-hop-narrow", [], 80, 70, 2),
        ("single-hop-quantized", ["--bits", "4"], 24, 24, 0.5),
        ("single-hop-packed", ["--bits", "5"], 82, 16, 2),
    ],
)
def test_dimensions_at_a_thousand_subjects(
    claim: str,
    options: list[str],
    d_model: int,
    d_mlp: int,
    min_margin: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, verdict = checked(capsys, claim, "--subjects", "1000", "--relations", "8", *options)
    measured = verdict["measured"]
    assert (status, measured["d_model"], measured["d_mlp"], measured["n_layers"]) == (0, d_model, d_mlp, 1)
    assert verdict["min_margin"] == measured["min_margin"] == min_margin
    assert measured == verdict["predicted"]


def test_a_gate_below_one_is_not_the_theorem(capsys: pytest.CaptureFixture[str]) -> None:
    status, verdict = checked(capsys, "single-hop", "--gate", "0.9")
    assert (status, verdict["status"]) == (3, "hypotheses-not-met")
    assert "gate" in verdict["reason"]
    assert [h["name"] for h in verdict["hypotheses"] if not h["holds"]] == [
        "gate at least half the spread of the code"
    ]


def test_one_attribute_has_no_margin(capsys: pytest.CaptureFixture[str]) -> None:
    status, verdict = checked(capsys, "single-hop", "--subjects", "1")
    assert (status, verdict["status"], verdict["min_margin"]) == (3, "hypotheses-not-met", None)


def test_a_person_sees_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "single-hop", "--subjects", "20", "--relations", "3"]) == 0
    shown = capsys.readouterr().out
    for part in ("holds", "d_model", "ok control: weak gate", "60 queries verified by codebook, exact"):
        assert part in shown


def test_exported_weights_hold_and_a_flipped_coordinate_is_the_witness(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import load_file, save_file

    out, answers = tmp_path / "model.safetensors", tmp_path / "model.answers.npy"
    assert run(["export", "single-hop", "--subjects", "16", "--relations", "3", "--out", str(out)]) == 0
    capsys.readouterr()
    status, verdict = checked(capsys, "--model", str(out), "--answers", str(answers))
    assert (status, verdict["claim"], verdict["status"], verdict["min_margin"]) == (0, "recall", "holds", 2)

    weights = load_file(out)
    weights["W_E"][7, 2 * 4 + 1] *= -1  # subject 7, relation 2, bit 1
    save_file(weights, tmp_path / "flipped.safetensors")
    status, verdict = checked(
        capsys, "--model", str(tmp_path / "flipped.safetensors"), "--answers", str(answers)
    )
    answer = int(np.load(answers)[2, 7])
    assert (status, verdict["status"]) == (1, "refuted")
    assert {
        name: verdict["witness"][name] for name in ("subject", "relations", "answer", "got", "margin")
    } == {
        "subject": 7,
        "relations": [2],
        "answer": answer,
        "got": answer ^ 2,
        "margin": -2,
    }


def test_answers_of_another_shape_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    out = tmp_path / "model.safetensors"
    assert run(["export", "single-hop", "--subjects", "16", "--relations", "3", "--out", str(out)]) == 0
    capsys.readouterr()
    np.save(tmp_path / "short.npy", np.zeros((3, 15), dtype=np.int64))
    message = refused("check", "--model", str(out), "--answers", str(tmp_path / "short.npy"))
    assert "15 subjects and 3 relations need 18" in message


@pytest.mark.parametrize("claim", ["single-hop", "single-hop-quantized"])
def test_the_same_seed_gives_the_same_verdict(claim: str, capsys: pytest.CaptureFixture[str]) -> None:
    def verdict(seed: str) -> dict:
        found = checked(capsys, claim, "--subjects", "30", "--relations", "2", "--seed", seed)[1]
        return {name: value for name, value in found.items() if name != "seconds"}

    assert verdict("3") == verdict("3")
    assert verdict("3")["parameters"]["facts_sha256"] != verdict("4")["parameters"]["facts_sha256"]


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("georecall.verify.claims.check.check", interrupted)
    assert run(["check", "single-hop"]) == 130
    assert capsys.readouterr() == ("", "georecall: interrupted\n")


def test_an_internal_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("georecall.verify.claims.check.check", broken)
    assert run(["check", "single-hop"]) == 70
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("georecall: internal error, RuntimeError: two lines")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "more than fits: ask for less"),
        (MemoryError("Unable to allocate 9 GiB"), "more than fits (Unable to allocate 9 GiB): ask for less"),
        (OverflowError("too many digits"), "more than fits (too many digits): ask for less"),
    ],
)
def test_what_fits_nowhere_is_bad_input(
    error: Exception,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: Callable[..., str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("georecall.verify.claims.check.check", fail)
    assert refused("check", "single-hop") == f"georecall: {says}\n"
    monkeypatch.setenv("GEORECALL_DEBUG", "1")
    assert run(["check", "single-hop"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_loads_no_heavy_module() -> None:
    heavy = ("numpy", "scipy", "sympy", "matplotlib", "pandas", "rich", "safetensors", "hypothesis")
    code = (
        "import sys; from georecall.verify.cli import run; run(['--help']);"
        f"print(set(sys.modules) & {set(heavy)!r})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "set()"
    assert "check" in shown


def test_check_loads_no_plotting_nor_statistics() -> None:
    code = (
        "import sys; from georecall.verify.cli import run;"
        "run(['check', 'single-hop', '--subjects', '9', '--json']);"
        "print(set(sys.modules) & {'scipy.stats', 'matplotlib', 'pandas', 'hypothesis'})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "set()"
