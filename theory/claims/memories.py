"""C8: associative memories over frozen random embeddings, which geometric recall is compared with.

The two Hebbian memories are probabilistic claims: keys and features are drawn once, and over the draw of
the words u_a the table is recalled at least as often as promised. `theory.numbers.memories` bounds how often.
"""

from georecall.theory.claims.claim import Claim, Control, Hypothesis, one_layer
from georecall.theory.claims.dense import PROMISE
from georecall.theory.claims.formulas import Eq, Le, Max, ceiling, log
from georecall.theory.claims.single_hop import ALTERED_FACT, INJECTIVE_CODE, SHORT_CODE, TWO_ATTRIBUTES
from georecall.theory.claims.symbols import D, N, R, delta, failures, levels, m, positive_integer

q = positive_integer("q", "signs of a subject's name")
n_names = positive_integer("S", "distinct names")
width = positive_integer("w", "neurons of the memory layer, even")
values = positive_integer("V_W", "values that an entry of the memory matrix may take")

_SOURCE = "theory/pages/c8.md, C8 (scaling: arXiv 2412.06538, Theorem {})"
_BOUND = r"""\sum_x \sum_{b \ne f(x)} \left(\tfrac12 + \tfrac12 \exp\left(-\frac{(K_a - K_b)_+^2}{2 \sum_{c
\ne a, b} K_c^2}\right)\right)^d \le \delta"""
_PROOF = r"""A coordinate counts for a competitor $b$ only where $u_b = -u_a$, which happens with
probability $1/2$; there the other $u_c$ are independent signs, so that its moment generating function is
$e^{-t(K_a - K_b)} \prod_c \cosh(t K_c) \le e^{-t (K_a - K_b) + t^2 \sum_c K_c^2 / 2}$. Take the best $t$,
Chernoff's bound over $d$ coordinates, and the union over facts and competitors."""

FEW_EXPECTED_FAILURES = Hypothesis("bound on expected failures at most delta", Le(failures, delta))
DISTINCT_NAMES = Hypothesis("distinct names", Eq(n_names, N))

SHORT_KEYS = Control("dimension far below the bound", "the promise fails")
EQUAL_KEYS = Control(
    "two subjects with one key", "they get the same logits, so that of each pair of facts one is wrong"
)
THRESHOLD_TOO_LOW = Control(
    "threshold one too low", "every margin is the predicted one, some are not positive"
)

TOO_FEW = Control(
    "d below the threshold", "refuted: the multipliers of a failed training prove that no W recalls"
)
OUTER = Control("the outer product over the same keys and words", "it loses facts that the best W recalls")
BENT = Control("multipliers of a W that recalls, altered ones, none", "they prove nothing")

_ZERO_OVER_ZERO = r"""Where $K_a \le K_b$ the exponential is 1 whatever the sum below it; where $K_a > K_b$
and that sum is 0 or empty, as for $|A| = 2$, it is 0"""
_KERNEL = {
    "F": "the left side of the bound",
    "K": "K_c(x): sum of the kernel over the facts with answer c",
    "c": "an answer",
    "d": "dimension of keys and words",
    "e": "sign vectors: e_s of a subject, e_x of a fact",
    "f": "f(x): the answer of the fact x",
    "x": "a fact; in mathematics of the layer, the residual",
}

LINEAR_MEMORY = Claim(
    name="linear-memory",
    label="C8",
    title="outer-product linear memory: d^2 weights hold about d^2 / (4 ln n|A|) facts",
    statement=rf"""Let $e_x = D_r e_s$ (coordinatewise) be the key of the fact $x = (s, r)$, with random signs
$e_s$, $D_r$, and $W = \sum_x e_x^\top u_{{f(x)}}$ with words $u_a$ i.i.d. uniform in $\{{-1,+1\}}^d$. Let
$K_c(x)$ be the sum of $\langle e_x, e_{{x'}} \rangle$ over the facts with $f(x') = c$, and $a = f(x)$. One
layer on the prompt $[s, r]$: $W_E[s] = e_s$, $W_E[r] = D_r/2$, one head with $W_Q = W_K = 0$ and $W_V W_O =
2 I$; neurons $\mathrm{{ReLU}}(x_j)$ and $\mathrm{{ReLU}}(-x_j)$, $W_{{out}}$ made of $W - I$ and $W + I$,
$b_{{out}} = -\sum_j W_j$; $W_U[:, a] = u_a$, $b_U = 0$. It recalls a table that was fixed before the draw
of the words with probability at least $1 - \delta$ if $F = {_BOUND}$. {_ZERO_OVER_ZERO}. For random keys,
one fact to an answer and $d \ll n = N R$ that is $d^2 \ge 4 n \ln(n |A| / \delta)$, asymptotically.""",
    hypotheses=(TWO_ATTRIBUTES, PROMISE, FEW_EXPECTED_FAILURES),
    predicted=one_layer(m, 2 * m, other_bits=m**2 * ceiling(log(values, 2)), success=1 - delta),
    proof=rf"""$|e_s + D_r| - 1 = D_r e_s$ in each coordinate, so that the residual is $e_x W$. {_PROOF}""",
    source=_SOURCE.format(1),
    controls=(SHORT_KEYS, EQUAL_KEYS, ALTERED_FACT),
    parameters=("delta", "code_length", "trials"),
    notation=_KERNEL
    | {
        "D": "D_r: sign vector of relation r",
        "W": "the memory matrix, W_j its row j",
        "n": "number of facts",
        "u": "words of the attributes, signs",
    },
)

RANDOM_FEATURE_MEMORY = Claim(
    name="random-feature-memory",
    label="C8",
    title="random-feature memory: width x d weights hold n facts, up to logarithms",
    statement=rf"""Replace the key of the linear memory by $w/2$ features $\phi_i(x) = |\langle w_i, e_x
\rangle| - \mu$, with random signs $w_i$ and $\mu$ the mean of $|\cdot|$ over signs to the nearest $1/1024$,
and let $K_c(x)$ be the sum of $\langle \phi(x), \phi(x') \rangle$ over the facts with $f(x') = c$. Two
layers in $2d$ dimensions, key and value: the first, $W_E$ and attention as the linear memory's on the key,
has neurons $\mathrm{{ReLU}}(-x_j)$, $W_{{out}} = 2I$ and $b_{{out}} = -1$ on the key, which becomes $e_x$;
the second, an MLP alone, has neurons $\mathrm{{ReLU}}(\pm\langle w_i, \mathrm{{key}}\rangle)$, both written
to the value with row $i$ of $\sum_x \phi(x)^\top u_{{f(x)}}$, and takes $\mu$ times the sum of the rows
off. $W_U$ reads $u_a$ off the value. A table that was fixed before the draw of the words is recalled with
probability at least $1 - \delta$ if $F = {_BOUND}$. {_ZERO_OVER_ZERO}. Even features have no linear part:
between random keys $K(x, x')^2 / K(x, x)^2$ is about $2/w + 3/((\pi - 2) d)^2$, not $1/d$.""",
    hypotheses=(TWO_ATTRIBUTES, PROMISE, FEW_EXPECTED_FAILURES),
    predicted={
        "d_model": 2 * m,
        "d_mlp": Max(m, width),
        "d_mlp_per_layer": [m, width],
        "n_layers": 2,
        "subject_bits": 0,
        "other_bits": width / 2 * m * ceiling(log(values, 2)),
        "success": 1 - delta,
    },
    proof=rf"""The first layer makes $e_x$ as in the linear memory; $|z| = \mathrm{{ReLU}}(z) +
\mathrm{{ReLU}}(-z)$. {_PROOF}""",
    source=_SOURCE.format(2),
    controls=(SHORT_KEYS, EQUAL_KEYS, ALTERED_FACT),
    parameters=("delta", "code_length", "trials"),
    notation=_KERNEL
    | {
        r"\mu": "mean of a feature's absolute value",
        r"\phi": "features of a fact",
        r"\pi": "3.14159...",
        "u": "words of the attributes, signs",
    },
)

SIGN_CODE_MEMORY = Claim(
    name="sign-code-memory",
    label="C8",
    title="sign-code memory: one neuron per fact, exact",
    statement=r"""Let $c(s)$ be distinct names of $q$ signs, $v$ an injective code of length $m$, and $\pi_1,
\dots, \pi_R$ any functions. Coordinates: name, readout, $R$ gates. $W_E[s] = c(s)$ on the name, $W_E[r] =
1/2$ on gate $r$, one head with $W_Q = W_K = 0$ and $W_V W_O = 2 I$. With one neuron $\mathrm{ReLU}(\langle
c(s), x \rangle + [r \text{ asked}] - q)$ per fact $(s, r)$, which writes $v(\pi_r(s))$ to the readout,
$b_{out} = 0$, and $W_U$ and $b_U$ as C1, every table of functions is recalled. The margin of a fact is half
the squared distance from its answer's word to the nearest other word, the least is $D/2$.""",
    hypotheses=(TWO_ATTRIBUTES, INJECTIVE_CODE, DISTINCT_NAMES),
    predicted=one_layer(q + R + m, N * R, min_margin=D / 2, other_bits=N * R * m * ceiling(log(levels, 2))),
    proof=r"""$\langle c(s), c(s') \rangle$ is $q$ for $s' = s$ and at most $q - 2$ else, so that with the
gate exactly the neuron of the query is positive, and it is 1. The readout is $v(\pi_r(s))$; then as C1.""",
    source="theory/pages/c8.md, C8 and C5(b) (derived there)",
    controls=(THRESHOLD_TOO_LOW, SHORT_CODE, ALTERED_FACT),
    parameters=("code_length",),
    notation={"c": "c(s): name of subject s"},
)

BEST_LINEAR_MEMORY = Claim(
    name="best-linear-memory",
    label="C8",
    title="the best linear memory: some W recalls over frozen keys and words, or provably none does",
    statement=r"""Keys $e_x = D_r e_s$, words $u_a$ and the layer are those of the linear memory, drawn
once, with any $W \in \mathbb{R}^{d \times d}$ in place of the outer product. Some $W$ recalls every fact
$x$, that is $\langle W, e_x^\top (u_{f(x)} - u_b) \rangle > 0$ for every $b \ne f(x)$; or multipliers
$\lambda \ge 0$, not all 0, with $\sum \lambda_{x,b}\, e_x^\top (u_{f(x)} - u_b) = 0$ prove that none does,
and then the claim is refuted at this $d$.""",
    hypotheses=(TWO_ATTRIBUTES,),
    predicted=one_layer(m, 2 * m, other_bits=m**2 * ceiling(log(values, 2))),
    proof=r"""Gordan's alternative. A $W$ that training ends at is rounded to whole numbers and judged
by its margins. One that fails leaves multipliers whose sum $E$ is nearly 0; where the rows of the largest
ones have rank $d^2$ and least singular value $\sigma$, and each of those exceeds $|E| / \sigma$, they can
be corrected to a sum of 0.""",
    source="theory/pages/c8.md, a fair baseline (arXiv 2605.05189 for what is known as n grows)",
    controls=(TOO_FEW, OUTER, BENT, ALTERED_FACT),
    parameters=("code_length",),
    notation={
        "D": "D_r: sign vector of relation r",
        "E": "the sum of the rows with their multipliers",
        "W": "the memory matrix",
        "d": "dimension of keys and words",
        "e": "sign vectors: e_s of a subject, e_x of a fact",
        "f": "f(x): the answer of the fact x",
        "u": "words of the attributes, signs",
        "x": "a fact",
        r"\lambda": "multipliers",
        r"\sigma": "a singular value",
    },
)
