"""C1 below gate 1: how much the blocks not asked for leak, and from which gate on a fact survives it.

A leak adds 2 - 2 gate to the readout wherever another block holds +1. It helps the coordinates at which
the answer's code has +1 and hurts those at which it has -1, so what a table can lose depends on the pair
of codes: D_+ coordinates with +1 against the competitor's -1, D_- with -1 against +1. The worst table
answers every other relation with the competitor; the pair then survives iff
gate > 1 - (1 + D_+/D_-) / (2 (R - 1)). C1's 1 - 1/(2(R - 1)) is the case D_+ = 0: it suffices for
every code, and is necessary if some code lies below another coordinate by coordinate, as among more than
2^(m-1) sign codes of length m two always do (Sperner).
"""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Variable, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma, in_range

_gate = Variable("gate", "half of what asking adds to every coordinate of a block")
_u = Variable("u", "a coordinate of a block not asked for")

SINGLE_HOP_LEAK: Final = Lemma(
    name="single-hop-leak",
    claim="C1",
    statement=r"""For $0 \leq g \leq 1$ and a sign $u$: a neuron of a block not asked for leaks
$\mathrm{ReLU}(u - (2g - 1)) = (1 + u)(1 - g)$, that is $2 - 2g$ at $u = 1$ and nothing at $u = -1$.""",
    hypotheses=(Hypothesis("coordinate is a sign", is_sign(_u)), *in_range("gate", 0, _gate, 1)),
    conclusion=(sp.Eq(ReLU(_u - (2 * _gate - 1)), (1 + _u) * (1 - _gate)),),
)

_R = Variable("R", "number of relations")
_plus = Variable("D_plus", "coordinates where the answer has +1 and the competitor -1")
_minus = Variable("D_minus", "coordinates where the answer has -1 and the competitor +1")
_leaks_plus = Variable("leaks_plus", "leaking neurons that write to the D_plus coordinates")
_leaks_minus = Variable("leaks_minus", "leaking neurons that write to the D_minus coordinates")

_HALF_MARGIN: Final = (
    _plus + 2 * (1 - _gate) * _leaks_plus + _minus - 2 * (1 - _gate) * _leaks_minus
)  # sum over the differing coordinates of u_j (u_j + (2 - 2 gate) leaks_j)
_LARGEST_LEAK: Final = 2 * (1 - _gate) * ((_R - 1) * _minus)

SINGLE_HOP_LEAK_THRESHOLD: Final = Lemma(
    name="single-hop-leak-threshold",
    claim="C1",
    statement=r"""For $g \leq 1$: an answer beats a competitor in every table if $D_+ + D_- > 2 (1 - g)(R - 1)
D_-$, where the answer's code has $+1$ against $-1$ in $D_+$ coordinates and $-1$ against $+1$ in $D_-$.""",
    hypotheses=(
        Hypothesis("leaks are counted", _leaks_plus >= 0),
        Hypothesis("at most R - 1 leaks a coordinate", _leaks_minus <= (_R - 1) * _minus),
        Hypothesis("gate at most 1", _gate <= 1),
        Hypothesis("gate above the pair's threshold", _plus + _minus > _LARGEST_LEAK),
    ),
    conclusion=(_HALF_MARGIN > 0,),
)

SINGLE_HOP_LEAK_SHARP: Final = Lemma(
    name="single-hop-leak-sharp",
    claim="C1",
    statement=r"""If every other relation answers with the competitor, so that all $(R - 1) D_-$ leaks hurt
and none helps, and $D_+ + D_- \leq 2 (1 - g)(R - 1) D_-$, then the fact is lost.""",
    hypotheses=(
        Hypothesis("no leak helps", sp.Eq(_leaks_plus, 0)),
        Hypothesis("every leak hurts", sp.Eq(_leaks_minus, (_R - 1) * _minus)),
        Hypothesis("gate at most the pair's threshold", _plus + _minus <= _LARGEST_LEAK),
    ),
    conclusion=(_HALF_MARGIN <= 0,),
)
