"""The neurons of C5: the k-fold gate of (a), the memory and the erasure of (b), the merged neuron."""

from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Variable, by_case, is_bit, is_integer, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma, in_range

_gate = Variable("gate", "half of what one matching relation token adds to a block")
_u = Variable("u", "a coordinate of a block before the gates are added")
_k = Variable("k", "number of hops")
_matches = Variable("c", "relation tokens that match the block's string, of k")

_GATE_AT_LEAST_1: Final = Hypothesis("gate at least 1", _gate >= 1)
_WHOLE_MATCHES: Final = Hypothesis(
    "k matches, or at most k - 1", sp.Or(sp.Eq(_matches, _k), _matches <= _k - 1)
)
_CODE_IN_RANGE: Final = in_range("coordinate", -1, _u, 1)

_NEURON: Final = ReLU(_u + 2 * _gate * _matches - (2 * _gate * _k - 1))

COMPOSED_GATE: Final = Lemma(
    name="composed-gate",
    claim="C5(a)",
    statement=r"""For all $u \in [-1, 1]$, all $g \geq 1$ and all $k$: $\mathrm{ReLU}(u + 2gc - (2gk - 1))$ is
$u + 1$ when all $c = k$ relations match and $0$ when $c \leq k - 1$ do.""",
    hypotheses=(*_CODE_IN_RANGE, _GATE_AT_LEAST_1, _WHOLE_MATCHES),
    conclusion=by_case(sp.Eq(_matches, _k), sp.Eq(_NEURON, _u + 1), sp.Eq(_NEURON, 0)),
)


def composed_gate(k: int) -> Lemma:
    """C5(a) for exactly k hops: one bit for each relation token that may match, no count."""
    matches = [
        Variable(f"b_{t}", f"1 if relation token {t} matches the block's string") for t in range(1, k + 1)
    ]
    neuron = ReLU(_u + sum(2 * _gate * match for match in matches) - (2 * k * _gate - 1))
    return Lemma(
        name=f"composed-gate-{k}",
        claim="C5(a)",
        statement=rf"""For $k = {k}$ bits $b_t$, all $u \in [-1, 1]$ and all $g \geq 1$: $\mathrm{{ReLU}}(u +
2g \sum_t b_t - (2gk - 1))$ is $u + 1$ if every $b_t = 1$, else $0$.""",
        hypotheses=(
            *_CODE_IN_RANGE,
            _GATE_AT_LEAST_1,
            *(Hypothesis(f"token {t} matches or not", is_bit(match)) for t, match in enumerate(matches, 1)),
        ),
        conclusion=by_case(
            sp.And(*(sp.Eq(match, 1) for match in matches)), sp.Eq(neuron, _u + 1), sp.Eq(neuron, 0)
        ),
    )


COMPOSED_GATES: Final = tuple(composed_gate(k) for k in range(1, 7))

_v = Variable("v", "a coordinate of a value code")
_lo = Variable("lo", "least value of the code")
_hi = Variable("hi", "largest value of the code")
_z = _v + 2 * _gate * _matches
_LEVEL: Final = 2 * _gate * _k + _lo

COMPOSED_GATE_IN_PLACE: Final = Lemma(
    name="composed-gate-in-place",
    claim="C5(a)",
    statement=r"""In place, with $\ell = 2gk + lo$, $lo \leq v \leq hi$ and $2g \geq hi - lo$: $z +
\mathrm{ReLU}(\ell - z) = \max(z, \ell)$ is $v + 2gk$ when all $c = k$ relations match and $\ell$ when $c \leq
k - 1$ do. At $k = 1$ it is the neuron of C1'.""",
    hypotheses=(
        *in_range("value", _lo, _v, _hi),
        Hypothesis("2 gate at least the spread", _hi - _lo <= 2 * _gate),
        _WHOLE_MATCHES,
    ),
    conclusion=by_case(
        sp.Eq(_matches, _k),
        sp.Eq(_z + ReLU(_LEVEL - _z), _v + 2 * _gate * _k),
        sp.Eq(_z + ReLU(_LEVEL - _z), _LEVEL),
    ),
)

_code = Variable("c", "the same coordinate of the code that is looked up")

SIGN_PRODUCT: Final = Lemma(
    name="sign-product",
    claim="C5(b)",
    statement=r"""For signs, $u c = 1 - 2 \cdot 1[u \neq c]$; summed over $m$ coordinates, $\langle u, c
\rangle = m - 2D$ with $D$ the Hamming distance.""",
    hypotheses=(Hypothesis("key is a sign", is_sign(_u)), Hypothesis("code is a sign", is_sign(_code))),
    conclusion=by_case(sp.Eq(_u, _code), sp.Eq(_u * _code, 1), sp.Eq(_u * _code, -1)),
)

_m = Variable("m", "length of the code")
_D = Variable("D", "Hamming distance of the code to the neuron's key")
_DISTANCE: Final = (
    Hypothesis("distance is an integer", is_integer(_D)),
    Hypothesis("distance at least 0", _D >= 0),
)
_MEMORY: Final = ReLU(_m - 2 * _D - (_m - 1))

MEMORY_NEURON: Final = Lemma(
    name="memory-neuron",
    claim="C5(b)",
    statement=r"""For every $m$ and every integer $D \geq 0$: $\mathrm{ReLU}(\langle u, c \rangle - (m - 1))$
with $\langle u, c \rangle = m - 2D$ is $1$ at $D = 0$ and $0$ otherwise.""",
    hypotheses=_DISTANCE,
    conclusion=by_case(sp.Eq(_D, 0), sp.Eq(_MEMORY, 1), sp.Eq(_MEMORY, 0)),
)


def memory_neuron(m: int) -> Lemma:
    """C5(b)'s memory neuron for codes of exactly m signs, the inner product written out."""
    key = [Variable(f"u_{j}", f"coordinate {j} of the neuron's key") for j in range(m)]
    code = [Variable(f"c_{j}", f"coordinate {j} of the code that is looked up") for j in range(m)]
    pairs = list(zip(key, code, strict=True))
    neuron = ReLU(sum(a * b for a, b in pairs) - (m - 1))
    return Lemma(
        name=f"memory-neuron-{m}",
        claim="C5(b)",
        statement=rf"""For sign vectors of length ${m}$: $\mathrm{{ReLU}}(\langle u, c \rangle - {m - 1}) =
1[c = u]$.""",
        hypotheses=(
            *(Hypothesis(f"key {j} is a sign", is_sign(a)) for j, a in enumerate(key)),
            *(Hypothesis(f"code {j} is a sign", is_sign(b)) for j, b in enumerate(code)),
        ),
        conclusion=by_case(sp.And(*(sp.Eq(a, b) for a, b in pairs)), sp.Eq(neuron, 1), sp.Eq(neuron, 0)),
    )


MEMORY_NEURONS: Final = tuple(memory_neuron(m) for m in range(1, 5))

_asked = Variable("asked", "1 if the neuron's relation is asked for")
_MERGED: Final = ReLU(_m - 2 * _D + _asked - _m)

MERGED_NEURON: Final = Lemma(
    name="merged-neuron",
    claim="C5(b)",
    statement=r"""For every integer $D \geq 0$ and bit $b = 1[r \text{ asked}]$: $\mathrm{ReLU}(\langle u(x),
\mathrm{block}_r \rangle + b - m)$ with inner product $m - 2D$ is $1$ if $D = 0$ and $b = 1$, and $0$
otherwise.""",
    hypotheses=(*_DISTANCE, Hypothesis("asked or not", is_bit(_asked))),
    conclusion=by_case(sp.And(sp.Eq(_D, 0), sp.Eq(_asked, 1)), sp.Eq(_MERGED, 1), sp.Eq(_MERGED, 0)),
)

_state = Variable("x", "a coordinate of the state: a sign, or 0 where it was cleared")
_lift = Variable("lift", "what the gates have added to it: 2 gate times the matches")

ERASE: Final = Lemma(
    name="erase",
    claim="C5(b)",
    statement=r"""For every state $x \geq -1$ and every lift $\lambda \geq 0$: $\mathrm{ReLU}(x + \lambda + 1)
- 1 = x + \lambda$, so subtracting it leaves exactly $0$: signs are erased, with whatever gate was added to
them, and a cleared state stays cleared.""",
    hypotheses=(Hypothesis("state at least -1", _state >= -1), Hypothesis("lift at least 0", _lift >= 0)),
    conclusion=(sp.Eq(_state + _lift - (ReLU(_state + _lift + 1) - 1), 0),),
)
