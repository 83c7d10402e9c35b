"""Imports point down: verify -> constructions, bounds -> theory; all go through the door `georecall`."""

import ast
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import georecall

BELOW = {
    "theory": {"theory"},
    "constructions": {"constructions", "theory"},
    "bounds": {"bounds", "theory"},
    "verify": {"verify", "theory", "constructions", "bounds"},
}
ROOT = Path(georecall.__file__).parent


def imported(source: str) -> set[str]:
    """The modules that a source imports, wherever the import stands, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def upward(floor: str, source: str) -> set[str]:
    """Floors above that a source imports, and floors that it does not reach through the door."""
    names = [name.split(".") for name in imported(source)]
    through = {parts[1] for parts in names if parts[0] == "georecall" and len(parts) > 1} & BELOW.keys()
    return (through - BELOW[floor]) | {f"{parts[0]} itself" for parts in names if parts[0] in BELOW}


def sources(floor: str) -> dict[str, str]:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file.read_text("utf-8")
        for file in sorted((ROOT / floor).rglob("*.py"))
    }
    assert files
    return files


@pytest.mark.parametrize("floor", BELOW)
def test_imports_point_down(floor: str) -> None:
    assert {name: above for name, text in sources(floor).items() if (above := upward(floor, text))} == {}


def test_an_import_that_points_up_is_seen() -> None:
    late = "def late():\n    from georecall.verify.margins.margins import margins\n"
    assert upward("theory", late) == {"verify"}
    assert upward("constructions", "from georecall import bounds\n") == {"bounds"}
    assert upward("verify", "import bounds.counting\n") == {"bounds itself"}


def test_no_floor_is_imported_under_its_bare_name() -> None:
    bare = {
        str(Path(str(getattr(sys.modules.get(floor), "__file__", None) or "/")).resolve()) for floor in BELOW
    }
    ours = {str((ROOT / floor / "__init__.py").resolve()) for floor in BELOW}
    assert not bare & ours


def rooms(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which rooms of `verify` each one's modules import; a module outside any room is one of its own.

    Args:
        sources: by dotted name of the module, from the floor on.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for module, source in sources.items():
        room = module.split(".")[1]
        names = [name.split(".") for name in imported(source)]
        found[room] |= {parts[2] for parts in names if parts[:2] == ["georecall", "verify"]} - {room}
    return dict(found)


def test_rooms_of_verify_do_not_import_each_other_in_circles() -> None:
    graph = rooms({name: text for name, text in sources("verify").items() if name != "verify.__init__"})
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("margins") < order.index("verdict") < order.index("claims") < order.index("cli")


def test_a_circle_of_rooms_is_seen() -> None:
    graph = rooms(
        {
            "verify.margins.margins": "from georecall.verify.verdict.verdict import Verdict\n",
            "verify.verdict.verdict": "from georecall.verify.margins.margins import Witness\n",
        }
    )
    with pytest.raises(CycleError):
        list(TopologicalSorter(graph).static_order())


def test_the_package_is_marked_as_typed() -> None:
    assert (ROOT / "py.typed").exists()
