"""Formulas over the reals, written once and read twice: by z3 (`solver`) and in rationals (`exact`).

A term is built from variables and rationals by `+`, `-`, `*` and `maximum`; a formula from comparisons of
terms by `both`, `either` and `implies`. There is no division: its value at 0 would be the reader's choice.

>>> x = Variable("x", "a coordinate")
>>> print(relu(x - Fraction(1, 2)) <= x)
ReLU(x - 1/2) <= x
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NoReturn, TypeAlias

Sign: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]


class _Arithmetic:
    """The operators that build terms and comparisons. Equality is `equal`: `==` compares the trees."""

    def __add__(self, other: "Operand") -> "Sum":
        return Sum(_term(self), _term(other))

    def __radd__(self, other: "Operand") -> "Sum":
        return Sum(_term(other), _term(self))

    def __sub__(self, other: "Operand") -> "Sum":
        return Sum(_term(self), -_term(other))

    def __rsub__(self, other: "Operand") -> "Sum":
        return Sum(_term(other), -_term(self))

    def __mul__(self, other: "Operand") -> "Product":
        return Product(_term(self), _term(other))

    def __rmul__(self, other: "Operand") -> "Product":
        return Product(_term(other), _term(self))

    def __neg__(self) -> "Product":
        return Product(Constant(Fraction(-1)), _term(self))

    def __le__(self, other: "Operand") -> "Comparison":
        return Comparison(_term(self), "<=", _term(other))

    def __lt__(self, other: "Operand") -> "Comparison":
        return Comparison(_term(self), "<", _term(other))

    def __ge__(self, other: "Operand") -> "Comparison":
        return Comparison(_term(self), ">=", _term(other))

    def __gt__(self, other: "Operand") -> "Comparison":
        return Comparison(_term(self), ">", _term(other))

    def __str__(self) -> str:
        return _text(_term(self))


class _Logic:
    """What formulas share: a text, and no truth value of their own."""

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a formula is neither true nor false until it is evaluated: use holds(formula, at=...), "
            "and write a <= x <= b as both(a <= x, x <= b)"
        )

    def __str__(self) -> str:
        return _formula_text(self)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Variable(_Arithmetic):
    """A real number that a lemma speaks about; `meaning` says what it is, and its unit if it has one."""

    name: str
    meaning: str = field(default="", compare=False)


@dataclass(frozen=True)
class Constant(_Arithmetic):
    """A rational number."""

    value: Fraction


@dataclass(frozen=True)
class Sum(_Arithmetic):
    """`left + right`."""

    left: "Term"
    right: "Term"


@dataclass(frozen=True)
class Product(_Arithmetic):
    """`left * right`."""

    left: "Term"
    right: "Term"


@dataclass(frozen=True)
class Maximum(_Arithmetic):
    """The larger of `left` and `right`; a ReLU where `right` is 0."""

    left: "Term"
    right: "Term"


Term: TypeAlias = Variable | Constant | Sum | Product | Maximum
Operand: TypeAlias = Term | Fraction | int


@dataclass(frozen=True)
class Comparison(_Logic):
    """`left` compared with `right`."""

    left: Term
    sign: Sign
    right: Term


@dataclass(frozen=True)
class Integral(_Logic):
    """`term` is an integer."""

    term: Term


@dataclass(frozen=True)
class And(_Logic):
    """All of `parts` hold."""

    parts: "tuple[Formula, ...]"


@dataclass(frozen=True)
class Or(_Logic):
    """At least one of `parts` holds."""

    parts: "tuple[Formula, ...]"


@dataclass(frozen=True)
class Implies(_Logic):
    """`conclusion` holds wherever `condition` does."""

    condition: "Formula"
    conclusion: "Formula"


Formula: TypeAlias = Comparison | Integral | And | Or | Implies


def _term(operand: object) -> Term:
    """The operand as a term. Floats are refused: a rounded constant would be another lemma."""
    if isinstance(operand, (Variable, Constant, Sum, Product, Maximum)):
        return operand
    if isinstance(operand, (int, Fraction)) and not isinstance(operand, bool):
        return Constant(Fraction(operand))
    raise TypeError(f"a term is built from variables, int and Fraction, not {type(operand).__name__}")


def maximum(left: Operand, right: Operand) -> Maximum:
    """The larger of the two."""
    return Maximum(_term(left), _term(right))


def relu(argument: Operand) -> Maximum:
    """max(argument, 0): a neuron."""
    return maximum(argument, 0)


def total(terms: Iterable[Operand]) -> Term:
    """The sum of the terms; 0 of none."""
    summed: Term | None = None
    for operand in terms:
        summed = _term(operand) if summed is None else summed + operand
    return Constant(Fraction(0)) if summed is None else summed


def equal(left: Operand, right: Operand) -> Comparison:
    """`left = right`."""
    return Comparison(_term(left), "=", _term(right))


def differ(left: Operand, right: Operand) -> Comparison:
    """`left != right`."""
    return Comparison(_term(left), "!=", _term(right))


def both(*parts: Formula) -> And:
    """All of the parts hold."""
    return And(parts)


def either(*parts: Formula) -> Or:
    """At least one of the parts holds."""
    return Or(parts)


def implies(condition: Formula, conclusion: Formula) -> Implies:
    """`conclusion` holds wherever `condition` does."""
    return Implies(condition, conclusion)


def is_sign(term: Term) -> Or:
    """The term is -1 or +1."""
    return either(equal(term, -1), equal(term, 1))


def is_bit(term: Term) -> Or:
    """The term is 0 or 1."""
    return either(equal(term, 0), equal(term, 1))


def variables(*formulas: Formula) -> tuple[Variable, ...]:
    """The variables of the formulas, each once, in order of first appearance."""
    return tuple(dict.fromkeys(found for formula in formulas for found in _walk(formula)))


def _walk(node: Term | Formula) -> Iterator[Variable]:
    match node:
        case Variable():
            yield node
        case Constant():
            return
        case Sum(left, right) | Product(left, right) | Maximum(left, right) | Comparison(left, _, right):
            yield from _walk(left)
            yield from _walk(right)
        case Integral(term):
            yield from _walk(term)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _walk(part)
        case Implies(condition, conclusion):
            yield from _walk(condition)
            yield from _walk(conclusion)


def _text(term: Term) -> str:
    match term:
        case Variable(name):
            return name
        case Constant(value):
            return str(value)
        case Sum(left, Product(Constant(Fraction(numerator=-1, denominator=1)), right)):
            return f"{_text(left)} - {_factor(right, of_sum=True)}"
        case Sum(left, right):
            return f"{_text(left)} + {_text(right)}"
        case Product(Constant(Fraction(numerator=-1, denominator=1)), right):
            return f"-{_factor(right)}"
        case Product(left, right):
            return f"{_factor(left)} {_factor(right, last=True)}"
        case Maximum(left, Constant(Fraction(numerator=0))):
            return f"ReLU({_text(left)})"
        case Maximum(left, right):
            return f"max({_text(left)}, {_text(right)})"


def _factor(term: Term, *, of_sum: bool = False, last: bool = False) -> str:
    """The text of a factor, or of what is subtracted, in parentheses where it would be misread."""
    text = _text(term)
    misread = isinstance(term, Sum) or (not of_sum and text[0] == "-") or (last and text[0].isdigit())
    return f"({text})" if misread else text


def _formula_text(formula: Formula) -> str:
    match formula:
        case Comparison(left, sign, right):
            return f"{_text(left)} {sign} {_text(right)}"
        case Integral(term):
            return f"{_text(term)} is an integer"
        case And(parts):
            return " and ".join(_part(part) for part in parts)
        case Or(parts):
            return " or ".join(_part(part) for part in parts)
        case Implies(condition, conclusion):
            return f"if {_part(condition)} then {_part(conclusion)}"


def _part(formula: Formula) -> str:
    return str(formula) if isinstance(formula, (Comparison, Integral)) else f"({formula})"
