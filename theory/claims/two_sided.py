"""C10: facts in the subjects' embeddings and in the unembedding, and what both must hold together."""

from typing import Any

from georecall.theory.claims.chain_of_thought import ENTITIES
from georecall.theory.claims.claim import Claim, Control, Hypothesis, PerLayer
from georecall.theory.claims.counting import BIJECTIONS
from georecall.theory.claims.formulas import And, Eq, Max, Mod, Piecewise, ceiling, factorial, floor, log
from georecall.theory.claims.hops import SIGN_CODE, SOFT_NOTATION
from georecall.theory.claims.single_hop import GATE_HALF_SPREAD, INJECTIVE_CODE, TWO_ATTRIBUTES
from georecall.theory.claims.softmax import GATE_IF_SOFT, SOFT, SOFTER, margin_if_soft
from georecall.theory.claims.symbols import N, R, c, k, layer, m, merged, named, natural, promise, soft, typed

_SOURCE = "theory/pages/c10.md, C10 (derived there)"
a = natural("a", "hops answered by the embeddings")
balanced = natural("balanced", "1 where the middle letter decides, else 0")
middle = named(
    "D_z", "least squared distance from the word of an entity in the middle to another", nonnegative=True
)
unmet = natural("lost", "relations that W_U inverts, or r*, and that are no bijections")

_q, _left, _right = (k - 1) / 2, ceiling(R / 2), R - ceiling(R / 2)
_BALANCED, _ONE_STAGE, _MERGED = Eq(balanced, 1), Eq(c, 1), Eq(merged, 1)
_SHORT, _N_LONG = floor(a / c), Mod(a, c)


def _blocks(stage: Any) -> Any:
    """R^(hops of a stage on the left, numbered from 1): the first few are 1 longer."""
    return R ** (_SHORT + Piecewise((1, stage <= _N_LONG), (0, True)))


_A = Piecewise((_left * R**_q, _BALANCED), (_blocks(1), True))
_B = Piecewise(((1 + _right) * R**_q, _BALANCED), (R ** (k - a), True))
_LAST = Piecewise((_A, _ONE_STAGE), (R**_SHORT, True))  # blocks of the last stage

BIJECTIONS_INVERTED = Hypothesis("every relation that W_U inverts, and r*, is a bijection", Eq(unmet, 0))

ALTERED_OUTPUT = Control(
    "one inverse code in W_U moved to a neighbouring word",
    "the queries that end there fail, and those that it now wins; no other",
)
NOT_BIJECTIVE = Control(
    "a table in which one relation is no bijection",
    "the construction refuses it; the words of any inverse answer some query wrongly",
)
SWAPPED = Control(
    "prefix and suffix swapped", "exactly the queries whose answer is the same either way are right"
)
QUANTISED = Control(
    "embeddings cut below the floor", "fewer bits than the floor at these tables, and a query is lost"
)

_STATEMENT = r"""Let $\pi_1, \dots, \pi_R$ be functions of $N$ entities (typed: $R$ of its own for each
hop), those that $W_U$ inverts bijections, $u$ an injective code of signs and $\mathrm{gate} \ge 1$. With
hard attention two layers answer every query $[s, r_1, \dots, r_k]$, at positions $0..k$, $k = a + b$.
$W_E[s]$ holds $u(\pi_w(s))$ in a block for each of the $A$ strings $w$ of $a$ letters ($a = 0$: $u(s)$),
$W_U[:, y]$ the word $u(\pi_v^{-1}(y))$ in an output block for each of the $B$ strings $v$ of $b$ letters;
$b_U = 0$. Coordinates: $\max(A, B)$ blocks, in which both share the residual (merged: $A + B$), $R$
letters, $k + 1$ positions, $B$ gates. Heads $t = 0..k$ as in C5(a): head 0 copies the blocks, head $t$
adds $2\,\mathrm{gate}$ to every block and gate whose string has $r_t$ there. Layer 1: neurons
$\mathrm{ReLU}(x - (2\,\mathrm{gate}\,a - 1))$ write $u(z)$, $z = \pi_w(s)$, to block 1, others erase all
blocks. Layer 2: neurons $\mathrm{ReLU}(u_i(z) + g_v - (2\,\mathrm{gate}\,b - 1))$ less $\mathrm{ReLU}(g_v
- (2\,\mathrm{gate}\,b - 1))$ write $u(z)$ to output block $v$ if its gate is open, and block 1 is erased.
Merged: neurons $\mathrm{ReLU}(x_w + g_v - (2\,\mathrm{gate}\,k - 1))$ for every $w$ and $v$ in one layer.
Every margin is half the squared distance from $u(z)$ to the nearest other word, the least is $D_z/2$. For
odd $k = 2q + 1$, unless split otherwise, *the middle letter decides*: of hop $q + 1$ the first $\lceil
R/2\rceil$ letters are on the left, in blocks $u(\pi_r \pi_w(s))$, the others on the right, in output
blocks $u(\pi_{r^*} (\pi_v \pi_r)^{-1}(y))$, $r^*$ a letter on the left, a bijection too, whose blocks
they lift; every block and gate waits for $q + 1$ letters, and $\max(A, B) = \lceil (R+1)/2\rceil R^q$.
With $c$ stages on the left, $c - 1$ memories between them as in C5(c) and a readout, $2c$ layers do.
With softmax as in C5(a), gate $> 1$, selectors before a memory pairs of neurons as in C5(b), every margin
is at least $\mu$ if at most $\varepsilon^* = \min((1 - 2\mu/D_z)/\max(1 + 2\,\mathrm{gate}\,a,
2\,\mathrm{gate}\,b), 1 - 1/\mathrm{gate})$ of a head's weight strays, $a$ and $b$ the letters that blocks and
gates wait for; with $c > 1$ also $1/(2 + 4\,\mathrm{gate}\,a_1)$, and $2\,\mathrm{gate}\,a_c$ in place of
$1 + 2\,\mathrm{gate}\,a$, $a_i$ the letters of stage $i$."""

TWO_SIDED_HOPS = Claim(
    name="two-sided-hops",
    label="C10",
    title="facts on both sides: R^ceil(k/2) blocks, no memory, two layers",
    statement=_STATEMENT,
    hypotheses=(
        TWO_ATTRIBUTES,
        ENTITIES,
        INJECTIVE_CODE,
        SIGN_CODE,
        GATE_HALF_SPREAD,
        BIJECTIONS_INVERTED,
        GATE_IF_SOFT,
        margin_if_soft(middle),
    ),
    predicted={
        "d_model": Piecewise(
            ((_A + _B) * m, And(_ONE_STAGE, _MERGED)),
            (Max(_A, _B) * m, _ONE_STAGE),
            ((Max(_A, _B) + 1) * m, True),
        )
        + R
        + k
        + 1
        + _B,
        "d_mlp": Piecewise(
            (_A * _B * m + _B, And(_ONE_STAGE, _MERGED)),
            (Max(2 * _A * m, (_B + 1) * m + _B), _ONE_STAGE),
            (Max((2 + soft) * _A * m, N, _LAST * _B * m + _B + _LAST * m), _MERGED),
            (Max((2 + soft) * _A * m, N, _B * m + _B), True),
        ),
        "d_mlp_per_layer": PerLayer(
            Piecewise(
                (_A * _B * m + _B, And(_ONE_STAGE, _MERGED)),
                ((_B + 1) * m + _B, And(_ONE_STAGE, Eq(layer, 2))),
                (_LAST * _B * m + _B + _LAST * m, And(_MERGED, Eq(layer, 2 * c - 1))),
                (_B * m + _B, Eq(layer, 2 * c)),
                (N, Eq(Mod(layer, 2), 0)),
                (2 * _LAST * m, Eq(layer, 2 * c - 1)),
                ((2 + soft) * _blocks((layer + 1) / 2) * m, True),
            ),
            2 * c - merged,
        ),
        "n_layers": 2 * c - merged,
        "min_margin": Piecewise((promise, SOFT), (middle / 2, True)),
        "subject_bits": Piecewise((0, And(Eq(a, 0), Eq(balanced, 0))), (_A * m, True)),
        "other_bits": N
        * m
        * (
            Piecewise((_right, And(_BALANCED, Eq(k, 1))), (0, And(Eq(balanced, 0), Eq(a, k))), (_B, True))
            + Piecewise(
                (0, _ONE_STAGE),
                (_N_LONG * R ** (_SHORT + 1) + (c - _N_LONG) * R**_SHORT - _A, Eq(typed, 1)),
                (R**_SHORT + Piecewise((R ** (_SHORT + 1), _N_LONG >= 2), (0, True)), True),
            )
        ),
    },
    proof=r"""A block with all its letters gives $u + 1$, one with fewer at most $1 + 2\,\mathrm{gate}(a-1) -
2\,\mathrm{gate}\,a + 1 \le 0$: so $u(z)$. At an output block all letters give $\mathrm{ReLU}(u_i + 1) -
\mathrm{ReLU}(1) = u_i$, fewer $0 - 0$. The logit of $y$ is $\langle u(\pi_v^{-1}(y)), u(z)\rangle$, and
$\pi_v^{-1}$ runs over all entities once. The middle letter: $r$ on the left reads $u(\pi_r\pi_w(s))$ against
$\pi_v^{-1}(y)$; $r$ on the right reads $u(\pi_{r^*}\pi_w(s))$ against $\pi_{r^*}(\pi_v\pi_r)^{-1}(y)$.
Softmax: $u(z)$ is read as in C5(a), signs off inwards by at most $d = \varepsilon(1 + 2\,\mathrm{gate}\,a)$;
the gate asked for falls short by some $s \le 2\,\mathrm{gate}\,\varepsilon b$, and its output block reads
$\mathrm{ReLU}(u_i + 1 - s) - \mathrm{ReLU}(1 - s)$: off inwards by at most $\max(d, s)$; others stay shut if
$\mathrm{gate}(1 - \varepsilon) \ge 1$.""",
    source=_SOURCE,
    controls=(ALTERED_OUTPUT, NOT_BIJECTIVE, SWAPPED, QUANTISED, SOFTER),
    parameters=("hops", "split", "stages", "typed", "merged", "attention", "margin", "gate", "code_length"),
    notation=SOFT_NOTATION
    | {
        "d": "how far the word in the middle is off",
        "A": "blocks of an embedding",
        "B": "output blocks",
        "b": "hops answered by W_U",
        "g": "g_v: gate coordinate of output block v",
        "q": "(k - 1)/2",
        "v": "a string of last letters",
        "w": "a string of first letters",
        "y": "an answer",
        "z": "the entity in the middle",
    },
)

SINGLE_HOP_SPLIT = Claim(
    name="single-hop-split",
    label="C10, k = 1",
    title="one hop with half of the relations in W_U: ceil((R+1)/2) m + R + 2 + B dimensions",
    statement=r"""C10 at $k = 1$, where the middle letter decides: $W_E[s]$ holds $u(\pi_r(s))$ for the
first $\lceil R/2\rceil$ relations $r$, $W_U[:, y]$ holds $u(y)$ and $u(\pi_{r^*} \pi_r^{-1}(y))$ for
every other one. These and $r^* = 1$ are bijections (if $R > 1$), the others may be any functions. Prompt
$[s, r]$, hard attention.
For $R \ge 3$ and large $N$ the embeddings alone hold fewer bits than C4 asks of embeddings alone: $W_U$
has the other half of the facts.""",
    hypotheses=TWO_SIDED_HOPS.hypotheses,
    predicted=TWO_SIDED_HOPS.predicted,
    proof=TWO_SIDED_HOPS.proof,
    source=_SOURCE,
    controls=(ALTERED_OUTPUT, NOT_BIJECTIVE, QUANTISED, SOFTER),
    parameters=("merged", "attention", "margin", "gate", "code_length"),
    notation=TWO_SIDED_HOPS.notation,
)

TWO_SIDED_BOUND = Claim(
    name="two-sided-bound",
    label="C10, floor",
    title="embeddings and unembedding together hold R^(k/2) log N bits, whatever the depth",
    statement=r"""All weights but the subject rows of $W_E$ ($L_1$ bits each) and the columns of $W_U$
with $b_U$ ($L_2$ bits each) are the same for all typed tables of bijections, but for $B$ bits; the prompt
holds no other subject, answers are not read back, and every query of every table is answered. For $a, b
\ge 0$ with $a + b = k - 1$, $U R^b \le N$, $T R^a \le N$ and $n = T R^{a-b}$ a whole number up to $U$, $T
L_1 + U L_2 + B \ge R^{b+1} \log_2 (U! / (U-n)!)$. Untyped, the same if $N \ge \max(T, U) + T R (R^a -
1)/(R-1) + U R (R^b - 1)/(R-1)$. Typed, $N (L_1 + L_2) + B \ge (k(R-1)+1) \log_2 N!$.""",
    hypotheses=(TWO_ATTRIBUTES, BIJECTIONS),
    predicted={"both_sides_bits": (k * (R - 1) + 1) * log(factorial(N)) / (N * log(2))},
    proof=r"""Fix hops $1..a$ so that $T$ subjects have $T R^a$ distinct images, and hops $a+2..k$ so that
$U$ outputs have $U R^b$ distinct preimages $q(v, y)$. For every middle relation split the images into
$R^b$ classes of $n$, one for each suffix $v$, and map class $v$ by any injection into the nodes $q(v,
\cdot)$. Which queries are answered among the $U$ outputs is the same for all these tables; on them $T$
rows and $U$ columns determine the answers, of which there are $(U!/(U-n)!)^{R^{b+1}}$ arrays.""",
    source=_SOURCE,
    controls=(QUANTISED,),
    parameters=("hops",),
    units={"both_sides_bits": "bits of a subject and an output together"},
    notation={
        "B": "bits of other weights that depend on the facts",
        "L": "L_1: bits of a subject's row, L_2: of an output's column with its bias",
        "T": "subjects counted together",
        "U": "outputs counted together",
        "a": "hops before the middle one",
        "b": "hops after the middle one",
        "n": "subjects' images in a class",
    },
)
