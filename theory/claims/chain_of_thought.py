"""C3: chain of thought, one layer for any number of hops.

Beside the claim stand the scale of softmax attention, derived from the margin that it must keep, and what
the same weights read where two positions share one code.
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from georecall.theory.claims.claim import Claim, Control, Hypothesis, one_layer
from georecall.theory.claims.formulas import Eq, Max, Min, Piecewise, ceiling, evaluated, log
from georecall.theory.claims.single_hop import GATE_HALF_SPREAD, INJECTIVE_CODE, TWO_ATTRIBUTES
from georecall.theory.claims.softmax import GATE_IF_SOFT, SIGNS_IF_SOFT, SOFT, least_scale, margin_if_soft
from georecall.theory.claims.symbols import D, K, R, gate, levels, m, promise, separate, strangers
from georecall.theory.tools.arrays import Floats

_POSITION = Max(1, ceiling(log(K, 2)))  # q, signs of a position code of distance 1
_GATE = gate  # the symbol, where a function has a gate

LEAK = Min((1 - 2 * promise / D) / (2 * (1 + gate)), 1 - 1 / gate)  # eps*

ENTITIES = Hypothesis("every attribute a subject", Eq(strangers, 0))

WEAK_GATE_OF_STEPS = Control("weak gate", "every step's margin is the predicted one, some are not positive")
SHARED_POSITIONS = Control(
    "one position code for keys and queries",
    "relation i and entity i tie; every step's margin is the predicted one, some are not positive",
)
CONTIGUOUS = Control(
    "the subject right after the relations, at k < K",
    "it asks for nothing: every margin is that of uniform attention, some are not positive",
)
CORRUPTED_KEYS = Control(
    "one key coordinate dropped",
    "every single step passes, chains fail, and the induction certificate refuses",
)
CORRUPTED_TOKENS = Control(
    "one relation's token given a key",
    "every single step passes, chains fail, and the induction certificate refuses",
)
ALTERED_STEP = Control("one fact altered after building", "exactly that step is wrong")
SOFTER_CONTEXT = Control(
    "softmax at half the scale",
    "the certificate falls short of the promise, and so does a context that the model is shown",
)

CHAIN_OF_THOUGHT = Claim(
    name="chain-of-thought",
    label="C3",
    title="one layer and R m + 2 q dimensions answer any number of hops, step by step",
    statement=r"""Let $\pi_1, \dots, \pi_R$ be functions of $N$ entities, $q = \max(1, \lceil \log_2 K
\rceil)$ and $p_1, \dots, p_K$ distinct words of $q$ signs. The prompt is $[r_1, \dots, r_k,
\mathrm{pad}^{K-k}, s]$, $k \le K$, where a pad embeds to 0 (or its positions are left out); the model's
own answers are appended to it. Relation $t$ stands at position $t - 1$ and the $i$-th entity at position
$K + i - 1$, even if $k < K$. In $R m + 2q$ dimensions ($m$ more with a readout) one layer with one head
answers $\pi_{r_i}(x)$ at every step $i \le k$, $x$ the $i$-th entity, with the same weights for every $k
\le K$. $W_E[s]$ and $W_E[r]$ are C1's: the words $v(\pi_r(s))$ in blocks, gate on block $r$; $W_{pos}$
holds $p_t$ on $q$ key coordinates at position $t - 1$, and on $q$ query coordinates at $K + t - 1$. $W_Q$
reads the queries with factor $\beta$ (1 for hard attention), $W_K$ the keys, $W_V$ the blocks, and $W_O$
writes them back with factor 2. The MLP turns each block coordinate into $\max(z, 2\,\mathrm{gate} + lo)$:
$b_{out}$ is $-2\, \mathrm{gate}$ on block 1 and $-(2\,\mathrm{gate} + lo)$ on the others, and $W_U$ reads
$v_a$ off every block; or, with a readout, it is C1's. $b_U$ as C1. With hard attention, $\mathrm{gate}
\ge V/2$, the margin of a step is half the squared distance from its answer's word to the nearest other
word, at least $D/2$. With softmax, sign codes, gate $> 1$, $\varepsilon^* = \min((1 - 2\mu/D)/(2(1 +
\mathrm{gate})), 1 - 1/\mathrm{gate})$ and $\beta$ such that $S = (1 + e^{-2\beta})^q - 1 + K e^{-\beta q}
\le \varepsilon^* / (1 - \varepsilon^*)$, it is at least $\mu$ in every context, pads included.""",
    hypotheses=(
        TWO_ATTRIBUTES,
        ENTITIES,
        INJECTIVE_CODE,
        GATE_HALF_SPREAD,
        SIGNS_IF_SOFT,
        GATE_IF_SOFT,
        margin_if_soft(),
    ),
    predicted=one_layer(
        (R + separate) * m + 2 * _POSITION,
        R * m,
        min_margin=Piecewise((promise, SOFT), (D / 2, True)),
        subject_bits=R * m * ceiling(log(levels, 2)),
    ),
    proof=r"""Tokens write to neither keys nor queries; relation $t$ has key $p_t$, the $i$-th entity
query $p_i$. At step $i$ relation $t$ scores $\beta \langle p_i, p_t \rangle$ and entities $0$: relation
$i$ leads by at least $\beta \min(2, q)$. Hard attention adds twice its gate to the current entity, and
the rest is C1 or C1'. Softmax leaves at most $\varepsilon \le S/(1+S)$ off relation $i$: against its
weight relation $j$ (or a pad) has $e^{-2\beta\,\mathrm{dist}(i,j)}$, at most $\binom{q}{t}$ words are at
distance $t$ and $K - 1$ at any, and each of at most $K$ entities has $e^{-\beta q}$, which sum to $S$ at
most; coordinates of the block asked for deviate by $[-2\varepsilon(1+\mathrm{gate}), 0]$, others by
$[-2\varepsilon, 2\varepsilon\,\mathrm{gate}]$. For $\varepsilon \le 1 - 1/\mathrm{gate}$ the others stay
at or below the level $2\,\mathrm{gate} - 1$, so that they are silent; a coordinate $-1$ reads $-1$ and
$+1$ reads at least $1 - 2\varepsilon(1+\mathrm{gate})$. Answers are tokens, embedded anew at the next
step: errors do not accumulate.""",
    source="theory/pages/c3.md, C3 (derived there; in place with the level 2 gate + lo)",
    controls=(
        WEAK_GATE_OF_STEPS,
        SHARED_POSITIONS,
        CONTIGUOUS,
        CORRUPTED_KEYS,
        CORRUPTED_TOKENS,
        ALTERED_STEP,
        SOFTER_CONTEXT,
    ),
    parameters=("hops", "attention", "margin", "gate", "code_length", "readout"),
    notation={
        r"\beta": "factor on the scores",
        "S": "weight off the asked relation, relative to its own, at most",
        "e": "base of the natural logarithm",
        "i": "step, from 1",
        "k": "hops asked, at most K",
        r"\mu": "promise: margin that softmax attention keeps",
        "p": "position words of q signs, distinct",
        "q": "signs of a position word",
        r"\varepsilon": "attention weight off the asked relation, at most",
    },
)


def inverse_temperature(margin: float, *, distance: int, gate: float, max_hops: int) -> float:
    """beta: the least multiple of 1/1024, as the factor on the scores, with which softmax keeps a margin.

    It makes S(beta) = min((1 + e^(-2 beta))^q - 1, (K-1) e^(-2 beta)) + K e^(-beta q), the weight off the
    relation asked for against its own, at most eps*/(1 - eps*).

    The margin is mu, distance D, the least squared distance from an answer's word to another; sign codes.

    Raises:
        ValueError: a margin that is not between 0 and D/2, or a gate of at most 1.

    Example:
        >>> inverse_temperature(1.0, distance=4, gate=1.25, max_hops=16)
        1.8037109375
    """
    if not 0 < margin < distance / 2:
        raise ValueError(f"softmax keeps a margin between 0 and {distance / 2:g}, not {margin:g}")
    if not gate > 1:
        raise ValueError(f"softmax needs a gate above 1, got {gate:g}")
    values = {promise: Fraction(margin), D: Fraction(distance), _GATE: Fraction(gate)}
    leak = float(evaluated(LEAK, values))
    q = max(1, (max_hops - 1).bit_length())

    def strays(beta: float) -> float:
        words = min(math.expm1(q * math.log1p(math.exp(-2 * beta))), (max_hops - 1) * math.exp(-2 * beta))
        return words + max_hops * math.exp(-beta * q)

    return least_scale(strays, leak)


def readout_shared_positions(v: Floats, gate: float) -> Floats:
    """What C3 reads, with sign codes, where relation i and entity i share one position code.

    The head averages the two: it adds gate to the block asked for and the entity's own signs to all.

    Of v, the words of the facts, shape (R, N, m), at half the lift that hard attention would give.
    """
    level = 2 * gate - 1
    others = np.maximum(0.0, 2 * v - level)
    asked = np.maximum(0.0, 2 * v + gate - level)
    total: NDArray[np.float64] = others.sum(axis=0) - others + asked - 1.0
    return total


def readout_contiguous(v: Floats, gate: float, asked: NDArray[np.int64]) -> Floats:
    """What C3 reads at step 1, with sign codes, if the subject stands at position k < K, which has no query.

    The head averages the k + 1 tokens: blocks hold v (1 + 2/(k+1)), and for every relation token of their own
    2 gate/(k+1) more.

    Of v, the words of the facts, shape (R, N, m), at half the lift that hard attention would give; asked are
    the relations of each query, shape (queries, k). Shape (queries, N, m).
    """
    share = 2 / (asked.shape[1] + 1)
    level = 2 * gate - 1
    lifts = np.array([(asked == r).sum(axis=1) for r in range(len(v))])[:, :, None, None] * gate * share
    read: NDArray[np.float64] = np.maximum(0.0, v[:, None] * (1 + share) + lifts - level).sum(axis=0) - 1.0
    return read
