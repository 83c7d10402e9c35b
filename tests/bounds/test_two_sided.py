"""C10's floor, against what all tables ask of T subjects and U outputs."""

import itertools
import math
import re
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import every_array

import georecall
from georecall.bounds import counting, two_sided


def most_told(N: int, R: int, k: int, T: int, U: int, *, typed: bool) -> int:
    """The most arrays of answers that T + U labels must tell apart.

    They are those of tables that agree on which queries of T subjects are answered by one of U outputs.
    """
    answers = every_array(N, R, k, T, typed=typed)
    told = defaultdict(set)
    for row in np.unique(np.where(answers < U, answers, -1), axis=0):
        told[(row >= 0).tobytes()].add(row.tobytes())
    return max(map(len, told.values()))


@pytest.mark.parametrize(
    ("N", "R", "k", "typed"),
    [
        *((N, R, k, True) for N, R, k in [(3, 2, 2), (2, 2, 3), (4, 1, 3), (3, 3, 1), (3, 2, 1)]),
        *((N, R, k, False) for N, R, k in [(3, 2, 2), (4, 2, 2), (4, 2, 3), (5, 1, 3)]),
    ],
)
def test_no_floor_is_above_what_must_be_told(N, R, k, typed):
    said = 0
    for T, U in itertools.product(range(1, N + 1), repeat=2):
        exact = math.log2(most_told(N, R, k, T, U, typed=typed))
        try:
            floor = two_sided(N, R, k, untyped=not typed, subjects_asked=T, outputs_asked=U)
        except ValueError:
            continue
        said += floor.lower > 0
        assert floor.lower_float * (T + U) <= exact + 1e-9, (T, U)
    assert said


def test_the_figures_of_the_theory():
    floor = two_sided(2**30, 8, 4)
    assert 1453 < floor.lower_float < 1454
    assert floor.below(64 * 30) is True  # the construction: max(R^2, R^2) blocks of 30 bits
    assert "a = 2, b = 1" in floor.argument
    untyped = two_sided(2**30, 8, 4, untyped=True)
    assert 1387 < untyped.lower_float < floor.lower_float


def test_everything_counted_together_is_the_plain_count():
    N, R, k = 1000, 3, 2
    floor = two_sided(N, R, k, subjects_asked=N, outputs_asked=N)
    plain = (k * (R - 1) + 1) * counting(N, 1).lower / (2 * N)
    assert abs(floor.lower - plain) < Fraction(1, 10**20)
    assert floor.argument.startswith("all tables")


@given(st.integers(2, 2000), st.integers(1, 5), st.integers(1, 6), st.booleans())
@settings(max_examples=settings.default.max_examples // 4)
def test_what_is_given_on_one_side_is_spared_on_the_other(N, R, k, untyped):
    larger = two_sided(N, R, k, untyped=untyped)
    other = two_sided(N, R, k, untyped=untyped, subject_bits=0)
    assert other.upper >= larger.lower >= 0
    assert two_sided(N, R, k, untyped=untyped, subject_bits=10**12).upper == 0
    assert two_sided(N, R, k, untyped=untyped, other_bits=10**9).lower <= larger.upper


def test_the_constructions_stand_above_the_floor():
    for N, R, k in [(64, 3, 2), (64, 3, 4), (1000, 8, 2), (2**20, 2, 6)]:
        m = math.ceil(math.log2(N))
        assert two_sided(N, R, k).below(R ** (k // 2) * m) is True
    for N, R, q in [(64, 3, 1), (1000, 2, 2), (64, 4, 0)]:
        m = math.ceil(math.log2(N))
        assert two_sided(N, R, 2 * q + 1).below((R + 2) // 2 * R**q * m) is True


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(ValueError, match="nothing fits N = 9"):
        two_sided(9, 2, 2, split=0, subjects_asked=3)
    with pytest.raises(ValueError, match="split must be a whole number from 0 to 1"):
        two_sided(9, 2, 2, split=2)


def test_the_table_of_construction_over_floor_on_the_page():
    page = (Path(georecall.__file__).parent / "theory" / "pages" / "c10.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (\d+ / .*) \|$", page, flags=re.M)
    assert [int(R) for R, _ in rows] == [2, 3, 4, 8, 16]
    for R, row in ((int(R), row.split(" | ")) for R, row in rows):
        for k, cell in enumerate(row, start=1):
            used = (R ** (k // 2) if k % 2 == 0 else (R + 2) // 2 * R ** (k // 2)) * 30
            floor = two_sided(2**30, R, k, digits=6).lower_float
            assert cell == f"{used} / {floor:.0f} = {used / floor:.2f}"
