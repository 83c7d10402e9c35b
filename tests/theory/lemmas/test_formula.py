"""The two readers of a formula agree, and a formula cannot be misused as a truth value."""

import doctest
import pickle
from fractions import Fraction

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall.theory.lemmas import exact, formula
from georecall.theory.lemmas.exact import evaluate, failures, holds
from georecall.theory.lemmas.formula import (
    And,
    Comparison,
    Constant,
    Formula,
    Implies,
    Integral,
    Or,
    Term,
    Variable,
    both,
    differ,
    either,
    equal,
    implies,
    is_bit,
    is_sign,
    maximum,
    relu,
    total,
    variables,
)
from georecall.theory.lemmas.lemma import Lemma
from georecall.theory.lemmas.solver import _Question

x, y = Variable("x"), Variable("y")
rationals = st.fractions(min_value=-3, max_value=3, max_denominator=8)
terms: st.SearchStrategy[Term] = st.recursive(
    st.sampled_from([x, y]) | rationals.map(Constant),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a - b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(lambda a: -a, inner),
        st.builds(maximum, inner, inner),
    ),
    max_leaves=8,
)
atoms: st.SearchStrategy[Formula] = st.one_of(
    st.builds(Comparison, terms, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), terms),
    st.builds(Integral, terms),
)
formulas: st.SearchStrategy[Formula] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(Implies, inner, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=3 * settings.default.max_examples)
@given(formula=formulas, at=st.fixed_dictionaries({"x": rationals, "y": rationals}))
def test_z3_and_exact_arithmetic_read_a_formula_alike(formula: Formula, at: dict[str, Fraction]) -> None:
    question = _Question(Lemma("any", "C0", "", (), both(equal(x, x), equal(y, y), formula)), timeout=5)
    fixed = [real == z3.RealVal(str(at[name]), question.context) for name, real in question.reals.items()]
    answer = question.ask(question.formula(formula), *fixed)
    assert answer == (question.z3.sat if holds(formula, at) else question.z3.unsat)


@settings(max_examples=3 * settings.default.max_examples)
@given(formula=formulas, at=st.fixed_dictionaries({"x": rationals, "y": rationals}))
def test_failures_are_false_atoms_and_absent_where_the_formula_holds(
    formula: Formula, at: dict[str, Fraction]
) -> None:
    blamed = failures(formula, at)
    assert not any(holds(atom, at) for atom in blamed)
    if holds(formula, at):
        assert blamed == ()


@settings(max_examples=3 * settings.default.max_examples)
@given(term=terms, at=st.fixed_dictionaries({"x": rationals, "y": rationals}))
def test_the_text_of_a_term_parses_back_to_its_value(term: Term, at: dict[str, Fraction]) -> None:
    source = str(term).replace("ReLU(", "relu_(").replace("max(", "max_(")
    tokens = source.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()
    spelled: list[str] = []
    for token in tokens:
        negative = token.startswith("-") and token != "-"
        bare = token[1:] if negative else token
        if spelled and _ends_factor(spelled[-1]) and _starts_factor(bare) and not negative:
            spelled.append("*")
        if bare[:1].isdigit():
            bare = f"F('{bare}')"
        spelled += ["-", bare] if negative else [bare]
    names = {"F": Fraction, "relu_": lambda z: max(z, Fraction(0)), "max_": max, **at}
    assert eval(" ".join(spelled), names) == evaluate(term, at)


def _ends_factor(token: str) -> bool:
    return token in {"x", "y", ")"} or token.startswith("F(")


def _starts_factor(token: str) -> bool:
    return token in {"x", "y", "(", "relu_", "max_"} or token[:1].isdigit()


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (x - (2 * y - 1), "x - (2 y - 1)"),
        (-(x + y), "-(x + y)"),
        (x * -y, "x (-y)"),
        (2 * x * (2 * y), "2 x (2 y)"),
        (relu(x - 1), "ReLU(x - 1)"),
        (maximum(x, y) - 1, "max(x, y) - 1"),
        (1 - x * y, "1 - x y"),
    ],
)
def test_terms_print_as_they_are_written(term: Term, text: str) -> None:
    assert str(term) == text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (x >= 1, "x >= 1"),
        (is_bit(x), "x = 0 or x = 1"),
        (implies(equal(x, 1), both(y < 1, differ(y, 0))), "if x = 1 then (y < 1 and y != 0)"),
        (Integral(x + 1), "x + 1 is an integer"),
        (either(is_sign(x), y > 0), "(x = -1 or x = 1) or y > 0"),
    ],
)
def test_formulas_print_as_they_are_written(formula: Formula, text: str) -> None:
    assert str(formula) == text


def test_the_boundaries_of_each_comparison_are_exact() -> None:
    tiny = Fraction(1, 10**30)
    at = {"x": Fraction(1), "y": 1 + tiny}
    assert holds(x < y, at)
    assert holds(differ(x, y), at)
    assert not holds(x >= y, at)
    assert holds(both(x <= 1, x >= 1, equal(x, 1)), at)
    assert not holds(Integral(y), at)


def test_a_formula_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(x <= 1)
    with pytest.raises(TypeError, match="both"):
        assert 0 <= x <= 1  # the second half alone would be left


@pytest.mark.parametrize("wrong", [0.5, True, "1", None])
def test_terms_refuse_what_is_not_an_exact_number(wrong: object) -> None:
    with pytest.raises(TypeError, match="int and Fraction"):
        x + wrong  # type: ignore[operator]


def test_variables_come_once_in_order_of_appearance_and_keep_their_meaning() -> None:
    a, b = Variable("a", "first"), Variable("b", "second")
    found = variables(implies(a <= 1, both(b <= a, is_sign(b))), Integral(a))
    assert found == (a, b)
    assert [variable.meaning for variable in found] == ["first", "second"]


def test_total_of_nothing_is_zero_and_of_one_is_itself() -> None:
    assert total([]) == Constant(Fraction(0))
    assert total([x]) == x


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(x + y, {"x": Fraction(1)})


def test_formulas_survive_pickling() -> None:
    written = implies(is_sign(x), relu(x - 1) <= y)
    assert pickle.loads(pickle.dumps(written)) == written


def test_the_examples_in_the_docstrings_run() -> None:
    for module in (formula, exact):
        done = doctest.testmod(module)
        assert done.attempted > 0
        assert done.failed == 0
