"""Enclosure: a number known to lie between two exact rationals, in a stated unit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from georecall.bounds.arithmetic.arguments import Real, rational


@dataclass(frozen=True, slots=True)
class Enclosure:
    """The value of a bound: lower <= value <= upper, with exact rational ends.

    A comparison is decided only when the ends decide it, and is None otherwise; there is no `<`, because a
    bool could not say "undecided". Two enclosures are `==` when they are the same enclosure, which says
    nothing about the values inside.

    Args:
        lower: exact lower end.
        upper: exact upper end; None if the value is not bounded above.
        unit: what is counted: "bits", "bits per subject", "dimensions", "coordinates", "neurons",
            "codewords", or "1" for a pure number.
        argument: which of several arguments gave the lower end, in words; empty where there is one.

    Raises:
        ValueError: an end is not a Fraction, or upper is below lower.

    >>> third = Enclosure(Fraction(33, 100), Fraction(34, 100), "bits")
    >>> third.compare(1), third.compare(Fraction(1, 3))
    (-1, None)
    >>> print(third)
    0.33..0.34 bits
    """

    lower: Fraction
    upper: Fraction | None
    unit: str
    argument: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for end in (self.lower, self.upper):
            if end is not None and not isinstance(
                end, Fraction
            ):  # a float end would have been rounded already
                raise ValueError(f"the ends of an enclosure must be Fractions, not {end!r}")
        if self.upper is not None and self.upper < self.lower:
            raise ValueError(f"upper must be at least lower = {self.lower}, not {self.upper}")

    @classmethod
    def exactly(cls, value: int | Fraction, unit: str) -> Enclosure:
        """The enclosure of a value that is known exactly."""
        return cls(Fraction(value), Fraction(value), unit)

    @classmethod
    def from_ball(cls, ball: Any, unit: str) -> Enclosure:
        """The ends of an Arb ball, exactly: midpoint and radius are dyadic rationals.

        Raises:
            ArithmeticError: the ball is not finite.
        """
        if not ball.is_finite():
            raise ArithmeticError(f"the ball {ball} is not finite")
        middle, radius = _dyadic(ball.mid()), _dyadic(ball.rad())
        return cls(middle - radius, middle + radius, unit)

    def by(self, argument: str) -> Enclosure:
        """The same enclosure, said to be given by an argument."""
        return replace(self, argument=argument)

    @property
    def width(self) -> Fraction | None:
        """The difference upper - lower; None if not bounded above."""
        return None if self.upper is None else self.upper - self.lower

    @property
    def is_exact(self) -> bool:
        """Whether the value is known exactly."""
        return self.lower == self.upper

    @property
    def lower_float(self) -> float:
        """The largest float that is at most `lower`."""
        return _float_at_most(self.lower)

    @property
    def upper_float(self) -> float:
        """The smallest float that is at least `upper`; inf if not bounded above."""
        return math.inf if self.upper is None else -_float_at_most(-self.upper)

    def narrower_than(self, digits: int) -> bool:
        """Whether the width is at most 10^-digits times max(1, |lower|)."""
        size = max(Fraction(1), abs(self.lower))
        return self.width is not None and self.width * 10**digits <= size

    def ceiling(self) -> Enclosure:
        """The least integer that is at least the value: what a floor says of something that comes in wholes.

        Exact when both ends round up to the same integer.
        """
        upper = None if self.upper is None else Fraction(math.ceil(self.upper))
        return Enclosure(Fraction(math.ceil(self.lower)), upper, self.unit, self.argument)

    def positive_part(self) -> Enclosure:
        """The enclosure of max(0, value)."""
        upper = None if self.upper is None else max(self.upper, Fraction(0))
        return Enclosure(max(self.lower, Fraction(0)), upper, self.unit, self.argument)

    def below_top(self, top: Fraction | None) -> Enclosure:
        """The same enclosure cut to what is known to be at most `top`."""
        if top is None or (self.upper is not None and self.upper <= top):
            return self
        return replace(self, lower=min(self.lower, top), upper=top)

    def contains(self, other: Enclosure | Real) -> bool:
        """Whether all of `other` lies within the ends.

        Raises:
            ValueError: `other` has another unit, or is not a finite number.
        """
        low, high = self._ends(other)
        return self.lower <= low and (self.upper is None or (high is not None and high <= self.upper))

    def compare(self, other: Enclosure | Real) -> int | None:
        """-1 if the value is below `other`, 1 if above, 0 if equal, None if the ends do not decide it.

        Raises:
            ValueError: `other` has another unit, or is not a finite number.
        """
        low, high = self._ends(other)
        if self.upper is not None and self.upper < low:
            return -1
        if high is not None and self.lower > high:
            return 1
        return 0 if self.lower == self.upper == low == high else None

    def below(self, other: Enclosure | Real) -> bool | None:
        """Whether the value is less than `other`; None if undecided (raises as `compare`)."""
        low, high = self._ends(other)
        if self.upper is not None and self.upper < low:
            return True
        return False if high is not None and self.lower >= high else None

    def at_most(self, other: Enclosure | Real) -> bool | None:
        """Whether the value is less than or equal to `other`; None if undecided (raises as `compare`)."""
        low, high = self._ends(other)
        if self.upper is not None and self.upper <= low:
            return True
        return False if high is not None and self.lower > high else None

    def decimals(self, digits: int = 6) -> tuple[str, str]:
        """Both ends with `digits` decimals, the lower rounded down and the upper rounded up."""
        return (
            _decimal(self.lower, digits, up=False),
            "inf" if self.upper is None else _decimal(self.upper, digits, up=True),
        )

    def __str__(self) -> str:
        if self.lower.denominator == 1 and (self.upper is None or self.upper.denominator == 1):
            ends = [str(self.lower)] if self.is_exact else [str(self.lower), str(self.upper or "inf")]
            return f"{'..'.join(ends)} {self.unit}"
        digits = 6
        while digits > 2 and self.width is not None and self.width > Fraction(1, 10**digits):
            digits -= 1  # no more decimals than the width supports
        low, high = self.decimals(digits)
        return f"{low}..{high} {self.unit}"

    def __repr__(self) -> str:
        return f"<Enclosure {self}>"

    def _ends(self, other: Enclosure | Real) -> tuple[Fraction, Fraction | None]:
        if not isinstance(other, Enclosure):
            number = rational("the number compared with", other)
            return number, number
        if other.unit != self.unit:
            raise ValueError(f"an enclosure in {self.unit} cannot be compared with one in {other.unit}")
        return other.lower, other.upper


def _dyadic(point: Any) -> Fraction:
    mantissa, exponent = (int(part) for part in point.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


def _float_at_most(value: Fraction) -> float:
    try:
        nearest = float(value)
    except OverflowError:  # beyond the largest float
        return math.nextafter(math.inf, 0) if value > 0 else -math.inf
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


def _decimal(value: Fraction, digits: int, *, up: bool) -> str:
    scaled = value * 10**digits
    units = math.ceil(scaled) if up else math.floor(scaled)
    sign, magnitude = ("-" if units < 0 else ""), abs(units)
    if digits == 0:
        return f"{sign}{magnitude}"
    return f"{sign}{magnitude // 10**digits}.{magnitude % 10**digits:0{digits}d}"
