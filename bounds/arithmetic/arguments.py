"""What the bounds accept: each argument is checked once, and refused in one line that names it."""

import math
import operator
from fractions import Fraction
from numbers import Rational
from typing import SupportsIndex

Real = int | float | Fraction
"""A real parameter. A float means exactly the dyadic rational that it stores: pass Fraction(1, 10) for
1/10."""


class NoStatementError(ValueError):
    """The arguments are sound, but the theorem excludes them or says nothing at them.

    Kept apart from other ValueErrors: "you mistyped" and "there is no bound here" are different answers.
    """


def integer(name: str, value: SupportsIndex, *, at_least: int = 1, at_most: int | None = None) -> int:
    """`value` as an int within the limits.

    Raises:
        ValueError: it is a bool, not a whole number, or outside the limits.
    """
    limits = f"at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < at_least or (at_most is not None and number > at_most):
        raise ValueError(f"{name} must be a whole number {limits}, not {value!r}")
    return number


def rational(
    name: str,
    value: Real,
    *,
    above: int | None = None,
    at_least: int | None = None,
    at_most: int | None = None,
) -> Fraction:
    """`value` as the exact rational that it stores, within the limits.

    Raises:
        ValueError: it is a bool, not a finite real number, or outside the limits.
    """
    limits = [
        f"{word} {limit}"
        for word, limit in (("above", above), ("at least", at_least), ("at most", at_most))
        if limit is not None
    ]
    wanted = " ".join(["a finite number", " and ".join(limits)]).strip()
    number: Fraction | None = None
    if isinstance(value, bool):
        pass
    elif isinstance(value, Rational):
        number = Fraction(value)
    elif isinstance(value, float) and math.isfinite(value):  # numpy.float64 is a float
        number = Fraction(float(value))
    if (
        number is None
        or (above is not None and number <= above)
        or (at_least is not None and number < at_least)
        or (at_most is not None and number > at_most)
    ):
        raise ValueError(f"{name} must be {wanted}, not {value if number is not None else repr(value)}")
    return number


def digits_wanted(digits: SupportsIndex) -> int:
    """How many digits an enclosure should carry: 1 to 10000."""
    return integer("digits", digits, at_most=10_000)
