"""Formulas evaluated in exact rational arithmetic: the reader that is not z3.

>>> from georecall.theory.lemmas.formula import relu
>>> x = Variable("x")
>>> evaluate(relu(x - Fraction(1, 2)), {"x": Fraction(2)})
Fraction(3, 2)
"""

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeAlias

from georecall.theory.lemmas.formula import (
    And,
    Comparison,
    Constant,
    Formula,
    Implies,
    Integral,
    Maximum,
    Or,
    Product,
    Sign,
    Sum,
    Term,
    Variable,
)

Point: TypeAlias = Mapping[str, Fraction]
"""Where a formula is evaluated: a rational for each variable's name."""

COMPARE: Final[Mapping[Sign, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(term: Term, at: Point) -> Fraction:
    """The term's exact value. Raises KeyError for a variable that the point lacks."""
    match term:
        case Variable(name):
            return at[name]
        case Constant(value):
            return value
        case Sum(left, right):
            return evaluate(left, at) + evaluate(right, at)
        case Product(left, right):
            return evaluate(left, at) * evaluate(right, at)
        case Maximum(left, right):
            return max(evaluate(left, at), evaluate(right, at))


def holds(formula: Formula, at: Point) -> bool:
    """Whether the formula is true at the point, in exact arithmetic."""
    match formula:
        case Comparison(left, sign, right):
            return bool(COMPARE[sign](evaluate(left, at), evaluate(right, at)))
        case Integral(term):
            return evaluate(term, at).denominator == 1
        case And(parts):
            return all(holds(part, at) for part in parts)
        case Or(parts):
            return any(holds(part, at) for part in parts)
        case Implies(condition, conclusion):
            return holds(conclusion, at) or not holds(condition, at)


def failures(formula: Formula, at: Point) -> tuple[Comparison | Integral, ...]:
    """The atoms to blame for the formula's being false at the point; none where it is true."""
    if holds(formula, at):
        return ()
    match formula:
        case Comparison() | Integral():
            return (formula,)
        case And(parts) | Or(parts):
            return tuple(atom for part in parts for atom in failures(part, at))
        case Implies(_, conclusion):
            return failures(conclusion, at)
