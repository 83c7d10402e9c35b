"""Training on a GPU, where JAX has one: the same code, and models that recall as those of a CPU do."""

import pytest
from device import on_gpu

TRAINS = """
import numpy as np
from georecall import margins, random_bijections
from georecall.constructions.gradient_descent import trained
from georecall.constructions.training.recipe import recipe_for

facts = random_bijections(64, 2, rng=np.random.default_rng(0))
model = trained(facts, recipe_for(facts, 0))
found = margins(model, facts)
print(jax.default_backend(), found.n_recalled, found.n_facts)
"""


def test_what_a_gpu_trains_is_recalled_by_the_weights_that_numpy_reads():
    pytest.importorskip("optax")
    backend, recalled, n_facts = on_gpu(TRAINS)
    assert backend in ("gpu", "cuda", "rocm")
    assert recalled == n_facts
