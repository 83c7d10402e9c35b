"""The benchmark measures what it says: right answers by every way, exponents of known laws, real peaks."""

import json
import os
from importlib.util import find_spec

import numpy as np
import pytest

from georecall.theory.tools import fast
from georecall.verify.bench import PRESETS, Case, bench, cases, exponent, timed
from georecall.verify.bench import report as report_module
from georecall.verify.bench.cases import timed_here
from georecall.verify.bench.machine import Machine
from georecall.verify.bench.report import Sizes
from georecall.verify.cli import run as georecall


@pytest.mark.parametrize("way", ["certified", "brute force", "onnxruntime", "jax"])
def test_every_way_finds_every_fact_right(way):
    if way in ("onnxruntime", "jax"):
        pytest.importorskip(way)
    timing = timed_here(Case(way, 300, 3, repeats=2))
    assert (timing.facts, timing.recalled, len(timing.seconds)) == (900, 900, 2)
    assert timing.rate == 900 / timing.median == 900 / timing.seconds[1]


def test_compiled_loops_are_switched_within_a_case_alone(monkeypatch):
    monkeypatch.setenv(fast.SWITCH, "always")
    seen = []
    said = lambda *_: lambda: seen.append(os.environ[fast.SWITCH]) or 0  # noqa: E731
    monkeypatch.setitem(cases._WAYS, "certified", said)
    for compiled in (False, True):
        timed_here(Case("certified", 9, 2, repeats=1, compiled=compiled))
    assert (seen, os.environ[fast.SWITCH]) == (["never", "always"], "always")
    monkeypatch.delenv(fast.SWITCH)
    timed_here(Case("certified", 9, 2, repeats=1))
    assert fast.SWITCH not in os.environ


def test_a_way_that_asks_some_relations_counts_those_facts():
    timing = timed_here(Case("brute force", 50, 4, repeats=1, relations_asked=2))
    assert (timing.facts, timing.recalled) == (100, 100)


def test_brute_force_sees_what_is_wrong():
    """At the same dimensions, a linear memory is far beyond its capacity; brute force says so."""
    timing = timed_here(Case("brute force", 300, 4, claim="linear-memory", repeats=1))
    assert 0 < timing.recalled <= 1200


def test_the_peak_is_that_of_the_case_and_not_of_its_parent():
    held = np.ones(1 << 26)  # 512 MiB here
    small = timed(Case("certified", 200, 2, repeats=1))
    assert held.all()
    if small.peak_bytes is not None:
        assert 2e7 < small.peak_bytes < 4e8


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_law_is_found_within_its_interval(power):
    rng = np.random.default_rng(0)
    sizes = 2.0 ** np.arange(4, 14)
    found = exponent(sizes.tolist(), (sizes**power * np.exp(rng.normal(0, 0.05, len(sizes)))).tolist())
    assert found.lower < power < found.upper
    assert found.upper - found.lower < 0.2


@pytest.mark.parametrize("sizes", [[1.0, 2.0], [3.0, 3.0, 3.0]])
def test_too_few_sizes_have_no_exponent(sizes):
    with pytest.raises(ValueError, match="three timings of two sizes"):
        exponent(sizes, sizes)


def test_limits_are_positive_and_fall_with_the_length_of_the_code():
    machine = Machine(2, 1e10, 1.2e11)
    assert machine.most_facts_per_second(10) == {"arithmetic": 1e9, "memory": 1.25e9}
    assert machine.most_facts_per_second(20)["arithmetic"] == 5e8


def test_one_run_gives_one_table_and_one_file(monkeypatch, tmp_path, capsys):
    tiny = Sizes((512, 3), (128, 2), range(7, 10), (1, 2, 3), 10)
    monkeypatch.setitem(PRESETS, "quick", tiny)
    monkeypatch.setattr(report_module, "timed", timed_here)  # here: no interpreter for each
    out = tmp_path / "bench.json"
    assert georecall(["bench", "--json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == found
    assert {"machine", "limits", "timings", "exponents", "ratios", "versions"} <= found.keys()
    assert all(row["recalled"] == row["facts"] for row in found["timings"])
    assert found["timings"][0]["facts"] == 512 * 3
    compiled = [row["subjects"] for row in found["timings"] if row["compiled"]]
    assert compiled == ([512, 1024] if find_spec("numba") else [])
    assert georecall(["bench"]) == 0
    shown = capsys.readouterr().out
    assert "times as fast as brute force" in shown
    assert "M facts/s" in shown


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys):
    assert georecall(["bench", "--out", str(tmp_path / "nowhere" / "bench.json")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nowhere" in captured.err


def test_presets_are_known():
    assert set(PRESETS) == {"quick", "paper"}
    with pytest.raises(KeyError):
        bench("huge")
