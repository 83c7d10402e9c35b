"""One list says what is public: the stub of the door."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import georecall
from georecall.bounds import BOUNDS
from georecall.constructions import CONSTRUCTIONS

NAMES = georecall.__all__


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    public = getattr(georecall, name)
    if inspect.isfunction(public) or inspect.isclass(public) or inspect.ismodule(public):
        assert inspect.getdoc(public)


def test_every_construction_and_bound_on_its_list_is_public() -> None:
    assert {f.__name__ for f in CONSTRUCTIONS.values()} <= set(NAMES)
    assert all(georecall.BOUNDS[name] is bound for name, bound in BOUNDS.items())


def test_an_unknown_name_is_an_attribute_error_and_the_known_are_listed() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        georecall.chekc  # noqa: B018
    assert set(NAMES) <= set(dir(georecall))


def test_floors_and_modules_load_through_the_door() -> None:
    assert import_module("georecall.verify.margins.margins").margins is georecall.margins


def test_the_door_and_the_help_load_no_numpy() -> None:
    for code in ("import georecall", "from georecall.verify.cli import run; run(['--help'])"):
        heavy = (
            f"import sys; {code}; print({{'numpy', 'sympy', 'scipy', 'pandas'}} & set(sys.modules), end='!')"
        )
        done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
        assert done.stdout.endswith("set()!")
