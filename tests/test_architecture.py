"""Imports point down: verify -> constructions, bounds -> theory."""

import ast
from pathlib import Path

import pytest

import bounds
import constructions
import theory
import verify

BELOW = {
    "theory": set(),
    "constructions": {"theory"},
    "bounds": {"theory"},
    "verify": {"theory", "constructions", "bounds"},
}
PACKAGES = {package.__name__: package for package in (theory, constructions, bounds, verify)}


def imported(source: str) -> set[str]:
    """The top-level packages that a source imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.add(str(node.module).split(".")[0])
    return found


def upward(name: str, source: str) -> set[str]:
    return (imported(source) & BELOW.keys()) - BELOW[name] - {name}


@pytest.mark.parametrize("name", BELOW)
def test_imports_point_down(name: str) -> None:
    files = sorted(Path(str(PACKAGES[name].__file__)).parent.rglob("*.py"))
    assert files
    assert {str(file): above for file in files if (above := upward(name, file.read_text("utf-8")))} == {}


def test_an_import_that_points_up_is_seen() -> None:
    assert upward("theory", "def late():\n    from verify.margin import margins\n") == {"verify"}
    assert upward("constructions", "import bounds.counting\n") == {"bounds"}


@pytest.mark.parametrize("name", BELOW)
def test_every_package_is_marked_as_typed(name: str) -> None:
    assert (Path(str(PACKAGES[name].__file__)).parent / "py.typed").exists()
