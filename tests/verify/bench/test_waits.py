"""Waits are measured as they are typed, beside a bound, and beside another revision in the same run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from georecall.verify.bench import scaling, waits
from georecall.verify.bench.commands import WAITS, Wait, Work
from georecall.verify.bench.machine import Machine
from georecall.verify.cli import run as georecall

HERE = waits._tree()
START = Work("start alone", imports=("json",))


@pytest.fixture
def quick(monkeypatch):
    """Two waits, of which one spends processor time."""
    spent = Wait("spent", "-c", START, "sum(range(3 * 10**6))")
    monkeypatch.setattr(waits, "WAITS", (Wait("idle", "-c", START, "import time; time.sleep(0.3)"), spent))
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: cls(1, 1e9, 1e9)))
    monkeypatch.setattr(Machine, "products", staticmethod(lambda: 1e10))


def test_what_a_command_takes_is_its_own_processor_time_and_memory(quick):
    idle, spent = (waits.waited(wait, HERE) for wait in waits.WAITS)
    assert (idle.status, spent.status) == (0, 0)
    assert idle.seconds > 0.3 > idle.cpu_seconds
    assert spent.cpu_seconds > idle.cpu_seconds + 0.02
    large = waits.waited(Wait("large", "-c", START, "held = b'x' * (1 << 28)"), HERE)
    assert large.peak_bytes > idle.peak_bytes + 2e8


@pytest.mark.parametrize(("code", "status"), [("exit(1)", 1), ("exit(2)", 2), ("import no_such_module", 1)])
def test_how_a_command_ended_is_kept(code, status):
    assert waits.waited(Wait("it", "-c", START, code), HERE).status == status


def test_a_command_that_takes_too_long_is_ended_and_said_to_be_longer():
    found = waits.waited(Wait("long", "-c", START, "while True: pass"), HERE, limit=0.5)
    assert found.status is None
    assert 0.5 < found.seconds < 20


def test_the_bound_adds_what_must_be_done_at_the_rates_measured():
    machine = Machine(2, 1e10, 4e9)
    least = Work("", operations=2e9, flops=3e9).seconds(machine, 1e9, 0.25)
    assert least == 0.25 + 1.0 + 3.0  # of two cores each does 2e9 operations a second


def test_another_revision_runs_in_turn_and_ratios_are_of_one_run(quick, tmp_path, capsys):
    if waits._git(HERE, "rev-parse", "HEAD") is None:
        pytest.skip("not run from a repository")
    assert (
        georecall(["bench", "--preset", "waits", "--against", "HEAD", "--json", "--out", str(tmp_path)]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    (kept,) = tmp_path.glob("*.json")
    assert kept.stem == found["revision"] == waits.revision()
    for row in found["waits"]:
        assert row["before"]["status"] == row["status"] == 0
        assert row["times"] == row["before"]["cpu_seconds"] / row["cpu_seconds"]
    again = waits.waits(["spent"], against=str(kept))  # what a file recorded is quoted
    assert again["waits"][0]["before"]["cpu_seconds"] == found["waits"][1]["cpu_seconds"]
    assert georecall(["bench", "--preset", "waits", "--against", str(kept)]) == 0
    assert "times shorter" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "waits", "--against", "no-such-revision"], "neither a file nor a revision"),
        (["--preset", "waits", "--only", "lunch"], "'lunch' is no wait; there are idle, spent"),
        (["--only", "report"], "--against and --only go with --preset waits"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(arguments, message, quick, capsys):
    assert georecall(["bench", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert message in said.err


def test_a_file_of_something_else_is_refused(quick, tmp_path, capsys):
    other = Path(tmp_path, "other.json")
    other.write_text("{}")
    assert georecall(["bench", "--preset", "waits", "--against", str(other)]) == 2
    assert "was not written by" in capsys.readouterr().err


def test_every_wait_is_a_command_that_there_is():
    from georecall.verify.cli import COMMANDS

    assert {wait.command.split()[0] for wait in WAITS} <= {*COMMANDS, "-c"}
    assert len({wait.name for wait in WAITS}) == len(WAITS)


@pytest.mark.parametrize("method", scaling.METHODS, ids=lambda m: f"{m.name} {m.claim} {m.along}")
def test_what_decides_is_the_method_that_is_named_and_recalls_every_fact(method):
    size = min(method.sizes[0], 512)  # what is smaller may be decided otherwise
    assert scaling.decision(method, size)() == method.name


def test_a_fact_that_is_not_recalled_has_no_timing():
    short = scaling.Method(
        "codebook", "single-hop", "subjects", (64,), {"relations": 2, "code_length": 3}, ""
    )
    decide = scaling.decision(short, 64)
    with pytest.raises(AssertionError, match="wrong"):
        decide()
    with pytest.raises(AssertionError, match="codebook"):
        scaling._seconds(replace(scaling.METHODS[0], name="induction"), 64)


def test_every_method_has_its_exponents_beside_theory(monkeypatch, capsys):
    tiny = {"subjects": (20, 30, 40), "relations": (2, 3, 4), "hops": (2, 3, 4)}
    fixed = {"subjects": 16, "relations": 2, "hops": 2}
    small = tuple(
        replace(m, sizes=tiny[m.along], fixed={n: fixed.get(n, v) for n, v in m.fixed.items()})
        for m in scaling.METHODS
        if m.name in ("codebook", "induction")
    )
    monkeypatch.setattr(scaling, "METHODS", small)
    monkeypatch.setattr(scaling, "_REPEATS", 1)
    assert georecall(["bench", "--preset", "scaling", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["exponents"]
    assert {row["in"] for row in rows} == {"subjects", "relations", "hops"}
    assert all(row["lower"] <= row["estimate"] <= row["upper"] and row["theory"] for row in rows)
