"""Every example of every docstring gives what it says."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from georecall import bounds, constructions, theory, verify

PACKAGES = (theory, constructions, bounds, verify)
OURS = {package.__name__ for package in PACKAGES}
MODULES = sorted(
    OURS
    | {
        module.name
        for package in PACKAGES
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=str)
        if not module.name.endswith("__main__")
    }
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name):
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if str(missing.name).split(".")[0] in OURS:
            raise
        pytest.skip(f"{name} needs {missing.name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_examples():
    modules = [
        import_module(name)
        for name in (
            "georecall.theory.facts.fact_table",
            "georecall.constructions.codes.code",
            "georecall.verify.claims.check",
        )
    ]
    assert all(doctest.testmod(module).attempted > 1 for module in modules)


def test_an_example_that_is_wrong_is_seen(capsys):
    def wrong():
        """One and one.

        >>> 1 + 1
        3
        """

    runner = doctest.DocTestRunner()
    (example,) = doctest.DocTestFinder().find(wrong, "wrong", globs={})
    assert runner.run(example).failed == 1
    assert "Expected:\n    3" in capsys.readouterr().out
