"""Formulas of claims: SymPy's where they are read, plain Python where a check evaluates them.

A formula is a call that has not been made yet: the name of a function of SymPy (or of `operator`), and of
what. SymPy makes the call when it is given the formula (`sympy.sympify`), and so stays the one source of what
a formula means and of how it is printed. At whole numbers and fractions plain Python makes the same call, a
thousand times sooner and without importing SymPy; what that cannot decide exactly (a root, a logarithm) is
left to SymPy.
"""

import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

Number = int | Fraction
Values = Mapping["Formula", Number]  # what symbols are worth


class _UndecidedError(Exception):
    """Plain numbers do not say what a formula is worth."""


def _binary(name: str, *, swapped: bool = False) -> Callable[["Formula", Any], "Formula"]:
    def operate(self: "Formula", other: Any) -> "Formula":
        return Formula(name, other, self) if swapped else Formula(name, self, other)

    return operate


class Formula:
    """A function of SymPy or of `operator`, by name, and what it is applied to; compared by identity.

    Example:
        >>> R, m = Symbol("R"), Symbol("m")
        >>> (1 + R) * m, evaluated((1 + R) * m, {R: 3, m: 10})
        (m*(R + 1), Fraction(40, 1))
    """

    def __init__(self, function: str, *of: Any, **assumptions: bool) -> None:
        self.function, self.of, self.assumptions = function, of, assumptions

    @cached_property
    def symbolic(self) -> Any:
        """SymPy's expression."""
        import sympy

        call = getattr(operator if self.function in _OPERATORS else sympy, self.function)
        return call(*map(_symbolic, self.of), **self.assumptions)

    def _sympy_(self) -> Any:
        return self.symbolic

    def __repr__(self) -> str:
        return str(self.symbolic)

    def _repr_latex_(self) -> str:
        """What a notebook shows."""
        return str(self.symbolic._repr_latex_())

    __add__, __radd__ = _binary("add"), _binary("add", swapped=True)
    __sub__, __rsub__ = _binary("sub"), _binary("sub", swapped=True)
    __mul__, __rmul__ = _binary("mul"), _binary("mul", swapped=True)
    __truediv__, __rtruediv__ = _binary("truediv"), _binary("truediv", swapped=True)
    __pow__, __rpow__ = _binary("pow"), _binary("pow", swapped=True)
    __lt__, __le__, __gt__, __ge__ = map(_binary, ("Lt", "Le", "Gt", "Ge"))

    def __neg__(self) -> "Formula":
        return Formula("neg", self)


def function(name: str) -> Callable[..., Any]:
    """A function of SymPy, called when somebody wants to know."""

    def call(*of: Any, **assumptions: bool) -> Formula:
        return Formula(name, *of, **assumptions)

    return call


Symbol = function("Symbol")
And, Or, Piecewise = function("And"), function("Or"), function("Piecewise")
Eq, Ge, Gt, Le, Lt = function("Eq"), function("Ge"), function("Gt"), function("Le"), function("Lt")
Max, Min, Mod = function("Max"), function("Min"), function("Mod")
ceiling, floor, sqrt, log = function("ceiling"), function("floor"), function("sqrt"), function("log")
factorial, ff = function("factorial"), function("ff")


def symbolic(quantity: Any) -> Any:
    """SymPy's expression of a formula, a number, or of what is one already."""
    import sympy

    return sympy.sympify(_symbolic(quantity))


def _symbolic(part: Any) -> Any:
    if isinstance(part, Formula):
        return part.symbolic
    return tuple(map(_symbolic, part)) if isinstance(part, tuple) else part


def evaluated(quantity: Any, values: Values) -> Any:
    """What a formula is worth: a number or a truth value where plain Python decides it, else SymPy's."""
    exact = {symbol: Fraction(int(v.numerator), int(v.denominator)) for symbol, v in values.items()}
    try:
        return _plain(quantity, exact)
    except (_UndecidedError, ArithmeticError):
        import sympy

        at = {symbolic(symbol): sympy.Rational(v.numerator, v.denominator) for symbol, v in exact.items()}
        value = symbolic(quantity).subs(at)
    if value in (sympy.true, sympy.false):
        return bool(value)
    return Fraction(int(value.p), int(value.q)) if value.is_Rational else value


def _plain(part: Any, values: Mapping[Any, Fraction]) -> Any:
    """The value of a formula at numbers; alternatives and conditions as far as they are needed."""
    if isinstance(part, int | Fraction):
        return part
    if not isinstance(part, Formula):
        raise _UndecidedError
    name, of = part.function, part.of
    if name == "Symbol":
        if part not in values:
            raise _UndecidedError
        return values[part]
    if name == "Piecewise":
        return _plain(next((value for value, met in of if _plain(met, values)), None), values)
    if name in ("And", "Or"):
        return (all if name == "And" else any)(_plain(each, values) for each in of)
    if name == "ceiling" and isinstance(of[0], Formula) and of[0].function == "log":
        return _log_up(*(_plain(each, values) for each in of[0].of))
    if name not in _PLAIN:
        raise _UndecidedError
    return _PLAIN[name](*(_plain(each, values) for each in of))


def _log_up(x: Fraction, base: int | None = None) -> int:
    """ceil(log2 x) of x >= 1: the bits of ceil(x) - 1."""
    if base != 2 or x < 1:
        raise _UndecidedError
    return (math.ceil(x) - 1).bit_length()


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent != int(exponent):
        raise _UndecidedError
    return Fraction(base) ** int(exponent)


_OPERATORS = {"add", "sub", "mul", "truediv", "pow", "neg"}
_SAME = ("add", "sub", "mul", "neg", "Mod", "Eq", "Ge", "Gt", "Le", "Lt")
_PLAIN: dict[str, Callable[..., Any]] = {name: getattr(operator, name.lower()) for name in _SAME} | {
    "truediv": lambda x, y: Fraction(x) / y,
    "pow": _power,
    "Max": max,
    "Min": min,
    "ceiling": math.ceil,
    "floor": math.floor,
}
