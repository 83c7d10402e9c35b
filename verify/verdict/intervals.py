"""Success probabilities with exact intervals, and tests that may look early at a price paid in advance.

Clopper and Pearson's interval for k successes in n trials, with error e, is [p : P(Bin(n, p) >= k) > e/2
and P(Bin(n, p) <= k) > e/2]. Whether its ends pass a level is decided in rationals; the ends themselves are
rounded outward. Looks happen at sample sizes fixed beforehand, and the error is split evenly over them: by
the union bound all intervals of one test hold together with probability at least 1 - error.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, comb, inf, log, log1p, nextafter
from typing import Literal

_Side = Literal["above", "below"]
Each = Callable[[Callable[[int], bool], range], Iterable[bool]]

_FIRST, _DOUBLINGS, _MOST = 64, 9, 1 << 17  # looks of a test that goes on
_DIGITS = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN)
_NOTHING = Decimal("1e-200")  # a tail that is written in full would take as many digits


@dataclass(frozen=True)
class Estimate:
    """A success probability as measured: k of n, and an interval that misses the truth with that error.

    `side`: on which side of the level the interval lies; None if the level is inside.
    """

    successes: int
    trials: int
    lower: float
    upper: float
    error: float
    side: _Side | None = None

    @property
    def share(self) -> float:
        """k/n."""
        return self.successes / self.trials

    def __str__(self) -> str:
        """For a person: '64 of 64, in [0.9, 1]'."""
        return f"{self.successes} of {self.trials}, in [{self.lower:.3g}, {self.upper:.3g}]"


def upper_tail(k: int, n: int, p: Fraction) -> Fraction:
    """P(Bin(n, p) >= k), exactly.

    Example:
        >>> upper_tail(2, 2, Fraction(1, 2)), upper_tail(1, 2, Fraction(1, 3))
        (Fraction(1, 4), Fraction(5, 9))
    """
    a, b = p.numerator, p.denominator - p.numerator
    if not b:
        return Fraction(k <= n)
    fewer = k > n - k + 1  # sum the shorter tail
    first, last = (k, n) if fewer else (0, k - 1)
    total, term = 0, comb(n, first) * a**first * b ** (n - first)
    for i in range(first, last + 1):
        total += term
        term = term * ((n - i) * a) // ((i + 1) * b)  # the next one, a whole number again
    tail = Fraction(total, p.denominator**n)
    return tail if fewer else 1 - tail


@lru_cache(maxsize=4096)
def reaches(successes: int, trials: int, level: Fraction, error: Fraction) -> bool:
    """Whether the lower end of the interval is at least the level, exactly: P(Bin(n, level) >= k) <= e/2."""
    tail, slack = _rounded_tail(successes, trials, level)
    gap = Fraction(tail) - error / 2
    if abs(gap) > slack:
        return gap < 0
    return upper_tail(successes, trials, level) <= error / 2


def _rounded_tail(k: int, n: int, p: Fraction) -> tuple[Decimal, Fraction]:
    """P(Bin(n, p) >= k) in decimals of 60 digits, and what it is off by at most.

    A term is made by at most 5 n + 5 roundings (shares and their powers, then four for each ratio to the term
    before), each by a share of at most 10^-59; terms are positive, and their sum is at most 1.
    """
    if not 0 < p < 1:
        return Decimal(0), Fraction(1)
    fewer = k > n - k + 1  # sum the shorter tail
    first, last = (k, n) if fewer else (0, k - 1)
    a, b, c = (_DIGITS.create_decimal(x) for x in (p.numerator, p.denominator - p.numerator, p.denominator))
    odds = _DIGITS.divide(a, b)
    term = _DIGITS.create_decimal(comb(n, first))
    for share, power in ((_DIGITS.divide(a, c), first), (_DIGITS.divide(b, c), n - first)):
        term = _DIGITS.multiply(term, _DIGITS.power(share, power))
    total = Decimal(0)
    for i in range(first, last + 1):
        total = _DIGITS.add(total, term)
        term = _DIGITS.multiply(term, _DIGITS.divide(_DIGITS.multiply(odds, n - i), i + 1))
    tail = total if fewer else _DIGITS.subtract(1, total)
    return (tail if tail > _NOTHING else Decimal(0)), Fraction(20 * (n + 1), 10**59)


def falls_short(successes: int, trials: int, level: Fraction, error: Fraction) -> bool:
    """Whether the upper end of the interval is at most the level, exactly."""
    return reaches(trials - successes, trials, 1 - level, error)


def clopper_pearson(successes: int, trials: int, error: float = 0.05) -> tuple[float, float]:
    """The interval for k successes in n trials, rounded outward.

    Example:
        >>> low, high = clopper_pearson(9, 10)
        >>> round(low, 4), round(high, 4)
        (0.555, 0.9975)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(
            f"successes must lie between 0 and the number of trials, got {successes} of {trials}"
        )
    failures = _lower_end(trials - successes, trials, error)
    upper = 1.0 - failures
    if Fraction(upper) < 1 - Fraction(failures):  # rounded down
        upper = nextafter(upper, inf)
    return _lower_end(successes, trials, error), upper


def _lower_end(k: int, n: int, error: float) -> float:
    from scipy.special import betaincinv

    if k == 0:
        return 0.0
    end = float(betaincinv(k, n - k + 1, error / 2))
    step, exact = 1e-12, Fraction(str(error))
    while end > 0 and not reaches(k, n, Fraction(end), exact):
        end, step = max(0.0, end - step), 2 * step
    return end


def looks(trials: int) -> tuple[int, ...]:
    """The sample sizes at which a test of so many trials looks: an eighth, a quarter, a half, and all.

    Example:
        >>> looks(512), looks(3)
        ((64, 128, 256, 512), (1, 3))
    """
    if trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}")
    return tuple(sorted({max(1, trials // part) for part in (8, 4, 2, 1)}))


def looks_for(level: Fraction, error: float) -> tuple[int, ...]:
    """The sample sizes of a test of a level near 1 that goes on until it is decided: doubling, to a cap.

    The first is 64, or as many draws as decide if all succeed; the last at most 16384, or four times the
    first. Empty where that is more than 131072.

    Example:
        >>> looks_for(Fraction(9, 10), 0.01)
        (73, 146, 292, 584, 1168, 2336, 4672, 9344)
        >>> looks_for(Fraction(999, 1000), 0.01), looks_for(1 - Fraction(1, 10**6), 0.01)
        ((7493, 14986, 29972), ())
    """
    share = error / 2 / _DOUBLINGS
    first = max(_FIRST, ceil(log(share) / log1p(-float(1 - level))) + 1)
    cap = max(_FIRST << _DOUBLINGS - 1, 4 * first)
    if cap > _MOST:
        return ()
    return tuple(first << i for i in range(_DOUBLINGS) if first << i <= cap)


def sequential_test(
    trial: Callable[[int], bool],
    level: Fraction,
    *,
    trials: int | Sequence[int],
    error: float,
    progress: Callable[[int, int], None] | None = None,
    each: "Each" = map,
) -> Estimate:
    """Draws until a look finds the interval on one side of the level, or the trials are spent.

    Args:
        trial: the i-th draw, i = 0, 1, ...; whether it is a success. Draws are independent.
        level: a probability; an interval that ends exactly there counts as beside it.
        trials: the most that are drawn; `looks` says where it looks. Or the sizes at which it looks.
        error: of the whole test, split evenly over the looks.
        progress: called with the number of trials done and that of the next look.
        each: who draws, in any order: gives the outcome of each of several numbers in theirs.

    Returns:
        The estimate at the look that stopped it; its error is that of the whole test.
    """
    planned = looks(trials) if isinstance(trials, int) else tuple(trials)
    share = Fraction(str(error)) / len(planned)
    successes = 0
    side: _Side | None = None
    done = 0
    for size in planned:
        for i, success in enumerate(each(trial, range(done, size)), start=done):
            successes += bool(success)
            if progress is not None:
                progress(i + 1, size)
        done = size
        if reaches(successes, done, level, share):
            side = "above"
        elif falls_short(successes, done, level, share):
            side = "below"
        if side is not None:
            break
    lower, upper = clopper_pearson(successes, done, float(share))
    return Estimate(successes, done, lower, upper, error, side)
