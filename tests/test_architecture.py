"""Imports point down: verify -> constructions, bounds -> theory."""

import ast
from graphlib import CycleError, TopologicalSorter
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
    assert upward("theory", "def late():\n    from verify.exact.margin import margins\n") == {"verify"}
    assert upward("constructions", "import bounds.counting\n") == {"bounds"}


def rooms(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which rooms of `verify` each one's modules import; a module outside any room is one of its own.

    Args:
        sources: by dotted name of the module.
    """
    found: dict[str, set[str]] = {}
    for module, source in sources.items():
        names = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "verify":
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("verify."):
                names.add(str(node.module).split(".")[1])
        room = module.split(".")[1]
        found[room] = found.get(room, set()) | names - {room}
    return found


def test_rooms_of_verify_do_not_import_each_other_in_circles() -> None:
    root = Path(str(verify.__file__)).parent
    files = [file for file in root.rglob("*.py") if file != root / "__init__.py"]
    sources = {
        ".".join(("verify", *file.relative_to(root).with_suffix("").parts)): file.read_text("utf-8")
        for file in files
    }
    graph = rooms(sources)
    del graph["cli"]  # `georecall report` asks the other commands how their options are spelled
    assert {"exact", "experiments", "kit", "checking"} <= graph.keys()
    order = list(TopologicalSorter(graph).static_order())
    assert (
        order.index("exact") < order.index("verdict") < order.index("experiments") < order.index("checking")
    )


def test_a_circle_of_rooms_is_seen() -> None:
    graph = rooms(
        {
            "verify.exact.margin": "def late():\n    from verify.verdict import Verdict\n",
            "verify.verdict": "from verify.exact.margin import Witness\n",
        }
    )
    with pytest.raises(CycleError):
        list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", BELOW)
def test_every_package_is_marked_as_typed(name: str) -> None:
    assert (Path(str(PACKAGES[name].__file__)).parent / "py.typed").exists()
