"""Formulas over the reals are SymPy's, written once and read twice: by z3 (`solver`) and in rationals (here).

Terms are rationals, variables, `+`, `-`, `*`, whole powers and `sympy.Max`; formulas are relations of terms,
`is_integer` and `And`, `Or`, `Implies` of formulas. Division by a variable, floats and functions are refused
(`require_readable`): a value at 0 or a rounded constant would be the reader's choice.

>>> x = Variable("x", "a coordinate")
>>> evaluate(ReLU(x - Fraction(1, 2)), {"x": Fraction(2)})
Fraction(3, 2)
>>> holds(is_sign(x), {"x": Fraction(-1)})
True
"""

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from typing import Any, Final, TypeAlias

import sympy as sp

Term: TypeAlias = Any
"""A SymPy expression."""

Proposition: TypeAlias = Any
"""A SymPy relation, or And, Or, Implies of some. `==` compares the trees: equality is `sympy.Eq`."""

Point: TypeAlias = Mapping[str, Fraction]
"""Where a formula is evaluated: a rational for each variable's name."""

Meanings: TypeAlias = Mapping[type, Callable[..., Any]]
"""What a reader makes of each kind of node: a variable's name, a `Fraction`, what its parts became."""


class Variable(sp.Symbol):  # type: ignore[misc]
    """A real number that a lemma speaks about; `meaning` says what it is, and its unit if it has one.

    Its meaning tells it apart from another of the same name, as SymPy's cache must; readers go by the name.
    """

    __slots__ = ("meaning",)
    meaning: str

    def __new__(cls, name: str, meaning: str = "") -> "Variable":  # noqa: D102
        variable: Variable = sp.Symbol.__xnew__(cls, name, real=True)
        variable.meaning = meaning
        return variable

    def _hashable_content(self) -> tuple[str, str]:
        return self.name, self.meaning

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:
        return (self.name, self.meaning), {}


def ReLU(argument: Term) -> Term:
    """max(argument, 0): a neuron."""
    return sp.Max(argument, 0)


def is_sign(term: Term) -> Proposition:
    """The term is -1 or +1."""
    return sp.Or(sp.Eq(term, -1), sp.Eq(term, 1))


def is_bit(term: Term) -> Proposition:
    """The term is 0 or 1."""
    return sp.Or(sp.Eq(term, 0), sp.Eq(term, 1))


def is_integer(term: Term) -> Proposition:
    """The term is an integer."""
    return sp.Contains(term, sp.S.Integers)


def by_case(condition: Proposition, then: Proposition, otherwise: Proposition) -> tuple[Proposition, ...]:
    """What follows where a condition is met, and where it is not."""
    return sp.Implies(condition, then), sp.Implies(sp.to_nnf(~condition, simplify=False), otherwise)


def variables(*formulas: Proposition) -> tuple[Variable, ...]:
    """The variables of the formulas, each name once, in order of first appearance."""
    found: dict[str, Variable] = {}
    for node in sp.preorder_traversal(formulas):
        if isinstance(node, sp.Symbol):
            found.setdefault(node.name, node)
    return tuple(found.values())


ARITHMETIC: Final[dict[Any, Callable[..., Any]]] = {
    sp.Add: lambda *terms: sum(terms),
    sp.Mul: lambda *factors: prod(factors),
    sp.Eq: operator.eq,
    sp.Ne: operator.ne,
    sp.Lt: operator.lt,
    sp.Le: operator.le,
    sp.Gt: operator.gt,
    sp.Ge: operator.ge,
}
"""What every reader makes of sums, products and relations: Python's operators."""

_EXACT: Final[Meanings] = {
    **ARITHMETIC,
    sp.Rational: lambda value: value,
    sp.Max: max,
    sp.Contains: lambda value: value.denominator == 1,
    sp.And: lambda *parts: all(parts),
    sp.Or: lambda *parts: any(parts),
    sp.Not: operator.not_,
    sp.Implies: lambda condition, conclusion: conclusion or not condition,
    type(sp.true): lambda: True,
    type(sp.false): lambda: False,
}


def interpreted(node: Term | Proposition, meanings: Meanings) -> Any:
    """The node as a reader understands it."""
    if isinstance(node, sp.Symbol):
        return meanings[sp.Symbol](node.name)
    if isinstance(node, sp.Rational):
        return meanings[sp.Rational](Fraction(node.p, node.q))
    if isinstance(node, sp.Pow):
        return prod([interpreted(node.base, meanings)] * int(node.exp))
    parts = node.args[:1] if isinstance(node, sp.Contains) else node.args
    return meanings[node.func](*(interpreted(part, meanings) for part in parts))


def require_readable(formula: Proposition) -> None:
    """Raises TypeError for a formula with a node that the readers do not know."""
    for node in sp.preorder_traversal(formula):
        whole = isinstance(node, sp.Pow) and node.exp.is_Integer and node.exp > 0
        if not (whole or isinstance(node, (*_EXACT, sp.Symbol)) or node == sp.S.Integers):
            raise TypeError(
                f"{node} in {formula}: terms are built from variables, int and Fraction by +, -, * and Max"
            )


def evaluate(term: Term, at: Point) -> Fraction:
    """The term's exact value. Raises KeyError for a variable that the point lacks."""
    return Fraction(interpreted(term, {**_EXACT, sp.Symbol: at.__getitem__}))


def holds(formula: Proposition, at: Point) -> bool:
    """Whether the formula is true at the point, in exact arithmetic."""
    return bool(interpreted(formula, {**_EXACT, sp.Symbol: at.__getitem__}))


def false_atoms(formula: Proposition, at: Point) -> tuple[Proposition, ...]:
    """The atoms to blame for the formula's being false at the point; none where it is true."""
    if holds(formula, at):
        return ()
    if isinstance(formula, (sp.And, sp.Or)):
        return tuple(atom for part in formula.args for atom in false_atoms(part, at))
    return false_atoms(formula.args[1], at) if isinstance(formula, sp.Implies) else (formula,)
