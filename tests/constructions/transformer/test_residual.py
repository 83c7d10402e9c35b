"""Named directions: every coordinate has one name, every name its coordinates."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import Residual

SHAPES = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
LAYOUTS = st.dictionaries(st.sampled_from(["block", "readout", "gate", "position"]), SHAPES, max_size=4)


@given(layout=LAYOUTS)
def test_the_names_share_out_the_coordinates_in_order(layout):
    space = Residual(**layout)
    assert space.d_model == sum(prod(shape) for shape in layout.values())
    assert all(space[name].shape == shape for name, shape in layout.items())
    coordinates = [c for name in layout for c in space[name].ravel().tolist()]
    assert coordinates == list(range(space.d_model))


@given(layout=LAYOUTS)
def test_a_label_names_the_place_of_its_coordinate(layout):
    space = Residual(**layout)
    labels = [space.label(c) for c in range(space.d_model)]
    assert len(set(labels)) == space.d_model
    for c, label in enumerate(labels):
        name, _, place = label.rstrip("]").partition("[")
        assert space[name][tuple(int(i) for i in place.split(", "))] == c


@pytest.mark.parametrize("coordinate", [-1, 9, 100])
def test_a_coordinate_outside_has_no_label(coordinate):
    with pytest.raises(IndexError, match=f"coordinate {coordinate} is not among the 9"):
        Residual(block=(2, 3), readout=(3,)).label(coordinate)


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError, match="gate"):
        Residual(block=(2, 3))["gate"]


def test_zeros_have_a_column_per_coordinate():
    zeros = Residual(block=(2, 3)).zeros(4)
    assert (zeros.shape, zeros.dtype, zeros.any()) == ((4, 6), np.float64, False)
