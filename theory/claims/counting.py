"""C4: how few bits could hold a table. The expressions are evaluated with proved enclosures in `bounds`."""

from georecall.theory.claims.claim import Claim, Control, Hypothesis
from georecall.theory.claims.formulas import Eq, Ge, factorial, log
from georecall.theory.claims.symbols import A, N, R

ANY_SIZE = Hypothesis("at least two attributes", Ge(A, 2))
BIJECTIONS = Hypothesis("as many attributes as subjects", Eq(A, N))
LN_FACTORIAL = log(factorial(N))

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
    hypotheses=(ANY_SIZE, BIJECTIONS),
    predicted={"table_bits": R * LN_FACTORIAL / log(2), "subject_bits": R * LN_FACTORIAL / (N * log(2))},
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
)
