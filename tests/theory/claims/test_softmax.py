"""Softmax by position: what strays is never more than S/(1+S), and the scale is the least that is enough."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.claims import symbols as sym
from georecall.theory.claims.softmax import (
    bearable,
    bearable_merged,
    bearable_parallel,
    least_scale,
    margin_if_soft,
    position_scale,
)


@given(hops=st.integers(1, 12), leak=st.floats(1e-4, 0.45))
def test_the_scale_keeps_every_position_of_every_window_and_is_the_least(hops, leak):
    beta = position_scale(leak, hops)
    off = [
        1 - 1 / np.exp(-beta * abs(np.arange(end + 1) - meant)).sum()
        for end in range(hops + 1)
        for meant in range(end + 1)
    ]
    assert max(off) <= leak
    softer = np.exp(-(beta - 1 / 1024) * abs(np.arange(hops + 1) - hops // 2))
    assert beta * 1024 == int(beta * 1024)
    assert 1 - 1 / softer.sum() > leak * (1 - 1e-8)


def test_half_the_scale_would_not_do():
    weights = np.exp(-position_scale(0.1, 4) / 2 * abs(np.arange(5) - 2))
    assert 1 - 1 / weights.sum() > 0.1


def test_a_stage_before_a_memory_asks_for_a_half_and_the_last_one_for_what_the_margin_allows():
    assert bearable(1.0, 4, 1.25, [2]) == pytest.approx((1 - 1 / 2) / (1 + 5))
    assert bearable(0.1, 4, 1.25, [3, 1]) == pytest.approx(1 / (2 + 4 * 1.25 * 3))
    assert bearable(1.9, 4, 1.25, [3, 1]) == pytest.approx((1 - 0.95) / (2 * 1.25))
    assert bearable(1.0, 4, 1.25, [1], 4) == pytest.approx(0.5 / 10)
    assert bearable(0.1, 4, 1.01, [1]) == pytest.approx(1 - 1 / 1.01)
    assert bearable_merged(1.0, 4, 1.25, 2, code_length=20) == 1 / 84
    assert bearable_merged(1.0, 4, 1.25, 1, code_length=20) == bearable(1.0, 4, 1.25, [1])
    assert bearable_parallel(1.0, 4, code_length=5) == 0.5 / 20


@pytest.mark.parametrize("margin", [0.0, 2.0, -1.0, 5.0])
def test_a_margin_that_softmax_cannot_keep_is_refused(margin):
    with pytest.raises(ValueError, match="between 0 and 2"):
        bearable(margin, 4, 1.25, [1])
    with pytest.raises(ValueError, match="between 0 and 2"):
        bearable_parallel(margin, 4, 3)


def test_a_gate_of_one_is_refused():
    with pytest.raises(ValueError, match="gate above 1"):
        bearable(1.0, 4, 1.0, [1])


def test_the_search_finds_the_least_multiple_of_a_1024th():
    assert least_scale(lambda beta: np.exp(-beta), 0.5) == 1 / 1024
    assert least_scale(lambda beta: np.exp(-beta), 1 / 11) == int(np.ceil(np.log(10) * 1024)) / 1024


@pytest.mark.parametrize(
    ("margin", "D", "met"), [(0, 12, False), (5, 12, True), (6, 12, False), (7, 12, False)]
)
def test_the_hypothesis_asks_for_a_margin_between_0_and_half_the_distance(margin, D, met):
    values = {sym.soft: 1, sym.promise: Fraction(margin), sym.D: D}
    assert margin_if_soft().holds(values) == met
    assert margin_if_soft().holds(values | {sym.soft: 0})
