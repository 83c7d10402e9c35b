"""Counterexamples to the selectors, reproduced by neurons in NumPy that know nothing of the formulas."""

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

from georecall.theory.lemmas import LEMMAS, Counterexample, counterexample
from georecall.theory.lemmas.formula import Proposition, Variable, evaluate, holds, is_sign

Values = Mapping[str, float]
Outputs = NDArray[np.float64]


def relu(z: float) -> float:
    return float(np.maximum(z, 0.0))


def single_hop_gate(at: Values) -> Outputs:
    """C1: attention adds 2 gate to the asked block; then the two neurons, not asked for and asked for."""
    x, gate = at["x"], at["gate"]
    residual = np.array([x, x]) + 2 * gate * np.array([0.0, 1.0])
    return np.maximum(residual - (2 * gate - 1), 0)


def in_place_maximum(at: Values) -> Outputs:
    """C1': z + ReLU(2 gate + lo - z) for the block not asked for and the asked one."""
    residual = at["v"] + 2 * at["gate"] * np.array([0.0, 1.0])
    return residual + np.maximum(2 * at["gate"] + at["lo"] - residual, 0)


def narrow_selector(at: Values) -> Outputs:
    """C1'': block R after asking r, the neuron of a block not asked for, and both after asking R."""
    spread, gate = at["hi"] - at["lo"], at["gate"]
    block_r, last = at["v_r"], at["v_R"]
    lifted_last = last + 2 * gate - spread
    asked_r = last + relu(block_r + 2 * gate - last - spread) + spread - 2 * gate
    leak = relu(block_r - lifted_last - spread)
    return np.array([asked_r, relu(block_r - last - spread), leak, lifted_last + leak + spread - 2 * gate])


def packed_gate(at: Values) -> Outputs:
    """C1-w: the group's neuron, not asked for and asked for."""
    group, most, gate = at["s"], at["M"], at["gate"]
    return np.maximum(group + 2 * gate * most * np.array([0.0, 1.0]) - most * (2 * gate - 1), 0)


def absolute_value_selector(at: Values) -> Outputs:
    """C2: one ReLU makes z + MLP(z) = |z| - lift."""
    z = at["x"] + at["lift"] * at["D"]
    return np.array([z + 2 * relu(-z) - at["lift"]])


def erase(at: Values) -> Outputs:
    """C5(b): what the erasure leaves of a lifted state."""
    state = at["x"] + at["lift"]
    return np.array([state - (relu(state + 1) - 1)])


NEURONS: dict[str, Callable[[Values], Outputs]] = {
    "single-hop-gate": single_hop_gate,
    "in-place-maximum": in_place_maximum,
    "narrow-selector": narrow_selector,
    "packed-gate": packed_gate,
    "absolute-value-selector": absolute_value_selector,
    "erase": erase,
}
CASES = [(name, known.name) for name in NEURONS for known in LEMMAS[name].hypotheses]


def promised(name: str) -> tuple[Proposition, ...]:
    """The equations of a lemma's conclusion, `left = right`, in the order of its neurons."""
    conclusion = LEMMAS[name].conclusion
    assert all(isinstance(part, sp.Eq) for part in conclusion)
    return conclusion


def realisable(name: str) -> tuple[Proposition, ...]:
    """What makes a counterexample one of an actual model: a positive gate, a code of several values."""
    names = {variable.name for variable in LEMMAS[name].variables}
    wanted: list[Proposition] = [Variable(known) > 0 for known in ("gate", "R", "M") if known in names]
    if "hi" in names:
        wanted.append(Variable("hi") - Variable("lo") >= 2)
    if "D" in names:
        wanted += [Variable("lift") > 0, sp.Ne(Variable("x"), 0)]
    return tuple(wanted)


@pytest.mark.parametrize(("name", "dropped"), CASES)
def test_the_neurons_go_wrong_exactly_where_the_counterexample_says(name: str, dropped: str) -> None:
    found = counterexample(LEMMAS[name], without=dropped, where=realisable(name))
    outputs = NEURONS[name]({known: float(value) for known, value in found.values.items()})
    for output, equation in zip(outputs, promised(name), strict=True):
        assert Fraction(output) == evaluate(equation.lhs, found.values)
        wrong = Fraction(output) != evaluate(equation.rhs, found.values)
        assert wrong == (equation in {side.atom for side in found.sides})


@pytest.mark.parametrize("name", NEURONS)
def test_the_neurons_keep_the_promise_inside_the_hypotheses(name: str) -> None:
    rng = np.random.default_rng(20)
    lemma, tried = LEMMAS[name], 0
    while tried < 50:
        drawn = rng.integers(-12, 13, size=len(lemma.variables))
        at = {known.name: Fraction(int(n), 4) for known, n in zip(lemma.variables, drawn, strict=True)}
        at |= {"D": Fraction(1 if drawn[0] % 2 else -1)} if "D" in at else {}
        if all(holds(hypothesis.formula, at) for hypothesis in lemma.hypotheses):
            tried += 1
            outputs = NEURONS[name]({known: float(value) for known, value in at.items()})
            for output, equation in zip(outputs, promised(name), strict=True):
                assert Fraction(output) == evaluate(equation.rhs, at)


@pytest.mark.parametrize("gate", ["1/4", "1/2", "3/4"])
def test_c1_below_gate_one_leaks_what_the_counterexample_says(gate: str) -> None:
    x, known = Variable("x"), Variable("gate")
    where = [is_sign(x), sp.Eq(known, Fraction(gate))]
    found = counterexample(LEMMAS["single-hop-gate"], without="gate at least 1", where=where)
    (side,) = found.sides
    assert side.left == 2 - 2 * Fraction(gate)  # theory/pages/c1.md, C1: the leak of a +1
    assert single_hop_gate({k: float(v) for k, v in found.values.items()})[0] == float(side.left)


@pytest.mark.parametrize(
    ("state", "left"),
    [(-1, 0), (1, 0), (0, 0), (-1 + 2, 0), (1 + 4, 0), (-Fraction(5, 4), Fraction(-1, 4)), (-2, -1)],
)
def test_erasing_clears_signs_and_lifted_signs_keeps_the_cleared_and_misses_below_minus_one(
    state: Fraction | int, left: Fraction | int
) -> None:
    at = {"x": Fraction(state), "lift": Fraction(0)}
    assert erase({"x": float(state), "lift": 0.0})[0] == float(left)
    assert all(holds(part, at) for part in LEMMAS["erase"].conclusion) == (left == 0)


@pytest.mark.parametrize("name", ["memory-neuron-3", "composed-gate-2"])
def test_a_counterexample_keeps_the_fixed_instances_shape(name: str) -> None:
    lemma = LEMMAS[name]
    for hypothesis in lemma.hypotheses:
        found = counterexample(lemma, without=hypothesis.name)
        assert isinstance(found, Counterexample)
        at = {known: float(value) for known, value in found.values.items()}
        if name.startswith("memory"):
            key, code = (np.array([at[f"{side}_{j}"] for j in range(3)]) for side in "uc")
            fired, should = relu(float(key @ code) - 2), float(np.array_equal(key, code))
        else:
            bits = np.array([at["b_1"], at["b_2"]])
            fired = relu(at["u"] + 2 * at["gate"] * float(bits.sum()) - (4 * at["gate"] - 1))
            should = at["u"] + 1 if np.all(bits == 1) else 0.0
        assert fired != should
