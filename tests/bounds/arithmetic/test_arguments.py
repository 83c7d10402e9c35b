import inspect
from fractions import Fraction

import numpy as np
import pytest

from georecall import bounds
from georecall.bounds.arithmetic.arguments import integer, rational

GOOD = {
    "counting": {"n_subjects": 4, "n_relations": 2},
    "approximate-counting": {"n_subjects": 4, "n_relations": 2, "n_errors": 1},
    "bits-per-subject": {"n_subjects": 4, "n_relations": 2, "bits": 3},
    "margin": {"n_attributes": 4, "margin": 0.5},
    "selector": {"n_attributes": 4, "n_relations": 2, "margin": 0.5, "radius": 1, "lipschitz": 1},
    "selector-width": {"n_relations": 4, "n_attributes": 3, "dimension": 2},
    "multi-hop": {"n_subjects": 4, "n_relations": 2, "hops": 2, "subjects_asked": 1, "other_bits": 1},
    "multi-hop-untyped": {"n_subjects": 4, "n_relations": 2, "hops": 2, "subjects_asked": 1, "other_bits": 1},
    "two-sided": {
        "n_subjects": 8,
        "n_relations": 2,
        "hops": 2,
        "split": 1,
        "subjects_asked": 2,
        "outputs_asked": 4,
        "other_bits": 1,
        "subject_bits": 2,
    },
    "readout-dimension": {"n_attributes": 4, "margin": 0.5},
    "hamming": {"length": 7, "distance": 3},
    "plotkin": {"length": 7, "distance": 4},
    "gilbert-varshamov": {"length": 7, "distance": 3},
    "welch": {"n_attributes": 4, "dimension": 3},
    "rankin": {"n_attributes": 4},
}


def test_every_bound_returns_an_enclosure_in_a_known_unit():
    assert set(GOOD) == set(bounds.BOUNDS)
    units = {"bits", "bits per subject", "dimensions", "coordinates", "neurons", "codewords", "1"}
    for name, arguments in GOOD.items():
        assert bounds.BOUNDS[name](**arguments).unit in units


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, parameter) for name, arguments in GOOD.items() for parameter in arguments]
)
@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "3", [], True])
def test_every_argument_is_checked_in_one_line_that_names_it(name, parameter, bad):
    with pytest.raises(ValueError, match=rf"^{parameter} must be .*, not ") as caught:
        bounds.BOUNDS[name](**(GOOD[name] | {parameter: bad}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounds.counting(0, 2), "n_subjects must be a whole number at least 1, not 0"),
        (
            lambda: bounds.approximate_counting(3, 2, 7),
            "n_errors must be a whole number from 0 to 6, not 7",
        ),
        (lambda: bounds.margin(3, 0), "margin must be a finite number above 0, not 0"),
        (
            lambda: bounds.counting(3, 2, digits=0),
            "digits must be a whole number from 1 to 10000, not 0",
        ),
        (
            lambda: bounds.multi_hop(3, 2, 2, subjects_asked=4),
            "subjects_asked must be .* from 1 to 3, not 4",
        ),
        (
            lambda: bounds.multi_hop(3, 2, 2, other_bits=1, subject_bits=1),
            "other_bits must be left out",
        ),
        (
            lambda: bounds.hamming(length=3),
            "two of length, distance and n_attributes .*, not length",
        ),
        (lambda: bounds.hamming(), "two of length, distance and n_attributes .*, not none"),
        (lambda: bounds.hamming(length=3, n_attributes=9), r"at most 2\^length = 8, not 9"),
        (
            lambda: bounds.hamming(length=3, n_attributes=1),
            "at least 2 to ask for a distance, not 1",
        ),
        (lambda: bounds.welch(dimension=3), "exactly two of"),
        (
            lambda: bounds.welch(dimension=4, coherence=0.5),
            r"below C\(d\+0, 1\)\^\(-1/2\) .*, not 0\.5",
        ),
        (lambda: bounds.rankin(dimension=3), "n_attributes or margin must be given"),
        (
            lambda: bounds.rankin(n_attributes=3, dimension=2, margin=1.2),
            "not together with dimension",
        ),
        (lambda: bounds.rankin(margin=0), "margin must be a finite number above 0, not 0"),
    ],
)
def test_messages_say_what_would_be_right(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: bounds.margin(3, 1.6),
        lambda: bounds.readout_dimension(3, 1.6),
        lambda: bounds.selector(3, 2, 3, 1, 1),
        lambda: bounds.plotkin(length=9, distance=4),
        lambda: bounds.hamming(length=3, n_attributes=9),
        lambda: bounds.hamming(length=3, n_attributes=1),
        lambda: bounds.welch(dimension=4, coherence=0.5),
        lambda: bounds.rankin(margin=0.9, dimension=3),
        lambda: bounds.rankin(margin=1),
    ],
)
def test_what_a_theorem_excludes_is_a_no_statement_not_a_number(call):
    with pytest.raises(bounds.NoStatementError):
        call()


def test_enclosures_carry_30_digits_unless_asked_otherwise():
    public = [getattr(bounds, name) for name in bounds.__all__]
    digits = [inspect.signature(f).parameters.get("digits") for f in public if inspect.isfunction(f)]
    assert sum(map(bool, digits)) >= 10
    assert {parameter.default for parameter in digits if parameter} == {30}


def test_numpy_numbers_and_fractions_are_numbers():
    assert integer("n", np.int64(3), at_least=1) == 3
    assert rational("x", np.float64(0.25)) == Fraction(1, 4)
    assert rational("x", 0.1) == Fraction(0.1) != Fraction(1, 10)
    assert rational("x", Fraction(1, 10)) == Fraction(1, 10)


def test_limits_belong_to_the_range_but_for_above():
    assert integer("n", 1, at_least=1, at_most=3) == 1
    assert integer("n", 3, at_least=1, at_most=3) == 3
    assert rational("x", 0.5, at_least=0, at_most=2) == Fraction(1, 2)
    assert rational("x", 0, at_least=0, at_most=2) == 0
    assert rational("x", 2, at_least=0, at_most=2) == 2
    with pytest.raises(ValueError, match="above 2"):
        rational("x", 2, above=2)
