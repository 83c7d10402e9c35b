"""C6: how few bits could answer several hops in one pass. The expressions are evaluated in `bounds`."""

from georecall.theory.claims.claim import Claim
from georecall.theory.claims.counting import ANY_SIZE, BIJECTIONS, LN_FACTORIAL
from georecall.theory.claims.formulas import ff, log
from georecall.theory.claims.hops import DROPPED_BLOCK
from georecall.theory.claims.symbols import N, R, T, k

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
    hypotheses=(ANY_SIZE, BIJECTIONS),
    predicted={
        "all_subjects_bits": (k * (R - 1) + 1) * LN_FACTORIAL / log(2),
        "one_subject_one_hop_bits": R * log(ff(N, T)) / log(2),
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
)
