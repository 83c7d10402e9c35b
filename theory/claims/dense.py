"""C2: all R attribute vectors of a subject in one sum, told apart by an absolute value.

A probabilistic claim: the draw of codes and diagonals succeeds, for a table fixed before it, at least as
often as promised. `theory.numbers.dense` computes the numbers.
"""

import numpy as np

from georecall.theory.claims.claim import Claim, Control, Hypothesis, one_layer
from georecall.theory.claims.formulas import Ge, Le, Lt, ceiling, log
from georecall.theory.claims.single_hop import ALTERED_FACT, TWO_ATTRIBUTES
from georecall.theory.claims.symbols import delta, failures, gate, levels, m, named
from georecall.theory.tools.arrays import Floats

reach = named("reach", "bound on the coordinates of embeddings: R for plain sums", positive=True)

GATE_HALF_SUM = Hypothesis("gate at least half the reach of a coordinate", Ge(gate, reach / 2))
PROMISE = Hypothesis("delta below 1", Lt(delta, 1))
FEW_FAILURES = Hypothesis("the bound on failures at most delta", Le(failures, delta))

SHORT_DRAW = Control(
    "dimension far below the bound", "the promise fails, and one given competitor wins as often as p_m says"
)
EQUAL_DIAGONALS = Control(
    "equal diagonals D_r",
    "every relation reads the same, so every margin is the predicted one, some not positive",
)
GENERIC = Control(
    "tables chosen after the draw",
    "of all tuples of attributes at once the plain draw loses some, at its own length; C1' none",
)
GATE_BELOW_REACH = Control(
    "gate below half the reach", "every margin is the predicted one, some are not positive"
)

SINGLE_HOP_DENSE = Claim(
    name="single-hop-dense",
    label="C2",
    title="dense superposition: m dimensions recall a table with probability 1 - delta",
    statement=r"""Let $u(a)$ be i.i.d. uniform in $\{-1,+1\}^m$ and $D_r$ i.i.d. uniform diagonals of signs,
independent of them, and $\mathrm{gate} \ge R/2$. The one-layer transformer in $m$ dimensions with $W_E[s] =
\sum_r D_r u(\pi_r(s))$, $W_E[r] = \mathrm{gate}\, \mathrm{diag}(D_r)$, one head with $W_Q = W_K = 0$ and
$W_V W_O = 2 I$, $W_{in} = -I$, $b_{in} = 0$, $W_{out} = 2I$, $b_{out} = -2\,\mathrm{gate}$, $W_U[:, a] =
u(a)$ and $b_U = 0$ recalls from the prompt $[s, r]$ a table of functions $\pi_1, \dots, \pi_R$ that was
fixed before the draw, with probability at least $1 - \delta$ if $F = N (|A|-1) R\, p_m \le \delta$, where
$p_m = \sum_D \binom{m}{D} 2^{-m} P(\mathrm{Bin}(D(R-1), 1/2) \le D(R-2)/2) \le \rho_R^m$ and $\rho_R =
\inf_{t \ge 0} (1 + e^{-t} \cosh(t)^{R-1})/2$. So $m \ge \ln(N(|A|-1)R/\delta) / (-\ln \rho_R)$ suffices. It
says nothing of a table chosen after the draw. Zero-forced embeddings: with $X_r = D_r u(\pi_r(s))$, $G =
(\langle X_r, X_{r'} \rangle / m)$ and $G c = 1$, $W_E[s] = \sum_r c_r X_r$ and $\mathrm{gate}$ at least
half of $\max |W_E|$: then $F = N R (|A|-1)\, E \exp(-m / (2 q))$ with $q = 1^\top G^{-1} 1$, over
independent uniform sign vectors $X_r$; for $R \ge 4$ what is proved is $\min_t N R (e^{-m \varphi(t) / R} +
(|A|-1)\, e^{-m (1-t) / (2R)})$, $\varphi(t) = t + (1-t) \ln(1-t)$. Optimised embeddings, by perceptron
updates from the zero-forced ones, succeed wherever those do. Stated as variants, of which nothing is
promised: Gaussian or orthogonal matrices $M_r$ in place of the $D_r$, with a neuron for each relation and
coordinate as selector, in $m + R$ dimensions and width $(R+1) m$.""",
    hypotheses=(TWO_ATTRIBUTES, GATE_HALF_SUM, PROMISE, FEW_FAILURES),
    predicted=one_layer(m, m, subject_bits=m * ceiling(log(levels, 2)), success=1 - delta),
    proof=r"""At the last position $x = W_E[s] + 2\,\mathrm{gate}\,D_r$ and $x + 2\mathrm{ReLU}(-x) -
2\,\mathrm{gate} = |x| - 2\,\mathrm{gate} = D_r W_E[s]$, since $|W_E[s]_j| \le R \le 2\,\mathrm{gate}$. The
logit of the answer $a$ less that of $b$ is $\sum_j (1 - w_j)(1 + z_j)$ with $w_j = u(a)_j u(b)_j$ uniform
signs and $z_j$ a sum of $R-1$ uniform signs (given all codes, the $D_r D_{r'}$, $r' \ne r$, are uniform and
independent), independent over $j$. On the $D$ coordinates with $w_j = -1$ it is $2(D + Z)$, which is not
positive with probability $P(\mathrm{Bin}(D(R-1), 1/2) \le D(R-2)/2)$. Union over facts and competitors.""",
    source="theory/pages/c2.md, C2 (derived there)",
    controls=(SHORT_DRAW, EQUAL_DIAGONALS, GATE_BELOW_REACH, ALTERED_FACT, GENERIC),
    parameters=("delta", "code_length", "gate", "trials", "embedding"),
    units={"subject_bits": "bits per subject", "other_bits": "bits", "success": "probability, at least"},
    notation={
        "D": "D_r: signs of relation r, as a vector or diagonal; in p_m: coordinates where two words differ",
        "M": "M_r: a matrix of relation r",
        "E": "expectation",
        "G": "Gram matrix of the X_r over m",
        "P": "probability",
        "X": "X_r: D_r u(pi_r(s))",
        "c": "coefficients of a zero-forced embedding",
        "q": "the sum of all entries of the inverse of G",
        r"\varphi": "rate of the matrix Chernoff bound",
        "e": "Euler's number",
        "p": "p_m: probability that one given competitor wins or ties against one given fact",
        r"\rho": "rho_R: base of the bound on p_m",
        "t": "an exponent",
        "u": "words of the attributes, signs",
    },
)


def readout_dense(unbound: Floats, at_gate: float) -> Floats:
    """What C2 reads at any gate >= 0, given x D_r: |x D_r + 2 gate| - 2 gate, that is x D_r from R/2 on."""
    return np.asarray(np.abs(unbound + 2 * at_gate) - 2 * at_gate)
