"""Weights that recall nothing, for all who count."""

from dataclasses import replace

import pytest

import georecall.verify.claims.check as checking
from georecall import block_superposition
from georecall.verify.claims.check import prepare
from georecall.verify.margins.counting import counted as counted_module


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
