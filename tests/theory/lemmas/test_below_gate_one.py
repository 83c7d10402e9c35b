"""C1 below gate 1, by brute force over every table: the threshold depends on the code."""

from fractions import Fraction
from itertools import product
from math import comb

import pytest

Code = tuple[tuple[int, ...], ...]
FULL_1: Code = ((-1,), (1,))
FULL_2: Code = ((-1, -1), (-1, 1), (1, -1), (1, 1))
BALANCED: Code = ((1, -1), (-1, 1))
WEIGHT_ONE: Code = ((1, -1, -1), (-1, 1, -1), (-1, -1, 1))
LOPSIDED: Code = ((1, -1, -1), (-1, 1, 1))


def worst_margin(code: Code, R: int, gate: Fraction) -> Fraction:
    """The least margin of C1's readout over all answers of one subject and all questions, exactly."""

    def margin(answers: tuple[int, ...], asked: int) -> Fraction:
        readout = [
            sum(
                max(code[a][j] + (2 * gate if r == asked else 0) - (2 * gate - 1), Fraction(0))
                for r, a in enumerate(answers)
            )
            - 1
            for j in range(len(code[0]))
        ]
        logits = [sum(u * y for u, y in zip(known, readout, strict=True)) for known in code]
        right = logits.pop(answers[asked])
        return Fraction(right - max(logits))

    return min(
        margin(answers, asked) for answers in product(range(len(code)), repeat=R) for asked in range(R)
    )


def threshold(code: Code, R: int) -> Fraction:
    """1 - min over ordered pairs of (1 + D_+/D_-) / (2 (R - 1))."""
    ratios = [
        1 + Fraction(sum(p > q for p, q in zip(a, b, strict=True)), minus)
        for a in code
        for b in code
        if (minus := sum(p < q for p, q in zip(a, b, strict=True)))
    ]
    return 1 - min(ratios) / (2 * (R - 1))


@pytest.mark.parametrize("R", [2, 3, 4])
@pytest.mark.parametrize("code", [FULL_1, FULL_2, BALANCED, WEIGHT_ONE, LOPSIDED])
def test_every_table_is_recalled_iff_the_gate_is_above_the_codes_threshold(code: Code, R: int) -> None:
    gate = threshold(code, R)
    if gate >= 0:
        assert worst_margin(code, R, gate) <= 0
    assert worst_margin(code, R, max(gate, Fraction(0)) + Fraction(1, 64)) > 0


@pytest.mark.parametrize("R", [2, 3, 4])
def test_theorys_threshold_is_that_of_codes_with_a_comparable_pair(R: int) -> None:
    stated = 1 - Fraction(1, 2 * (R - 1))
    assert threshold(FULL_1, R) == threshold(FULL_2, R) == stated
    assert threshold(BALANCED, R) == threshold(WEIGHT_ONE, R) == 1 - Fraction(1, R - 1) < stated
    assert worst_margin(BALANCED, R, stated) > 0  # recalled where "iff" would say lost


def test_more_than_half_of_all_sign_codes_hold_a_comparable_pair() -> None:
    assert all(comb(m, m // 2) <= 2 ** (m - 1) for m in range(1, 200))  # Sperner's largest antichain
