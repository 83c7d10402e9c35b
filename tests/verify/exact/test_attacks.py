"""Models made to get a false verdict: each found a hole, or guards a path that small weights never reach."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from constructions import MLP, Attention, Block, Transformer
from theory import FactTable
from verify.exact.judge import Judge
from verify.exact.margin import margins


def copying(d_model):
    """Attention that adds up both positions."""
    nothing = csr_array((d_model, d_model), dtype=np.float64)
    return Attention((nothing,), (nothing,), (np.eye(d_model),), (2.0 * np.eye(d_model),))


def one_layer(subjects, relations, W_in, W_out, W_U, b_U=None, b_in=None):
    """x = W_E[s] + W_E[r] + ReLU((W_E[s] + W_E[r]) W_in + b_in) W_out, plus W_E[r] once more."""
    W_E = np.concatenate([subjects, relations])
    d = W_E.shape[1]
    mlp = MLP(W_in, np.zeros(W_in.shape[1]) if b_in is None else b_in, W_out, np.zeros(d))
    return Transformer(
        W_E=W_E,
        W_pos=np.zeros((2, d)),
        blocks=(Block(copying(d), mlp),),
        W_U=W_U,
        b_U=np.zeros(W_U.shape[1]) if b_U is None else b_U,
    )


@pytest.fixture
def assert_right(plain):
    """That counting and margins both say what the plain forward pass does."""

    def check(model, facts, *, judged=True):
        truth = plain(model).margins(facts)
        judge = Judge.of(model, facts)
        assert (judge is not None) == judged
        if judge is not None:
            assert judge.margins(0, facts.n_subjects)[0].tolist() == truth
        for method in ("auto", "exhaustive"):
            assert margins(model, facts, method=method).lower.tolist() == truth

    return check


def small(seed, *shape):
    return np.random.default_rng(seed).integers(-2, 3, size=shape).astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_neurons_and_readout_that_read_the_same_coordinates_are_not_mixed_up(assert_right, seed):
    """W_in = I = P: pre-activations and readout are both views of the subjects, and one is added to."""
    model = one_layer(small(seed, 9, 3), small(seed + 1, 3, 3), np.eye(3), small(seed + 2, 3, 3), np.eye(3))
    facts = FactTable(np.random.default_rng(seed).integers(3, size=(3, 9)), n_attributes=3)
    assert_right(model, facts)
