"""C3 with softmax attention: the weight off the asked relation, and the score gap that a margin needs.

Scores enter through exp(score - asked score) alone, so that the lemmas are algebraic.
"""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import Variable
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_eps = Variable("eps", "attention weight off the asked relation")
_T = Variable("T", "sum over the other tokens of exp(score - asked score)")
_S = Variable("S", "(2K - 1) exp(-gamma)")

_n = Variable("n", "tokens summed so far")
_E = Variable("E", "exp(-gamma)")
_ratio = Variable("q", "one more token's exp(score - asked score)")

LEAK_WEIGHT_STEP: Final = Lemma(
    name="leak-weight-step",
    claim="C3",
    statement=r"""If $n$ tokens sum to $T \in [0, n E]$ and one more has $q \in [0, E]$, then $T + q \in [0,
(n + 1) E]$; so $0 \leq T \leq S = (2K - 1) e^{-\gamma}$ by induction on the other tokens.""",
    hypotheses=(
        Hypothesis("sum at least 0", _T >= 0),
        Hypothesis("sum at most n E", _n * _E >= _T),
        Hypothesis("ratio at least 0", _ratio >= 0),
        Hypothesis("ratio at most E", _ratio <= _E),
    ),
    conclusion=(_T + _ratio >= 0, _T + _ratio <= (_n + 1) * _E),
)

_BOUND_BY_S: Final = _eps * (1 + _S) <= _S

LEAK_WEIGHT: Final = Lemma(
    name="leak-weight",
    claim="C3",
    statement=r"""If $0 \leq T \leq S$ and $\varepsilon = T / (1 + T)$ then $\varepsilon \leq S / (1 + S)$,
written without division as $\varepsilon (1 + S) \leq S$.""",
    hypotheses=(
        Hypothesis("softmax", sp.Eq(_eps * (1 + _T), _T)),
        Hypothesis("sum at least 0", _T >= 0),
        Hypothesis("sum at most S", _T <= _S),
    ),
    conclusion=(_BOUND_BY_S,),
)

_eps_star = Variable("eps_star", "the leak that the wanted margin allows")

LEAK_SCORE_GAP: Final = Lemma(
    name="leak-score-gap",
    claim="C3",
    statement=r"""If $S \geq 0$ and $S (1 - \varepsilon^*) \leq \varepsilon^*$, as at $\gamma = \ln((2K -
1)(1 - \varepsilon^*)/\varepsilon^*)$, then $\varepsilon (1 + S) \leq S$ gives $\varepsilon \leq
\varepsilon^*$.""",
    hypotheses=(
        Hypothesis("S at least 0", _S >= 0),
        Hypothesis("score gap", _S * (1 - _eps_star) <= _eps_star),
        Hypothesis("weight bound", _BOUND_BY_S),
    ),
    conclusion=(_eps <= _eps_star,),
)
