import inspect
import types
import typing
from fractions import Fraction

import pytest

from georecall import bounds
from georecall.bounds.parameters import example

COMMAND_LINE_NAMES = [
    "counting",
    "approximate-counting",
    "bits-per-subject",
    "margin",
    "selector",
    "selector-width",
    "multi-hop",
    "multi-hop-untyped",
    "two-sided",
    "hamming",
    "plotkin",
    "gilbert-varshamov",
    "welch",
    "rankin",
    "readout-dimension",
]


def test_the_mapping_has_the_command_lines_names():
    assert list(bounds.BOUNDS) == COMMAND_LINE_NAMES
    with pytest.raises(TypeError):
        bounds.BOUNDS["counting"] = bounds.counting


@pytest.mark.parametrize("name", COMMAND_LINE_NAMES)
def test_a_command_line_can_be_generated_from_the_signature(name):
    function = bounds.BOUNDS[name]
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        kinds = (
            typing.get_args(parameter.annotation)
            if isinstance(parameter.annotation, types.UnionType)
            else (parameter.annotation,)
        )
        assert set(kinds) <= {int, float, Fraction, bool, type(None)}, parameter
        assert f"{parameter.name}:" in function.__doc__
    for part in ("Proof", "Args:", "Returns:", "Raises:", "Source:"):
        assert part in function.__doc__, part


@pytest.mark.parametrize("name", COMMAND_LINE_NAMES)
def test_every_bound_has_a_value_at_its_example(name):
    value = bounds.bound(name, **example(name, bounds.BOUNDS[name]))
    assert value.lower >= 0
    assert value.upper is not None
    assert value.upper <= 4 * value.lower


def test_everything_public_is_there_and_documented():
    for name in set(bounds.__all__) - {"BOUNDS"}:
        assert getattr(bounds, name).__doc__
