"""C5(d): composing maps in a tree: depth against dimension over the whole range."""

from georecall.theory.claims.chain_of_thought import ENTITIES
from georecall.theory.claims.claim import Claim, Control, PerLayer
from georecall.theory.claims.formulas import Eq, Piecewise, ceiling, log
from georecall.theory.claims.hops import KEPT, SIGN_CODE, SOFT_NOTATION
from georecall.theory.claims.single_hop import INJECTIVE_CODE, TWO_ATTRIBUTES
from georecall.theory.claims.softmax import SOFTER, margin_if_soft
from georecall.theory.claims.symbols import N, R, k, layer, m, soft, typed

ALTERED_SLOT = Control(
    "one slot of one relation's token moved to a neighbouring word",
    "exactly the queries that the altered table answers otherwise are wrong",
)
WRONG_DISTANCE = Control(
    "one head reads the position before the one that it should",
    "every query is answered as the maps then compose; some are wrong",
)
_DEPTH = ceiling(log(k + 1, 2))
_WIDE = (1 + soft) * N**2 * m + 2 * N * m
_COPIES = Piecewise((k, Eq(typed, 1)), (1, True))

PARALLEL_HOPS = Claim(
    name="parallel-hops",
    label="C5(d)",
    title="ceil(log2(k + 1)) layers compose whole tables, which the relations' tokens carry",
    statement=r"""Let $\pi_1, \dots, \pi_R$ be functions of $N$ entities (typed: $R$ of its own for each
hop) and $u$ an injective code of signs. With hard attention $\lceil \log_2(k+1)\rceil$ layers in $2 N m +
k + 1$ dimensions answer every query $[s, r_1, \dots, r_j]$ with $j \le k$, the same weights for every
$j$, also $j = 0$. Coordinates: a table of $N$ slots of $m$, an operand likewise, $k + 1$ positions.
$W_E[s]$ holds $u(s)$ in every slot of the table, $W_E$ of a relation $u(\pi_r(x))$ in slot $x$, $W_{pos}$
the identity. The head of layer $l$ scores position $i$ from position $t$ with $-|i - \max(0, t -
2^{l-1})|$ and copies the table there to the operand here. Neurons $\mathrm{ReLU}(\langle u(y), C_x\rangle
- m + T_{y,i} + 1)$ write $T_{C_x}$ to slot $x$, $b_{out} = -1$; others erase the old table and the
operand; the last layer needs slot 0 alone. $W_U$ reads slot 0, $b_U = 0$. The margin of a query is half
the squared distance from its answer's word to the nearest other word, the least is $D/2$. With softmax,
scores $-\beta |i - \max(0, t - 2^{l-1})|$, of a head's weight at most $S/(1+S)$ strays, $S$ as in C5(a);
pairs of neurons as in C5(b) write all layers but the last, whose neurons are $\mathrm{ReLU}(2(\langle u(y),
C_0\rangle - m) + T_{y,i} + 1)$; if at most $\varepsilon^* = (1 - 2\mu/D)/(4m)$ strays, every margin is at
least $\mu$. The facts are
in the relations' tokens, each once, none in subjects or layers. Conditional: for a fixed table that
generates a non-solvable group ($R \ge 2$ random permutations of $N \ge 5$ points: with probability
tending to 1), constant depth for every $k$ at size polynomial in $k$ and logarithmically many bits would
put $\mathrm{NC}^1$ into $\mathrm{TC}^0$ (Barrington).""",
    hypotheses=(TWO_ATTRIBUTES, ENTITIES, INJECTIVE_CODE, SIGN_CODE, margin_if_soft()),
    predicted={
        "d_model": 2 * N * m + k + 1,
        "d_mlp": Piecewise((N * m + m, Eq(k, 1)), (_WIDE, True)),
        "d_mlp_per_layer": PerLayer(Piecewise((N * m + m, Eq(layer, _DEPTH)), (_WIDE, True)), _DEPTH),
        "n_layers": _DEPTH,
        "min_margin": KEPT,
        "subject_bits": 0,
        "other_bits": _COPIES * R * N * m,
    },
    proof=r"""After layer $l$ the table at position $t$ is the map of the letters at positions $t - 2^l +
1..t$, or, if that reaches position 0, the constant map to where they lead from $s$: the operand is the
map of the first half, or a constant map that is itself when composed with anything. All words in table
and operand are signs, so $\langle u(y), C_x\rangle = m$ for the one $y$ that slot $x$ names and at most
$m - 2$ else: its neurons give $T_{y,i} + 1$, all others 0. At the last position $2^l > j$ gives the
answer in every slot. Softmax: operands are off their signs, inwards, by at most $2\varepsilon$, so that the
right $y$ gives $T_{y,i} + 1$ less at most $2 \varepsilon m \le 1/2$, others at most $2\varepsilon \le 1/2$:
pairs make that $0$ or $2$ exactly, and every table is exact. In the last layer others are silent, and the
right one gives $T_{y,i} + 1$ less at most $4\varepsilon m$, if that is not negative: so much of the margin,
as a share, is lost.""",
    source="theory/pages/c5.md, C5(d) (derived there); arXiv 2210.10749, 2402.09268",
    controls=(ALTERED_SLOT, WRONG_DISTANCE, SOFTER),
    parameters=("hops", "typed", "attention", "margin", "code_length"),
    notation=SOFT_NOTATION
    | {
        "C": "operand: C_x is the word in its slot x",
        "N": "entities",
        "T": "table: T_{y,i} is coordinate i of its slot y",
        "j": "hops of a query",
        "i": "a position, or a coordinate",
        "l": "a layer, from 1",
        "y": "an entity",
    },
)
