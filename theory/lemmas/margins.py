"""The margins of C1, C1', C1-p and C1-w: what one coordinate adds to a logit difference."""

from fractions import Fraction
from typing import Final

from georecall.theory.lemmas.formula import Integral, Variable, both, differ, equal, implies, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_u = Variable("u", "a coordinate of the answer's code")
_w = Variable("w", "the same coordinate of a competitor's code")
_y = Variable("y", "the same coordinate of the readout")

SINGLE_HOP_MARGIN: Final = Lemma(
    name="single-hop-margin",
    claim="C1",
    statement=(
        r"For signs $u, w$ and $y = u$: a coordinate adds $(u - w) y = 2 \cdot 1[u \neq w]$ to the logit "
        r"difference of the answer and a competitor, so the margin is twice the Hamming distance."
    ),
    hypotheses=(
        Hypothesis("answer's code is a sign", is_sign(_u)),
        Hypothesis("competitor's code is a sign", is_sign(_w)),
        Hypothesis("readout is the answer's code", equal(_y, _u)),
    ),
    conclusion=both(
        implies(equal(_u, _w), equal((_u - _w) * _y, 0)),
        implies(differ(_u, _w), equal((_u - _w) * _y, 2)),
    ),
)

_v = Variable("v", "a coordinate of the answer's value code")
_other = Variable("v_b", "the same coordinate of a competitor's value code")

IN_PLACE_MARGIN: Final = Lemma(
    name="in-place-margin",
    claim="C1'",
    statement=(
        r"With $y = v$ and nearest-neighbour logits $v y - v^2 / 2$, a coordinate adds $(v - v_b)^2 / 2$ to "
        r"the logit difference of the answer $v$ and a competitor $v_b$."
    ),
    hypotheses=(Hypothesis("readout is the answer's value", equal(_y, _v)),),
    conclusion=equal(
        _v * _y - Fraction(1, 2) * (_v * _v) - (_other * _y - Fraction(1, 2) * (_other * _other)),
        Fraction(1, 2) * ((_v - _other) * (_v - _other)),
    ),
)

_d = Variable("d", "difference of two values, in steps of the code")
_STEPS: Final = (
    Hypothesis("a whole number of steps", Integral(_d)),
    Hypothesis("different values", differ(_d, 0)),
)

QUANTIZED_MARGIN: Final = Lemma(
    name="quantized-margin",
    claim="C1-p",
    statement=r"Integers that differ, by $d \neq 0$, are a margin $d^2 / 2 \geq 1/2$ apart.",
    hypotheses=_STEPS,
    conclusion=Fraction(1, 2) * (_d * _d) >= Fraction(1, 2),
)

PACKED_MARGIN: Final = Lemma(
    name="packed-margin",
    claim="C1-w",
    statement=r"Group sums of signs that differ, by $2 d \neq 0$, are a margin $(2 d)^2 / 2 \geq 2$ apart.",
    hypotheses=_STEPS,
    conclusion=Fraction(1, 2) * (2 * _d * (2 * _d)) >= 2,
)

LEMMAS: Final = (SINGLE_HOP_MARGIN, IN_PLACE_MARGIN, QUANTIZED_MARGIN, PACKED_MARGIN)
