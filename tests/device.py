"""What a GPU computes, where JAX has one; elsewhere the test is skipped."""

import os
import subprocess
import sys

import pytest

_BEGIN = """
import jax

if jax.default_backend() == "cpu":
    print("no device")
    raise SystemExit
"""


def on_gpu(script: str) -> list[str]:
    """The words that a script prints, run in an interpreter that JAX's own choice of a device is left to."""
    pytest.importorskip("jax")
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    environment["PYTHONPATH"] = os.pathsep.join([os.getcwd(), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("no device"):
        pytest.skip("JAX sees no GPU here")
    return done.stdout.split()
