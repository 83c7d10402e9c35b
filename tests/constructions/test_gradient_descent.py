import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from georecall import gradient_descent
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.gradient_descent import as_transformer, trained, untrained
from georecall.constructions.training.loop import train
from georecall.constructions.training.model import (
    MLP_WEIGHTS,
    as_used,
    initial,
    logits,
)
from georecall.constructions.training.recipe import Recipe
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.errors import CheckpointError, MissingExtraError
from georecall.verify.margins.margins import margins

TABLE = random_bijections(16, 2, rng=np.random.default_rng(0))
RECIPE = Recipe(dimension=16, width=32, steps=300, noise=0.1)
PROMPTS = np.array([[s, 16 + r] for r in range(2) for s in range(16)])


@pytest.fixture(scope="module")
def model():
    return trained(TABLE, RECIPE)


def test_training_recalls_a_small_table_and_an_altered_fact_is_found(model):
    found = margins(model, TABLE)
    assert found.n_recalled == TABLE.n_facts
    answer = (int(TABLE.answers[1, 7]) + 1) % 16
    assert margins(model, TABLE.altered(7, 1, answer)).wrong == [(7, 1)]


def test_before_training_there_is_no_recall():
    assert margins(untrained(TABLE, RECIPE), TABLE).n_recalled < TABLE.n_facts / 2


@pytest.mark.parametrize("attention", ["uniform", "trained"])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("kind", ["learned", "sphere"])
def test_the_transformer_computes_what_was_trained(attention, residual, kind):
    recipe = replace(RECIPE, attention=attention, residual=residual, attributes=kind, subjects=kind)
    parameters = initial(TABLE, recipe)
    rng = np.random.default_rng(1)
    for name in ("b_in", "b_out", "attributes"):  # biases start at 0, attributes on the sphere
        parameters[name] = rng.standard_normal(parameters[name].shape).astype(np.float32)
    model = as_transformer(parameters, recipe)
    assert model.d_model == (16 if residual else 32)
    want = np.asarray(logits(parameters, as_used(parameters["subjects"], kind), recipe)).reshape(32, 16)
    np.testing.assert_allclose(model.logits(PROMPTS), want, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"mlp": "none"},
        {"mlp": "none", "attention": "trained"},
        {"mlp": "none", "attention": "trained", "residual": True, "norm": True},
        {"attention": "trained", "residual": True, "norm": True, "activation": "gelu"},
        {"activation": "gelu"},
    ],
)
def test_norms_smooth_neurons_and_no_mlp_are_computed_as_they_were_trained(settings):
    recipe = replace(RECIPE, initial=1.0, **settings)
    parameters = initial(TABLE, recipe)
    model = as_transformer(parameters, recipe)
    assert (model.blocks[0].mlp is None) == (recipe.mlp == "none")
    subjects = as_used(parameters["subjects"], recipe.subjects)
    want = np.asarray(logits(parameters, subjects, recipe)).reshape(32, 16)
    np.testing.assert_allclose(model.logits(PROMPTS), want, rtol=2e-4, atol=2e-4)


def test_norms_without_a_stream_are_refused():
    with pytest.raises(ValueError, match="norm needs residual and attention 'trained'"):
        replace(RECIPE, norm=True)


def test_the_sum_alone_recalls_disjoint_attributes_and_cannot_recall_shared_ones():
    """C11 by descent: shared attributes need something that selects."""
    alone = {"mlp": "none", "noise": 0.0, "weight_decay": 0.0, "steps": 500}
    apart = FactTable(TABLE.answers + 16 * np.arange(2)[:, None], n_attributes=32)
    found = margins(gradient_descent(apart, dimension=16, **alone), apart)
    assert found.n_recalled == 32
    shared = margins(gradient_descent(TABLE, dimension=16, **alone), TABLE)
    assert shared.n_recalled < 32


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(model):
    again, other = trained(TABLE, RECIPE), trained(TABLE, replace(RECIPE, seed=1))
    for name, weight in model.dense().weights().items():
        assert weight.tobytes() == again.dense().weights()[name].tobytes()
    assert (model.W_E != other.W_E).any()


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(model, tmp_path):
    checkpoint = tmp_path / "run.npz"

    def stop(done, total):
        if done == 250:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(TABLE, RECIPE, checkpoint=checkpoint, progress=stop)
    done = []
    resumed = trained(TABLE, RECIPE, checkpoint=checkpoint, progress=lambda *at: done.append(at))
    assert done == [(250, 300), (300, 300)]
    for name, weight in model.dense().weights().items():
        assert weight.tobytes() == resumed.dense().weights()[name].tobytes()
    finished = []
    trained(TABLE, RECIPE, checkpoint=checkpoint, progress=lambda *at: finished.append(at))
    assert finished == [(300, 300)]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    checkpoint = tmp_path / "run.npz"
    train(TABLE, RECIPE, checkpoint=checkpoint)
    for recipe in (replace(RECIPE, seed=1), replace(RECIPE, attention="trained")):
        with pytest.raises(CheckpointError, match=r"run.npz is the checkpoint of another run: .* differ"):
            train(TABLE, recipe, checkpoint=checkpoint)
    other = random_bijections(16, 2, rng=np.random.default_rng(5))
    with pytest.raises(CheckpointError, match="another run: facts differ"):
        train(other, RECIPE, checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        train(TABLE, RECIPE, checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        train(TABLE, RECIPE, checkpoint=tmp_path / "absent" / "run.npz")


def test_what_is_frozen_stays_and_what_is_on_the_sphere_stays_there():
    recipe = replace(RECIPE, attributes="frozen", subjects="frozen")
    before, after = initial(TABLE, recipe), train(TABLE, recipe).parameters
    assert np.array_equal(before["attributes"], after["attributes"])
    assert np.array_equal(before["subjects"], after["subjects"])
    assert (before["W_in"] != after["W_in"]).any()
    blank = train(TABLE, replace(RECIPE, mlp="frozen")).parameters
    assert all(np.array_equal(before[name], blank[name]) for name in MLP_WEIGHTS)
    assert (before["relations"] != blank["relations"]).any()
    u = trained(TABLE, RECIPE).W_U[16:].T
    np.testing.assert_allclose((u**2).sum(axis=1), 16, rtol=1e-5)


def test_settings_out_of_range_are_named():
    for name, value in {
        "dimension": 0,
        "width": 0,
        "steps": 0,
        "noise": -0.1,
        "weight_decay": float("nan"),
        "learning_rate": 0.0,
        "batch": -1,
        "attributes": "free",
        "attention": "hard",
        "subjects": "trained",
        "mlp": "sphere",
        "initial": 0.0,
        "seed": -1,
    }.items():
        with pytest.raises(ValueError, match=name):
            replace(RECIPE, **{name: value})


def test_it_is_a_construction_like_any_other():
    assert CONSTRUCTIONS["gradient-descent"] is gradient_descent
    assert margins(gradient_descent(TABLE, steps=300), TABLE).n_recalled == TABLE.n_facts


def test_jax_is_imported_when_a_run_begins_and_its_absence_is_explained(monkeypatch):
    code = "import georecall.constructions, georecall.verify.cli, sys; "
    code += "assert not {'jax', 'optax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    monkeypatch.setitem(sys.modules, "optax", None)
    with pytest.raises(MissingExtraError, match=r"georecall\[learn\]"):
        gradient_descent(TABLE)


def test_what_the_environment_tells_jax_changes_nothing(model):
    """As JAX_ENABLE_X64=1 and its like do; what a program has set is as it was afterwards."""
    jax = pytest.importorskip("jax")
    strange = {
        "jax_enable_x64": True,
        "jax_numpy_rank_promotion": "raise",
        "jax_numpy_dtype_promotion": "strict",
        "jax_debug_nans": True,
    }
    before = {name: getattr(jax.config, name) for name in strange}
    try:
        for name, value in strange.items():
            jax.config.update(name, value)
        again = trained(TABLE, RECIPE)
        assert {name: getattr(jax.config, name) for name in strange} == strange
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
    assert again.W_E.tobytes() == model.W_E.tobytes()
