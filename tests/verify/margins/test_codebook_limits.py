"""The codebook at the ends of its integers: what fits no 64 bits, or no float, is refused, never wrapped."""

import numpy as np
import pytest

from georecall import Transformer, in_place_superposition
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.codebook import Codebook, _constant
from georecall.verify.margins.margins import margins


@pytest.mark.parametrize(
    ("biases", "norms"),
    [
        ([2.0**-70, 0.0], [1, 1]),  # 2^70 units, and one bias is off by one
        ([0.0, 2.0**64], [0, 1]),
        ([2.0**64, 2.0**65], [1, 1]),  # as 64-bit integers both would be the same
        ([2.0**45, 2.0**-20], [1, 1]),
        ([2.0**-40, 2.0**-40], [1 << 30, 0]),  # 2^30 << 40 is 0 in 64 bits
        ([-0.5, 0.0], [0, 0]),
    ],
)
def test_biases_that_are_not_the_norms_are_never_taken_for_them(biases, norms):
    assert _constant(np.array(biases), np.array(norms), 0) is None


@pytest.mark.parametrize("unit", [2.0**-30, 1.0, 2.0**20])
def test_biases_that_are_the_norms_are_recognised_at_any_unit(unit):
    norms = np.array([3, 0, 1 << 20])
    step = int(np.log2(unit))
    for const in (0.0, unit / 1024, -7 * unit):
        value, at = _constant(const - norms * unit, norms, step)
        assert value * 2.0**at == const


def two_words(size: float) -> Codebook | None:
    """Of a model that reads a word of this size, or 0, as it is."""
    columns = np.array([[0.0], [size]])
    model = Transformer(
        np.concatenate([np.zeros((1, 1)), columns]),
        np.zeros((2, 1)),
        (),
        columns.T,
        np.array([0.0, -(size**2) / 2]),
    )
    return Codebook.of(model, model.residual(np.array([[0, 1], [0, 2]])), np.arange(2), np.arange(2))


def test_margins_that_are_no_floats_are_left_to_others():
    assert two_words(2.0**-536).margins.tolist() == [2.0**-1073] * 2
    assert two_words(2.0**-537) is None  # half the square is 2^-1075
    assert two_words(2.0**450).margins.tolist() == [2.0**899] * 2
    assert two_words(2.0**451) is None


def test_two_attributes_have_a_codebook():
    facts = FactTable([[0, 1, 1], [1, 0, 1]])
    assert margins(in_place_superposition(facts), facts).method == "codebook"
