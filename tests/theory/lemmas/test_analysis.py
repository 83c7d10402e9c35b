"""SymPy's identities hold, a wrong one is refused, and numbers computed otherwise agree with each."""

import re
from collections.abc import Callable

import mpmath as mp
import pytest
import sympy as sp
from matplotlib.mathtext import MathTextParser

from georecall.theory.lemmas import analysis
from georecall.theory.lemmas.analysis import IDENTITIES
from georecall.theory.lemmas.identity import Identity


def rho(R: float) -> mp.mpf:
    """The closed form of C2, R > 2, in high precision."""
    tau = 1 / (mp.mpf(R) - 1)
    return (1 + mp.sqrt((1 - tau) / (1 + tau)) * (1 - tau**2) ** (-(mp.mpf(R) - 1) / 2)) / 2


@pytest.fixture(autouse=True)
def _digits() -> object:
    with mp.workdps(40):
        yield


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.__name__)
def test_identity_is_checked_by_sympy_and_agrees_with_numbers(identity: Callable[[], Identity]) -> None:
    found = identity()
    assert found.name == identity.__name__.replace("_", "-")
    assert found.claim in {"C2", "C4"}
    assert found.source in {"theory/pages/c2.md, C2", "theory/pages/c4.md, C4"}
    symbols = sorted(found.left.free_symbols | found.right.free_symbols, key=str)
    for step in range(1, 4):
        at = {
            symbol: sp.Integer(step + place) if symbol.is_integer else sp.Rational(step, 7 + place)
            for place, symbol in enumerate(symbols)
        }
        left, right = (sp.N(side.subs(at), 30) for side in (found.left, found.right))
        if found.relation == "=":
            assert abs(left - right) < sp.Float("1e-25")
        else:
            assert left > right
    for formula in re.findall(r"\$[^$]+\$", found._repr_latex_()):
        MathTextParser("path").parse(formula)


def test_a_wrong_equation_is_refused() -> None:
    x = sp.Symbol("x", positive=True)
    with pytest.raises(ArithmeticError, match="planted"):
        Identity("planted", "C2", "", sp.sinh(x) ** 2, sp.cosh(x) ** 2)


def test_an_inequality_that_sometimes_fails_is_refused() -> None:
    x = sp.Symbol("x", positive=True)
    with pytest.raises(ArithmeticError, match="planted"):
        Identity("planted", "C2", "", x, sp.Integer(1), relation=">")


def test_a_wrong_step_inside_an_identity_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "_LOG_H", analysis._LOG_H + analysis._t**2)
    for broken in (analysis.slope, analysis.log_convexity, analysis.stationary_point):
        with pytest.raises(ArithmeticError):
            broken()


def test_a_wrong_limit_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="planted"):
        Identity("planted", "C2", "", analysis._limit_of_rho(2), sp.Rational(1, 2))
    with pytest.raises(ArithmeticError, match="not shown positive"):
        analysis._limit_of_rho(3)


@pytest.mark.parametrize("R", [3, 4, 8, 50])
def test_the_closed_form_is_the_least_value_found_numerically(R: int) -> None:
    def mean(t: mp.mpf) -> mp.mpf:
        return (1 + mp.exp(-t) * mp.cosh(t) ** (R - 1)) / 2

    at_root = mp.findroot(lambda t: mp.diff(mean, t), 1 / mp.mpf(R - 1))
    assert mp.almosteq(mean(at_root), rho(R), 1e-25)
    assert all(mean(mp.mpf(i) / 50) >= rho(R) - mp.mpf(10) ** -35 for i in range(201))


def test_the_closed_form_continues_to_three_quarters_at_two_relations() -> None:
    assert abs(rho(2 + mp.mpf(10) ** -20) - mp.mpf(3) / 4) < mp.mpf(10) ** -17


@pytest.mark.parametrize("R", [100, 10_000])
def test_the_dense_dimension_is_four_R_minus_one_and_a_half(R: int) -> None:
    off = -1 / mp.log(rho(R)) - (4 * (R - 1) + mp.mpf(1) / 2)
    assert -mp.mpf(1) / R < off < 0
    assert abs(off * (R - 1) + mp.mpf(29) / 48) < mp.mpf(1) / R


def test_the_counting_floor_is_below_log2_N_by_1_4427() -> None:
    for N in (1, 2, 10, 10**6, 10**12):
        gap = mp.log(N, 2) - mp.loggamma(mp.mpf(N) + 1) / N / mp.log(2)
        assert gap < 1 / mp.log(2)
    assert abs(gap - mp.mpf("1.4427")) < mp.mpf("5e-5")
