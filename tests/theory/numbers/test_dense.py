"""The numbers of C2 against enumeration, SymPy and the prototype's figures."""

from fractions import Fraction
from itertools import product
from math import comb, exp

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.numbers import dense
from georecall.theory.numbers.dense import (
    closed_form_length,
    exact_length,
    log_rho,
    pair_failure,
    table_failure,
)

m, R = sympy.symbols("m R", integer=True, positive=True)
D, k = sympy.symbols("D k", integer=True, nonnegative=True)
losing = sympy.Sum(sympy.binomial(D * (R - 1), k) / 2 ** (D * (R - 1)), (k, 0, sympy.floor(D * (R - 2) / 2)))
P_M = sympy.Sum(sympy.binomial(m, D) / 2**m * losing, (D, 0, m))
tau = 1 / (R - 1)
RHO = sympy.Piecewise(
    (sympy.Rational(1, 2), sympy.Eq(R, 1)),
    (sympy.Rational(3, 4), sympy.Eq(R, 2)),
    ((1 + sympy.sqrt((1 - tau) / (1 + tau)) * (1 - tau**2) ** (-(R - 1) / 2)) / 2, True),
)


def enumerated(length: int, relations: int) -> Fraction:
    """The share of all sign patterns in which the competitor wins or ties, by going through them all."""
    lost = total = 0
    for w in product((-1, 1), repeat=length):
        for z in product(product((-1, 1), repeat=relations - 1), repeat=length):
            difference = sum((1 - w_j) * (1 + sum(z_j)) for w_j, z_j in zip(w, z, strict=True))
            lost += difference <= 0
            total += 1
    return Fraction(lost, total)


@pytest.mark.parametrize(
    ("length", "relations"), [(1, 1), (3, 1), (2, 2), (4, 2), (3, 3), (2, 4), (3, 4), (2, 6)]
)
def test_p_m_is_what_enumeration_counts(length: int, relations: int) -> None:
    assert pair_failure(length, relations) == enumerated(length, relations)


@given(st.integers(1, 30), st.integers(1, 9))
def test_p_m_is_the_double_sum_of_the_claim(length: int, relations: int) -> None:
    summed = Fraction(0)
    for D in range(length + 1):
        n, K = D * (relations - 1), D * (relations - 2) // 2
        summed += Fraction(comb(length, D), 2**length) * Fraction(sum(comb(n, k) for k in range(K + 1)), 2**n)
    assert pair_failure(length, relations) == summed
    assert summed <= Fraction(exp(length * log_rho(relations)) * (1 + 1e-12))


@pytest.mark.parametrize(("length", "relations"), [(1, 2), (3, 2), (3, 3), (4, 5)])
def test_sympys_p_m_is_the_exact_one(length: int, relations: int) -> None:
    value = sympy.nsimplify(P_M.subs({m: length, R: relations}).doit().expand(func=True))
    assert Fraction(int(value.p), int(value.q)) == pair_failure(length, relations)


@pytest.mark.parametrize("relations", [1, 2, 3, 4, 8, 50])
def test_sympys_rho_is_the_float_one(relations: int) -> None:
    assert float(RHO.subs(R, relations)) == pytest.approx(exp(log_rho(relations)), rel=1e-13)
    length = sympy.ceiling(sympy.log(100 * 99 * R / sympy.Rational(1, 4)) / -sympy.log(RHO))
    assert int(length.subs(R, relations)) == closed_form_length(100, 100, relations, 0.25)


def test_the_prototypes_figures() -> None:
    assert [closed_form_length(256, 256, r, 0.5) for r in (2, 4, 8)] == [44, 162, 394]
    assert [exact_length(256, 256, r, 0.5) for r in (2, 4, 8)] == [44, 136, 327]
    assert (closed_form_length(1024, 1024, 4, 0.5), exact_length(1024, 1024, 4, 0.5)) == (196, 169)


@given(st.integers(2, 200), st.integers(1, 6), st.sampled_from([0.01, 0.1, 0.5, 0.9]))
def test_the_exact_length_suffices_and_one_less_does_not(n: int, relations: int, share: float) -> None:
    length, promised = exact_length(n, n, relations, share), Fraction(str(share))
    assert table_failure(n, n, relations, length) <= promised
    assert length == 1 or table_failure(n, n, relations, length - 1) > promised
    assert length <= closed_form_length(n, n, relations, share) + 1


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_a_share_outside_the_unit_interval_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="delta must lie between 0 and 1"):
        closed_form_length(4, 4, 2, share)


@pytest.mark.parametrize(("m", "R"), [(5, 2), (40, 3), (100, 8), (40, 16), (200, 5)])
def test_what_is_rounded_is_just_above_the_exact_probability(m, R):
    exact, above = pair_failure(m, R), dense._rounded_up(m, R)
    assert exact < above < exact * (1 + Fraction(1, 10**40))


def test_many_relations_take_no_minutes_and_what_would_is_refused():
    assert 0 < pair_failure(2100, 32) < log_rho_power(2100, 32)
    with pytest.raises(ValueError, match="would take minutes"):
        pair_failure(10**6, 128)


def log_rho_power(m, R):
    return exp(m * dense.log_rho(R))
