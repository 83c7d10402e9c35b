"""The neurons of C5 with softmax, of C5(d)'s maps and of C10's output blocks."""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Variable, by_case, is_integer
from georecall.theory.lemmas.lemma import Hypothesis, Lemma, in_range

_u = Variable("u", "a coordinate of a word")
_d = Variable("d", "how far the coordinate is off its sign, inwards")
_s = Variable("s", "how far the lift falls short")
_gate = Variable("g", "half the lift of a matching letter")
_k = Variable("k", "letters of the stage")
_INWARDS: Final = Hypothesis("off inwards", _d >= 0)
_SHORT: Final = Hypothesis("the lift falls short", _s >= 0)

# u (1 - d) + 2 g k - s less the level 2 g k - 1; the bias takes 1 off
_READ: Final = ReLU(_u * (1 - _d) + 2 * _gate * _k - _s - (2 * _gate * _k - 1)) - 1

SOFT_GATE: Final = Lemma(
    name="soft-gate",
    claim="C5(a)",
    statement=r"""For a sign $u$, off inwards by $d \geq 0$, and a lift $2gk - s$, $s \geq 0$:
$\mathrm{ReLU}(u(1 - d) + 2gk - s - (2gk - 1)) - 1$ lies in $[1 - d - s, 1]$ for $u = 1$, in $[-1, -1 + d]$
for $u = -1$: off inwards by at most $d + s$.""",
    hypotheses=(_INWARDS, _SHORT),
    conclusion=(
        sp.Implies(sp.Eq(_u, 1), sp.And(1 - _d - _s <= _READ, _READ <= 1)),
        sp.Implies(sp.Eq(_u, -1), sp.And(_READ >= -1, -1 + _d >= _READ)),
    ),
)

_eps = Variable("eps", "attention weight that strays")
_missed = Variable("n", "letters that do not match")
_CLOSED: Final = ReLU(_u + 2 * _gate * (_k - _missed) + 2 * _gate * _eps * _missed - (2 * _gate * _k - 1))

SOFT_GATE_CLOSED: Final = Lemma(
    name="soft-gate-closed",
    claim="C5(a)",
    statement=r"""A block with $n \geq 1$ letters that do not match, each of which lifts it by $2g\varepsilon$
at most, is silent if $g(1 - \varepsilon) \geq 1$: $\mathrm{ReLU}(u + 2g(k - n) + 2g\varepsilon n - (2gk - 1))
= 0$ for $u \leq 1$.""",
    hypotheses=(
        Hypothesis("coordinate at most 1", _u <= 1),
        Hypothesis("a letter does not match", _missed >= 1),
        Hypothesis("g (1 - eps) at least 1", _gate * (1 - _eps) >= 1),
    ),
    conclusion=(sp.Eq(_CLOSED, 0),),
)

_z = Variable("z", "what a neuron reads, less its threshold")
_q = Variable("q", "a quarter of what it gives where it fires")
_PAIR: Final = 2 * ReLU(_z - _q) - 2 * ReLU(_z - 3 * _q)

SATURATED_PAIR: Final = Lemma(
    name="saturated-pair",
    claim="C5(b)",
    statement=r"""$2\mathrm{ReLU}(z - q) - 2\mathrm{ReLU}(z - 3q)$ is $0$ for $z \leq q$ and $4q$ for $z \geq
3q$, $q \geq 0$: exact where $z$ is nearly $0$ or nearly $4q$.""",
    hypotheses=(Hypothesis("quarter at least 0", _q >= 0),),
    conclusion=(sp.Implies(_z <= _q, sp.Eq(_PAIR, 0)), sp.Implies(_z >= 3 * _q, sp.Eq(_PAIR, 4 * _q))),
)

_T = Variable("T", "a coordinate of a slot of the table")
_D = Variable("D", "Hamming distance of the slot's word to the operand's")
_MAP: Final = ReLU(-2 * _D + _T + 1)

PARALLEL_NEURON: Final = Lemma(
    name="parallel-neuron",
    claim="C5(d)",
    statement=r"""For $T \in [-1, 1]$ and an integer $D \geq 0$: $\mathrm{ReLU}(\langle u(y), C_x \rangle - m
+ T + 1)$ with inner product $m - 2D$ is $T + 1$ at $D = 0$ and $0$ otherwise.""",
    hypotheses=(
        *in_range("table", -1, _T, 1),
        Hypothesis("distance is an integer", is_integer(_D)),
        Hypothesis("distance at least 0", _D >= 0),
    ),
    conclusion=by_case(sp.Eq(_D, 0), sp.Eq(_MAP, _T + 1), sp.Eq(_MAP, 0)),
)

_m = Variable("m", "signs of a word")
_p = Variable("p", "inner product of a word and the operand")
_SHARP: Final = ReLU(2 * (_p - _m) + _T + 1)

PARALLEL_NEURON_SOFT: Final = Lemma(
    name="parallel-neuron-soft",
    claim="C5(d)",
    statement=r"""With the operand off inwards by at most $2\varepsilon$ a coordinate, $\varepsilon \leq 1/2$,
$T \in [-1, 1]$: $\mathrm{ReLU}(2(p - m) + T + 1)$ is $0$ for another word, $p \leq m - 2 + 2\varepsilon$, and
from $T + 1 - 4\varepsilon m$ to $T + 1$ for its own, $m - 2\varepsilon m \leq p \leq m$.""",
    hypotheses=(*in_range("table", -1, _T, 1), Hypothesis("at most half strays", 2 * _eps <= 1)),
    conclusion=(
        sp.Implies(_p <= _m - 2 + 2 * _eps, sp.Eq(_SHARP, 0)),
        sp.Implies(
            sp.And(_p >= _m - 2 * _eps * _m, _p <= _m),
            sp.And(_T + 1 - 4 * _eps * _m <= _SHARP, _SHARP <= _T + 1),
        ),
    ),
)

_b = Variable("b", "letters that the output block waits for")
_open = Variable("c", "letters of them that match")
_LEVEL: Final = 2 * _gate * _open - (2 * _gate * _b - 1)
_OUTPUT: Final = ReLU(_u + _LEVEL) - ReLU(_LEVEL)

OUTPUT_BLOCK: Final = Lemma(
    name="output-block",
    claim="C10",
    statement=r"""For $u \in [-1, 1]$ and $g \geq 1$: $\mathrm{ReLU}(u + g_v - (2gb - 1)) - \mathrm{ReLU}(g_v
- (2gb - 1))$, $g_v = 2gc$, is $u$ when all $c = b$ letters match and $0$ when $c \leq b - 1$ do.""",
    hypotheses=(
        *in_range("coordinate", -1, _u, 1),
        Hypothesis("gate at least 1", _gate >= 1),
        Hypothesis("b matches, or at most b - 1", sp.Or(sp.Eq(_open, _b), _open <= _b - 1)),
    ),
    conclusion=by_case(sp.Eq(_open, _b), sp.Eq(_OUTPUT, _u), sp.Eq(_OUTPUT, 0)),
)

_SOFT_OUTPUT: Final = ReLU(_u * (1 - _d) + 1 - _s) - ReLU(1 - _s)

OUTPUT_BLOCK_SOFT: Final = Lemma(
    name="output-block-soft",
    claim="C10",
    statement=r"""A gate that falls short by $s \leq 1$, a sign $u$ off inwards by $d \leq 1$:
$\mathrm{ReLU}(u(1 - d) + 1 - s) - \mathrm{ReLU}(1 - s)$ is $1 - d$ for $u = 1$ and $-1 + \max(d, s)$ for $u =
-1$.""",
    hypotheses=(Hypothesis("short by at most 1", _s <= 1), Hypothesis("off by at most 1", _d <= 1)),
    conclusion=(
        sp.Implies(sp.Eq(_u, 1), sp.Eq(_SOFT_OUTPUT, 1 - _d)),
        sp.Implies(sp.Eq(_u, -1), sp.Eq(_SOFT_OUTPUT, -1 + sp.Max(_d, _s))),
    ),
)
