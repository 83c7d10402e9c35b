"""Formulas are SymPy's, and worth the same in plain numbers."""

from fractions import Fraction
from math import ceil, log2
from random import Random

import pytest
import sympy

from georecall.theory.claims import CLAIMS
from georecall.theory.claims import formulas as of
from georecall.theory.claims.claim import PerLayer
from georecall.theory.claims.formulas import Formula, Symbol, evaluated, symbolic
from georecall.theory.claims.symbols import D, K, R, delta, gate, levels, m

FORMULAS = {
    f"{name}: {what}, part {i}": part
    for name, claim in CLAIMS.items()
    for what, quantity in [*claim.predicted.items(), *((h.name, h.condition) for h in claim.hypotheses)]
    for i, part in enumerate(
        quantity if isinstance(quantity, list)
        else [quantity.expression, quantity.n_layers] if isinstance(quantity, PerLayer)
        else [quantity]
    )
    if isinstance(part, Formula)
}  # fmt: skip


def symbols(part) -> set[Formula]:
    """The symbols that a formula mentions."""
    if isinstance(part, tuple):
        return set().union(*map(symbols, part))
    if not isinstance(part, Formula):
        return set()
    return {part} if part.function == "Symbol" else symbols(part.of)


def worth(symbol: Formula, rng: Random) -> int | Fraction:
    """A number that a symbol may stand for."""
    if symbol in (gate, delta):
        return Fraction(rng.randrange(1, 12), 8)
    return rng.randrange(0 if str(symbol) in {"soft", "merged", "typed", "separate", "balanced"} else 1, 6)


@pytest.mark.parametrize("name", FORMULAS)
def test_plain_numbers_and_sympy_agree_on_every_formula_of_every_claim(name):
    formula, rng = FORMULAS[name], Random(name)
    for _ in range(3):
        values = {symbol: worth(symbol, rng) for symbol in sorted(symbols(formula), key=str)}
        at = {symbol.symbolic: sympy.Rational(value) for symbol, value in values.items()}
        by_sympy, plain = formula.symbolic.subs(at), evaluated(formula, values)
        assert sympy.sympify(plain) == by_sympy, values


def test_every_formula_of_a_construction_is_decided_without_sympy(monkeypatch):
    monkeypatch.setattr(of, "symbolic", None)
    bounds = {"counting-bound", "margin-bound", "multi-hop-bound", "two-sided-bound"}  # logarithms
    for name, formula in FORMULAS.items():
        if name.split(":")[0] not in bounds or "predicted" not in name:
            values = dict.fromkeys(symbols(formula), 2)
            if not any(function in repr(formula) for function in ("log(2)", "sqrt")):
                assert isinstance(evaluated(formula, values), int | Fraction), name


@pytest.mark.parametrize("x", [1, 2, 3, 4, 5, 8, Fraction(9, 2), 1000, 1024, 1025])
def test_the_bits_of_a_number_are_the_logarithm_rounded_up(x):
    assert evaluated(of.ceiling(of.log(levels, 2)), {levels: x}) == ceil(log2(x))


def test_what_plain_numbers_do_not_decide_is_left_to_sympy():
    half, power = evaluated(of.sqrt(m), {m: 2}), evaluated(R ** (D / 2), {R: 3, D: 1})
    assert (half, power) == (sympy.sqrt(2), sympy.sqrt(3))
    assert evaluated(of.ceiling(of.log(K, 3)), {K: 10}) == 3
    assert evaluated(of.sqrt(m), {m: 4}) == 2
    assert evaluated(of.Or(of.Eq(m, 1), gate > 1), {m: 2}) == symbolic(gate > 1)
    assert evaluated(of.Or(of.Eq(m, 2), gate > 1), {m: 2}) is True
    assert evaluated(D / m, {D: 1, m: 0}) == sympy.zoo


def test_alternatives_are_evaluated_as_far_as_they_are_needed():
    choice = of.Piecewise((1, of.Eq(m, 0)), (D / m, True))
    assert evaluated(choice, {m: 0, D: 3}) == 1
    assert evaluated(choice, {m: 2, D: 3}) == Fraction(3, 2)


def test_a_formula_reads_as_sympy_prints_it():
    x = Symbol("x", positive=True)
    formula = -(1 - x) + 2 * x / 3 - x**2 + 2**x
    of_sympy = sympy.Symbol("x", positive=True)
    assert symbolic(formula) == -(1 - of_sympy) + 2 * of_sympy / 3 - of_sympy**2 + 2**of_sympy
    assert repr(formula) == str(symbolic(formula))
    assert formula._repr_latex_() == symbolic(formula)._repr_latex_()
    assert [str(c) for c in (x < 1, x <= 1, x > 1, x >= 1)] == ["x < 1", "x <= 1", "x > 1", "x >= 1"]
    assert sympy.sympify(formula) == symbolic(formula)


def test_numpys_numbers_do_not_overflow():
    import numpy as np

    assert evaluated(R**m, {R: np.int64(1000), m: np.int64(10)}) == 1000**10
