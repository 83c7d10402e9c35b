"""Ball arithmetic (Arb, through python-flint): rigorous, lazy, and with its precision contained.

Arb computes with balls midpoint +- radius that contain the true value whatever the precision; precision
decides how wide the balls are, never whether they are right.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import Any

from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.theory.tools.errors import MissingExtraError

_one_at_a_time = threading.RLock()


def flint() -> ModuleType:
    """python-flint, imported when first needed.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import flint as module
    except ImportError as missing:
        raise MissingExtraError(
            "rigorous enclosures need python-flint: pip install 'georecall[certified]'"
        ) from missing
    return module  # type: ignore[no-any-return]


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at `bits` of Arb precision, and put the old precision back, also after an exception.

    `flint.ctx.prec` is one number for the whole process. A process-wide reentrant lock is held throughout, so
    threads that use this context manager take turns and each computes at its own precision. A thread that
    sets `flint.ctx.prec` behind its back can make the balls wider (`refine` then sees the width and tries
    again) and can lose its own setting to the restoration; it cannot make a ball miss the true value.
    """
    context = flint().ctx
    with _one_at_a_time:
        before = context.prec
        context.prec = bits
        try:
            yield
        finally:
            context.prec = before


@dataclass(frozen=True)
class Rough:
    """A ball whose width comes from inequalities, which more precision would not narrow."""

    ball: Any


def refine(compute: Callable[[], Any], *, digits: int, unit: str) -> Enclosure:
    """Enclose a number by raising the precision until the ball is narrow.

    Until the width is at most 10^-digits times max(1, |lower end|), or the ball is `Rough`; the enclosure is
    the intersection of all balls, each of which contains the number.

    Raises:
        ArithmeticError: `compute` gave no finite ball at any precision tried.
    """
    bits = 64 + 4 * digits  # 10^-digits is above 2^(-3.33 digits); the rest absorbs ordinary cancellation
    best: Enclosure | None = None
    for _ in range(10):
        with precision(bits):
            result = compute()
            rough = isinstance(result, Rough)
            ball = result.ball if rough else result
            if ball.is_finite():
                best = _intersection(best, Enclosure.from_ball(ball, unit))
        if best is not None and (rough or best.narrower_than(digits)):
            return best
        bits *= 2
    if best is None:
        raise ArithmeticError(f"no finite enclosure at {bits // 2} bits of precision")
    return best


def _intersection(first: Enclosure | None, second: Enclosure) -> Enclosure:
    if first is None:
        return second
    assert first.upper is not None  # a finite ball has both ends
    assert second.upper is not None
    return Enclosure(max(first.lower, second.lower), min(first.upper, second.upper), second.unit)


def ball(value: int | Fraction) -> Any:
    """The narrowest ball around an exact number at the precision in force."""
    library = flint()
    value = Fraction(value)
    return library.arb(library.fmpq(value.numerator, value.denominator))


def between(low: Any, high: Any) -> Any:
    """A ball that contains every number from the ball `low` to the ball `high`."""
    return low.union(high)


def log2(value: Any) -> Any:
    """log2 of a positive ball, or of a positive exact number; exactly the exponent of a power of 2."""
    library = flint()
    if isinstance(value, int | Fraction):
        numerator, denominator = Fraction(value).as_integer_ratio()
        if numerator.bit_count() == denominator.bit_count() == 1:
            return library.arb(numerator.bit_length() - denominator.bit_length())
        value = ball(value)
    return value.log() / library.arb.const_log2()


def log2_factorial(n: int) -> Any:
    """log2(n!), exactly for n <= 2 (beyond, it is irrational); by Arb's log-gamma, so n may be large."""
    library = flint()
    if n <= 2:
        return library.arb(n // 2)
    return library.arb(n + 1).lgamma() / library.arb.const_log2()


def log2_falling(N: int, n: int) -> Any:
    """f(n) = log2(N! / (N - n)!), the bits of n distinct labels out of N; exact where it is an integer.

    That is for n = 0, n = 1 and N = 2: among more consecutive numbers there is an odd one above 1.
    """
    if n <= 1:
        return log2(N) if n else flint().arb(0)
    return log2_factorial(N) - log2_factorial(N - n)


def log2_binomial(n: int, r: int) -> Any:
    """log2 C(n, r)."""
    return log2_falling(n, r) - log2_factorial(r)
