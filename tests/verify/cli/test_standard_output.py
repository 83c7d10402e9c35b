"""Standard output that cannot be written, encoded or shown whole: the status still says the outcome."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from georecall.theory.tools.names import inert
from georecall.verify.cli import COMMANDS, run

FULL = Path("/dev/full")
GEORECALL = f"{sys.executable} -m georecall"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not FULL.exists(), reason="a device that is always full")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("claims > /dev/full", 2, "georecall: cannot read or write: No space left on device\n"),
        ("check --help > /dev/full", 2, "georecall: cannot read or write: No space left on device\n"),
        ("nonesuch 2> /dev/full", 2, ""),
    ],
)
def test_a_full_disk_is_said_in_one_line(arguments: str, status: int, said: str) -> None:
    done = shell(f"{GEORECALL} {arguments}")
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("claims >&-", 0),
        ("claims >&- 2>&-", 0),
        ("nonesuch >&- 2>&-", 2),
        ("ask --facts elements-neighbours hydrogen nonesuch 2>&-", 2),
    ],
)
def test_without_standard_output_or_error_the_status_is_the_outcome(arguments: str, status: int) -> None:
    done = shell(f"{GEORECALL} {arguments}")
    assert (done.returncode, done.stderr) == (status, "")


NAMES = (":smile:", "[red]x[/red]", "n\u00e9e", "a\u202eb", "c\x1b[31md", "x" * 10_000)


@pytest.fixture
def facts(tmp_path: Path) -> str:
    """Subjects with names that terminals act on, encodings lack, and tables are too narrow for."""
    path = tmp_path / "née.csv"
    rows = [f"{name},{name},{name}" for name in NAMES]
    path.write_text("\n".join(["subject,wn:a:dog,b", *rows]), encoding="utf-8")
    return str(path)


def written(
    monkeypatch: pytest.MonkeyPatch, encoding: str, terminal: bool, *arguments: str
) -> tuple[int, str]:
    """The status, and what is written to a stream of that encoding."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    status = run(arguments)
    stream.flush()
    return status, raw.getvalue().decode(encoding)


HOLDS = ("check", "single-hop", "--subjects", "4", "--relations", "2")
UNMET = (*HOLDS, "--gate", "0.5")
REFUTED = ("check", "--construction", "tests_of_standard_output:wrong", "--subjects", "3", "--relations", "1")


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests_of_standard_output.py").write_text(
        "import numpy as np\n"
        "def wrong(facts):\n"
        "    return lambda tokens: np.eye(facts.n_attributes)[facts.answers[0, tokens[:, 0]] - 1]\n"
        "def leaves(facts):\n    raise SystemExit(1)\n"
        "def vanishes(facts):\n    raise BaseException('gone')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(("arguments", "status"), [(HOLDS, 0), (UNMET, 3), (REFUTED, 1), (("claims",), 0)])
@pytest.mark.usefixtures("wrong")
def test_a_reader_who_has_left_changes_nothing(
    arguments: tuple[str, ...],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert run(arguments) == status
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("what", ["leaves", "vanishes"])
@pytest.mark.usefixtures("wrong")
def test_code_that_ends_the_program_is_no_refutation(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*REFUTED[:2], f"tests_of_standard_output:{what}", *REFUTED[3:]]) not in (0, 1, 3)
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)


def test_an_internal_error_is_70_also_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object) -> Callable[..., object]:
        print("half of it")
        raise RuntimeError("planted")

    monkeypatch.setitem(COMMANDS, "claims", "")
    monkeypatch.setattr("georecall.verify.cli.import_module", broken)
    assert run(["claims"]) == 70
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("GEORECALL_DEBUG", "1")
    assert run(["claims"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_has_the_same_value_in_every_encoding(
    facts: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = written(monkeypatch, encoding, False, "check", "single-hop", "--facts", facts, "--json")
    assert (status, json.loads(said)["parameters"]["table"]) == (0, facts)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(("terminal", "columns"), [(False, "80"), (True, "0"), (True, "80")])
def test_names_are_shown_whole_and_do_nothing(
    facts: str, encoding: str, terminal: bool, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for name in NAMES:
        status, said = written(
            monkeypatch, encoding, terminal, "ask", "--facts", facts, f"wn:a:dog of {name}"
        )
        assert status == 0
        shown = inert(name).encode(encoding, "backslashreplace").decode(encoding)
        assert f"wn:a:dog of {shown}: {shown}" in said


@pytest.mark.parametrize("columns", ["0", "20", "80"])
def test_tables_fold_on_a_terminal_and_run_on_in_a_pipe(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "dumb")
    _, terminal = written(monkeypatch, "utf-8", True, "bound")
    status, piped = written(monkeypatch, "utf-8", False, "bound")
    assert status == 0
    assert "\u2026" not in terminal
    letters = [sorted("".join(text.split())) for text in (terminal, piped)]
    assert letters[0] == letters[1]
    assert len(piped.splitlines()) < len(terminal.splitlines())
    assert "approximate-counting  C4 with errors: bits needed when each table may get up to e" in piped
