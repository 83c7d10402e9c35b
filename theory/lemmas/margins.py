"""The margins of C1, C1', C1-p and C1-w: what one coordinate adds to a logit difference."""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import Variable, by_case, is_integer, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_u = Variable("u", "a coordinate of the answer's code")
_w = Variable("w", "the same coordinate of a competitor's code")
_y = Variable("y", "the same coordinate of the readout")

SINGLE_HOP_MARGIN: Final = Lemma(
    name="single-hop-margin",
    claim="C1",
    statement=r"""For signs $u, w$ and $y = u$: a coordinate adds $(u - w) y = 2 \cdot 1[u \neq w]$ to the
logit difference of the answer and a competitor, so the margin is twice the Hamming distance.""",
    hypotheses=(
        Hypothesis("answer's code is a sign", is_sign(_u)),
        Hypothesis("competitor's code is a sign", is_sign(_w)),
        Hypothesis("readout is the answer's code", sp.Eq(_y, _u)),
    ),
    conclusion=by_case(sp.Eq(_u, _w), sp.Eq((_u - _w) * _y, 0), sp.Eq((_u - _w) * _y, 2)),
)

_v = Variable("v", "a coordinate of the answer's value code")
_other = Variable("v_b", "the same coordinate of a competitor's value code")

IN_PLACE_MARGIN: Final = Lemma(
    name="in-place-margin",
    claim="C1'",
    statement=r"""With $y = v$ and nearest-neighbour logits $v y - v^2 / 2$, a coordinate adds $(v - v_b)^2 /
2$ to the logit difference of the answer $v$ and a competitor $v_b$.""",
    hypotheses=(Hypothesis("readout is the answer's value", sp.Eq(_y, _v)),),
    conclusion=(sp.Eq(_v * _y - _v**2 / 2 - (_other * _y - _other**2 / 2), (_v - _other) ** 2 / 2),),
)

_d = Variable("d", "difference of two values, in steps of the code")
_STEPS: Final = (
    Hypothesis("a whole number of steps", is_integer(_d)),
    Hypothesis("different values", sp.Ne(_d, 0)),
)

QUANTIZED_MARGIN: Final = Lemma(
    name="quantized-margin",
    claim="C1-p",
    statement=r"Integers that differ, by $d \neq 0$, are a margin $d^2 / 2 \geq 1/2$ apart.",
    hypotheses=_STEPS,
    conclusion=(_d**2 / 2 >= sp.Rational(1, 2),),
)

PACKED_MARGIN: Final = Lemma(
    name="packed-margin",
    claim="C1-w",
    statement=r"Group sums of signs that differ, by $2 d \neq 0$, are a margin $(2 d)^2 / 2 \geq 2$ apart.",
    hypotheses=_STEPS,
    conclusion=((2 * _d) ** 2 / 2 >= 2,),
)
