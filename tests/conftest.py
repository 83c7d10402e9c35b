"""What all tests share: Hypothesis profiles, who runs them, and the reference as fixtures."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from chromium import Chromium, installed
from hypothesis import HealthCheck, settings
from reference import ENTRIES, BruteForce, Plain
from reference import random_model as drawn_model

from georecall import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.strategies import table_of

_ALWAYS = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, max_examples=50, **_ALWAYS)
settings.register_profile("deep", max_examples=2000, **_ALWAYS)
settings.register_profile("fuzz", derandomize=True, max_examples=1200, **_ALWAYS)
settings.load_profile("ci")
# `--hypothesis-profile` takes its place before test modules are imported: a test that wants few examples asks
# for `settings.default.max_examples // 3`, and follows the profile too.


def pytest_configure(config: pytest.Config) -> None:
    """What is compiled is kept: by JAX, for each worker; by Python, for workers and what tests start.

    Python keeps it beside the sources, as ever: elsewhere all libraries would be compiled again.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with suppress(AttributeError, OSError):  # `-p no:cacheprovider`; a checkout that is read only
        kept = config.cache.mkdir(f"jax-{worker}")
        if os.access(kept, os.W_OK):  # not where another user's run left it
            os.environ["JAX_COMPILATION_CACHE_DIR"] = str(kept)
            os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto` in pyproject.toml: as many processes as cores for folders, none for single files or tests."""
    whole = all(os.path.isdir(argument) for argument in config.args)
    return min(os.cpu_count() or 1, 8) if whole else 0


@pytest.fixture(scope="session")
def plain() -> type[Plain]:
    return Plain


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Transformer]:
    return drawn_model


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Any]:
    """Numbers of a shape, by one of `ENTRIES`."""
    return lambda entries, rng, shape: ENTRIES[entries](rng, shape)


@pytest.fixture(scope="session")
def random_table() -> Callable[..., FactTable]:
    """The table of one seed, N, R and |A|; kind "functions", or another of `verify.strategies.KINDS`."""
    return lambda seed, N, R, A, kind="functions": table_of(kind, N, R, A, seed=seed)


@pytest.fixture(scope="session")
def brute_force() -> type[BruteForce]:
    return BruteForce


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes started meanwhile answer to Ctrl-C, also where a script runs the suite in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser; without one the test is skipped, or fails where GEORECALL_REQUIRE_CHROMIUM is set."""
    binary = installed()
    if binary is None:
        if os.environ.get("GEORECALL_REQUIRE_CHROMIUM"):
            pytest.fail("GEORECALL_REQUIRE_CHROMIUM is set, and no Chromium is installed")
        pytest.skip("no Chromium: apt-get install chromium")
    browser = Chromium(binary, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()
