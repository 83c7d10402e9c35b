import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounds import selector_width, selector_width_closed_form


def sign_vectors(B, beta, c, grid) -> set[tuple[bool, ...]]:
    """Those of g_r = l + B_r + sum_i c_i ReLU(alpha_i + beta_ir) for alpha in grid^w and all l, exactly."""
    R, w = len(B), len(beta)
    found = set()
    for alpha in itertools.product(grid, repeat=w):
        phi = [B[r] + sum(c[i] * max(0, alpha[i] + beta[i][r]) for i in range(w)) for r in range(R)]
        found |= {tuple(value > cut for value in phi) for cut in [min(phi) - 1, *phi]}
    return found


def test_two_neurons_select_among_four_relations_of_two_attributes():
    """So R - 1 is not the least width: exact arithmetic, found by integer programming."""
    B = [10, 8, 4, 0]
    beta = [[0, 4, 10, 10], [0, 4, 4, 10]]
    assert len(sign_vectors(B, beta, [1, 1], range(-10, 1))) == 2**4
    assert selector_width(4).at_most(2) is True


def test_three_neurons_select_among_five_relations_of_two_attributes():
    B = [2, 6, 4, 2, 0]
    beta = [[0, 5, 5, 7, 9], [9, 0, 4, 0, 6], [0, 0, 5, 9, 0]]
    assert len(sign_vectors(B, beta, [1, 1, 1], range(-9, 1))) == 2**5
    assert selector_width(5).at_most(3) is True


@pytest.mark.parametrize("R", range(1, 12))
def test_the_narrow_selector_shows_that_r_minus_1_is_enough(R):
    """C1'' with values 0 and 1, V = 1: neuron r is on for relation r alone, and block R is read by l."""
    B = [0] * R
    beta = [[0 if s == r else -10 for s in range(R)] for r in range(R - 1)]  # alpha_r <= 1 is off elsewhere
    found = set()
    for last, *others in itertools.product((-1, 1), repeat=R):
        alpha = [value - last + 2 for value in others]  # v_r - v_R + V, never negative
        g = [
            last + B[s] + sum(max(0, a + beta[i][s]) - (2 if i == s else 0) for i, a in enumerate(alpha))
            for s in range(R)
        ]
        found.add(tuple(value > 0 for value in g))
    assert len(found) == 2**R
    assert selector_width(R).at_most(R - 1) is True


@given(st.integers(2, 6), st.integers(1, 2), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_no_selector_has_more_sign_vectors_than_were_counted(R, w, seed):
    rng = np.random.default_rng(seed)
    B, beta = rng.integers(0, 9, R).tolist(), rng.integers(0, 9, (w, R)).tolist()
    c = rng.choice([-1, 1], w).tolist()
    S = [sum(math.comb(R, i) for i in range(m + 1)) for m in range(R + 2)]
    counted = sum(
        math.comb(w, j) * (R - 1) ** j * 2 ** (w - j) * (S[min(R, j + 1)] - 2) for j in range(w + 1)
    )
    found = sign_vectors(B, beta, c, [Fraction(n, 2) for n in range(-19, 2)])
    assert len(found) - 2 <= counted
    if len(found) == 2**R:
        assert selector_width(R).at_most(w) is True


@pytest.mark.parametrize("R", [1, 2, 3, 4, 7, 8, 31, 64, 255, 1000])
def test_the_exact_count_is_above_the_closed_form_and_below_r_minus_1(R):
    exact = selector_width(R)
    assert exact.is_exact
    assert exact.unit == "neurons"
    assert exact.below(selector_width_closed_form(R).ceiling()) is False
    assert exact.at_most(max(0, R - 1)) is True


def test_the_closed_form():
    assert selector_width_closed_form(7).compare(Fraction(2, 3)) == 0
    assert selector_width_closed_form(1).compare(0) == 0
    assert selector_width_closed_form(64).lower_float == pytest.approx((64 / math.log2(65) - 1) / 2)


def test_the_exact_count_is_monotone_and_asymptotically_twice_the_closed_form():
    widths = [selector_width(R).lower for R in range(1, 150)]
    assert widths == sorted(widths)
    assert [selector_width(R).lower for R in (1, 2, 3)] == [0, 1, 1]
    ratios = [
        selector_width(R).lower_float / selector_width_closed_form(R).lower_float for R in (256, 1024, 4096)
    ]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 1.37
