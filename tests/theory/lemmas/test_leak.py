"""C3's leak in an actual softmax head: inside the proved interval, and what the interval cannot see."""

from itertools import product

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

from georecall.theory.lemmas import LEMMAS, counterexample, prove
from georecall.theory.lemmas.chain_of_thought import LEAK_IN_PLACE, LEAK_OTHERS_OFF
from georecall.theory.lemmas.formula import Variable, is_sign
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

Array = NDArray[np.float64]


def position_codes(K: int) -> Array:
    q = max(1, int(np.ceil(np.log2(K))))
    return np.array(list(product([1.0, -1.0], repeat=q)))[:K]


def attend(k: int, step: int, K: int, beta: float) -> Array:
    """Weights on [r_1..r_k, e_0..e_{step-1}] at a step: relations score beta <p_i, p_j>, entities 0."""
    codes = position_codes(K)
    scores = np.concatenate([beta * codes[:k] @ codes[step - 1], np.zeros(step)])
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def leaked(k: int, step: int, gate: float, weights: Array, rng: np.random.Generator) -> tuple[Array, int]:
    """How far the head moves one coordinate of each of three blocks from hard attention; the asked block."""
    relations = rng.integers(0, 3, size=k)
    entities = rng.choice([-1.0, 1.0], size=(step, 3))
    held = np.concatenate([gate * np.eye(3)[relations], entities])
    asked = int(relations[step - 1])
    return 2 * weights @ held - 2 * gate * np.eye(3)[asked], asked


@pytest.mark.parametrize("K", [1, 2, 3, 5])
@pytest.mark.parametrize("beta", [0.5, 2.0, 5.0])
def test_a_real_heads_leak_stays_in_the_interval_and_its_weight_under_the_bound(K: int, beta: float) -> None:
    rng = np.random.default_rng([K, int(2 * beta)])
    codes = position_codes(K)
    q = codes.shape[1]
    distances = [np.sum(a != b) for a in codes for b in codes if np.any(a != b)]
    gamma = beta * min(2 * min(distances), q) if distances else beta * q
    S = (2 * K - 1) * np.exp(-gamma)
    for _ in range(200):
        k = int(rng.integers(1, K + 1))
        step, gate = int(rng.integers(1, k + 1)), float(rng.uniform(1, 4))
        weights = attend(k, step, K, beta)
        eps = 1 - weights[step - 1]
        assert eps <= S / (1 + S) + 1e-12
        deviation, asked = leaked(k, step, gate, weights, rng)
        others = np.delete(deviation, asked)
        assert -2 * eps * (1 + gate) - 1e-12 <= deviation[asked] <= 1e-12
        assert np.all(others >= -2 * eps - 1e-12)
        assert np.all(others <= 2 * eps * gate + 1e-12)


def test_below_gate_one_the_asked_block_can_exceed_hard_attention() -> None:
    found = counterexample(LEMMAS["leak-token-value"], without="gate at least 1")
    gate, held = float(found.values["gate"]), float(found.values["v"])
    eps = 0.25
    assert 2 * ((1 - eps) * gate + eps * held) - 2 * gate > 0


def test_all_four_ends_of_the_interval_are_attained_by_some_leak() -> None:
    example = prove(LEMMAS["leak-attained"]).example
    assert example is not None
    assert (example["v_low"], example["v_high"]) == (-1, example["gate"])
    eps, gate = 0.25, 2.0
    ends = {
        (block, held): 2 * ((1 - eps) * gate * block + eps * held) - 2 * gate * block
        for block in (1, 0)
        for held in (-1.0, gate)
    }
    assert ends == {
        (1, -1.0): -2 * eps * (1 + gate),
        (1, gate): 0,
        (0, -1.0): -2 * eps,
        (0, gate): 2 * eps * gate,
    }


@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_current_entity_keeps_c3s_head_off_the_lower_end(n: int) -> None:
    """At u = +1 the n-th entity's own token holds +1: the least is -2 eps (gate + 1 - 2/n).

    Attained where all of eps is on the entities; the other relations' tokens can only raise it.
    """
    gate, scores = 2.0, np.concatenate([[4.0], np.zeros(n)])
    weights = np.exp(scores) / np.exp(scores).sum()
    eps = 1 - weights[0]
    least = min(
        2 * weights @ np.array([gate, *earlier, 1.0]) - 2 * gate
        for earlier in product([-1.0, 1.0], repeat=n - 1)
    )
    assert least == pytest.approx(-2 * eps * (gate + 1 - 2 / n), abs=1e-12)
    assert least > -2 * eps * (gate + 1)


def test_in_place_c1s_neuron_leaks_at_every_gate_and_the_higher_threshold_does_not() -> None:
    u, deviation, eps, gate = (Variable(name) for name in ("u", "delta", "eps", "gate"))
    as_stated = Lemma(
        name="planted: in place with max(z, 1)",
        claim="C3",
        statement="",
        hypotheses=(
            *LEAK_OTHERS_OFF.hypotheses,
            Hypothesis("deviation at least -2 eps", deviation >= -(2 * eps)),
            Hypothesis("a sign", is_sign(u)),
            Hypothesis("a realistic leak", sp.And(eps > 0, eps * 100 <= 1, gate >= 2)),
        ),
        conclusion=(sp.Eq(sp.Max(u + deviation, 1), 1),),
    )
    proof = prove(as_stated)
    assert proof.counterexample is not None
    at = {name: float(value) for name, value in proof.counterexample.values.items()}
    z = at["u"] + at["delta"]
    assert at["u"] == 1
    assert np.maximum(z, 1) > 1  # a block not asked for passes its leak
    assert np.maximum(z, 2 * at["gate"] - 1) == 2 * at["gate"] - 1
    assert prove(LEAK_IN_PLACE).status == "proved"


def test_in_place_already_a_single_hop_leaks_through_its_subject() -> None:
    """K = 1, R = 2: the subject's own token holds +1 in the block not asked for."""
    gate, weights = 2.0, attend(k=1, step=1, K=1, beta=5.0)
    eps = weights[1]
    z = 1.0 + 2 * eps * 1.0
    assert max(z, 1.0) - 1 == pytest.approx(2 * eps)
    assert max(z, 2 * gate - 1) == 2 * gate - 1
