"""Separated forward passes: maps over integers are the matrices they stand for, in types that hold them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_array

from georecall import MLP, Attention, Block, Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.counting import linear_map, separated
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.linear_map import LinearMap, NotExactError
from georecall.verify.margins.counting.separated import Separated
from georecall.verify.margins.margins import margins

SEEDS = st.integers(0, 2**32 - 1)


@given(
    seed=SEEDS,
    n_in=st.integers(1, 6),
    n_out=st.integers(1, 6),
    shift=st.integers(0, 3),
    kind=st.sampled_from(["ones", "integers", "zeros"]),
    few=st.sampled_from([0, 2, 64]),
)
def test_a_map_is_its_matrix_whole_and_of_some_coordinates(seed, n_in, n_out, shift, kind, few):
    """As a few terms a column or as a matrix product; also where zeros are stored in no order."""
    rng = np.random.default_rng(seed)
    W = {"ones": rng.integers(0, 2, (n_in, n_out)), "integers": rng.integers(-3, 4, (n_in, n_out))}.get(
        kind, np.zeros((n_in, n_out), dtype=int)
    )
    columns, order = np.repeat(np.arange(n_out), n_in), np.tile(np.arange(n_in)[::-1], n_out)
    stored = csc_array((W[order, columns] / 2.0**shift, order, n_in * np.arange(n_out + 1)), shape=W.shape)
    x = rng.integers(-9, 10, size=(n_in, 5)).astype(np.int8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_map, "_FEW_TERMS", few)
        for given_as in (W / 2.0**shift, stored):
            found = LinearMap.of(given_as, shift)
            assert (found.n_out, found.reach) == (n_out, np.abs(W).sum(axis=0).max())
            assert found.applied(x, np.int32).dtype == np.int32
            assert found.applied(x, np.int32).tolist() == (W.T @ x).tolist()
            rows = np.flatnonzero(rng.random(n_in) < 0.5)
            out = np.ones((n_out, 5), dtype=np.int16)
            found.restricted(rows).add(out, x[rows])
            assert out.tolist() == (1 + W[rows].T @ x[rows]).tolist()


def test_the_identity_is_x_itself():
    """No copy is made of what is only read."""
    x = np.arange(6).reshape(3, 2)
    assert np.shares_memory(LinearMap.of(np.eye(3), 0).applied(x, x.dtype), x)
    assert not np.shares_memory(LinearMap.of(2 * np.eye(3), 0).applied(x, x.dtype), x)


def test_a_matrix_product_is_in_floats_that_hold_its_sums(monkeypatch):
    monkeypatch.setattr(linear_map, "_FEW_TERMS", 0)
    for bits in (11, 12, 26):
        for a, b in [(2**bits - 1, 2**bits - 1), (2**bits + 1, 2**bits + 3)][: 1 + (bits < 26)]:
            W, x = np.array([[float(a)], [2.0]]), np.array([[b], [1]])
            assert LinearMap.of(W, 0).applied(x, np.int64).tolist() == [[a * b + 2]]
    with pytest.raises(NotExactError, match="matrix product"):
        LinearMap.of(np.array([[2.0**27]]), 0).applied(np.array([[2**26]]), np.int64)


def test_entries_beyond_2_to_the_53_units_are_refused():
    assert LinearMap.of(np.array([[2.0**53 - 1]]), 0).reach == 2**53 - 1
    for W, shift in [(2.0**53, 0), (1.0, 53), (-1.0, 60)]:
        with pytest.raises(NotExactError, match="2\\^53"):
            LinearMap.of(np.array([[W]]), shift)


def test_integers_are_the_narrowest_that_hold_a_bound():
    widths = {127: np.int8, 128: np.int16, 2**15 - 1: np.int16, 2**15: np.int32, 2**31: np.int64}
    for bound, kind in (widths | {2**62 - 1: np.int64}).items():
        assert separated.narrowest(bound) == kind
    with pytest.raises(NotExactError, match="2\\^62"):
        separated.narrowest(2**62)


def model_of(W_E, W_V=1.0, W_in=1.0, b_in=0.0, W_out=1.0, b_out=0.0, W_U=(1.0, -1.0), at=(0.0, 0.0)):
    """One coordinate and one neuron; attention adds W_V times the average of both positions."""
    zero, one = np.zeros((1, 1, 1)), np.ones((1, 1, 1))
    mlp = MLP(np.array([[W_in]]), np.array([b_in]), np.array([[W_out]]), np.array([b_out]))
    return Transformer(
        W_E=np.array(W_E, dtype=float)[:, None],
        W_pos=np.array(at)[:, None],
        blocks=(Block(Attention(zero, zero, W_V * one, one), mlp),),
        W_U=np.array([W_U]),
        b_U=np.zeros(len(W_U)),
    )


@pytest.mark.parametrize("bits", [6, 7, 8, 14, 15, 16, 30, 31, 32])
@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_no_number_on_the_way_is_wrapped(bits, signs):
    """Subjects, neurons and readouts about 2^bits, just below and just above, and three times as large."""
    facts = FactTable([[0, 0, 0]] * 3, n_attributes=2)
    for size in (3 * 2**bits // 4, 2**bits - 1, 2**bits, 2**bits + 2):
        for W_in, W_out, bias in [(1.0, 0.0, size), (1.0, 1.0, size), (-1.0, -2.0, size), (3.0, 1.0, 0)]:
            W_E = [signs[0] * size, 0, 2, signs[1] * bias, 0, 1]
            model = model_of(W_E, W_V=2.0, W_in=W_in, b_in=float(signs[1] * bias), W_out=W_out)
            truth = margins(model, facts, method="exhaustive")
            found = count(model, facts)
            assert (found.minimum, found.n_wrong) == (truth.minimum, truth.n_wrong)
            if found.n_wrong:
                assert found.worst.margin == truth.worst.margin


@pytest.mark.parametrize(
    "changes",
    [
        {"at": (1.0, 2.0**-60)},  # the relation's residual
        {"b_in": 2.0**-60},
        {"at": (0.0, 2.0**53), "b_in": -1.5 * 2.0**53, "b_out": -1.5 * 2.0**53},  # 1 + 2^53, which cancels
        {"b_out": 2.0**53},
        {"W_V": 2.0**53 + 2, "W_in": 3.0},  # the map into neurons
        {"W_V": 2.0**53 + 2, "W_in": 0.0, "W_U": (3.0, -1.0)},  # and past them
        {"W_out": 2.0**53 + 2, "W_U": (3.0, 0.0, -1.0)},
        {"W_V": 2.0**-1000, "W_in": 2.0**-70},
        {"W_V": 2.0**700, "W_in": 2.0**300},
    ],
)
def test_maps_that_floats_would_round_are_not_separated(changes):
    model = model_of([1.0, 2.0, 1.0], **changes)
    assert Separated.of(model, 2, np.array([[3.0]])) is None
    assert Separated.of(model_of([1.0, 2.0, 1.0]), 2, np.array([[3.0]])) is not None


@given(seed=SEEDS, power=st.sampled_from([-901, -900, -899, -300, 0, 300, 890]))
def test_units_far_from_1_are_counted_rightly_or_not_at_all(seed, power):
    rng = np.random.default_rng(seed)
    facts = FactTable(rng.integers(2, size=(2, 3)), n_attributes=2)
    model = model_of(
        np.ldexp(rng.integers(1, 8, size=5).astype(float), power), b_in=np.ldexp(1.0, power), W_out=-1.0
    )
    found = count(model, facts)
    assert found is not None or power
    if found is not None:
        truth = margins(model, facts, method="exhaustive")
        assert (found.minimum, found.n_wrong) == (truth.minimum, truth.n_wrong)


def test_what_is_not_one_layer_of_attention_and_neurons_is_not_separated():
    model = model_of([1.0, 2.0, 1.0])
    (block,) = model.blocks
    gather = np.ones((1, 1))
    for blocks in ((), (block, block), (replace(block, mlp=None),), (replace(block, attention=None),)):
        assert Separated.of(replace(model, blocks=blocks), 2, gather) is None
    looking = replace(block.attention, W_Q=np.ones((1, 1, 1)), W_K=np.ones((1, 1, 1)))
    assert Separated.of(replace(model, blocks=(replace(block, attention=looking),)), 2, gather) is None
    for blind in ({"W_Q": np.ones((1, 1, 1))}, {"W_K": np.ones((1, 1, 1))}):
        attention = replace(block.attention, **blind)
        assert (
            Separated.of(replace(model, blocks=(replace(block, attention=attention),)), 2, gather) is not None
        )
    assert Separated.of(replace(model, W_pos=model.W_pos[:1]), 2, gather) is None
