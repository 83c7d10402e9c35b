"""One table of hostile names, and one of hostile files, over every command that reads facts."""

import csv
import gzip
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools import streams
from georecall.theory.tools.names import inert
from georecall.verify.cli import run
from georecall.verify.recall.assert_recalls import check_construction

NAMES = {
    "markup": "[bold red]x[/bold red] [link=file:///x]y[/link]",
    "emoji": "wn:a:dog :skull:",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'",
    "LaTeX": r"\input{x} $a_b^c$ 50% & # ~",
    "formula": '=HYPERLINK("http://x","y")',
    "quotes": "a'b\"c`d''; DROP TABLE cells; --",
    "control": "a\x1b[2J\x1b]0;title\x07\r\nb\x9b31m\x08\x7f",
    "right to left": "abc\u202egpj.exe\u2066\u200f",
    "lines": "a\u2028b\u2029c\x0bd\x85e",
    "long": "x" * 10_000,
    "format": "{0.__class__} %s %(x)s ${HOME} `id`",
}
UNSAFE = {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u2028\u2029\u202e\u2066\u200f"} - {"\n"}

MODULE = """
import numpy as np

def wrong(facts):
    return lambda tokens: np.eye(facts.n_attributes)[np.zeros(len(tokens), dtype=int)]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with weights of the size of the hostile tables, and a construction that is wrong."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile_wrong.py").write_text(MODULE)
    np.save(folder / "m.answers.npy", FactTable([[1, 0, 2], [2, 2, 0]]).answers)
    good = folder / "good.csv"
    good.write_text("subject,r,q\nx,y,z\ny,x,z\nz,z,x\n")
    assert run(["export", "single-hop", "--facts", str(good), "--out", str(folder / "m.safetensors")]) == 0
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def commands(facts, place: Path, question: str = "q of x") -> dict[str, list]:
    """Every command that reads facts, and each way in which `check` does."""
    read = ["--facts", facts]
    return {
        "ask": ["ask", *read, "--", question],
        "ask, JSON": ["ask", *read, "--json", "--", question],
        "facts": ["facts", facts],
        "facts, JSON": ["facts", facts, "--json"],
        "check": ["check", "single-hop", *read],
        "check, JSON": ["check", "single-hop-in-place", *read, "--json"],
        "check, hops": ["check", "composed-hops", "--hops", "2", *read],
        "check, floor": ["check", "margin-bound", *read],
        "check, weights": ["check", "--model", place / "m.safetensors", *read],
        "check, construction": ["check", "--construction", "hostile_wrong:wrong", *read],
        "export": ["export", "single-hop", *read, "--out", place / "out.safetensors"],
        "export, graph": ["export", "single-hop", *read, "--out", place / "out.onnx"],
        "structure": ["structure", "--model", place / "m.safetensors", *read],
        "learn": ["learn", *read, "--steps", "2", "--dimension", "4"],
        "transfer": ["transfer", *read, "--steps", "2", "--dimension", "4", "--procedure", "superposition"],
    }


COMMANDS = [*commands("", Path())]
TRAINS = ("learn", "transfer")


def hostile(path: Path, name: str) -> Path:
    """A table in which a name is subject, relation and attribute: bijections of three subjects."""
    table = [
        ["subject", f"{name}r", "q"],
        ["x", f"{name}s", "x"],
        [f"{name}s", "x", "z"],
        ["z", "z", f"{name}s"],
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(table)
    return path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", NAMES)
def test_names_stay_inert(kind, command, place, said, tmp_path):
    if command in TRAINS and kind != "control":
        pytest.skip("training prints no names: once is enough")
    if command in TRAINS:
        pytest.importorskip("jax")
    path, name = hostile(tmp_path / "facts.csv", NAMES[kind]), NAMES[kind]
    status, out, err = said(*commands(path, place, f"{name}r of {name}s")[command])
    assert status == (1 if "construction" in command or "weights" in command else 0), err
    assert not UNSAFE & set(out + err)
    if "JSON" in command:
        json.loads(out)
    if command == "ask":
        assert out.endswith(f" of {inert(name)}s: x\n")
    if command == "ask, JSON":
        assert json.loads(out)["steps"][0]["prompt"] == [f"{name}s", f"{name}r"]


@pytest.mark.parametrize("kind", NAMES)
def test_a_verdict_in_a_notebook_shows_names_as_text(kind):
    name = NAMES[kind]
    facts = FactTable(
        [[1, 0]], subjects=[f"{name}s", "x"], relations=[f"{name}r"], attributes=[f"{name}a", "b"]
    )
    verdict = check_construction(lambda facts: lambda tokens: np.tile([2.0, 1.0], (len(tokens), 1)), facts)
    html = verdict._repr_html_()
    assert verdict.status == "refuted"
    assert "<script" not in html
    assert "<img" not in html
    assert not UNSAFE & set(html)
    assert not UNSAFE & set(str(verdict.witness))


def no_file(path):
    pass


def pipe(path):
    os.mkfifo(path)


def pipe_that_goes_on(path):
    os.mkfifo(path)
    path.held = os.open(path, os.O_RDWR)
    os.write(path.held, b"subject,a\nx,1\n")


def bomb(path):
    path.write_bytes(gzip.compress(bytes(1 << 23)))


def changing(path):
    path.write_text("subject,a\nx,1\n")


FILES = {
    "a file that is not there": (no_file, "No such file"),
    "a directory": (Path.mkdir, "Is a directory"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
    "a pipe that nobody writes to": (pipe, "a pipe that did not end"),
    "a bomb": (bomb, "it holds more than the 4 MiB"),
    "a file that changes": (changing, "it changed while it was read"),
    "a loop": (lambda path: path.symlink_to(path), "Too many levels"),
    "an archive": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "is a ZIP archive"),
    "damaged gzip": (lambda path: path.write_bytes(b"\x1f\x8b\x08junk"), "its gzip is damaged"),
    "bytes": (lambda path: path.write_bytes(bytes(range(1, 256))), "is not UTF-8"),
    "nothing": (Path.touch, "is empty"),
    "a deep nest": (lambda path: path.write_text("[" * 200_000), "nested too deep"),
    "one long line": (lambda path: path.write_text("x" * 3_000_000), "the header is"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_file_is_one_line(kind, command, place, said, tmp_path, monkeypatch):
    make, message = FILES[kind]
    path = tmp_path / "facts.csv"
    make(path)
    monkeypatch.setattr(streams, "_PIPE_SECONDS", 0.05)
    monkeypatch.setattr(streams, "MOST_BYTES", 1 << 22)
    if make is changing:
        monkeypatch.setattr(streams.io, "FileIO", growing(path))
    status, out, err = said(*commands(path, place)[command])
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert len(err) < 700
    assert not UNSAFE & set(err)


def growing(path):
    class Growing(io.FileIO):
        def readall(self):
            data = super().readall()
            with path.open("a") as file:
                file.write("y,2\n")
            return data

    return Growing


def test_the_tables_name_every_command_that_reads_facts():
    from georecall.verify.cli import COMMANDS as ALL
    from georecall.verify.cli import georecall

    reading = {
        name
        for name in ALL
        if any(option.name == "facts" for option in georecall.get_command(None, name).params)
    }
    reading.remove("prove")  # it reads as `check` does; a certificate takes Coq many seconds
    assert reading == {words[0] for words in commands("", Path()).values()}
