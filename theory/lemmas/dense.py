"""The selector of C2: an absolute value."""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Variable, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_n = Variable("n", "number of signs summed so far")
_s = Variable("s", "their sum")
_next = Variable("u", "the next sign")

SUM_OF_SIGNS: Final = Lemma(
    name="sum-of-signs",
    claim="C2",
    statement=r"""If $|s| \leq n$ and $u$ is a sign then $|s + u| \leq n + 1$; so $|W_E[s]_j| \leq R$, by
induction on the relations.""",
    hypotheses=(
        Hypothesis("sum at least -n", _s >= -_n),
        Hypothesis("sum at most n", _s <= _n),
        Hypothesis("next is a sign", is_sign(_next)),
    ),
    conclusion=(_s + _next >= -(_n + 1), _s + _next <= _n + 1),
)

_x = Variable("x", "a coordinate of a subject's embedding, a sum of R signs")
_R = Variable("R", "number of relations")
_D = Variable("D", "the asked relation's sign at this coordinate")
_lift = Variable("lift", "what asking adds, times D")

_z = _x + _lift * _D

ABSOLUTE_VALUE_SELECTOR: Final = Lemma(
    name="absolute-value-selector",
    claim="C2",
    statement=r"""For all $|x| \leq R$, all signs $D$ and all lifts $g \geq R$: with $z = x + g D$, $z +
2\,\mathrm{ReLU}(-z) - g = |z| - g = D x$. The least is $g = R$.""",
    hypotheses=(
        Hypothesis("coordinate at least -R", _x >= -_R),
        Hypothesis("coordinate at most R", _x <= _R),
        Hypothesis("D is a sign", is_sign(_D)),
        Hypothesis("lift at least R", _lift >= _R),
    ),
    conclusion=(sp.Eq(_z + 2 * ReLU(-_z) - _lift, _D * _x),),
)
