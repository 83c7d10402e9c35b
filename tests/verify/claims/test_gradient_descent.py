"""The verdict on C9: what it takes to hold, and everything that must take it back."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from georecall import in_place_superposition, sign_code_memory
from georecall.constructions.training.recipe import recipe_for
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims import gradient_descent as learning
from georecall.verify.claims.check import check
from georecall.verify.usage import UsageError

TABLE = random_bijections(128, 2, rng=np.random.default_rng(0))
QUANTITIES = ("recall", "superposition_r2", "probe_accuracy", "swap_accuracy", "transfer_accuracy")


@pytest.fixture
def made(monkeypatch):
    """Lets a construction stand in for training: what it shows is known."""

    def stand_in(construct):
        monkeypatch.setattr(learning, "trained", lambda facts, recipe, **_: construct(facts))

    return stand_in


def test_a_superposition_built_by_hand_has_all_that_the_claim_says(made):
    made(in_place_superposition)
    verdict = check("gradient-descent", TABLE, trials=1)
    assert (verdict.status, verdict.reason) == ("holds", None)
    assert all(verdict.measured[name] >= verdict.predicted[name] for name in QUANTITIES)
    assert [control.ok for control in verdict.controls] == [True] * 6
    low, high = verdict.measured["transfer_accuracy_interval"]
    assert 0.95 <= low < high == 1.0
    assert verdict.parameters["trials"] == 1


def test_a_memory_recalls_and_is_refuted_by_what_it_lacks(made):
    made(sign_code_memory)
    verdict = check("gradient-descent", TABLE, trials=1, controls=False)
    assert verdict.measured["recall"] == 1.0
    assert (verdict.status, verdict.witness.quantity) == ("refuted", "superposition_r2")


def test_a_fact_that_is_not_recalled_is_the_witness(made):
    made(lambda facts: in_place_superposition(facts.altered(5, 1, (int(facts.answers[1, 5]) + 1) % 128)))
    verdict = check("gradient-descent", TABLE, trials=1, controls=False)
    assert (verdict.status, verdict.reason) == ("refuted", "1 of 256 facts wrong")
    assert (verdict.witness.subject, verdict.witness.relations) == (5, (1,))


def test_one_bad_run_among_several_refutes(made):
    constructs = iter([in_place_superposition, sign_code_memory])
    made(lambda facts: next(constructs)(facts))
    assert check("gradient-descent", TABLE, trials=2, controls=False).status == "refuted"


def test_too_few_subjects_decide_nothing(made):
    made(in_place_superposition)
    few = random_bijections(24, 2, rng=np.random.default_rng(0))
    verdict = check("gradient-descent", few, trials=1)
    assert verdict.status == "inconclusive"
    assert "probe_accuracy" in verdict.reason


def test_a_control_that_succeeds_takes_the_verdict_back(made, monkeypatch):
    made(in_place_superposition)
    sound = learning.transferred

    def leaky(*arguments, **options):
        found = sound(*arguments, **options)
        return found | {"untrained": found["transfer"]}

    monkeypatch.setattr(learning, "transferred", leaky)
    verdict = check("gradient-descent", TABLE, trials=1)
    assert (verdict.status, verdict.reason) == ("inconclusive", "control not as predicted: untrained MLP")


def test_a_fit_that_fails_takes_the_verdict_back(made, monkeypatch):
    """A control at R^2 = -40 is no sign that there is no superposition: nothing was measured."""
    made(in_place_superposition)
    sound = learning.superposition_r2
    monkeypatch.setattr(
        learning,
        "superposition_r2",
        lambda *args, **options: sound(*args, **options) | {"r2_shuffled": -40.0},
    )
    verdict = check("gradient-descent", TABLE, trials=1)
    failed = "control not as predicted: shuffled table, memory over frozen embeddings"
    assert (verdict.status, verdict.reason) == ("inconclusive", failed)
    assert any("the fit fails, r2_shuffled -40" in control.got for control in verdict.controls)


def test_transfer_on_average_over_all_tables_decides_and_the_worst_is_told(made, monkeypatch):
    made(in_place_superposition)
    verdict = check("gradient-descent", TABLE, trials=1)
    assert verdict.measured["expected_transfer"] == verdict.measured["worst_transfer"] == 1.0
    sound = learning.over_all_tables

    def lower(low, high):
        ends = (Fraction(low), Fraction(high))
        monkeypatch.setattr(
            learning, "over_all_tables", lambda *at, **options: replace(sound(*at, **options), expected=ends)
        )
        return check("gradient-descent", TABLE, trials=1, controls=False)

    below, open_ = lower(0.93, 0.94), lower(0.93, 0.96)
    assert (below.status, below.witness.quantity) == ("refuted", "expected_transfer")
    assert (open_.status, open_.reason) == ("inconclusive", "undecided: expected_transfer")


def test_hypotheses_and_options():
    one = FactTable(TABLE.answers[:1], n_attributes=128)
    verdict = check("gradient-descent", one)
    assert verdict.status == "hypotheses-not-met"
    assert "at least two relations" in verdict.reason
    assert verdict.parameters["trials"] == 3
    for option, value in {"trials": 0, "gate": 1.0, "bits": 2}.items():
        with pytest.raises(UsageError, match=option):
            check("gradient-descent", TABLE, **{option: value})
    with pytest.raises(UsageError, match="trained models"):
        check("gradient-descent", TABLE, engine="onnxruntime")


@pytest.mark.parametrize(
    ("facts", "unmet"),
    [
        (
            FactTable([[0], [1]], n_attributes=2),
            "not as many attributes as subjects",
        ),
        (FactTable([[0] * 12, [1] * 12], n_attributes=2), "not as many attributes as subjects"),
        (FactTable([[0, 0, 1], [2, 1, 0]], n_attributes=3), "not bijective"),
    ],
)
def test_the_claim_is_about_bijections(facts, unmet):
    """One subject has no structure, and a relation with few answers is no test of it."""
    verdict = check("gradient-descent", facts)
    assert verdict.status == "hypotheses-not-met"
    assert verdict.reason.startswith(unmet)


def test_the_settings_follow_the_table():
    assert (recipe_for(TABLE).dimension, recipe_for(TABLE).width, recipe_for(TABLE).batch) == (40, 160, 0)
    assert recipe_for(TABLE, seed=3).seed == 3


@pytest.mark.slow
def test_training_finds_it_and_too_small_a_table_does_not():
    verdict = check("gradient-descent", subjects=256, trials=1)
    assert (verdict.status, verdict.reason) == ("holds", None)
    small = check("gradient-descent", subjects=48, trials=1)
    assert small.measured["recall"] == 1.0
    assert (small.status, small.witness.quantity) == ("refuted", "superposition_r2")
