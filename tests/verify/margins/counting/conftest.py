"""Weights that recall nothing, for all who count."""

from dataclasses import replace

import pytest

import georecall.constructions.transformer.on_demand as on_demand
import georecall.verify.claims.check as checking
from georecall import block_superposition
from georecall.theory.tools.fast import SWITCH
from georecall.verify.claims.check import prepare
from georecall.verify.margins.counting import counted as counted_module


@pytest.fixture(params=["never", "always"])
def either_way(monkeypatch, request):
    """By NumPy alone, and by compiled loops where these apply: to weights on demand, not to controls'."""
    monkeypatch.setenv(SWITCH, request.param)
    monkeypatch.setattr(on_demand, "_HELD", 1 << 12)
    if request.param == "never":
        yield
        return
    kernel = pytest.importorskip("georecall.verify.margins.counting.kernel", reason="numba (extra fast)")
    run, said = kernel.all_words, []
    monkeypatch.setattr(kernel, "all_words", lambda *given: (said.append(run(*given)), said[-1])[1])
    yield
    assert said


@pytest.fixture
def hopeless(monkeypatch, request):
    """Single-hop recall, at the module's SETTING, by weights of too small a gate, wherever they are made.

    It is refuted by the logits of 600 subjects, before all are judged.
    """

    def prepared(*asked, **options):
        found = prepare(*asked, **options)
        build = lambda: block_superposition(found.facts, gate=0.5)  # noqa: E731
        return replace(found, instance=replace(found.instance, build=build))

    for name in ("examined", "prepare"):
        monkeypatch.setattr(checking, name, prepared)
    subjects, relations = (request.module.SETTING[name] for name in ("subjects", "relations"))
    monkeypatch.setattr(counted_module, "_ENOUGH", subjects * relations * 600)
