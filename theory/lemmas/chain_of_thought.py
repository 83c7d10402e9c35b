"""C3 with softmax attention: how far a leak of attention weight moves the residual, and what it costs.

The head puts weight 1 - eps on the asked relation's token and eps on the others. What a token holds in a
block's coordinate is a sign (an entity), the gate (a relation whose block it is) or 0 (any other
relation); the head adds twice the weighted mean. The proof goes: `TOKEN_VALUE`, summed over the tokens
by `LEAK_STEP`, gives `LEAK_INTERVAL`, which the two readings need.
"""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Variable, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_gate = Variable("gate", "what a relation's token holds in its block; half of what asking adds")
_eps = Variable("eps", "attention weight off the asked relation")
_value = Variable("v", "what a token holds in a coordinate of a block")
_leak = Variable("a", "sum over the other tokens of weight times value")

TOKEN_VALUE: Final = Lemma(
    name="leak-token-value",
    claim="C3",
    statement=r"For $g \geq 1$ a token holds a sign, $g$ or $0$ in a coordinate: a number in $[-1, g]$.",
    hypotheses=(
        Hypothesis("sign, gate or nothing", sp.Or(is_sign(_value), sp.Eq(_value, _gate), sp.Eq(_value, 0))),
        Hypothesis("gate at least 1", _gate >= 1),
    ),
    conclusion=(_value >= -1, _value <= _gate),
)

_weight = Variable("w", "one more token's attention weight")

LEAK_STEP: Final = Lemma(
    name="leak-step",
    claim="C3",
    statement=r"""If tokens of total weight $\varepsilon$ sum to $a \in [-\varepsilon, \varepsilon g]$ and one
more has weight $w \geq 0$ and value $v \in [-1, g]$, then $a + w v \in [-(\varepsilon + w), (\varepsilon + w)
g]$. By induction this holds for any number of tokens.""",
    hypotheses=(
        Hypothesis("sum at least -eps", _leak >= -_eps),
        Hypothesis("sum at most eps gate", _leak <= _eps * _gate),
        Hypothesis("weight at least 0", _weight >= 0),
        Hypothesis("value at least -1", _value >= -1),
        Hypothesis("value at most the gate", _value <= _gate),
    ),
    conclusion=(
        _leak + _weight * _value >= -(_eps + _weight),
        _leak + _weight * _value <= (_eps + _weight) * _gate,
    ),
)

LEAK_INTERVAL: Final = Lemma(
    name="leak-interval",
    claim="C3",
    statement=r"""With weight $1 - \varepsilon$ on the asked relation and $a \in [-\varepsilon, \varepsilon
g]$ from the other tokens, the asked block deviates from hard attention by $2((1 - \varepsilon) g + a) - 2g
\in [-2\varepsilon(1 + g), 0]$ and every other block by $2a \in [-2\varepsilon, 2\varepsilon g]$.""",
    hypotheses=(
        Hypothesis("sum at least -eps", _leak >= -_eps),
        Hypothesis("sum at most eps gate", _leak <= _eps * _gate),
    ),
    conclusion=(
        2 * ((1 - _eps) * _gate + _leak) - 2 * _gate >= -(2 * _eps * (1 + _gate)),
        2 * ((1 - _eps) * _gate + _leak) - 2 * _gate <= 0,
        2 * _leak >= -(2 * _eps),
        2 * _leak <= 2 * _eps * _gate,
    ),
)


def leak_interval(n_tokens: int) -> Lemma:
    """C3's interval for exactly n_tokens tokens off the asked relation, from weights and values directly."""
    weights = [Variable(f"w_{t}", f"attention weight of token {t}") for t in range(n_tokens)]
    values = [Variable(f"v_{t}", f"what token {t} holds") for t in range(n_tokens)]
    eps = sum(weights)
    leak = sum(weight * value for weight, value in zip(weights, values, strict=True))
    deviation = 2 * ((1 - eps) * _gate + leak) - 2 * _gate
    return Lemma(
        name=f"leak-interval-{n_tokens}",
        claim="C3",
        statement=rf"""For ${n_tokens}$ tokens of weights $w_t \geq 0$ and values $v_t \in [-1, g]$ off the
asked relation, $\varepsilon = \sum_t w_t$: the asked block deviates by $[-2\varepsilon(1 + g), 0]$, every
other by $[-2\varepsilon, 2\varepsilon g]$.""",
        hypotheses=(
            *(Hypothesis(f"weight {t} at least 0", weight >= 0) for t, weight in enumerate(weights)),
            *(Hypothesis(f"value {t} at least -1", value >= -1) for t, value in enumerate(values)),
            *(Hypothesis(f"value {t} at most the gate", value <= _gate) for t, value in enumerate(values)),
        ),
        conclusion=(
            deviation >= -(2 * eps * (1 + _gate)),
            deviation <= 0,
            2 * leak >= -(2 * eps),
            2 * leak <= 2 * eps * _gate,
        ),
    )


LEAK_INTERVALS: Final = tuple(leak_interval(n_tokens) for n_tokens in range(1, 4))

_low = Variable("v_low", "what an entity's token holds")
_high = Variable("v_high", "what another token of the same relation holds")

LEAK_ATTAINED: Final = Lemma(
    name="leak-attained",
    claim="C3",
    statement=r"""All four ends are attained: by the whole leak $\varepsilon$ on an entity that holds $-1$,
and by the whole leak on a token that holds $g$.""",
    hypotheses=(
        Hypothesis("an entity holds -1", sp.Eq(_low, -1)),
        Hypothesis("a relation holds the gate", sp.Eq(_high, _gate)),
    ),
    conclusion=(
        sp.Eq(2 * ((1 - _eps) * _gate + _eps * _low) - 2 * _gate, -(2 * _eps * (1 + _gate))),
        sp.Eq(2 * ((1 - _eps) * _gate + _eps * _high) - 2 * _gate, 0),
        sp.Eq(2 * (_eps * _low), -(2 * _eps)),
        sp.Eq(2 * (_eps * _high), 2 * _eps * _gate),
    ),
)

_entities = Variable("n", "entity tokens in the prompt, the current one among them")
_each = Variable("w", "attention weight of each entity token: their scores are all 0")
_others = Variable("others", "sum of what the n - 1 earlier entities hold in the coordinate")
_relations = Variable("b", "sum over the other relation tokens of weight times value")

LEAK_OWN_ENTITY: Final = Lemma(
    name="leak-own-entity",
    claim="C3",
    statement=r"""C3's own head does not reach $-2\varepsilon(1 + g)$ where it would hurt, at $u = 1$: the
current entity is one of $n \geq 2$ entity tokens of equal weight and holds $+1$ there, so with $a = b + w(1 +
\mathrm{others})$ the asked block deviates by at least $-2\varepsilon(g + 1 - 2/n)$, where $n \leq K$.""",
    hypotheses=(
        Hypothesis("at least two entities", _entities >= 2),
        Hypothesis("weight at least 0", _each >= 0),
        Hypothesis("entities' weight at most eps", _entities * _each <= _eps),
        Hypothesis("earlier entities hold at least -1 each", _others >= -(_entities - 1)),
        Hypothesis("relations hold at least 0", _relations >= 0),
    ),
    conclusion=(
        _entities * (2 * ((1 - _eps) * _gate + (_relations + _each * (1 + _others))) - 2 * _gate)
        >= -(2 * _eps * (_entities * _gate + _entities - 2)),
    ),
)

_u = Variable("u", "a coordinate of the current entity's block")
_deviation = Variable("delta", "deviation of that coordinate from hard attention")
_OTHER_DEVIATION: Final = Hypothesis("deviation at most 2 eps gate", _deviation <= 2 * _eps * _gate)
_LEAK_IN_SLACK: Final = Hypothesis("eps at most 1 - 1/gate", _gate * (1 - _eps) >= 1)

LEAK_OTHERS_OFF: Final = Lemma(
    name="leak-others-off",
    claim="C3",
    statement=r"""If $u \leq 1$, $\delta \leq 2\varepsilon g$ and $g(1 - \varepsilon) \geq 1$, that is
$\varepsilon \leq 1 - 1/g$, a block not asked for stays exactly off: $\mathrm{ReLU}(u + \delta - (2g - 1)) =
0$.""",
    hypotheses=(Hypothesis("coordinate at most 1", _u <= 1), _OTHER_DEVIATION, _LEAK_IN_SLACK),
    conclusion=(sp.Eq(ReLU(_u + _deviation - (2 * _gate - 1)), 0),),
)

_READING: Final = ReLU(_u + 2 * _gate + _deviation - (2 * _gate - 1)) - 1
_ASKED: Final = (
    Hypothesis("coordinate is a sign", is_sign(_u)),
    Hypothesis("deviation at least -2 eps (1 + gate)", _deviation >= -(2 * _eps * (1 + _gate))),
    Hypothesis("deviation at most 0", _deviation <= 0),
)

LEAK_ASKED_READS: Final = Lemma(
    name="leak-asked-reads",
    claim="C3",
    statement=r"""For a sign $u$ and $\delta \in [-2\varepsilon(1 + g), 0]$ the asked block reads $y =
\mathrm{ReLU}(u + 2g + \delta - (2g - 1)) - 1$: exactly $-1$ at $u = -1$, within $[1 - 2\varepsilon(1 + g),
1]$ at $u = 1$; hence $u y \in [1 - 2\varepsilon(1 + g), 1]$.""",
    hypotheses=_ASKED,
    conclusion=(
        sp.Implies(sp.Eq(_u, -1), sp.Eq(_READING, -1)),
        _u * _READING >= 1 - 2 * _eps * (1 + _gate),
        _u * _READING <= 1,
    ),
)

_other = Variable("u_other", "a coordinate of a block not asked for")
_other_deviation = Variable("delta_other", "its deviation from hard attention")
_IN_PLACE: Final = sp.Max(_u + 2 * _gate + _deviation, 2 * _gate - 1) - 2 * _gate

LEAK_IN_PLACE: Final = Lemma(
    name="leak-in-place",
    claim="C3",
    statement=r"""In place the neuron must be $\max(z, 2g - 1)$, not $\max(z, 1)$. Then for $\varepsilon \leq
1 - 1/g$ a block not asked for is flattened to exactly $2g - 1$, and the asked one reads $y = \max(z, 2g - 1)
- 2g$: $-1$ at $u = -1$, and $u y \in [1 - 2\varepsilon(1 + g), 1]$. At $g = 1$ it is the neuron of C1'.""",
    hypotheses=(
        *_ASKED,
        Hypothesis("other coordinate at most 1", _other <= 1),
        Hypothesis("other deviation at most 2 eps gate", _other_deviation <= 2 * _eps * _gate),
        _LEAK_IN_SLACK,
    ),
    conclusion=(
        sp.Eq(sp.Max(_other + _other_deviation, 2 * _gate - 1), 2 * _gate - 1),
        sp.Implies(sp.Eq(_u, -1), sp.Eq(_IN_PLACE, -1)),
        _u * _IN_PLACE >= 1 - 2 * _eps * (1 + _gate),
        _u * _IN_PLACE <= 1,
    ),
)

_distance = Variable("D", "Hamming distance of the answer's code to a competitor's")
_h = Variable("h", "least distance of the code")
_margin = Variable("mu", "logit of the answer less the competitor's")

LEAK_MARGIN: Final = Lemma(
    name="leak-margin",
    claim="C3",
    statement=r"""If each of $D \geq h$ differing coordinates adds at least $2(1 - 2\varepsilon(1 + g))$
to the logit difference and $\varepsilon(1 + g) \leq 1/2$, then it is at least $2h(1 - 2\varepsilon(1 +
g))$.""",
    hypotheses=(
        Hypothesis("distance at least h", _distance >= _h),
        Hypothesis("eps (1 + gate) at most 1/2", 2 * _eps * (1 + _gate) <= 1),
        Hypothesis("sum of the coordinates", _margin >= 2 * _distance * (1 - 2 * _eps * (1 + _gate))),
    ),
    conclusion=(_margin >= 2 * _h * (1 - 2 * _eps * (1 + _gate)),),
)
