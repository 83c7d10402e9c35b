"""Dimension against depth: what is swept is what the claim predicts, and stands above the floor."""

import json
import math
from pathlib import Path

import pytest

from georecall.verify.cli import run
from georecall.verify.sweep import HOP_PRESETS, Cell, hop_cells, measure


@pytest.mark.parametrize(("hops", "stages"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_a_cell_is_the_claims_dimension_at_its_depth(hops: int, stages: int) -> None:
    N, R, m = 12, 3, 4
    found = measure(Cell.of("hops", n_subjects=N, n_relations=R, hops=hops, stages=stages, seed=1))
    assert found["d_model"] == (R ** math.ceil(hops / stages) + 1) * m + R + hops + 1
    assert found["n_layers"] == 2 * stages - 1
    assert (found["recalled"], found["asked"], found["verified_share"]) == (N * R**hops, N * R**hops, 1)
    assert (found["min_margin"], found["exact"]) == (2, True)
    assert 0 <= found["floor"] < found["d_model"]


def test_cells_beyond_the_most_dimensions_are_left_out() -> None:
    assert len(hop_cells(64, 4, 3)) == 6
    small = {dict(cell.parameters)["stages"] for cell in hop_cells(64, 4, 3, most=100)}
    assert {(c.parameters[0], c.parameters[-1]) for c in hop_cells(64, 4, 3, most=100)} < {
        (c.parameters[0], c.parameters[-1]) for c in hop_cells(64, 4, 3)
    }
    assert small


def test_presets_keep_to_their_seed() -> None:
    assert HOP_PRESETS["quick"](3) == hop_cells(64, 3, 4, seed=3)
    assert all(dict(cell.parameters)["n_subjects"] == 4096 for cell in HOP_PRESETS["paper"]())


def test_the_command_fills_a_results_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "hops.sqlite")
    arguments = ("--subjects", "8", "--relations", "2", "--hops", "2", "--out", out, "--json")
    assert run(["sweep", "hops", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    assert run(["plot", "depth", out, "--out", str(tmp_path / "depth.svg")]) == 0


def test_bad_numbers_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "hops", "--hops", "0", "--out", str(tmp_path / "hops.sqlite")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
