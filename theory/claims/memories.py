"""C8: associative memories over frozen random embeddings, which geometric recall is compared with.

The two Hebbian memories are probabilistic claims: keys and features are drawn once, and over the draw of
the words u_a the table is recalled at least as often as promised. `theory.numbers.memories` bounds how often.
"""

import sympy

from georecall.theory.claims.claim import Claim, Control, Hypothesis
from georecall.theory.claims.dense import PROMISE, delta
from georecall.theory.claims.single_hop import ALTERED_FACT, INJECTIVE_CODE, SHORT_CODE, TWO_ATTRIBUTES
from georecall.theory.claims.symbols import D, N, R, levels, m

q = sympy.Symbol("q", integer=True, positive=True)  # length of a subject's name
names = sympy.Symbol("S", integer=True, positive=True)  # distinct names
width = sympy.Symbol("w", integer=True, positive=True)  # neurons of the memory layer
values = sympy.Symbol("V_W", integer=True, positive=True)  # values that an entry of the memory may take
failures = sympy.Symbol("F", nonnegative=True)  # bound on the expected number of pairs that go wrong

_BITS = sympy.ceiling(sympy.log(levels, 2))
_SOURCE = "theory/pages/c8.md, C8 (scaling: arXiv 2412.06538, Theorem {})"
_BOUND = r"""\sum_x \sum_{b \ne f(x)} \left(\tfrac12 + \tfrac12 \exp\left(-\frac{(K_a - K_b)_+^2}{2 \sum_{c
\ne a, b} K_c^2}\right)\right)^d \le \delta"""
_PROOF = r"""A coordinate counts for a competitor $b$ only where $u_b = -u_a$, which happens with
probability $1/2$; there the other $u_c$ are independent signs, so that its moment generating function is
$e^{-t(K_a - K_b)} \prod_c \cosh(t K_c) \le e^{-t (K_a - K_b) + t^2 \sum_c K_c^2 / 2}$. Take the best $t$,
Chernoff's bound over $d$ coordinates, and the union over facts and competitors."""

FEW_FAILURES = Hypothesis("bound on expected failures at most delta", sympy.Le(failures, delta))
DISTINCT_NAMES = Hypothesis("distinct names", sympy.Eq(names, N))

SHORT_DRAW = Control("dimension far below the bound", "the promise fails")
EQUAL_KEYS = Control(
    "two subjects with one key", "they get the same logits, so that of each pair of facts one is wrong"
)
LOW_THRESHOLD = Control("threshold one too low", "every margin is the predicted one, some are not positive")

LINEAR_MEMORY = Claim(
    name="linear-memory",
    label="C8",
    title="linear associative memory: d^2 weights hold about d^2 / (4 ln n|A|) facts",
    statement=rf"""Let $e_x = D_r e_s$ be the key of the fact $x = (s, r)$, with signs $e_s$, $D_r$, and $W =
\sum_x e_x^T u_{{f(x)}}$ with words $u_a$ i.i.d. uniform in $\{{-1,+1\}}^d$. Let $K_c(x)$ be the sum of
$\langle e_x, e_{{x'}} \rangle$ over the facts with $f(x') = c$, and $a = f(x)$. The one-layer
transformer that reads $\langle u_b, e_x W \rangle$ recalls a table that was fixed before the draw of the
words with probability at least $1 - \delta$ if ${_BOUND}$. For random keys, one fact to an answer and $d
\ll n$ that is $d^2 \ge 4 n
\ln(n |A| / \delta)$, asymptotically.""",
    hypotheses=(TWO_ATTRIBUTES, PROMISE, FEW_FAILURES),
    predicted={
        "d_model": m,
        "d_mlp": 2 * m,
        "d_mlp_per_layer": [2 * m],
        "n_layers": sympy.Integer(1),
        "subject_bits": sympy.Integer(0),
        "other_bits": m**2 * sympy.ceiling(sympy.log(values, 2)),
        "success": 1 - delta,
    },
    proof=rf"""$|e_s + D_r| - 1 = D_r e_s$ in each coordinate, so that the residual is $e_x W$. {_PROOF}""",
    source=_SOURCE.format(1),
    controls=(SHORT_DRAW, EQUAL_KEYS, ALTERED_FACT),
    parameters=("delta", "code_length", "trials"),
)

RANDOM_FEATURE_MEMORY = Claim(
    name="random-feature-memory",
    label="C8",
    title="random-feature memory: width x d weights hold n facts, up to logarithms",
    statement=rf"""Replace the key of the linear memory by $w/2$ features $\phi_i(x) = |\langle w_i, e_x
\rangle| - c$, with random signs $w_i$, and let $K_c(x)$ be the sum of $\langle \phi(x), \phi(x')
\rangle$ over the facts with $f(x') = c$. A table that was fixed before the draw of the words
is recalled with probability at least $1 - \delta$ if ${_BOUND}$. Even features have no linear part:
between random keys $K(x, x')^2 / K(x,
x)^2$ is about $2/w + 3/((\pi - 2) d)^2$, not $1/d$.""",
    hypotheses=(TWO_ATTRIBUTES, PROMISE, FEW_FAILURES),
    predicted={
        "d_model": 2 * m,
        "d_mlp": sympy.Max(m, width),
        "d_mlp_per_layer": [m, width],
        "n_layers": sympy.Integer(2),
        "subject_bits": sympy.Integer(0),
        "other_bits": width / 2 * m * sympy.ceiling(sympy.log(values, 2)),
        "success": 1 - delta,
    },
    proof=rf"""The first layer makes $e_x$ as in the linear memory; $|z| = \mathrm{{ReLU}}(z) +
\mathrm{{ReLU}}(-z)$. {_PROOF}""",
    source=_SOURCE.format(2),
    controls=(SHORT_DRAW, EQUAL_KEYS, ALTERED_FACT),
    parameters=("delta", "code_length", "trials"),
)

SIGN_CODE_MEMORY = Claim(
    name="sign-code-memory",
    label="C8",
    title="sign-code memory: one neuron per fact, exact",
    statement=r"""Let $c(s)$ be distinct names of $q$ signs and $v$ an injective code of length $m$. With
one neuron $\mathrm{ReLU}(\langle c(s), x \rangle + [r \text{ asked}] - q)$ per fact $(s, r)$, which writes
$v(\pi_r(s))$, every table of functions is recalled. The margin of a fact is half the squared distance $D$
from its answer's word to the nearest other word.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, DISTINCT_NAMES),
    predicted={
        "d_model": q + R + m,
        "d_mlp": N * R,
        "d_mlp_per_layer": [N * R],
        "n_layers": sympy.Integer(1),
        "min_margin": D / 2,
        "subject_bits": sympy.Integer(0),
        "other_bits": N * R * m * _BITS,
    },
    proof=r"""$\langle c(s), c(s') \rangle$ is $q$ for $s' = s$ and at most $q - 2$ else, so that with the
gate exactly the neuron of the query is positive, and it is 1. The readout is $v(\pi_r(s))$; then as C1.""",
    source="theory/pages/c8.md, C8 and C5(b) (derived there)",
    controls=(LOW_THRESHOLD, SHORT_CODE, ALTERED_FACT),
    parameters=("code_length",),
)
