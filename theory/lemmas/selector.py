"""C11: what an additive model's margins add up to, and a coordinate of disjoint attributes."""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import Variable, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_f_a = Variable("f_a", "what the subject adds to the logit of a, its answer to p")
_f_b = Variable("f_b", "the same of b, its answer to q")
_p_a, _p_b = Variable("p_a", "what relation p adds to the logit of a"), Variable("p_b", "the same of b")
_q_a, _q_b = Variable("q_a", "what relation q adds to the logit of a"), Variable("q_b", "the same of b")
_alpha = Variable("alpha", "weight of the subject's token where p is asked for")
_beta = Variable("beta", "the same where q is")

ADDITIVE_MARGINS: Final = Lemma(
    name="additive-margins",
    claim="C11",
    statement=r"""For all weights $\alpha, \beta$ of a subject, $a = p(s)$, $b = q(s)$: $\beta$ times the
margin of $(p, s)$ against $b$ and $\alpha$ times that of $(q, s)$ against $a$ add up to $\beta (g(p, a) -
g(p, b)) + \alpha (g(q, b) - g(q, a))$, of which the subject is no part.""",
    hypotheses=(),
    conclusion=(
        sp.Eq(
            _beta * (_alpha * _f_a + _p_a - _alpha * _f_b - _p_b)
            + _alpha * (_beta * _f_b + _q_b - _beta * _f_a - _q_a),
            _beta * (_p_a - _p_b) + _alpha * (_q_b - _q_a),
        ),
    ),
)

_x = Variable("x", "a coordinate of the word of a subject's answer")
_y = Variable("y", "the same coordinate of another attribute's word")

DISJOINT_COORDINATE: Final = Lemma(
    name="disjoint-coordinate",
    claim="C11",
    statement=r"""For all signs $x$, $y$: $x^2 - x y$, what a coordinate adds to the margin against an
attribute of the same set, is 2 where the words differ and 0 elsewhere; and $x y - 1 \leq 0$, so that other
sets' logits are at most 0, and 0 for the answers there.""",
    hypotheses=(Hypothesis("x is a sign", is_sign(_x)), Hypothesis("y is a sign", is_sign(_y))),
    conclusion=(sp.Or(sp.Eq(_x, _y), sp.Eq(_x**2 - _x * _y, 2)), _x * _y - 1 <= 0, sp.Eq(_x**2 - 1, 0)),
)
