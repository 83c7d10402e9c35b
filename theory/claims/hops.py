"""C5: hops without a chain of thought: composed, sequential, hybrid.

Beside the claims stands what the same weights read, at any gate, with a memory of another threshold, or with
a state that is not erased. Arrays over blocks, B = R^j strings of j relations, come first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.claims.chain_of_thought import ENTITIES
from georecall.theory.claims.claim import Claim, Control, Hypothesis, PerLayer, one_layer
from georecall.theory.claims.formulas import And, Eq, Max, Min, Mod, Piecewise, ceiling, floor, log
from georecall.theory.claims.single_hop import GATE_HALF_SPREAD, INJECTIVE_CODE, TWO_ATTRIBUTES, WEAK_GATE
from georecall.theory.claims.softmax import GATE_IF_SOFT, SIGNS_IF_SOFT, SOFT, SOFTER, margin_if_soft
from georecall.theory.claims.symbols import (
    D,
    N,
    R,
    V,
    c,
    k,
    layer,
    levels,
    m,
    merged,
    promise,
    separate,
    soft,
    typed,
)
from georecall.theory.tools.arrays import Floats

_DERIVED = "theory/pages/c5.md, {} (derived there)"
_BITS = ceiling(log(levels, 2))
_ONE_LAYER_PER_HOP, _TYPED = Eq(merged, 1), Eq(typed, 1)
_SHORT, _N_LONG = floor(k / c), Mod(k, c)  # stages are floor(k/c) hops long, the first few 1 more
_LONGEST = ceiling(k / c)  # j


def _length(stage: Any) -> Any:
    """How many hops a stage takes, numbered from 1."""
    return _SHORT + Piecewise((1, stage <= _N_LONG), (0, True))


def _if(condition: Any, value: Any) -> Any:
    return Piecewise((value, condition), (0, True))


SIGN_CODE = Hypothesis("a sign code", And(Eq(V, 2), Eq(levels, 2)))

DROPPED_BLOCK = Control(
    "one block of the subjects' embeddings dropped",
    "exactly the queries whose first letters are that block's string are wrong, with margin 0",
)
CORRUPTED_BLOCK = Control(
    "one embedding coordinate moved to a neighbouring word",
    "exactly that query is wrong, and its answer is the neighbour",
)
SILENT_MEMORY = Control(
    "memory threshold m in place of m - 1",
    "no entity is remembered: the model answers what the first stage reached",
)
LOW_THRESHOLD = Control("memory threshold m - 3 in place of m - 1", "every margin is the predicted one")
STATE_KEPT = Control("state not erased", "every margin is the predicted one, some are not positive")
CORRUPTED_MEMORY = Control(
    "one remembered coordinate moved to a neighbouring word",
    "exactly the queries that pass through that entity and block are wrong",
)
_OF_MEMORIES = (WEAK_GATE, DROPPED_BLOCK, SILENT_MEMORY, LOW_THRESHOLD, STATE_KEPT, CORRUPTED_MEMORY)

KEPT = Piecewise((promise, SOFT), (D / 2, True))  # the margin
_SOFT = (SIGNS_IF_SOFT, GATE_IF_SOFT, margin_if_soft())
SOFT_NOTATION = {
    r"\beta": "factor on the scores",
    r"\mu": "promise: margin that softmax attention keeps",
    r"\varepsilon": "attention weight off the position meant, at most",
    "S": "weight off the position meant, relative to its own, at most",
    "e": "base of the natural logarithm",
    "i": "a distance between positions",
}


COMPOSED_HOPS = Claim(
    name="composed-hops",
    label="C5(a)",
    title="one layer answers k hops from R^k blocks",
    statement=r"""Let $\pi_1, \dots, \pi_R$ be functions of $N$ entities (typed: $R$ of its own for each hop,
rows $(t-1)R$ to $tR - 1$ of the table), $v$ an injective code of spread $V$ and $\mathrm{gate} \ge V/2$.
With hard attention, one layer answers every query $[s, r_1, \dots, r_k]$, at positions $0..k$. Coordinates:
a block of $m$ for each of the $R^k$ strings of relations, a readout of $m$ (unless in place), $R$ letters,
$k + 1$ positions. $W_E[s]$ holds the word of the answer to every string, $W_E$ of a relation 1 on its
letter, $W_{pos}$ the identity. Heads $t = 0..k$ score position $j$ with $-|j - t|$; head 0 copies all
blocks, head $t$ adds $2\,\mathrm{gate}$ to the blocks whose $t$-th letter is the one that it reads. Neurons
$\mathrm{ReLU}(x - (2\,\mathrm{gate}\,k + lo))$ write to the readout, where $b_{out} = lo$; in place they
turn $z$ into $\max(z, 2\,\mathrm{gate}\,k + lo)$, with $b_{out} = -2\,\mathrm{gate}\,k$ on the first block
and $-(2\,\mathrm{gate}\,k + lo)$ on the others. $W_U$ reads $v_a$ off the readout (off every block), $b_U$
as C1. The margin of a query is half the squared distance from its answer's word to the nearest other word,
the least is $D/2$. With softmax, signs and gate $> 1$, scores $-\beta |j - t|$ and $S =
\sum_{i \le \lfloor k/2\rfloor} e^{-\beta i} + \sum_{i \le \lceil k/2\rceil} e^{-\beta i}$, at most
$S/(1+S)$ of a head's weight strays; if that is at most $\varepsilon^* = \min((1 -
2\mu/D)/(1 + 2\,\mathrm{gate}\,k), 1 - 1/\mathrm{gate})$, every margin is at least $\mu$.""",
    hypotheses=(TWO_ATTRIBUTES, ENTITIES, INJECTIVE_CODE, GATE_HALF_SPREAD, *_SOFT),
    predicted=one_layer(
        (R**k + separate) * m + R + k + 1, R**k * m, min_margin=KEPT, subject_bits=R**k * m * _BITS
    ),
    proof=r"""A block that at most $k - 1$ letters match holds at most $hi + 2\,\mathrm{gate}(k-1) \le
2\,\mathrm{gate}\,k + lo$: its neurons are silent. The one that all match gives $v - lo$; the bias adds
$lo$. In place the neurons turn $z$ into $\max(z, 2\,\mathrm{gate}\,k + lo)$, which is the same for all
other blocks. Softmax: each letter lifts its blocks by at most $2\,\mathrm{gate}\,\varepsilon$ less and
others by as much more, the copy is off by $\varepsilon$; a block that a letter does not match stays at or
below the level if $\mathrm{gate}(1 - \varepsilon) \ge 1$, and the one asked for reads its signs, off
inwards by at most $\varepsilon(1 + 2\,\mathrm{gate}\,k)$: so much of the margin, as a share, is lost.""",
    source=_DERIVED.format("C5(a)"),
    controls=(WEAK_GATE, DROPPED_BLOCK, CORRUPTED_BLOCK, SOFTER),
    parameters=("hops", "typed", "attention", "margin", "gate", "code_length", "readout"),
    notation=SOFT_NOTATION | {"j": "a position"},
)

SEQUENTIAL_HOPS = Claim(
    name="sequential-hops",
    label="C5(b)",
    title="2k - 1 layers answer k hops, a memory of N neurons between two",
    statement=r"""Let $\pi_1, \dots, \pi_R$ be functions of $N$ entities (typed: $R$ of its own for each hop),
$u$ an injective code of signs and $\mathrm{gate} \ge 1$. With hard attention, $2k - 1$ layers in $(R+1)m +
R + k + 1$ dimensions answer every query $[s, r_1, \dots, r_k]$. Layout, embeddings, positions and heads are
those of C5(a) for strings of one letter: $W_E[s]$ is the state $(u(\pi_1(s)), \dots, u(\pi_R(s)))$. Layer
$2t - 1$: a head lifts the block of $r_t$ by $2\,\mathrm{gate}$ (in layer 1 another has copied the subject);
neurons $\mathrm{ReLU}(x - (2\,\mathrm{gate} - 1))$ read the next entity's word into the readout, $b_{out} =
-1$ there, and for $t < k$ neurons $\mathrm{ReLU}(x + 1)$ are subtracted from the state, $b_{out} = 1$
there, which erases it. Layer $2t$, MLP alone: for each entity $x$ a neuron $\mathrm{ReLU}(\langle u(x),
\mathrm{readout}\rangle - (m-1))$ writes its embedding $(u(\pi_1(x)), \dots, u(\pi_R(x)))$ (typed: of hop $t
+ 1$) to the state and $-u(x)$ to the readout. Selectors have weight $-1$ from position 0, if $k > 1$.
Merged, $k$ layers in $(R+1)m + 2R + k + 1$ dimensions do: a head copies $r_t$ to $R$ coordinates asked,
neurons $\mathrm{ReLU}(\langle u(x), \mathrm{block}_r\rangle + \mathrm{asked}_r - m)$ write $x$'s embedding
to the state (weight $-m$ from position 0), and state and asked are erased; the last layer is the selector,
lifted by $2\,\mathrm{gate}\,\mathrm{asked}_r$. $W_U$ reads $u(a)$ off the readout, $b_U = 0$. The margin of
a query is half the squared distance from its answer's word to the nearest other word, the least is $D/2$.
With softmax as in C5(a), gate $> 1$, all that a memory reads or does goes through pairs of neurons $2
\mathrm{ReLU}(z - q) - 2 \mathrm{ReLU}(z - 3q)$ in place of $\mathrm{ReLU}(z) \in \{0, 4q\}$ (selectors $q
= 1/2$; merged, the memory's neurons, $q = 1/4$), and every margin is at least $\mu$ if at most
$\varepsilon^* = \min((1 - 2\mu/D)/(2\,\mathrm{gate}), 1/(2 + 4\,\mathrm{gate}), 1 - 1/\mathrm{gate})$,
merged also $1/(4(m+1))$, of a head's weight strays ($k = 1$: as C5(a)).""",
    hypotheses=(TWO_ATTRIBUTES, ENTITIES, INJECTIVE_CODE, SIGN_CODE, GATE_HALF_SPREAD, *_SOFT),
    predicted={
        "d_model": (R + 1) * m + R + k + 1 + merged * R,
        "d_mlp": Piecewise(
            (R * m, Eq(k, 1)),
            ((1 + soft) * R * N + R * m + R, _ONE_LAYER_PER_HOP),
            (Max((2 + soft) * R * m, N), True),
        ),
        "d_mlp_per_layer": PerLayer(
            Piecewise(
                (R * m, And(_ONE_LAYER_PER_HOP, Eq(layer, k))),
                ((1 + soft) * R * N + R * m + R, _ONE_LAYER_PER_HOP),
                (R * m, Eq(layer, 2 * k - 1)),
                (N, Eq(Mod(layer, 2), 0)),
                ((2 + soft) * R * m, True),
            ),
            Piecewise((k, _ONE_LAYER_PER_HOP), (2 * k - 1, True)),
        ),
        "n_layers": Piecewise((k, _ONE_LAYER_PER_HOP), (2 * k - 1, True)),
        "min_margin": KEPT,
        "subject_bits": R * m * _BITS,
        "other_bits": N * R * m * Piecewise((k - 1, _TYPED), (Min(k - 1, 1), True)),
    },
    proof=r"""A selector is C1 on the state; $\mathrm{ReLU}(x + 1)$, lifted or not, is $x + 1$, so that
taking it off and adding $1$ leaves $0$. For signs $\langle u(x), u(y)\rangle = m - 2 d$ at Hamming distance
$d$: of the memory's neurons only that of the entity reached fires, with value $1$. So before hop $t$ the
state is that entity's embedding and the code is $0$, as at hop 1. Untyped memories are all equal.
Softmax: coordinates read are off their signs, inwards, by at most $\varepsilon(1 + 2\,\mathrm{gate}) \le
1/2$, where a pair of neurons gives exactly $0$ or $2$; merged, a memory's neuron is off by at most
$\varepsilon(m + 1) \le 1/4$. What lies between $-1$ and $1$ or above is erased exactly. So every state is
exact, and only the last selector loses, as in C5(a), $2\,\mathrm{gate}\,\varepsilon$.""",
    source=_DERIVED.format("C5(b)"),
    controls=(*_OF_MEMORIES, SOFTER),
    parameters=("hops", "typed", "merged", "attention", "margin", "gate", "code_length"),
    notation=SOFT_NOTATION
    | {
        "q": "a quarter of what a neuron gives where it fires",
        "z": "what a neuron reads",
        "x": "an entity; inside a neuron that reads one coordinate, that coordinate",
    },
)

HYBRID_HOPS = Claim(
    name="hybrid-hops",
    label="C5(c)",
    title="2c - 1 layers answer k hops from R^ceil(k/c) blocks",
    statement=r"""Let $\pi_1, \dots, \pi_R$ be functions of $N$ entities (typed: $R$ of its own for each hop),
$u$ an injective code of signs and $\mathrm{gate} \ge 1$, and $1 \le c \le k$. With hard attention, $2c - 1$
layers in $(R^j + 1)m + R + k + 1$ dimensions, $j = \lceil k/c \rceil$, answer every query $[s, r_1, \dots,
r_k]$: $c$ stages of balanced lengths, the longest first. A stage of $i$ hops is C5(a)'s layer on the first
$R^i$ blocks, with heads at its own positions, neurons $\mathrm{ReLU}(x - (2\,\mathrm{gate}\,i - 1))$ into
the readout, and, but for the last stage, the erasure of these blocks as in C5(b). Between two stages stands
C5(b)'s memory of $N$ neurons, which writes the words of the next stage's strings of relations to the blocks
and takes the code off the readout. Selectors have weight $-1$ from position 0 if $c > 1$. $W_E$, $W_{pos}$
as C5(a) with the first stage's strings; $W_U$ reads $u(a)$ off the readout, $b_U = 0$. The margin of a
query is half the squared distance from its answer's word to the nearest other word, the least is $D/2$.
With softmax as in C5(a), selectors before a memory are pairs of neurons as in C5(b), and every margin is at
least $\mu$ if at most $\varepsilon^* = \min((1 - 2\mu/D)/(2\,\mathrm{gate} \lfloor k/c\rfloor), 1/(2 +
4\,\mathrm{gate}\,j), 1 - 1/\mathrm{gate})$ of a head's weight strays ($c = 1$: as C5(a)).""",
    hypotheses=(TWO_ATTRIBUTES, ENTITIES, INJECTIVE_CODE, SIGN_CODE, GATE_HALF_SPREAD, *_SOFT),
    predicted={
        "d_model": (R**_LONGEST + 1) * m + R + k + 1,
        "d_mlp": Piecewise((R**k * m, Eq(c, 1)), (Max((2 + soft) * R**_LONGEST * m, N), True)),
        "d_mlp_per_layer": PerLayer(
            Piecewise(
                (R**_SHORT * m, Eq(layer, 2 * c - 1)),
                (N, Eq(Mod(layer, 2), 0)),
                ((2 + soft) * R ** _length((layer + 1) / 2) * m, True),
            ),
            2 * c - 1,
        ),
        "n_layers": 2 * c - 1,
        "min_margin": KEPT,
        "subject_bits": R**_LONGEST * m * _BITS,
        "other_bits": N
        * m
        * Piecewise(
            (_N_LONG * R ** (_SHORT + 1) + (c - _N_LONG) * R**_SHORT - R**_LONGEST, _TYPED),
            (_if(c >= 2, R**_SHORT) + _if(_N_LONG >= 2, R ** (_SHORT + 1)), True),
        ),
    },
    proof=r"""C5(a) inside a stage, C5(b) between two: after a stage the readout holds the code of the
entity that its string reaches, and the state, lifted by whatever number of letters, is erased to $0$. The
memory is that of C5(b), with the codes of the next stage's $R^{j'}$ strings for an embedding. Untyped
memories before stages of one length are equal. Softmax as in C5(b): every state is exact.""",
    source=_DERIVED.format("C5(c)"),
    controls=(*_OF_MEMORIES, SOFTER),
    parameters=("hops", "stages", "typed", "attention", "margin", "gate", "code_length"),
    notation=SOFT_NOTATION
    | {"i": "hops of one stage, or a distance between positions", "j": "hops of the longest stage"},
)


def matches(R: int, hops: int) -> NDArray[np.int64]:
    """How many letters two strings of relations have in common, place by place: shape (R^hops, R^hops).

    Example:
        >>> matches(2, 2).tolist()
        [[2, 1, 1, 0], [1, 2, 0, 1], [1, 0, 2, 1], [0, 1, 1, 2]]
    """
    strings = np.arange(R**hops)[:, None] // R ** np.arange(hops - 1, -1, -1) % R
    return np.asarray((strings[:, None] == strings).sum(axis=2))


def readout_composed(v: Floats, gate: float, *, R: int, hops: int, lo: float) -> Floats:
    """What C5(a) reads at any gate: from block w, max(0, v_w + 2 gate (matches - hops) - lo), plus lo.

    Of v, the words of the answers, shape (R^hops, N, m), comes the same, the string asked for first.
    """
    lifts = 2 * gate * (matches(R, hops) - hops)[:, :, None, None]
    total: Floats = np.maximum(0.0, v + lifts - lo).sum(axis=1) + lo
    return total


def readout_two_stages(
    first: Floats,
    second: Floats,
    words: Floats,
    gate: float,
    *,
    R: int,
    lengths: tuple[int, int],
    threshold: float,
    erased: bool = True,
) -> Floats:
    """What C5(b) and C5(c) read with two stages and sign codes, whole or broken.

    First are the words that the strings of the first stage reach, shape (B1, N, m), second those of the
    second, (B2, N, m), B2 <= B1; words u, (N, m); lengths the hops of both. The threshold of the memory's
    neurons is m - 1 in the claim; erased, whether the first stage erases the state. Shape (B1, B2, N, m).
    """
    B2, N, m = second.shape
    code = readout_composed(first, gate, R=R, hops=lengths[0], lo=-1)
    fires = np.maximum(0.0, code @ words.T - threshold)  # (B1, N, entity)
    state = (fires @ second.swapaxes(0, 1).reshape(N, B2 * m)).reshape(len(first), N, B2, m)
    if not erased:
        lifts = 2 * gate * matches(R, lengths[0])[:, None, :B2, None]
        state = state + first[:B2].swapaxes(0, 1) + lifts
    code = code - fires @ words
    lifts = 2 * gate * (matches(R, lengths[1]) - lengths[1])[:, None, None, :, None]
    read = np.maximum(0.0, state + lifts + 1).sum(axis=3).swapaxes(0, 1)  # (B1, B2, N, m)
    total: Floats = code[:, None] + read - 1
    return total
