"""`georecall report`: what a person and a program get, and what is refused before anything is measured."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from georecall.verify import report
from georecall.verify.cli import run


@dataclass
class Found:
    """Stands for a content whose claims have some statuses."""

    claims: list[Any]
    figures: tuple[Any, ...] = ()
    lemmas: tuple[Any, ...] = ()
    preset: str = "quick"
    seed: int = 0
    seconds: float = 1.5


@dataclass
class Claim:
    name: str


@dataclass
class Checked:
    claim: Claim
    status: str
    verdict: None = None
    missing: str = "why"
    command: str = "georecall check"
    seconds: float = 0.5


def found(monkeypatch: pytest.MonkeyPatch, *statuses: str) -> None:
    claims = [Checked(Claim(f"claim-{i}"), status) for i, status in enumerate(statuses)]
    monkeypatch.setattr(report, "gather", lambda folder, **options: Found(claims))
    monkeypatch.setattr(report, "page", lambda content: "the page\n")


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (("holds", "stated"), 0),
        (("holds", "inconclusive"), 3),
        (("hypotheses-not-met",), 3),
        (("inconclusive", "refuted"), 1),
    ],
)
def test_the_exit_status_is_that_of_the_worst_verdict_and_the_page_is_written(
    statuses: tuple[str, ...],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found(monkeypatch, *statuses)
    out = tmp_path / "deep" / "folder"
    assert run(["report", "--out", str(out)]) == status
    assert (out / "index.html").read_text() == "the page\n"
    said = capsys.readouterr().out
    assert said.endswith(f"wrote {out / 'index.html'}\n")
    assert f"claim-0: {statuses[0]} (why)" in said
    assert [path.name for path in out.iterdir()] == ["index.html"]


def test_json_has_the_timings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch, "holds")
    assert run(["report", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["claims"]["claim-0"] == {
        "status": "holds",
        "reason": "why",
        "command": "georecall check",
        "seconds": 0.5,
    }
    assert (told["out"], told["seconds"]) == (str(tmp_path / "index.html"), 1.5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--out"),
        (["--out", "file/below"], "no folder that can be written"),
        (["--out", "file"], "no folder that can be written"),
        (["--out", "new", "--preset", "slow"], "--preset"),
        (["--out", "new", "--seed", "-1"], "--seed"),
        (["--out", "new", "--workers", "0"], "--workers"),
        (["--out", "new", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "exclude each other"),
        (["--out", "new", "--results", "none.sqlite"], "no results file none.sqlite"),
        (["--out", "new", "--hops", "file"], "file"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no results, and no folder")
    assert run(["report", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert not Path("new/index.html").exists()


def test_an_interrupt_keeps_the_page_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(folder: Path, **options: Any) -> None:
        raise KeyboardInterrupt

    (tmp_path / "index.html").write_text("yesterday's")
    monkeypatch.setattr(report, "gather", interrupted)
    assert run(["report", "--out", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "georecall: interrupted\n")
    assert (tmp_path / "index.html").read_text() == "yesterday's"


def test_a_write_that_fails_keeps_the_page_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "index.html").write_text("yesterday's")
    found(monkeypatch, "holds")
    monkeypatch.setattr(Path, "replace", full)
    assert run(["report", "--out", str(tmp_path)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "yesterday's"
