"""C11: why there is an MLP. Shared attributes need a selector; disjoint ones are recalled without any."""

from georecall.theory.claims.claim import Claim, Control, Hypothesis, one_layer
from georecall.theory.claims.formulas import Ge, Gt, Min
from georecall.theory.claims.single_hop import ALTERED_FACT
from georecall.theory.claims.symbols import D, R, gate, positive_integer

M = positive_integer("M", "coordinates of all relations' codes together")
most_attributes = positive_integer("A_max", "attributes of the relation that has most")

_SOURCE = "theory/pages/c11.md, C11({}) (derived there)"
_TWO_RELATIONS = Hypothesis("at least two relations", Ge(R, 2))

EQUAL_RELATIONS = Control(
    "equal relations", "an additive model, which recalls every fact through its weights"
)
ACYCLIC = Control("functions without a cycle", EQUAL_RELATIONS.expected)
DISJOINT = Control("disjoint attributes", EQUAL_RELATIONS.expected)
SELECTING_HEADS = Control(
    "heads weighted by the relation",
    "they recall what no additive model can, so the same sum of margins is not 0",
)
WITH_MLP = Control("an MLP", "it recalls what no additive model can, so the same sum of margins is not 0")
SHARED = Control("shared attributes", "every relation reads the same, every margin is the predicted one")
NO_GATE = Control("gate 0", "every fact ties with another relation's answer: all margins are 0")
ALTERED_CERTIFICATE = Control("certificate altered", "its sum is not 0, and it proves nothing")

SELECTOR_NECESSARY = Claim(
    name="selector-necessary",
    label="C11",
    title="no MLP and no attention to content: no model of any dimension recalls two bijections",
    statement=r"""Without an MLP and without normalisation, and with attention weights that do not depend on
the tokens (uniform, or by position; any number of heads and layers), the logits are additive, $f(s, a) +
g(r, a)$. If two different relations $p$ and $q$ give each attribute to equally many subjects, as two
bijections onto one set do, no additive model recalls both, in any dimension, at any precision. Two
relations of any kind have an additive model if and only if the graph with an edge $p(s) \to q(s)$ for every
$s$ (loops dropped) has no directed cycle; of more relations a linear program decides, exactly. An additive
model of two bijections errs on at least as many facts as $p^{-1} q$ has cycles of length at least 2, and
some on no more. On $R$ bijections the cross-entropy of an additive model is at least $\ln R$ less the mean
of $\ln \mathrm{mult}(r, s)$, the number of relations with the answer of $r$ at $s$, and comes as near as
wanted.""",
    hypotheses=(_TWO_RELATIONS,),
    predicted={"certificate_sum": 0},
    proof=r"""For every $s$ with $p(s) \ne q(s)$ add the margin of $(p, s)$ against $q(s)$ and that of $(q,
s)$ against $p(s)$: $f$ cancels subject by subject, and $g$ since $p$ and $q$ have the same answer counts.
The sum is 0, so some margin is not positive. So it is along a cycle; without one let $H$ number the
attributes along the edges, $f(s, \cdot)$ be large on $p(s)$ and $q(s)$, $g(p, \cdot) = -H$ and $g(q, \cdot)
= H$. Cross-entropy: Jensen over the answers about $s$; $f = \ln \mathrm{mult}$ on them and low elsewhere,
$g = 0$, comes near.""",
    source=_SOURCE.format("a"),
    controls=(EQUAL_RELATIONS, ACYCLIC, DISJOINT, SELECTING_HEADS, WITH_MLP, ALTERED_CERTIFICATE),
    units={"certificate_sum": "logits"},
    notation={
        "H": "numbers of the attributes, growing along the edges",
        "f": "what the subject adds to the logit of an attribute",
        "g": "what the relation adds to the logit of an attribute",
        "p": "a relation",
        "q": "another relation",
    },
)

DISJOINT_ATTRIBUTES = Claim(
    name="disjoint-attributes",
    label="C11",
    title="no attribute is shared: recall without an MLP, in the sum of m_r + 1 dimensions",
    statement=r"""Let relation $r$ answer from a set $A_r$ of its own, the sets disjoint, $R \ge 2$, $m_r =
\max(1, \lceil \log_2 |A_r| \rceil)$ and $\mathrm{gate} > 0$; any functions $\pi_r$. One layer without an
MLP recalls every such table: uniform attention, $x = W_E[s] + 2 W_E[r]$; $W_E[s]$ holds blocks
$u(\pi_r(s))$ of $m_r$ signs, then $R$ zeros; $W_E[r]$ is gate on the $r$-th of the $R$ last coordinates.
$W_U$ of $a \in A_r$ is $u(a)$ on block $r$ and 1 on coordinate $r$, $b_U[a] = -m_r$. The least margin is
$\min(D/2, 2\,\mathrm{gate})$, with $D$ the least squared distance of two words of one set.""",
    hypotheses=(
        _TWO_RELATIONS,
        Hypothesis("a relation with two answers", Ge(most_attributes, 2)),
        Hypothesis("a gate above 0", Gt(gate, 0)),
    ),
    predicted=one_layer(M + R, 0, min_margin=Min(D / 2, 2 * gate), subject_bits=M),
    proof=r"""The logit of $a$ in the set of $r'$ is $\langle u(a), u(\pi_{r'}(s)) \rangle - m_{r'}$, and
$2\,\mathrm{gate}$ more if $r'$ is asked for: $2\,\mathrm{gate}$ for the answer, $D/2$ less at least for
others of its set, and at most 0 elsewhere, attained by the answer of $r'$.""",
    source=_SOURCE.format("b"),
    controls=(SHARED, NO_GATE, ALTERED_FACT),
    parameters=("gate",),
    notation={"A": "A_r: the attributes of relation r", "m": "m_r: signs of a word of relation r"},
)
