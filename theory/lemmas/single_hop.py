"""The neurons of C1 (one layer, separate readout), C1' (in place), C1'' (narrow) and C1-w (packed)."""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Variable
from georecall.theory.lemmas.lemma import Hypothesis, Lemma, in_range

_gate = Variable("gate", "half of what asking adds to every coordinate of a block")
_GATE_AT_LEAST_1: Final = Hypothesis("gate at least 1", _gate >= 1)

_x = Variable("x", "a coordinate of a block before the question is added")

SINGLE_HOP_GATE: Final = Lemma(
    name="single-hop-gate",
    claim="C1",
    statement=r"""For all $x \in [-1, 1]$ and all $g \geq 1$: a neuron of a block not asked for is off,
$\mathrm{ReLU}(x - (2g - 1)) = 0$, and one of the block asked for passes its coordinate, $\mathrm{ReLU}(x + 2g
- (2g - 1)) = x + 1$.""",
    hypotheses=(*in_range("coordinate", -1, _x, 1), _GATE_AT_LEAST_1),
    conclusion=(sp.Eq(ReLU(_x - (2 * _gate - 1)), 0), sp.Eq(ReLU(_x + 2 * _gate - (2 * _gate - 1)), _x + 1)),
)

_v = Variable("v", "a coordinate of a value code")
_lo = Variable("lo", "least value of the code")
_hi = Variable("hi", "largest value of the code")
_LEVEL: Final = 2 * _gate + _lo

IN_PLACE_MAXIMUM: Final = Lemma(
    name="in-place-maximum",
    claim="C1'",
    statement=r"""For all $lo \leq v \leq hi$, $2g \geq hi - lo$ and $\ell = 2g + lo$: $z + \mathrm{ReLU}(\ell
- z) = \max(z, \ell)$ is $\ell$ where the block is not asked for ($z = v$), and $z$ where it is ($z = v +
2g$).""",
    hypotheses=(
        *in_range("value", _lo, _v, _hi),
        Hypothesis("2 gate at least the spread", _hi - _lo <= 2 * _gate),
    ),
    conclusion=(
        sp.Eq(_v + ReLU(_LEVEL - _v), _LEVEL),
        sp.Eq(_v + 2 * _gate + ReLU(_LEVEL - (_v + 2 * _gate)), _v + 2 * _gate),
    ),
)

_v_r = Variable("v_r", "a coordinate of block r < R")
_v_last = Variable("v_R", "the same coordinate of block R")
_spread = _hi - _lo

NARROW_SELECTOR: Final = Lemma(
    name="narrow-selector",
    claim="C1''",
    statement=r"""Let $V = hi - lo$ and $g \geq V$. Asking $r < R$ lifts block $r$ by $2g$, asking $R$ lifts
block $R$ by $2g - V$; neurons $\mathrm{ReLU}(x_r - x_R - V)$ write to block $R$, which has output bias $V -
2g$. For all values in $[lo, hi]$ block $R$ becomes $v_r$ when $r$ is asked for and $v_R$ when $R$ is, and the
neurons of the other blocks are off. The least is $g = V$.""",
    hypotheses=(
        *in_range("value of block r", _lo, _v_r, _hi),
        *in_range("value of block R", _lo, _v_last, _hi),
        Hypothesis("gate at least the spread", _gate >= _spread),
    ),
    conclusion=(
        sp.Eq(_v_last + ReLU(_v_r + 2 * _gate - _v_last - _spread) + (_spread - 2 * _gate), _v_r),
        sp.Eq(ReLU(_v_r - _v_last - _spread), 0),
        sp.Eq(ReLU(_v_r - (_v_last + 2 * _gate - _spread) - _spread), 0),
        sp.Eq(
            _v_last
            + 2 * _gate
            - _spread
            + ReLU(_v_r - (_v_last + 2 * _gate - _spread) - _spread)
            + (_spread - 2 * _gate),
            _v_last,
        ),
    ),
)

_group = Variable("s", "group sum: sum over j of 2^j u_j")
_most = Variable("M", "largest group sum, 2^p - 1 for p coordinates")

PACKED_GATE: Final = Lemma(
    name="packed-gate",
    claim="C1-w",
    statement=r"""For all group sums $s \in [-M, M]$ and all $g \geq 1$: asking adds $2 g M$; not asked for,
$\mathrm{ReLU}(s - M(2g - 1)) = 0$; asked for, $\mathrm{ReLU}(s + 2gM - M(2g - 1)) = s + M$.""",
    hypotheses=(
        Hypothesis("group sum at least -M", _group >= -_most),
        Hypothesis("group sum at most M", _group <= _most),
        _GATE_AT_LEAST_1,
    ),
    conclusion=(
        sp.Eq(ReLU(_group - _most * (2 * _gate - 1)), 0),
        sp.Eq(ReLU(_group + 2 * _gate * _most - _most * (2 * _gate - 1)), _group + _most),
    ),
)


def packed_gate(p: int) -> Lemma:
    """C1-w for groups of exactly p coordinates: the group sum written out, every coordinate in [-1, 1]."""
    signs = [Variable(f"u_{j}", f"coordinate {j} of the group") for j in range(p)]
    group = sum(2**j * sign for j, sign in enumerate(signs))
    asked = sum(2**j * (sign + 2 * _gate) for j, sign in enumerate(signs))
    threshold = (2**p - 1) * (2 * _gate - 1)
    return Lemma(
        name=f"packed-gate-{p}",
        claim="C1-w",
        statement=rf"""For ${p}$ coordinates in $[-1, 1]$ and all $g \geq 1$, with $s = \sum_j 2^j u_j$ and $M
= {2**p - 1}$: the group is off where not asked for, and gives $s + M$ where each of its coordinates is
lifted by $2g$.""",
        hypotheses=(
            *(Hypothesis(f"coordinate {j} at least -1", sign >= -1) for j, sign in enumerate(signs)),
            *(Hypothesis(f"coordinate {j} at most 1", sign <= 1) for j, sign in enumerate(signs)),
            _GATE_AT_LEAST_1,
        ),
        conclusion=(sp.Eq(ReLU(group - threshold), 0), sp.Eq(ReLU(asked - threshold), group + (2**p - 1))),
    )


PACKED_GATES: Final = tuple(packed_gate(p) for p in range(1, 5))
