"""C1-w: how wide a one-layer selector must be, at any precision."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import NoStatementError, digits_wanted, integer
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.theory.tools.search import least


def selector_width(
    n_relations: int,
    *,
    n_attributes: int | None = None,
    dimension: int | None = None,
    length: int | None = None,
    values: int | None = None,
) -> Enclosure:
    """C1-w: hidden neurons that a one-layer ReLU selector needs, by counting what it can answer.

    Statement. Uniform attention over subject and relation, one ReLU layer of w neurons, a linear readout; the
    linear part of the logits (past the neurons) has rank q in the subject's embedding. If it is right for
    every table with A attributes, then A^R <= (R+1)^w C(w + q), where C(D) is the most answer tuples that R
    lists of A affine functions on R^D can have, each answering with its largest:
        C(D) <= 1 + sum_{j=1}^{D} C(R, j) (A-1) A^(j-1).
    Proof. A subject's embedding enters neuron i only through a number alpha_i, the relation r through a
    number beta_{i,r}, so the logit of a is
        l_a + B_{a,r} + sum_i c_{a,i} ReLU(alpha_i + beta_{i,r}),
    where alpha_1 .. alpha_w and l depend on the subject, and l on q numbers (A - 1 at most, as logits may be
    shifted together). All A^R tuples of answers to r = 1..R must occur, one for each row of a table. The R
    hinges of neuron i cut the alpha_i axis into at most R + 1 intervals: (R+1)^w boxes, and in each the
    logits are affine in w + q numbers. As for C(D), shift the functions so that ties occur only where they
    must; no tuple is lost. Let K(h) be the closed convex set where the answers are h, and
    take the point of K(h) nearest to a fixed point o. It is nearest in the set K(h_J) where only the
    relations of J answer as in h: D relations are enough (Caratheodory); take J minimal. J and h_J
    determine the point, where no other relation is tied, so they determine h. Given J and the answers of J
    without r, some answer of r leaves the nearest point where it is without r, and J is not minimal: A - 1
    are left for r, and at most (A-1) A^(j-1) choices of h_J. QED
    (For A >= 3 the cells between the hyperplanes on which two attributes have equal logits, at most
    sum_{j <= D} C(R A (A-1) / 2, j), say no more: term by term, since A (A-1)^(j-1) >= 2^j.)
    For A = 2 boxes are counted by the number j of neurons that are active for some relations but not for all:
    C(w, j) (R-1)^j 2^(w-j) boxes. A neuron active for none adds nothing, one active for all moves only l, so
    the cells are those of R hyperplanes in R^(j+1), S(R, j+1) = sum_{i <= j+1} C(R, i); two of them, at the
    ends of l, have equal answers: sum_j C(w, j) (R-1)^j 2^(w-j) (S(R, j+1) - 2) >= 2^R - 2.

    Reading. The first version bounded S(R, w+1) by (R+1)^(w+1), which gives (R / log2(R+1) - 1) / 2
    (`selector_width_closed_form`). But it is about (e R / w)^w, so two attributes already give
    w >= (1 - o(1)) R / log2 R. A = R^(1 - o(1)) attributes give w >= (1/2 - o(1)) R, since R log A <=
    w log(R+1) + (w + A) log A + R: the width is linear in R. And for q small, w + q >= (1 - o(1)) R once
    log A is large against log R: the narrow selector C1'' with a one-coordinate value code, w = R - 1 and
    q = 1, is then the narrowest up to 1 + o(1). For A = 2 it is not: two neurons select among R = 4.

    Exact selectors (C1''): with `length` m it is (R-1) m, which the narrow selector attains. Statement. If x
    = sum_r E_r v_r, any linear superposition, and a one-layer selector with uniform attention (one linear
    readout of residual and neurons, the same for all r) outputs v_r exactly when r is asked, for all values
    on an open set of (R^m)^R, whatever its activation, or with ReLU on a grid with more than R^2 (R-1) m^2 +
    2 values per coordinate, then w >= (R-1) m.
    Proof. On an open set: fewer neurons leave a direction z != 0, z_R = 0, that none of them sees; outputs
    move along it by one and the same vector for every r, which is z_R = 0. On a grid: on a cell that no hinge
    of any r cuts take Jacobians, P_r the projection on v_r: P_r - P_R = sum_i (1_ir - 1_iR) c_i a_i E. The
    rows of the left sides, r < R, are (R-1) m independent vectors; those of the right sides lie in the span
    of the w vectors a_i E. On a grid with L cells per coordinate a hyperplane cuts at most L^D - (L-1)^D <= D
    L^(D-1) of the L^D cells, D = R m (at most one on each diagonal chain, along which it ascends), so fewer
    than (R-1) m neurons, R w hinges, leave a cell uncut, whose corners fix
    the affine map. QED Two values a coordinate do not force it.

    Returns:
        Exactly the least w that the inequality allows, in neurons (0 for R = 1). A selector for |A|
        attributes (default 2) is one for any A of them: tried are A = |A| and the powers of 2 below. The
        dimension is a bound on q other than A - 1, such as d_model; the length, m, goes with neither of
        these two, and values, of a coordinate, with it alone: by default those of an open set.

    Raises:
        ValueError: an argument is out of range, or goes with another one.
        NoStatementError: of an exact selector with so few values nothing is known.

    Source: theory/pages/c1.md, C1-w, sharpened here; cells: Buck, American Mathematical Monthly 50 (1943).

    >>> print(selector_width(64), selector_width(64, n_attributes=64), sep=", ")
    6 neurons, 14 neurons
    """
    R = integer("n_relations", n_relations)
    if length is not None:
        return _exact_width(R, integer("length", length), n_attributes or dimension, values)
    if values is not None:
        raise ValueError("values must be left out without length: they are those of an exact selector's code")
    most = integer("n_attributes", 2 if n_attributes is None else n_attributes, at_least=2)
    rank = most if dimension is None else integer("dimension", dimension)
    tried = {2**i for i in range(1, most.bit_length())} | {most}
    return Enclosure.exactly(max(_least_width(R, A, min(A - 1, rank)) for A in tried), "neurons")


def _exact_width(R: int, m: int, others: int | None, values: int | None) -> Enclosure:
    if others is not None:
        raise ValueError(
            "length must be left out when n_attributes or dimension is given: it is for exact selectors"
        )
    enough = R * R * (R - 1) * m * m + 2
    if values is not None and integer("values", values) <= enough:
        raise NoStatementError(f"values must be above R^2 (R-1) m^2 + 2 = {enough}, not {values}")
    return Enclosure.exactly((R - 1) * m, "neurons").by("exact selectors")


def _least_width(R: int, A: int, q: int) -> int:
    def enough(w: int) -> bool:
        if A == 2:
            boxes = (comb(w, j) * int((R - 1) ** j) << (w - j) for j in range(w + 1))
            cells = _sums(R, 1, w + 1)[1:]
            return sum(box * (cell - 2) for box, cell in zip(boxes, cells, strict=True)) >= (1 << R) - 2
        return int((R + 1) ** w) * _answer_tuples(R, A, w + q) >= int(A**R)

    return 0 if enough(0) else least(enough)


def _answer_tuples(R: int, A: int, D: int) -> int:
    """The bound on C(D)."""
    D = min(D, R)  # more numbers than relations do not add to the answers
    return 1 + (A - 1) * (_sums(R, A, D)[-1] - 1) // A


def _sums(n: int, x: int, D: int) -> list[int]:
    """The partial sums of (1 + x)^n: sum_{j <= m} C(n, j) x^j for m = 0 .. D."""
    term = total = 1
    sums = [total]
    for j in range(D):
        term = term * (n - j) * x // (j + 1)
        total += term
        sums.append(total)
    return sums


def selector_width_closed_form(n_relations: int, *, digits: int = 30) -> Enclosure:
    """C1-w in closed form: w >= (R / log2(R+1) - 1) / 2.

    Proof. In R^(w+1) the R w hinge hyperplanes make at most (R+1)^w boxes, in each of which R hyperplanes
    make at most (R+1)^(w+1) cells; all 2^R sign vectors must occur, so 2^R <= (R+1)^(2w+1). QED
    `selector_width` counts more carefully.

    Returns:
        An enclosure of the floor, in neurons, not rounded up.

    Source: theory/pages/c1.md, C1-w (derived there).
    """
    R = integer("n_relations", n_relations)

    def floor() -> Any:
        return (R / balls.log2(R + 1) - 1) * balls.ball(Fraction(1, 2))

    if R & (R + 1) == 0:  # log2(R+1) is whole
        return Enclosure.exactly((Fraction(R, R.bit_length()) - 1) / 2, "neurons").positive_part()
    return balls.refine(floor, digits=digits_wanted(digits), unit="neurons").positive_part()
