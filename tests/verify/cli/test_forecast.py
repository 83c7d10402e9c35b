"""What a command will take is said before it takes long: on standard error, and not where nobody reads."""

import time
from dataclasses import replace

import pytest

from georecall.constructions.training.recipe import Recipe
from georecall.theory.claims import CLAIMS
from georecall.verify import sweep as sweeping
from georecall.verify.claims import check as checking
from georecall.verify.claims.check import check
from georecall.verify.cli import forecast, run
from georecall.verify.cli.forecast import of_cells, of_check, of_report, of_training
from georecall.verify.sweep import HOP_PRESETS, LEARNED_PRESETS, PRESETS, Store, capacity_cells, sweep

LONG = ["sweep", "capacity", "--subjects", "2^12", "--relations", "8", "--out"]
SHORT = ["sweep", "hops", "--subjects", "8", "--relations", "2", "--hops", "1", "--out"]


class AtOnce:
    """In place of a timer: what is said later is said now."""

    def __init__(self, _, say):
        self.start, self.cancel = say, lambda: None


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(forecast, "Timer", AtOnce)


def test_what_is_refused_says_that_alone(monkeypatch, capsys):
    monkeypatch.undo()  # a timer as it is
    assert run(["check", "single-hop", "--subjects", "2^50", "--relations", "16"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "takes about" not in said


@pytest.fixture
def nothing_measured(monkeypatch):
    monkeypatch.setattr(sweeping, "sweep", lambda *_, **__: None)


def test_before_a_long_sweep_its_time_is_said_on_standard_error(nothing_measured, tmp_path, capsys):
    assert run([*LONG, str(tmp_path / "r.sqlite")]) == 0
    said = capsys.readouterr()
    assert "georecall: this takes about" in said.err
    assert said.err.rstrip().endswith((" min", " h"))
    assert "takes about" not in said.out


@pytest.mark.parametrize("further", [["--json"], ["--quiet"]])
def test_beside_json_or_in_quiet_nothing_is_said(nothing_measured, tmp_path, capsys, further):
    assert run([*LONG, str(tmp_path / "r.sqlite"), *further]) == 0
    assert capsys.readouterr().err == ""


def test_before_short_work_nothing_is_said(tmp_path, capsys):
    assert run([*SHORT, str(tmp_path / "r.sqlite")]) == 0
    assert run(["check", "single-hop", "--subjects", "1000"]) == 0
    assert capsys.readouterr().err == ""


def test_workers_divide_it_and_finished_cells_do_not_count(nothing_measured, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(forecast.os, "cpu_count", lambda: 64)
    at = str(tmp_path / "r.sqlite")
    seconds = of_cells(capacity_cells(["single-hop-dense"], [1 << 12], [8]))
    assert run([*LONG, at, "--workers", "64"]) == 0
    assert f"about {seconds / 64:.0f} s" in capsys.readouterr().err
    with Store(at) as store:
        for cell in capacity_cells(["single-hop-dense"], [1 << 12], [8]):
            store.enter(cell, {"estimate": 1.0}, 0.0)
    assert run([*LONG, at]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("asked", "long"),
    [
        (["single-hop", "--subjects", "2^30", "--relations", "16", "--implicit"], True),
        (["C1", "--subjects", "2^30", "--relations", "16", "--implicit"], True),
        (["gradient-descent"], True),
        (["linear-memory", "--subjects", "2000"], True),
        (["linear-memory", "--subjects", "20"], False),
        (["sequential-hops"], False),
        (["counting-bound"], False),
    ],
)
def test_a_check_says_it_where_its_sizes_are_large(monkeypatch, capsys, asked, long):
    verdict = replace(check("counting-bound", subjects=4, relations=2, controls=False))
    monkeypatch.setattr(checking, "check", lambda *_, **__: verdict)
    run(["check", *asked])
    assert ("takes about" in capsys.readouterr().err) == long


def test_more_takes_longer_and_every_claim_and_preset_has_a_forecast():
    for name in CLAIMS:
        small, large = (of_check(name, None, {"subjects": N}) for N in (64, 1 << 14))
        assert 0 <= small <= large
    for presets in (PRESETS, HOP_PRESETS, LEARNED_PRESETS):
        assert all(of_cells(cells(0)) > 0 for cells in presets.values())
        assert of_cells(presets["quick"](0)) < of_cells(presets["paper"](0))
    assert of_report("quick", []) < of_report("paper", [])
    recipe = Recipe(dimension=20, width=80)
    assert of_training(recipe, 64, 2, 64) < of_training(replace(recipe, steps=9000), 64, 2, 64)


def test_learning_says_it_before_it_begins(monkeypatch, capsys):
    pytest.importorskip("jax")

    def begun(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("georecall.verify.learned.run.train_and_measure", begun)
    assert run(["learn", "--preset", "quick"]) == 130
    assert capsys.readouterr().err.startswith("georecall: this takes about")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claim", "N", "R"),
    [
        ("best-linear-memory", 250, 4),
        ("chain-of-thought", 1 << 15, 4),
        ("disjoint-attributes", 1000, 8),
        ("disjoint-attributes", 2000, 8),
        ("linear-memory", 200, 4),
        ("margin-bound", 1 << 14, 2),
        ("margin-bound", 1 << 16, 2),
        ("random-feature-memory", 100, 4),
        ("sign-code-memory", 3000, 8),
        ("single-hop", 1 << 18, 8),
        ("single-hop-dense", 256, 4),
        ("single-hop-split", 4000, 8),
        ("single-hop-split", 8000, 8),
    ],
)
def test_a_claims_forecast_is_right_within_a_factor_of_ten(claim, N, R):
    """At sizes that take a second or more: what is the same at every size is not told."""
    start = time.process_time()
    check(claim, subjects=N, relations=R)
    told = of_check(claim, None, {"subjects": N, "relations": R})
    assert 0.1 < told / (time.process_time() - start) < 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("construction", "N", "R"), [("single-hop-dense", 256, 4), ("linear-memory", 400, 1)]
)
def test_a_forecast_is_right_within_a_factor_of_ten(tmp_path, construction, N, R):
    """Other machines, and other work on them, are slower or faster."""
    cells = capacity_cells([construction], [N], [R])
    start = time.process_time()
    sweep(cells, tmp_path / "r.sqlite")
    assert 0.1 < of_cells(cells) / (time.process_time() - start) < 10
