"""C7: how few dimensions could keep a margin. The expressions are evaluated in `bounds`."""

from georecall.theory.claims.claim import Claim, Control
from georecall.theory.claims.counting import ANY_SIZE
from georecall.theory.claims.formulas import log, sqrt
from georecall.theory.claims.symbols import N, mu

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
    hypotheses=(ANY_SIZE,),
    predicted={"readout_dimension": log(N) / log(1 + sqrt(2 / mu))},
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
)
