"""Training on a GPU, where JAX has one: the same code, and models that recall as those of a CPU do."""

import os
import subprocess
import sys

import pytest

TRAINS = """
import jax
import numpy as np
from georecall import margins, random_bijections
from georecall.constructions.gradient_descent import trained
from georecall.constructions.training.recipe import recipe_for

if jax.default_backend() == "cpu":
    print("no device")
else:
    facts = random_bijections(64, 2, rng=np.random.default_rng(0))
    model = trained(facts, recipe_for(facts, 0))
    found = margins(model, facts)
    print(jax.default_backend(), found.n_recalled, found.n_facts)
"""


def test_what_a_gpu_trains_is_recalled_by_the_weights_that_numpy_reads():
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    environment["PYTHONPATH"] = os.pathsep.join([os.getcwd(), *sys.path])
    done = subprocess.run([sys.executable, "-c", TRAINS], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("no device"):
        pytest.skip("JAX sees no GPU here")
    backend, recalled, n_facts = done.stdout.split()
    assert backend in ("gpu", "cuda", "rocm")
    assert recalled == n_facts
