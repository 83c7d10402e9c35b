"""`georecall sweep` and `georecall plot`: what a person and a program get."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from georecall.verify.cli import run


def test_a_sweep_and_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    out, rows, figure = tmp_path / "r.sqlite", tmp_path / "rows.csv", tmp_path / "phase.svg"
    grid = ["--subjects", "4", "--subjects", "8", "--dimension", "20", "--dimension", "60", "--trials", "8"]
    command = ["sweep", "capacity", *grid, "--out", str(out), "--rows", str(rows), "--json"]
    assert run(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["cells"], report["rows"]) == (4, 4)
    first = rows.read_bytes()
    assert run(command) == 0
    assert rows.read_bytes() == first
    assert run(["plot", "phase", str(out), "--out", str(figure)]) == 0
    assert figure.read_text().startswith("<?xml")
    capsys.readouterr()
    assert "no cells of constructions" in refused("plot", "capacity", str(out), "--out", str(figure))


def test_without_dimensions_the_threshold_is_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    command = ["sweep", "capacity", "--subjects", "8", "--trials", "16", "--share", "0.99"]
    assert run([*command, "--out", str(tmp_path / "r.sqlite"), "--rows", str(rows)]) == 0
    assert "holds 1 cells" in capsys.readouterr().out
    assert "99/100" in rows.read_text()


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_said(tmp_path: Path, refused: Callable[..., str]) -> None:
    pytest.importorskip("distributed")
    command = ["sweep", "capacity", "--subjects", "4", "--out", str(tmp_path / "r.sqlite")]
    assert "no Dask scheduler answers" in refused(*command, "--scheduler", "tcp://127.0.0.1:9")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_figure_or_rows_that_cannot_be_written_leave_the_old_ones(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
) -> None:
    out, rows, figure = tmp_path / "r.sqlite", tmp_path / "rows.csv", tmp_path / "phase.png"
    grid = ["--subjects", "4", "--dimension", "20", "--trials", "4"]
    sweep = ["sweep", "capacity", *grid, "--out", str(out), "--rows", str(rows)]
    plot = ["plot", "phase", str(out), "--out", str(figure)]
    rows.write_text("old")
    figure.write_text("old")

    def half(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _, path, **options: half(path))
    monkeypatch.setattr(Path, "write_text", half)
    for command, path in ((sweep, rows), (plot, figure)):
        assert run(command) == (2 if isinstance(error, OSError) else 130)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert isinstance(error, KeyboardInterrupt) or str(path) in captured.err
        error = type(error)(*error.args[:2])  # one that names no file yet
        assert path.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phase.png", "r.sqlite", "rows.csv"]
