"""C1-w: how wide a one-layer selector must be, at any precision."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

from bounds import balls
from bounds.arguments import digits_wanted, whole
from bounds.codes import least
from bounds.enclosure import Enclosure


def selector_width(n_relations: int) -> Enclosure:
    """C1-w: hidden neurons that a one-layer ReLU selector needs, counted exactly.

    Statement. Uniform attention over subject and relation, then one ReLU layer of w neurons, then a linear
    readout. If it is right for every table with two attributes or more, then
        sum_{j=0}^{w} C(w, j) (R-1)^j 2^(w-j) (S(R, j+1) - 2) >= 2^R - 2,   S(R, m) = sum_{i <= m} C(R, i).
    Proof. Fix two attributes. A subject's embedding enters neuron i only through a number alpha_i, the
    relation r through a number beta_{i,r}, so the logit difference is
        g_r = l + B_r + sum_i c_i ReLU(alpha_i + beta_{i,r}),
    with (alpha_1..alpha_w, l) in R^(w+1) depending on the subject. Every sign vector (sign g_1 .. sign g_R)
    must occur, one for each way of giving the two attributes to the R relations: 2^R - 2 that are not
    constant. The R hinges of neuron i cut the alpha_i axis into at most R + 1 intervals, on which it is
    active for 0, 1, .. R of the relations, a chain of sets. Take a box of such intervals, and let j neurons
    be active for some but not all relations: C(w, j) (R-1)^j 2^(w-j) boxes at most. Within it, a neuron
    active for none adds nothing, and one active for all adds c_i alpha_i to every g_r alike, up to a
    constant: it moves only l. So the g_r are affine in j + 1 variables, and R hyperplanes make at most S(R,
    j+1) cells of R^(j+1) (Buck). Each g_r grows with l, so two of the cells, at the ends of l, have
    constant signs. QED Reading. Bounding (R-1)^j 2^(w-j) by (R+1)^w in sum, and S(R, m) by (R+1)^m, gives
    THEORY.md's w >= (R / log2(R+1) - 1) / 2 (`selector_width_closed_form`). But S(R, w+1) is only about (e
    R / w)^w, so at w ~ R / log2 R it costs w log2 log2 R, not w log2 R: the exact count gives w >= (1 -
    o(1)) R / log2 R, twice the closed form. The narrow selector C1'' has R - 1.

    Args:
        n_relations: R >= 1.

    Returns:
        Exact: the least w that satisfies the inequality, in neurons (0 for R = 1).

    Raises:
        ValueError: n_relations is out of range.

    Source: THEORY.md, C1-w, sharpened here; cells: Buck, American Mathematical Monthly 50 (1943).

    >>> print(selector_width(64))
    6 neurons
    """
    R = whole("n_relations", n_relations, at_least=1)
    wanted = (1 << R) - 2
    nontrivial = [cells - 2 for cells in _cells(R)]  # S(R, j+1) - 2 for j = 0 .. R-1

    def enough(w: int) -> bool:
        if w >= R - 1:  # C1'': this width selects
            return True
        boxes = (comb(w, j) * int((R - 1) ** j) << (w - j) for j in range(w + 1))
        return sum(box * cells for box, cells in zip(boxes, nontrivial, strict=False)) >= wanted

    return Enclosure.exactly(0 if enough(0) else least(enough), "neurons")


def _cells(R: int) -> list[int]:
    """S(R, m) for m = 1 .. R: the most cells that R hyperplanes make of R^m."""
    sums, total = [], 1
    for m in range(1, R + 1):
        total += comb(R, m)
        sums.append(total)
    return sums


def selector_width_closed_form(n_relations: int, *, digits: int = 30) -> Enclosure:
    """C1-w as THEORY.md states it: w >= (R / log2(R+1) - 1) / 2.

    Proof. In R^(w+1) the R w hinge hyperplanes make at most (R+1)^w boxes, in each of which R hyperplanes
    make at most (R+1)^(w+1) cells; all 2^R sign vectors must occur, so 2^R <= (R+1)^(2w+1). QED
    `selector_width` counts the same cells exactly.

    Args:
        n_relations: R >= 1.
        digits: precision asked of the enclosure: width at most 10^-digits max(1, value).

    Returns:
        An enclosure of the floor, in neurons, not rounded up.

    Raises:
        ValueError: n_relations is out of range.
        MissingExtraError: python-flint is not installed.

    Source: THEORY.md, C1-w (derived there).
    """
    R = whole("n_relations", n_relations, at_least=1)

    def floor() -> Any:
        return (R / balls.log2(R + 1) - 1) * balls.ball(Fraction(1, 2))

    if R & (R + 1) == 0:  # log2(R+1) is whole
        return Enclosure.exactly((Fraction(R, (R + 1).bit_length() - 1) - 1) / 2, "neurons").positive_part()
    return balls.refine(floor, digits=digits_wanted(digits), unit="neurons").positive_part()
