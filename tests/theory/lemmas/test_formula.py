"""The two readers of a formula agree, and a formula cannot be misused as a truth value."""

import doctest
import pickle
from fractions import Fraction

import pytest
import sympy as sp
import z3
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.lemmas import formula
from georecall.theory.lemmas.formula import (
    Proposition,
    ReLU,
    Term,
    Variable,
    evaluate,
    false_atoms,
    holds,
    is_integer,
    is_sign,
    variables,
)
from georecall.theory.lemmas.lemma import Hypothesis, Lemma
from georecall.theory.lemmas.solver import _Question

x, y = Variable("x"), Variable("y")
rationals = st.fractions(min_value=-3, max_value=3, max_denominator=8)
terms: st.SearchStrategy[Term] = st.recursive(
    st.sampled_from([x, y]) | rationals.map(sp.Rational),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a - b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(lambda a: -a, inner),
        st.builds(sp.Max, inner, inner),
    ),
    max_leaves=8,
)
relations = st.sampled_from([sp.Eq, sp.Ne, sp.Lt, sp.Le, sp.Gt, sp.Ge])
atoms: st.SearchStrategy[Proposition] = st.one_of(
    st.builds(lambda relation, a, b: relation(a, b), relations, terms, terms),
    st.builds(is_integer, terms),
)
formulas: st.SearchStrategy[Proposition] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda parts: sp.And(*parts), st.lists(inner, max_size=3)),
        st.builds(lambda parts: sp.Or(*parts), st.lists(inner, max_size=3)),
        st.builds(sp.Implies, inner, inner),
    ),
    max_leaves=5,
)


@given(formula=formulas, at=st.fixed_dictionaries({"x": rationals, "y": rationals}))
def test_z3_and_exact_arithmetic_read_a_formula_alike(formula: Proposition, at: dict[str, Fraction]) -> None:
    question = _Question(Lemma("any", "C0", "", (), (formula,)), timeout=5)
    fixed = [real == z3.RealVal(str(at[name]), question.context) for name, real in question.reals.items()]
    answer = question.ask(question.formula(formula), *fixed)
    assert answer == (question.z3.sat if holds(formula, at) else question.z3.unsat)


@given(formula=formulas, at=st.fixed_dictionaries({"x": rationals, "y": rationals}))
def test_failures_are_false_atoms_and_absent_where_the_formula_holds(
    formula: Proposition, at: dict[str, Fraction]
) -> None:
    blamed = false_atoms(formula, at)
    assert not any(holds(atom, at) for atom in blamed)
    if holds(formula, at):
        assert blamed == ()


@given(a=terms, b=terms, at=st.fixed_dictionaries({"x": rationals, "y": rationals}))
def test_what_sympy_simplifies_by_itself_keeps_its_value(a: Term, b: Term, at: dict[str, Fraction]) -> None:
    left, right = evaluate(a, at), evaluate(b, at)
    values = (left + right, left - right, left * right, max(left, right), max(left, Fraction(0)))
    for made, value in zip((a + b, a - b, a * b, sp.Max(a, b), ReLU(a)), values, strict=True):
        assert evaluate(made, at) == value
    assert holds(sp.Eq(a, b), at) == (left == right)
    assert holds(a <= b, at) == (left <= right)


def test_the_boundaries_of_each_comparison_are_exact() -> None:
    tiny = Fraction(1, 10**30)
    at = {"x": Fraction(1), "y": 1 + tiny}
    assert holds(x < y, at)
    assert holds(sp.Ne(x, y), at)
    assert not holds(x >= y, at)
    assert holds(sp.And(x <= 1, x >= 1, sp.Eq(x, 1)), at)
    assert not holds(is_integer(y), at)


def test_a_relation_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="truth value"):
        bool(x <= 1)
    with pytest.raises(TypeError, match="truth value"):
        assert 0 <= x <= 1  # the second half alone would be left


@pytest.mark.parametrize("wrong", [x + 0.5, x / y, x**-1, sp.sqrt(x), sp.exp(x), sp.pi * x, x**y, sp.Abs(x)])
def test_lemmas_refuse_what_no_reader_knows(wrong: Term) -> None:
    with pytest.raises(TypeError, match="int and Fraction"):
        Lemma("any", "C0", "", (), (sp.Eq(wrong, y),))
    with pytest.raises(TypeError, match="int and Fraction"):
        Lemma("any", "C0", "", (Hypothesis("any", wrong > y),), (x > 0,))


def test_variables_come_once_in_order_of_appearance_and_keep_their_meaning() -> None:
    a, b = Variable("a", "first"), Variable("b", "second")
    found = variables(sp.Implies(a <= 1, sp.And(b <= a, is_sign(b))), is_integer(a))
    assert found == (a, b)
    assert [variable.meaning for variable in found] == ["first", "second"]


def test_letters_of_one_name_are_kept_apart_by_their_meaning_and_read_by_their_name() -> None:
    one, other = Variable("a", "first"), Variable("a", "second")
    assert one != other
    assert [(one + 1).args[1].meaning, (other + 1).args[1].meaning] == ["first", "second"]
    assert evaluate(one - other, {"a": Fraction(5)}) == 0


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(x + y, {"x": Fraction(1)})


def test_formulas_survive_pickling() -> None:
    written = sp.Implies(is_sign(x), ReLU(x - 1) <= y)
    assert pickle.loads(pickle.dumps(written)) == written


def test_the_examples_in_the_docstrings_run() -> None:
    done = doctest.testmod(formula)
    assert done.attempted > 0
    assert done.failed == 0
