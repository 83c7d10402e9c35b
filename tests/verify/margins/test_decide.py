"""Which way recall is certified, and that a run that was cut off goes on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from georecall import in_place_superposition
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.verify import usage
from georecall.verify.margins import decide
from georecall.verify.margins.counting import checkpoint, partial_count
from georecall.verify.margins.counting import counted as counted_module
from georecall.verify.margins.counting.counted import Counted
from georecall.verify.margins.margins import margins
from georecall.verify.usage import UsageError

FACTS = random_bijections(600, 2, rng=np.random.default_rng(0))
WHOLE = in_place_superposition(FACTS)  # counted in integers
FEW = random_bijections(12, 2, rng=np.random.default_rng(0))
REAL = in_place_superposition(FEW)
REAL = replace(REAL, W_E=REAL.W_E + 0.05 * np.random.default_rng(1).standard_normal(REAL.W_E.shape))


@pytest.fixture(autouse=True)
def pieces_of_256_subjects(monkeypatch):
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)


def unasked():
    raise AssertionError("margin by margin")


def test_what_integers_decide_is_counted():
    told = []
    found = decide.decide_recall(WHOLE, FACTS, unasked, progress=lambda *done: told.append(done))
    assert isinstance(found, Counted)
    assert (found.n_recalled, found.minimum) == (1200, (2, 2))
    assert told == [(512, 1200), (1024, 1200), (1200, 1200)]


def test_real_weights_are_filtered_from_so_many_logits_and_asked_one_by_one_below(monkeypatch):
    def one_by_one():
        return margins(REAL, FEW)

    assert decide.decide_recall(REAL, FEW, one_by_one).method == "exhaustive"
    logits = 12 * 2 * 12
    for many, method in [(logits, "filtered"), (logits + 1, "exhaustive")]:
        monkeypatch.setattr(decide, "_MANY", many)
        found = decide.decide_recall(REAL, FEW, one_by_one)
        assert (found.method, found.minimum) == (method, one_by_one().minimum)
    monkeypatch.setattr(decide, "_MANY", logits)
    told = []
    decide.decide_recall(REAL, FEW, unasked, progress=lambda *done: told.append(done))
    assert told[-1] == (24, 24)


def test_what_the_filter_lets_through_is_asked_one_by_one(monkeypatch):
    """Of weights that do not round the filter has nothing to say."""
    monkeypatch.setattr(decide, "_MANY", 1)
    monkeypatch.setattr(decide, "count", lambda *_, **__: None)
    model = in_place_superposition(FEW)
    assert decide.decide_recall(model, FEW, lambda: margins(model, FEW)).method == "codebook"


def test_only_tables_in_memory_are_filtered(monkeypatch):
    monkeypatch.setattr(decide, "_MANY", 1)
    keyed = KeyedBijections(12, 2, seed=0)
    asked = FactTable(keyed.block(0, 12))
    assert decide.decide_recall(REAL, keyed, lambda: margins(REAL, asked)).n_facts == 24


def test_a_model_that_does_not_fit_is_refused_first():
    with pytest.raises(ValueError, match="W_E has 602 rows; 12 subjects and 2 relations need 14"):
        decide.decide_recall(WHOLE, FEW, unasked)


def test_memory_is_asked_for_only_where_weights_must_be_held(monkeypatch):
    monkeypatch.setattr(usage, "memory", lambda: 64)  # bytes
    assert decide.decide_recall(WHOLE, FACTS, unasked).n_wrong == 0
    with pytest.raises(UsageError, match="this machine has"):
        decide.decide_recall(REAL, FEW, unasked)


def test_a_run_that_was_cut_off_says_how_to_go_on_and_does(tmp_path):
    file, told = tmp_path / "run.json", []

    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"512 were counted, .*; the same command goes on from there"):
        decide.decide_recall(WHOLE, FACTS, unasked, checkpoint=file, progress=stop)
    assert json.loads(file.read_text("utf-8"))["tally"]["n_facts"] == 512
    found = decide.decide_recall(
        WHOLE, FACTS, unasked, checkpoint=file, progress=lambda *done: told.append(done)
    )
    assert told == [(1024, 1200), (1200, 1200)]
    assert found.n_recalled == 1200


@pytest.mark.parametrize("place", ["ExactMargins.of", "begun"])
def test_an_interrupt_before_anything_is_counted_is_said_in_words(tmp_path, monkeypatch, place):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        *((counted_module.ExactMargins, "of") if place == "ExactMargins.of" else (decide, "begun")), stop
    )
    with pytest.raises(
        KeyboardInterrupt, match=r"^(of 1200 facts .*; )?the same command goes on from there$"
    ):
        decide.decide_recall(WHOLE, FACTS, unasked, checkpoint=tmp_path / "run.json")


def test_a_checkpoint_of_other_work_or_none_at_all_is_a_usage_error(tmp_path):
    file = tmp_path / "run.json"
    decide.decide_recall(WHOLE, FACTS, unasked, work={"seed": 0}, checkpoint=file)
    for work, differs in [({"seed": 1}, "seed"), (None, "seed")]:
        with pytest.raises(UsageError, match=rf"begun for other work \({differs}\)"):
            decide.decide_recall(WHOLE, FACTS, unasked, work=work, checkpoint=file)
    with pytest.raises(UsageError, match="nowhere"):
        decide.decide_recall(WHOLE, FACTS, unasked, checkpoint=tmp_path / "nowhere" / "run.json")
