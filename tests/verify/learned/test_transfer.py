"""Procedures (ii) and (iii): the inverse of the selector, and training only the embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from georecall import block_superposition
from georecall.constructions.gradient_descent import untrained
from georecall.constructions.training.recipe import Recipe
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.learned import Parts
from georecall.verify.learned.transfer import by_inverse, by_training, discriminates, transfer
from georecall.verify.learned.vectors import right

TABLE = random_bijections(16, 2, rng=np.random.default_rng(0))
RECIPE = Recipe(dimension=16, width=64, initial=1.0)


def test_the_selector_is_inverted_through_its_active_pieces():
    table = random_bijections(64, 3, rng=np.random.default_rng(0))
    parts = Parts.of(block_superposition(table), 64)
    found = transfer(parts, table, "inverse")
    assert found["transfer"] == 1.0
    assert found["shuffled"] <= 0.05


def test_an_inverse_of_attention_that_is_trained_is_refused():
    model = untrained(TABLE, replace(RECIPE, attention="trained"))
    with pytest.raises(ValueError, match="attention is uniform"):
        by_inverse(Parts.of(model, 16), TABLE, TABLE)


@pytest.mark.parametrize("attention", ["uniform", "trained"])
def test_training_only_the_embeddings_recalls_through_an_untrained_mlp(attention):
    """So the procedure does not discriminate, and `discriminates` says so."""
    model = untrained(TABLE, replace(RECIPE, attention=attention))
    parts = Parts.of(model, 16)
    after = by_training(parts, TABLE, TABLE)
    assert right(after, TABLE).mean() > 0.6  # all of it where attention is uniform
    assert right(model, TABLE).mean() < 0.3
    for name, weight in parts.model.weights().items():
        if name != "W_E":
            assert np.array_equal(weight, after.weights()[name])
    assert np.array_equal(parts.model.W_E[16:], after.W_E[16:])
    assert not after.W_E[:16, 16:].any()  # the readout's coordinates stay untouched
    assert discriminates({"untrained": 0.01})
    assert not discriminates({"untrained": 1.0})
