"""C1 and its variants: a single hop, one layer, logarithmic dimension.

Beside each claim stands what the same weights do at any gate, above or below the one that the claim asks for.
The controls compare every margin with it. `v[r, s]` is the word of pi_r(s), shape (R, N, m).
"""

import numpy as np

from georecall.theory.claims.claim import Claim, Control, Hypothesis, one_layer
from georecall.theory.claims.formulas import Eq, Ge, ceiling, log
from georecall.theory.claims.symbols import A, D, R, V, gate, levels, m, p, words
from georecall.theory.tools.arrays import Floats

_DERIVED = "theory/pages/c1.md, {} (derived there; the idea: arXiv 2605.12426)"
_BITS = ceiling(log(levels, 2))

TWO_ATTRIBUTES = Hypothesis("at least two attributes", Ge(A, 2))
INJECTIVE_CODE = Hypothesis("an injective code", Eq(words, A))
GATE_HALF_SPREAD = Hypothesis("gate at least half the spread of the code", Ge(gate, V / 2))
GATE_SPREAD = Hypothesis("gate at least the spread of the code", Ge(gate, V))

WEAK_GATE = Control("weak gate", "every margin is the predicted one, some are not positive")
SHORT_CODE = Control(
    "code one coordinate too short", "the facts whose words collide have margin 0, no others"
)
ALTERED_FACT = Control("one fact altered after building", "exactly that fact is wrong")
CORRUPTED_WEIGHT = Control(
    "one embedding coordinate moved to a neighbouring word",
    "exactly that fact is wrong, and its answer is the neighbour",
)
CONTROLS = (WEAK_GATE, SHORT_CODE, ALTERED_FACT, CORRUPTED_WEIGHT)


SINGLE_HOP = Claim(
    name="single-hop",
    label="C1",
    title="separate readout: (R+1) m dimensions recall every table",
    statement=r"""Let $\pi_1, \dots, \pi_R$ be functions from $N$ subjects to a set $A$ of attributes, and
$v : A \to \{lo..hi\}^m$ an injective code of spread $V = hi - lo$ (for signs $V = 2$), $\mathrm{gate} \ge
V/2$. This one-layer transformer recalls every table from the prompt $[s, r]$. $R$ blocks of $m$ coordinates
and a readout of $m$; $W_E[s] = (v(\pi_1(s)), \dots, v(\pi_R(s)), 0)$, and $W_E[r]$ is gate on block $r$,
else 0. One head with $W_Q = W_K = 0$ and $W_V W_O = 2 I$, so that $x = W_E[s] + 2 W_E[r]$. Neuron $(r, j)$
reads $x_{r,j}$ with $b_{in} = -(2\,\mathrm{gate} + lo)$ and writes it to readout $j$, where $b_{out} = lo$.
$W_U[:, a] = (0, \dots, 0, v_a)$ and $b_U[a] = -|v_a|^2/2$, or 0 where all $|v_a|$ agree. The margin of a
fact is half the squared distance from its answer's word to the nearest other word, and the least is $D/2$;
for sign codes a margin is twice the Hamming distance.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, GATE_HALF_SPREAD),
    predicted=one_layer((R + 1) * m, R * m, min_margin=D / 2, subject_bits=R * m * _BITS),
    proof=r"""A block that was not asked for holds $v_j \le hi \le 2\,\mathrm{gate} + lo$, so its
neurons are silent. The block asked for holds $v_j + 2\,\mathrm{gate}$, and its neurons give $v_j - lo
\ge 0$. With the bias $lo$ the readout is $v(\pi_r(s))$, and $\langle v_a, v_a - v_b\rangle - (|v_a|^2 -
|v_b|^2)/2 = |v_a - v_b|^2/2$.""",
    source=_DERIVED.format("C1"),
    controls=CONTROLS,
    parameters=("gate", "code_length", "code_distance"),
)

SINGLE_HOP_IN_PLACE = Claim(
    name="single-hop-in-place",
    label="C1'",
    title="read where it lies: R m dimensions recall every table",
    statement=r"""As C1, with an injective code $v$ of spread $V = hi - lo$ and $\mathrm{gate} \ge V/2$, but
without a readout: $R$ blocks of $m$ coordinates alone, $W_E[s] = (v(\pi_1(s)), \dots, v(\pi_R(s)))$,
$W_E[r]$ gate on block $r$, $x = W_E[s] + 2 W_E[r]$. $W_{in} = -I$, $b_{in} = 2\,\mathrm{gate} + lo$,
$W_{out} = I$: neurons $\mathrm{ReLU}(2\,\mathrm{gate} + lo - z)$; $b_{out} = -(2\,\mathrm{gate} + lo)$, but
$-2\, \mathrm{gate}$ on block 1. $W_U[:, a] = (v_a, \dots, v_a)$, $b_U$ as C1. Every table of functions is
recalled. The margin of a fact is half the squared distance from its answer's word to the nearest other word,
the least is $D/2$.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, GATE_HALF_SPREAD),
    predicted=one_layer(R * m, R * m, min_margin=D / 2, subject_bits=R * m * _BITS),
    proof=r"""With $2\,\mathrm{gate} + lo \ge hi$, $\max(z, 2\,\mathrm{gate} + lo)$ is the second, the level,
where $z = v \le hi$, and $z$ where $z = v + 2\,\mathrm{gate} \ge lo + 2\,\mathrm{gate}$. The biases
take the level off every block but the first, and $2\,\mathrm{gate}$ off that: the blocks sum to
$v(\pi_r(s))$, which $R$ copies of $v_a$ in $W_U$ read.""",
    source=_DERIVED.format("C1'"),
    controls=CONTROLS,
    parameters=("gate", "code_length", "code_distance"),
)

SINGLE_HOP_NARROW = Claim(
    name="single-hop-narrow",
    label="C1''",
    title="the last block is the readout: width (R-1) m recalls every table",
    statement=r"""As C1', with an injective code $v$ of spread $V = hi - lo$ and $\mathrm{gate} \ge V$:
$W_E[s] = (v(\pi_1(s)), \dots, v(\pi_R(s)))$; $W_E[r]$ is gate on block $r$ for $r < R$, and $W_E[R]$ is
$\mathrm{gate} - V/2$ on block $R$; $x = W_E[s] + 2 W_E[r]$. $(R-1) m$ neurons, for each $r < R$ and
coordinate $\mathrm{ReLU}(x_r - x_R - V)$, are written to block $R$, where $b_{out} = V - 2\,\mathrm{gate}$.
$W_U$ reads $v_a$ off block $R$, $b_U$ as C1. Every table of functions is recalled. The margin of a fact is
half the squared distance from its answer's word to the nearest other word, the least is $D/2$.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, GATE_SPREAD),
    predicted=one_layer(R * m, (R - 1) * m, min_margin=D / 2, subject_bits=R * m * _BITS),
    proof=r"""Asked for $r < R$: the neurons of other blocks are silent, for $v_{r'} - v_R \le V$;
those of block $r$ give $v_r - v_R + 2\,\mathrm{gate} - V \ge 0$, so that block $R$ becomes $v_r$. Asked
for $R$: all are silent, for $v_r - v_R - (2\,\mathrm{gate} - V) \le V$, and the bias undoes the lift.""",
    source=_DERIVED.format("C1'' (there with gate = V)"),
    controls=CONTROLS,
    parameters=("bits", "gate", "code_length", "code_distance"),
)

SINGLE_HOP_QUANTIZED = Claim(
    name="single-hop-quantized",
    label="C1-p",
    title="p-bit coordinates: R ceil(log2 |A| / p) dimensions recall every table",
    statement=r"""C1' with the code of the attributes' numbers in base $2^p$, least digit first, values
$0..2^p - 1$, $m = \max(1, \lceil \log_2 |A| / p \rceil)$ and $\mathrm{gate} \ge V/2$, $V = 2^p - 1$,
recalls every table of functions in $R m$ dimensions, with margins of at least $1/2$: dimension trades
against precision, $R m p$ stays at about $R \log_2 |A|$. The least margin is $D/2$.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, GATE_HALF_SPREAD),
    predicted=SINGLE_HOP_IN_PLACE.predicted,  # levels = 2^p: subject_bits = R m p
    proof=r"""C1' holds for every value code; two numerals differ by at least 1 in some digit, so
$D \ge 1$.""",
    source=_DERIVED.format("C1-p"),
    controls=CONTROLS,
    parameters=("bits", "gate", "code_length"),
)

SINGLE_HOP_PACKED = Claim(
    name="single-hop-packed",
    label="C1-w",
    title="p coordinates per neuron: width R ceil(m/p) recalls every table",
    statement=r"""In C1 with a sign code ($lo = -1$) one neuron may gate $p$ coordinates at once. $W_E$ and
attention are C1's; coordinates are in groups of $p$, the last perhaps short, with a readout coordinate for
each. The neuron of a relation's group of $i$ coordinates reads $\sum_j 2^j x_{r,j}$, $j = 0..i - 1$ in the
group, with $b_{in} = -(2^i - 1)(2\,\mathrm{gate} + lo)$, and writes it to the group's readout, where
$b_{out} = (2^i - 1)\,lo$. $W_U$ and $b_U$ are C1's for the packed words $\sum_j 2^j v_{a,j}$. Every table
of functions is recalled with $R \lceil m/p \rceil$ neurons in $R m + \lceil m/p \rceil$ dimensions. The
margin of a fact is half the squared distance from its answer's packed word to the nearest other one, the
least is $D/2$, at least 2.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, GATE_HALF_SPREAD),
    predicted=one_layer(
        R * m + ceiling(m / p), R * ceiling(m / p), min_margin=D / 2, subject_bits=R * m * _BITS
    ),
    proof=r"""As C1, for the sum of a group: it lies between $\pm(2^p - 1)$, and the lift adds
$2\,\mathrm{gate}\,(2^p - 1)$. Distinct sums of a group differ by at least 2, so $D \ge 4$.""",
    source=_DERIVED.format("C1-w"),
    controls=CONTROLS,
    parameters=("bits", "gate", "code_length"),
)


def readout_selected(v: Floats, gate: float, lo: float | Floats) -> Floats:
    """What C1 and C1' read at any gate >= 0: v_r plus max(0, v_r' - lo - 2 gate) from every other block r'.

    For C1-w give packed words, and per coordinate the packed `lo` and the gate times the group's scale.
    """
    leak = np.maximum(0.0, v - lo - 2 * np.asarray(gate))
    return np.asarray(v + leak.sum(axis=0) - leak)


def readout_narrow(v: Floats, gate: float, spread: float) -> Floats:
    """What C1'' reads at any gate >= 0.

    Asked for r < R: max(v_r, v_R + V - 2 gate); for R: v_R plus max(0, v_r - v_R - 2 gate) from every r < R.
    """
    others, last = v[:-1], v[-1]
    asked_other = np.maximum(others, last + spread - 2 * gate)
    asked_last = last + np.maximum(0.0, others - last - 2 * gate).sum(axis=0)
    return np.concatenate([asked_other, asked_last[None]])
