"""C4, C6, C7: how little could ever do. The expressions are evaluated with proved enclosures in `bounds`."""

import sympy

from georecall.theory.claims.claim import Claim, Control, Hypothesis, Step
from georecall.theory.claims.hops import DROPPED_BLOCK
from georecall.theory.claims.symbols import A, N, R, T, k, mu

_ANY_SIZE = Hypothesis("at least two attributes", sympy.Ge(A, 2))
BIJECTIONS = Hypothesis("as many attributes as subjects", sympy.Eq(A, N))
_ln_factorial = sympy.log(sympy.factorial(N))

COUNTING_BOUND = Claim(
    name="counting-bound",
    label="C4",
    title="no model recalls every bijection table with fewer than R log2(N!) bits",
    statement=r"""If all weights that depend on the facts take at most $2^B$ values together, all other
weights are the same for every table, and the model answers all $N R$ queries of every table of $R$
bijections of $N$ points, then $B \ge R \log_2 N!$. If only the subject embeddings depend on the table, with
$d$ coordinates of $b$ bits each, then $d\,b \ge R \log_2(N!) / N$. If at most $e$ answers per table may be
wrong, then $B \ge R \log_2 N! - \log_2\, [x^e] \bigl(\sum_j (N)_j x^j\bigr)^R$, where $(N)_j = N! / (N -
j)!$.""",
    hypotheses=(_ANY_SIZE, BIJECTIONS),
    predicted={
        "table_bits": R * _ln_factorial / sympy.log(2),
        "subject_bits": R * _ln_factorial / (N * sympy.log(2)),
    },
    proof=r"""There are $(N!)^R$ tables, and a model that is right for each of them is right for
one only, so they need as many settings of the weights. With errors, choose $e$ places
that hold all errors, $e_r$ of them in relation $r$: $\binom{N}{e_r}$ choices, and $e_r!$ orders of the values
left over at most, together $(N)_{e_r}$. So a setting serves at most the coefficient of $x^e$.""",
    source="theory/pages/c4.md, C4 (derived there)",
    controls=(
        Control(
            "stored below the floor",
            "a construction cut to fewer bits than the floor loses facts, as many as the floor for "
            "approximate recall asks for",
        ),
    ),
    units={"table_bits": "bits", "subject_bits": "bits per subject"},
    notation={
        "B": "bits of everything that depends on the facts",
        "b": "bits of one coordinate",
        "d": "coordinates of a subject's embedding",
        "e": "answers per table that may be wrong",
        "x": "a formal variable",
    },
    trust=(
        Step("counting tables, with and without errors", "prose", ("proof",)),
        Step(
            "log2(N!)/N - log2 N tends to -1.4427, and is above it",
            "proved",
            (
                "stirling-constant",
                "stirling-constant-in-decimals",
                "factorial-step",
                "factorial-step-is-positive",
            ),
        ),
        Step("the numbers", "checked", ("exact integers, or enclosures by Arb",)),
        Step("a construction cut below the floor loses facts", "checked", ("control, exact margins",)),
    ),
)

MARGIN_BOUND = Claim(
    name="margin-bound",
    label="C7",
    title="a margin costs dimension, at any precision: m >= ln N / ln(1 + sqrt(2/mu))",
    statement=r"""(i) If every one of $N$ attributes is the answer to some query, $|W_U[:, a]| \le 1$, all
readouts have norm at most 1, and every margin is at least $\mu$, $0 < \mu \le N/(N-1)$ (beyond that nothing
of any dimension has such a margin), then the readout dimension is at least $\ln N / \ln(1 + \sqrt{2/\mu})$.
(ii) A selector with such margins that is right for every $R$-tuple of attributes, $L$-Lipschitz from
embedding to readout for each relation, with embeddings in a ball of radius $\rho$ and $\mu \le 2 \rho L$,
needs dimension $d \ge R \ln N / \ln(1 + 2 \rho L / \mu)$.""",
    hypotheses=(_ANY_SIZE,),
    predicted={"readout_dimension": sympy.log(N) / sympy.log(1 + sympy.sqrt(2 / mu))},
    proof=r"""Let $u_a$ be the columns and $y_a$ a readout for each attribute. The points $p_a =
u_a + y_a$ lie in a ball of radius 2, and $|p_a - p_b|^2 \ge 4 \langle u_a - u_b, y_a - y_b \rangle \ge
8 \mu$, so that balls of radius $\sqrt{2 \mu}$ around them are disjoint and lie in one of radius $2 +
\sqrt{2 \mu}$: $N \le (1 + \sqrt{2/\mu})^m$. (ii) Embeddings of two tuples that differ are $\mu / L$
apart, for their readouts differ by $\mu$ in norm somewhere; volume again.""",
    source="theory/pages/c7.md, C7 (derived there)",
    controls=(
        Control(
            "fewer dimensions than the floor",
            "a code cut to fewer coordinates than the floor asks for at its margin no longer has that margin",
        ),
    ),
    units={"readout_dimension": "dimensions"},
    notation={
        "L": "Lipschitz constant of a relation's map from embedding to readout",
        "d": "dimension of the embeddings",
        r"\rho": "radius of a ball that holds the embeddings",
    },
    trust=(
        Step("volume, packing, Rankin, codes", "prose", ("proofs",)),
        Step("the numbers", "checked", ("exact integers and rationals, or Arb",)),
        Step(
            "margins of codes against the floor",
            "checked",
            ("exact distances; a code cut below the floor loses its margin",),
        ),
    ),
)

MULTI_HOP_BOUND = Claim(
    name="multi-hop-bound",
    label="C6",
    title="answering k hops in one pass costs R^k log2 N bits a subject, or an associative memory",
    statement=r"""A model answers $(s; r_1, \dots, r_k)$ from $s$'s embedding, of $d$ coordinates of at most
$b$ bits, and from weights that are the same for every subject and take at most $2^B$ values over all
tables; it reads no other subject's embedding: the prompt holds none, and answers are not read back. (An
unembedding that depends on the facts counts in $B$.) If it answers every $k$-hop query of every typed table
of bijections of $N$ points, hop $t$ with $R$ bijections of its own, then for every number $T \le N$ of
subjects $T d b + B \ge R f(T) + (R - 1) \sum_{t=1}^{k-1} \mathbb{E} f(n_t)$, where $f(n) = \log_2 (N! / (N
- n)!)$, $n_0 = T$, and $n_{t+1}$ is the size of the union of $R$ independent uniform $n_t$-subsets of $N$
points. Untyped, with the same $R$ bijections at every hop, there are floors of their own: a model of one
kind is compared with the floor of that kind only.""",
    hypotheses=(_ANY_SIZE, BIJECTIONS),
    predicted={
        "all_subjects_bits": (k * (R - 1) + 1) * _ln_factorial / sympy.log(2),
        "one_subject_one_hop_bits": R * sympy.log(sympy.ff(N, T)) / sympy.log(2),
    },
    proof=r"""The left side bounds the entropy of the answers of $T$ subjects. The $(k-1)$-hop
answers are their equality pattern $P$ plus, by symmetry, uniform injective labels: $H_{k-1} = H(P) +
\mathbb{E} f(n_{k-1})$. The last hop keeps $P$ and adds $R$ independent uniform labellings: $H_k = H(P)
+ R\,\mathbb{E} f(n_{k-1})$.""",
    source="theory/pages/c6.md, C6 (derived there)",
    controls=(DROPPED_BLOCK,),
    parameters=("hops",),
    units={"all_subjects_bits": "bits", "one_subject_one_hop_bits": "bits"},
    notation={
        "B": "all other bits that depend on the facts",
        "b": "bits of one coordinate",
        "d": "coordinates of a subject's embedding",
        "f": "f(n): bits of an injective labelling of n points by N",
        "n": "number of points; n_t: how many t hops reach",
    },
    trust=(
        Step(
            "typed: arrays and entropy",
            "prose",
            ("proof; equal to the enumerated number and entropy in small cases (tests)",),
        ),
        Step("untyped floors", "prose", ("proof; never above the enumerated entropy (tests)",)),
        Step("the numbers", "checked", ("Arb enclosures; laws of sizes with accounted truncation",)),
        Step("a model below the floor fails", "checked", ("control, a dropped block",)),
    ),
)
