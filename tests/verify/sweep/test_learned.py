"""Cells of training runs, at sizes of a few seconds."""

import json

import numpy as np
import pytest

from georecall.constructions.training.model import initial, strings
from georecall.constructions.training.recipe import recipe_for
from georecall.theory.facts.fact_table import FactTable, random_bijections, several_bijections
from georecall.theory.facts.strings import letters, spelled, string_answers
from georecall.verify.sweep import LEARNED_PRESETS, Store, measure, sweep
from georecall.verify.sweep.learned_dimension import SETTINGS, learned_dimension_cell, searches
from georecall.verify.sweep.learned_grids import BASE, PLAIN, STEPS, ablated, runs, variants
from georecall.verify.sweep.learned_hops import chained, steps_of

TABLE = random_bijections(8, 2, rng=np.random.default_rng(0))


def test_tables_side_by_side_are_bijections_onto_the_same_attributes():
    facts = several_bijections(8, 3, 4, seed=0)
    assert (facts.n_subjects, facts.n_relations, facts.n_attributes) == (32, 3, 8)
    for i in range(4):
        block = facts.restricted(subjects=range(8 * i, 8 * i + 8))
        assert block.bijective
    assert several_bijections(8, 3, 1, seed=0) == facts.restricted(subjects=range(8))
    assert several_bijections(8, 3, 4, seed=1) != facts


def test_the_presets_hold_every_cell_once_and_all_settings_of_it():
    for preset in LEARNED_PRESETS.values():
        cells = preset()
        assert len(set(cells)) == len(cells)
        for cell in cells:
            asked = "layer" if cell.kind == "language-model" else "steps"  # that model is trained already
            assert dict(cell.parameters).keys() >= {"seed", asked}
            assert json.loads(cell.key)[0] == cell.kind
    changed = variants(64, 2, 8, seeds=1)
    base, *others = (dict(cell.parameters) for cell in changed)
    assert all(sum(base.get(k) != v for k, v in other.items()) == 1 for other in others)


def test_the_ablation_takes_one_step_at_a_time_between_plain_defaults_and_the_recipe():
    settings = ablated()
    assert len(settings) == 2 + 2 * len(STEPS)
    assert settings["recipe"] == {name: getattr(recipe_for(TABLE), name) for name in PLAIN}
    for name, chosen in settings.items():
        whole = settings["plain defaults" if name.startswith(("p", "+")) else "recipe"]
        changed = {field for field in PLAIN if chosen[field] != whole[field]}
        assert changed == set(STEPS.get(name.removeprefix("+ ").removeprefix("- "), ()))
    assert {field for names in STEPS.values() for field in names} == set(PLAIN)


def test_without_an_mlp_a_cell_says_the_loss_and_disjoint_attributes_are_recalled(tmp_path):
    settings = {"mlp": "none", "disjoint": 1, "noise": 0.0, "steps": 500, "attributes": "learned"}
    (cell,) = runs([16], [2], [8], seeds=1, **settings)
    row = measure(cell)
    assert row["recall"] == 1.0
    assert row["cross_entropy"] < 0.3  # weight decay pulls it up
    (cell,) = runs([16], [2], [8], seeds=1, **settings | {"disjoint": 0})
    row = measure(cell)
    assert row["recall"] < 1.0
    assert row["cross_entropy"] > 0.6  # ln 2 a fact, but where both relations agree
    assert "gated" not in row


def test_a_cell_that_is_asked_everywhere_says_the_expected_and_the_worst_transfer():
    (cell,) = runs([16], [2], [8], seeds=1, steps=250, everywhere=1)
    row = measure(cell)
    assert 0 <= row["worst_transfer"] <= row["expected_transfer"] <= 1
    assert row["worst_transfer"] <= row["transfer"]


def test_a_cell_gives_the_same_row_whenever_it_is_measured(tmp_path):
    (cell,) = runs([16], [2], [8], seeds=1, steps=250)
    with Store(tmp_path / "a.sqlite") as one, Store(tmp_path / "b.sqlite") as two:
        sweep([cell], one)
        sweep([cell], two)
        assert one.csv() == two.csv()
        (row,) = one.rows()
    assert row["recall"] == 1.0
    assert row["transfer_shuffled"] <= 0.3  # 32 facts at chance 1/16
    assert BASE.keys() <= row.keys() | {"attention"}


@pytest.mark.slow
def test_the_least_dimension_is_bracketed():
    settings = SETTINGS | {"steps": 250}
    found = learned_dimension_cell(8, 2, 0, 4, subjects="sphere", **settings)
    assert 1 <= found["failed"] < found["needed"] <= 32


def test_a_search_that_finds_nothing_says_so(monkeypatch):
    monkeypatch.setattr("georecall.verify.sweep.learned_dimension.LARGEST", 4)
    settings = SETTINGS | {"steps": 1}
    assert learned_dimension_cell(16, 2, 0, 1, subjects="frozen", **settings) == {
        "needed": 0,
        "failed": 4,
        "tried": 1,
    }


def test_a_dimension_that_was_never_tried_is_not_said_to_have_failed(monkeypatch):
    monkeypatch.setattr("georecall.verify.sweep.learned_dimension.trained", lambda facts, recipe: None)
    monkeypatch.setattr(
        "georecall.verify.sweep.learned_dimension.right", lambda model, facts: np.ones(4, dtype=bool)
    )
    assert learned_dimension_cell(8, 2, 0, 4, **SETTINGS) == {"needed": 3, "failed": 0, "tried": 2}


def test_both_kinds_of_embeddings_are_searched():
    assert {dict(cell.parameters)["subjects"] for cell in searches((8, 16), 2)} == {"sphere", "frozen"}


def test_chains_of_single_steps_are_the_composed_answers_and_one_wrong_step_breaks_them():
    facts = random_bijections(9, 2, rng=np.random.default_rng(0))
    alphabet = letters(facts, 3)
    spelling = spelled(np.arange(8), alphabet)
    answers = string_answers(facts, alphabet)
    assert np.array_equal(chained(facts.answers, spelling), answers)
    wrong = facts.answers.copy()
    wrong[1, 4] = (wrong[1, 4] + 1) % 9
    assert (chained(wrong, spelling) != answers).any()


def test_the_steps_of_a_chain_are_those_that_it_takes():
    facts = FactTable([[1, 2, 0], [0, 0, 1]])
    one = np.zeros((4, 3), dtype=bool)
    one[1, 2] = True  # string (0, 1) of subject 2: 2 -> 0 -> 0
    taken = steps_of(facts, spelled(np.arange(4), letters(facts, 2)), one)
    assert np.argwhere(taken).tolist() == [[0, 2], [1, 0]]


def test_the_embedding_of_a_string_is_the_sum_of_its_letters():
    relations = np.arange(12.0).reshape(6, 2)  # k = 2 hops of 3 letters, d = 2
    every = strings(relations, 2)
    assert every.shape == (9, 2)
    assert np.array_equal(every[3 * 1 + 2], relations[1] + relations[3 + 2])
    assert np.array_equal(strings(relations, 1), relations)


def test_facts_that_are_no_strings_are_refused():
    from georecall.constructions.training.recipe import Recipe

    facts = random_bijections(4, 3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="3 rows of facts are not all strings of 2 relations"):
        initial(facts, Recipe(dimension=2, width=2, hops=2))


@pytest.mark.slow
def test_held_out_chains_are_answered_step_by_step_and_not_in_one_pass():
    from georecall.verify.sweep.learned_hops import chains

    found = measure(chains((2,), seeds=1)[0])
    assert (found["direct"], found["thought"], found["thought_held_out"]) == (1.0, 1.0, 1.0)
    assert found["direct_held_out"] < 0.1


def test_proofs_of_a_trained_model_are_the_same_whenever_made_but_for_their_time(tmp_path):
    (cell,) = runs([16], [2], [8], kind="proof-size", seeds=1, steps=250, tables=4)
    with Store(tmp_path / "a.sqlite") as store:
        sweep([cell], store)
        (row,) = store.rows()
        (timed,) = store.rows(timings=True)
    assert row.items() <= timed.items()
    assert timed.keys() - row.keys() == {"seconds", "version", "proof_seconds"}
    assert row == {
        k: v for k, v in (dict(cell.parameters) | measure(cell) | {"kind": cell.kind}).items() if k in row
    }
    certified, asked, about = (json.loads(row[name]) for name in ("certified", "asked", "about"))
    assert about[:2] == ["tuples", "facts"]
    assert asked[:2] == [2 * 16**2, 2 * 64]
    assert all(c <= certified[about.index(a)] for c, a in zip(certified, about, strict=True))
    assert certified[0] > 0
