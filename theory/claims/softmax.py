"""Softmax by position in place of hard attention: how much weight strays, and the scale that keeps a margin.

A head that means position i scores position j with -beta |j - i|. Against the weight of i all others have at
most S(beta) = G(floor(k/2)) + G(ceil(k/2)), G(n) = sum of e^(-beta t) over t = 1..n: of the k other positions
at most two are at each distance. So the weight off i is at most S/(1+S), and theory/pages/c5.md says how
much of that each construction bears: `bearable` and what follows it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from georecall.theory.claims.claim import Control, Hypothesis
from georecall.theory.claims.formulas import And, Eq, Or
from georecall.theory.claims.symbols import D, V, gate, levels, promise, soft
from georecall.theory.tools.search import least

DEFAULT_SOFT_GATE = 1.25
_BETA_STEP = 1024  # beta is rounded up to a multiple of 1/1024: scores are then exact in float64

HARD, SOFT = Eq(soft, 0), Eq(soft, 1)

SIGNS_IF_SOFT = Hypothesis("a sign code if attention is soft", Or(HARD, And(Eq(V, 2), Eq(levels, 2))))
GATE_IF_SOFT = Hypothesis("a gate above 1 if attention is soft", Or(HARD, gate > 1))


def margin_if_soft(distance: Any = D) -> Hypothesis:
    """The margin asked for is one that softmax can keep of distance/2."""
    return Hypothesis(
        "a margin between 0 and that of hard attention if attention is soft",
        Or(HARD, And(promise > 0, 2 * promise < distance)),
    )


SOFTER = Control(
    "softmax at half the scale", "at the scale every query keeps the promise, at half of it one does not"
)


def bearable(margin: float, distance: float, gate: float, lengths: Sequence[int], after: int = 0) -> float:
    """eps*: how much weight off its position each head of C5(a), (b), (c) or C10 may have.

    Stages before a memory read through pairs of neurons, which are exact if all coordinates are off by at
    most 1/2; what the last one reads is off by at most 2 gate eps a letter (and eps more if it reads the
    subject's copy), and the margin shrinks by that share.

    The margin is mu, the distance the least squared one between the words whose margin it is; lengths are the
    letters of each stage, the longest first; after, those that open an output block (C10).

    Raises:
        ValueError: a margin that is not between 0 and distance/2, or a gate of at most 1.

    Example:
        >>> bearable(1.0, 4, 1.25, [2])
        0.08333333333333333
    """
    if not gate > 1:
        raise ValueError(f"softmax needs a gate above 1, got {gate:g}")
    one = len(lengths) == 1
    least = [
        _lost(margin, distance) / max(2 * gate * lengths[-1] + one, 2 * gate * after),
        1 - 1 / gate,  # other blocks stay below the level
    ]
    return min(least) if one else min(*least, 1 / (2 + 4 * gate * lengths[0]))


def bearable_merged(margin: float, distance: float, gate: float, hops: int, code_length: int) -> float:
    """eps* of C5(b), merged: its memory's pairs are exact if their sum is off by at most 1/4."""
    alone = bearable(margin, distance, gate, [1] * hops)
    return alone if hops == 1 else min(alone, 1 / (4 * code_length + 4))


def bearable_parallel(margin: float, distance: float, code_length: int) -> float:
    """eps* of C5(d): each of m coordinates of the operand is off by 2 eps, and counts twice."""
    return _lost(margin, distance) / (4 * code_length)


def position_scale(leak: float, hops: int) -> float:
    """beta: the least multiple of 1/1024 at which the weight off any position of 0..k is at most eps*.

    Example:
        >>> position_scale(1 / 12, 2)
        3.091796875
    """

    def strays(beta: float) -> float:
        each = [math.exp(-beta * t) for t in range(1, (hops + 1) // 2 + 1)]
        return math.fsum(each) + math.fsum(each[: hops // 2])

    return least_scale(strays, leak)


def least_scale(strays: Callable[[float], float], leak: float) -> float:
    """The least multiple of 1/1024 where S(beta) <= eps*/(1 - eps*), with slack above rounding; S falls."""

    def enough(steps: int) -> bool:
        return strays(steps / _BETA_STEP) * (1 + 1e-9) <= leak / (1 - leak)

    return least(enough) / _BETA_STEP


def _lost(margin: float, distance: float) -> float:
    """Which share of the margin of hard attention may be lost."""
    if not 0 < margin < distance / 2:
        raise ValueError(f"softmax keeps a margin between 0 and {distance / 2:g}, not {margin:g}")
    return 1 - 2 * margin / distance
