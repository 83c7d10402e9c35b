import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall.bounds import selector_width, selector_width_closed_form, width


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


@pytest.mark.parametrize("blocks", [1, 2])
def test_blocks_of_four_relations_select_with_fewer_than_r_minus_1_neurons(blocks):
    """Blocks share l, so each after the first has one neuron more, active in it alone, in the place of an l
    of its own: 3R/4 - 1 neurons. Every sign vector is reached, and checked on the whole selector."""
    R, off, shift = 4 * blocks, -1000, 100
    B, beta = [10, 8, 4, 0], [[0, 4, 10, 10], [0, 4, 4, 10]]
    reached = {}  # sign vector of a block: alpha_1, alpha_2 and its l
    for alpha in itertools.product(range(-10, 1), repeat=2):
        phi = [b + sum(max(0, alpha[i] + beta[i][r]) for i in range(2)) for r, b in enumerate(B)]
        for cut in [*phi, max(phi) + 1]:
            reached[tuple(value >= cut for value in phi)] = (*alpha, Fraction(1, 2) - cut)

    def inside(block: int, row: list[int]) -> list[int]:
        return [off] * 4 * block + row + [off] * 4 * (blocks - block - 1)

    all_beta = [inside(block, row) for block in range(blocks) for row in beta]
    all_beta += [inside(block, [shift] * 4) for block in range(1, blocks)]
    all_B = B + [b - 2 * shift for b in B] * (
        blocks - 1
    )  # of which l_1 and the block's own neuron lift 2 shift
    assert len(all_beta) == 3 * R // 4 - 1
    assert selector_width(R).at_most(len(all_beta)) is True
    for wanted in itertools.product(itertools.product((False, True), repeat=4), repeat=blocks):
        chosen = [reached[block] for block in wanted]
        l_1 = chosen[0][2]
        alpha = [a for first, second, _ in chosen for a in (first, second)]
        alpha += [shift + l_b - l_1 for _, _, l_b in chosen[1:]]
        g = [
            l_1 + all_B[r] + sum(max(0, a + row[r]) for a, row in zip(alpha, all_beta, strict=True))
            for r in range(R)
        ]
        assert tuple(value > 0 for value in g) == sum(wanted, ())


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
@settings(max_examples=2 * settings.default.max_examples // 3)
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


def test_the_exact_count_of_two_attributes():
    def enough(R: int, w: int) -> bool:
        cells = [sum(math.comb(R, i) for i in range(j + 2)) for j in range(w + 1)]
        boxes = [math.comb(w, j) * (R - 1) ** j * 2 ** (w - j) for j in range(w + 1)]
        return sum(b * (c - 2) for b, c in zip(boxes, cells, strict=True)) >= 2**R - 2

    for R in [*range(2, 60), 66, 79, 92]:  # at the last three all neurons in R hinges count less
        w = int(selector_width(R).lower)
        assert enough(R, w)
        assert not enough(R, w - 1)


@pytest.mark.parametrize("R", [*range(1, 12), 15, 16])  # at these it matters that A logits are A - 1 numbers
def test_the_exact_count_of_more_attributes(R):
    """The least w at which (R+1)^w C(w + q) answers are enough, for the worst A tried."""

    def enough(A: int, q: int, w: int) -> bool:
        D = w + q
        nearest = 1 + sum(math.comb(R, j) * (A - 1) * A ** (j - 1) for j in range(1, D + 1))
        between = sum(math.comb(R * math.comb(A, 2), j) for j in range(D + 1))
        return D >= R or (R + 1) ** w * min(nearest, between) >= A**R

    for A, rank in itertools.product((3, 4, 5, 6, 9, 33), (1, 2, 3, 40)):
        tried = [a for a in (*(2**i for i in range(2, 6)), A) if a <= A]
        least = [next(w for w in range(R) if enough(a, min(a - 1, rank), w)) for a in tried]
        width = selector_width(R, n_attributes=A, dimension=rank)
        assert width.lower == max(*least, selector_width(R, dimension=rank).lower)


@pytest.mark.parametrize(("R", "A"), [(R, A) for R in range(1, 7) for A in range(3, 7)])
def test_answer_tuples_are_counted_as_stated_and_with_as_many_numbers_as_relations_all_may_occur(R, A):
    for D in range(1, R + 1):
        nearest = 1 + sum(math.comb(R, j) * (A - 1) * A ** (j - 1) for j in range(1, D + 1))
        between = sum(math.comb(R * math.comb(A, 2), j) for j in range(D + 1))
        assert width._answer_tuples(R, A, D) == nearest <= between  # the cells between pairs of attributes
    assert width._answer_tuples(R, A, 10**9) == width._answer_tuples(R, A, R) >= A**R


def answers(slopes: np.ndarray, shifts: np.ndarray, points: np.ndarray) -> int:
    """How many answer tuples R lists of A affine functions give at the points: (R, A, D), (R, A), (n, D)."""
    values = np.einsum("rad,nd->nra", slopes, points) + shifts
    return len(np.unique(values.argmax(axis=2), axis=0))


@given(st.integers(1, 4), st.integers(2, 5), st.integers(1, 3), st.integers(0, 10**6))
def test_lists_of_affine_functions_have_no_more_answers_than_were_counted(R, A, D, seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((4000, D)) * rng.uniform(0, 6, (4000, 1))
    slopes = rng.standard_normal((R, A, D))
    found = answers(
        slopes, -(slopes**2).sum(axis=2) / 2, points
    )  # tangents of |x|^2 / 2: every one is largest
    nearest = 1 + sum(math.comb(R, j) * (A - 1) * A ** (j - 1) for j in range(1, D + 1))
    between = sum(math.comb(R * math.comb(A, 2), j) for j in range(D + 1))
    assert found <= min(nearest, between)


@pytest.mark.parametrize(("R", "A"), [(1, 5), (3, 4), (5, 3), (4, 2)])
def test_the_count_is_attained_on_a_line(R, A):
    rng = np.random.default_rng(0)
    slopes = rng.uniform(-1, 1, (R, A, 1))
    line = np.linspace(-1.5, 1.5, 200_001)[:, None]
    assert answers(slopes, -(slopes**2).sum(axis=2) / 2, line) == 1 + R * (A - 1)


@given(st.integers(3, 40), st.integers(2, 64), st.integers(1, 12))
def test_more_attributes_and_less_rank_never_lower_the_floor(R, A, q):
    free, ranked = selector_width(R, n_attributes=A), selector_width(R, n_attributes=A, dimension=q)
    assert selector_width(R).at_most(free) is True
    assert free.at_most(ranked) is True
    assert selector_width(R, n_attributes=A, dimension=q + 1).at_most(ranked) is True
    assert ranked.at_most(R - 1) is True  # C1''
    pairs = [(1 << i) for i in range(1, A.bit_length())] + [A]
    w = int(ranked.lower) - 1
    excluded = w < 0 or any(
        (R + 1) ** w
        * min(
            1 + sum(math.comb(R, j) * (a - 1) * a ** (j - 1) for j in range(1, w + min(a - 1, q) + 1)),
            sum(math.comb(R * math.comb(a, 2), j) for j in range(w + min(a - 1, q) + 1)),
        )
        < a**R
        for a in pairs
    )
    assert excluded or ranked == selector_width(R)  # which counts the boxes of two attributes better


def test_many_attributes_make_the_floor_linear_in_r():
    assert selector_width(256, n_attributes=256).compare(68) == 0  # the closed form has 15.5
    assert selector_width(256, n_attributes=2**64, dimension=1).compare(225) == 0  # C1'': R - 1 = 255, rank 1
    assert selector_width(32, n_attributes=2**32, dimension=1).compare(27) == 0
