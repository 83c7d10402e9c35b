"""Numbers as text: what is shown stands for the number, and a number given is the one that is used."""

from decimal import Context, Decimal
from fractions import Fraction
from numbers import Rational, Real

_SHORT = 10**6  # of a denominator that a person reads
_DIGITS = [Context(prec=digits) for digits in (12, 20, 34)]


def exactly(value: float | Fraction) -> str:
    """The shortest decimal whose float64 is the value; a fraction where none is, of long ones 12 digits.

    Example:
        >>> exactly(Fraction(1, 2)), exactly(0.9), exactly(1 - Fraction(1, 2**53)), exactly(Fraction(1, 3))
        ('0.5', '0.9', '0.9999999999999999', '1/3')
        >>> exactly(Fraction("0.99999999999999989"))  # no float
        '0.99999999999999989'
        >>> exactly(Fraction(1, 3**4000))
        '3.27326465787e-1909'
    """
    try:
        for text in (f"{float(value):.12g}", repr(float(value))):
            if float(text) == value or Fraction(text) == value:
                return text
    except OverflowError:
        pass
    value = Fraction(value)
    if value.denominator < _SHORT:
        return str(value)
    texts = [str(context.divide(Decimal(value.numerator), Decimal(value.denominator))) for context in _DIGITS]
    whole = (text for text in texts if Fraction(text) == value)
    return next(whole, texts[0]).replace("E", "e")


def as_float(value: object) -> float:
    """A float64 that is the number given: equal to it, or such as its shortest decimal is (0.1).

    Raises:
        ValueError: there is none; the message names the nearest.
        TypeError: it is no real number.

    Example:
        >>> as_float(Fraction(1, 2)), as_float(Fraction("0.1"))
        (0.5, 0.1)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{value!r} is no number")
    nearest = float(value)
    if isinstance(value, Rational) and value not in (nearest, Fraction(repr(nearest))):
        raise ValueError(f"no float64 is {exactly(Fraction(value))}; the nearest is {nearest!r}")
    return nearest
