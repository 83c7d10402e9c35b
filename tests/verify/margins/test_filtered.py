"""The filter changes neither the verdict nor the least margin, and every bound it gives holds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import block_superposition, in_place_superposition, random_feature_memory
from georecall.constructions.transformer.arithmetic import dense
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.margins import filtered as filter_
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.filtered import _Screen, filtered
from georecall.verify.margins.margins import margins
from georecall.verify.recall.weights import check_recall

SEEDS = st.integers(0, 2**32 - 1)
U = 2.0**-24  # of single precision


def real(scale=1.0):
    return lambda rng, shape: rng.standard_normal(shape) * scale


def assert_filters(model, facts, plain=None):
    found, truth = filtered(model, facts), margins(model, facts, method="exhaustive")
    if found is None:
        return None
    assert found.signs.tolist() == truth.signs.tolist()
    assert found.minimum == truth.minimum
    assert (found.worst, found.wrong) == (truth.worst, truth.wrong)
    assert (found.lower <= truth.upper).all()
    assert (found.upper >= truth.lower).all()
    if plain is not None:
        exact = plain(model).margins(facts)
        for low, high, row in zip(found.lower, found.upper, exact, strict=True):
            assert all(
                a <= margin <= b for a, b, margin in zip(low.tolist(), high.tolist(), row, strict=True)
            )
    return found


@given(
    seed=SEEDS,
    N=st.integers(2, 8),
    R=st.integers(1, 3),
    scale=st.sampled_from([1.0, 1e-3, 30.0]),
    uniform=st.booleans(),
    layers=st.integers(1, 2),
    sparse=st.booleans(),
    drop=st.booleans(),
    n_ctx=st.integers(2, 3),
)
def test_random_real_models_are_filtered_to_the_same_verdict(
    random_model, plain, seed, N, R, scale, uniform, layers, sparse, drop, n_ctx
):
    model = random_model(
        seed,
        real(scale),
        d_vocab=N + R,
        n_layers=layers,
        n_heads=2,
        uniform=uniform,
        sparse=sparse,
        drop=drop,
        n_ctx=n_ctx,
    )
    facts = FactTable(np.random.default_rng(seed).integers(3, size=(R, N)), n_attributes=3)
    assert_filters(model, facts, plain)


def recalling(seed, N, R, noise):
    """A model that recalls nearly everything, with real weights."""
    facts = random_bijections(N, R, rng=np.random.default_rng(seed))
    model = in_place_superposition(facts)
    rng = np.random.default_rng(seed)
    W_E = model.W_E + noise * rng.standard_normal(model.W_E.shape)
    return replace(model, W_E=W_E), facts


@given(seed=SEEDS, N=st.integers(8, 60), R=st.integers(1, 4), noise=st.sampled_from([1e-9, 0.05, 0.3, 0.5]))
def test_models_that_recall_are_filtered_to_the_same_least_margin(seed, N, R, noise):
    model, facts = recalling(seed, N, R, noise)
    assert_filters(model, facts)


def test_most_facts_never_see_double_precision():
    model, facts = recalling(0, 200, 4, 0.05)
    found = assert_filters(model, facts)
    assert (found.method, found.exact) == ("filtered", False)
    tight = margins(model, facts, method="exhaustive")
    redone = (found.lower == tight.lower).sum()
    assert redone < 20
    assert (found.upper - found.lower).max() < 1e-3


def test_margins_below_single_precision_are_done_again():
    """A margin of 2^-40 is nothing to single precision; a tie is an error; both are found."""
    W_U = np.array([[1.0, 1.0 + 2.0**-40, -1.0]])
    W_E = np.array([[1.0 + 2.0**-50], [-0.3], [0.7], [0.0]])
    model = block_superposition(FactTable([[0, 1, 2]], n_attributes=3))
    zero = model.blocks[0].mlp
    model = replace(
        model,
        W_E=W_E,
        W_pos=np.zeros((2, 1)),
        blocks=(
            replace(
                model.blocks[0],
                attention=replace(
                    model.blocks[0].attention,
                    **{name: np.zeros((1, 1, 1)) for name in ("W_Q", "W_K")},
                    **{name: np.ones((1, 1, 1)) for name in ("W_V", "W_O")},
                ),
                mlp=replace(
                    zero, W_in=np.zeros((1, 1)), b_in=np.zeros(1), W_out=np.ones((1, 1)), b_out=np.zeros(1)
                ),
            ),
        ),
        W_U=W_U,
        b_U=np.zeros(3),
        storage=None,
    )
    for answers in ([[1, 2, 1]], [[0, 2, 1]]):
        facts = FactTable(answers, n_attributes=3)
        verdict = check_recall(model, facts)
        assert verdict.status == ("holds" if answers[0][0] == 1 else "refuted")
        assert verdict.min_margin == margins(model, facts, method="exhaustive").minimum[0]


def test_a_real_memory_is_judged_by_the_filter():
    facts = random_bijections(64, 2, rng=np.random.default_rng(0))
    model = random_feature_memory(facts)
    model = replace(model, W_U=model.W_U * 0.3)
    verdict = check_recall(model, facts)
    assert verdict.status == "holds"
    assert verdict.method in ("filtered", "exhaustive")


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_numbers_that_single_precision_does_not_hold_are_left_to_margins(factor):
    model, facts = recalling(1, 30, 2, 0.05)
    assert_filters(replace(model, W_U=np.asarray(model.W_U) * factor), facts)


def screened(mid, radius=0.0, W_U=((3, 0, -1), (4, 1, 0)), b_U=(0, 2, -1), answers=(0,)):
    """Bounds of the margins that an unembedding of three attributes in R^2 gives."""
    model = block_superposition(FactTable([[0, 1]]))  # d = 2 x 1
    model = replace(model, W_U=np.array(W_U, dtype=float), b_U=np.array(b_U, dtype=np.int8), storage=None)
    mid = np.array(mid, dtype=float)
    y = replace(Ball.of(mid), rad=np.broadcast_to(np.array(radius, dtype=float), mid.shape))
    return _Screen.of(model).bounds(y, np.array(answers))


@pytest.mark.parametrize(
    ("readout", "error"),
    [
        ({"mid": [[6, 8]]}, 6 * U * 10 * 5 + 2 * U * 2),
        ({"mid": [[6, 8]], "radius": [[3e-5, 4e-5]]}, (6 * U * 10 + 5e-5) * 5 + 2 * U * 2),
        ({"mid": [[0, 0]], "radius": [[0.3, 0.4]]}, 0.5 * 5 + 2 * U * 2),
        ({"mid": [[6, 8]], "b_U": (0, -128, -1)}, 6 * U * 10 * 5 + 2 * U * 128),
        # what underflows: of readouts, of weights, and of neither
        ({"mid": [[6, 8]], "W_U": np.zeros((2, 3)), "b_U": (0, 0, 0)}, 6 * 2.0**-126 * 14),
        ({"mid": [[0, 0]], "b_U": (0, 0, 0)}, 6 * 2.0**-126 * 7),
        ({"mid": [[0, 0]], "W_U": np.zeros((2, 3)), "b_U": (0, 0, 0)}, 6 * 2.0**-126),
    ],
)
def test_margins_are_off_by_twice_what_logits_are_and_little_more(readout, error):
    """By hand: d + 4 = 6, |y| = 10, |y|_1 = 14; the longest column is (3, 4), with |w| = 5 and |w|_1 = 7."""
    low, high = screened(**readout)
    assert 4 * error <= high[0] - low[0] <= 4 * error * 1.04


def test_screened_margins_are_those_of_every_readout_with_every_answer(monkeypatch):
    monkeypatch.setattr(filter_, "_ENTRIES", 6)  # two readouts at a time
    low, high = screened([[6, 8], [0, 0], [-1, 0], [6, 8], [1, 1]], answers=(0, 1, 2, 2, 1))
    assert ((low + high) / 2).tolist() == pytest.approx([40, 2, -2, -57, -4], abs=1e-4)


@pytest.mark.parametrize(("size", "decided"), [(9e17, True), (1.1e18, False), (1e30, False)])
def test_readouts_that_single_precision_may_not_hold_are_not_decided(size, decided):
    low, high = screened([[size, 0], [1, 1]], answers=(0, 0))
    assert np.isfinite(low).tolist() == np.isfinite(high).tolist() == [decided, True]


def test_weights_whose_squares_underflow_do_not_hide_how_far_a_readout_is_known():
    """1e165 x 1e-165 = 1 is what the right logit, 1, may be off by."""
    W_U = [[1e-165, 0, 0], [0, 0, 0]]
    with np.errstate(over="ignore", invalid="ignore"):  # as in `filtered`
        low, high = screened([[0, 0]], radius=[[1e165, 0]], W_U=W_U, b_U=(1, 0, 0), answers=(0,))
    assert low[0] <= 0
    assert high[0] >= 2


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({"W_U": np.full((2, 2), 4e17)}, True),
        ({"W_U": np.array([[1.1e18, 0], [0, 0]])}, False),
        ({"b_U": np.array([0, 9e17])}, True),
        ({"b_U": np.array([0, -1.1e18])}, False),
    ],
)
def test_weights_that_single_precision_may_not_hold_are_not_screened(changed, fits):
    model = block_superposition(FactTable([[0, 1]]))
    assert (_Screen.of(replace(model, **changed)) is not None) == fits


def test_progress_is_told_of_every_fact():
    model, facts = recalling(0, 30, 3, 0.05)
    told = []
    assert filtered(model, facts, progress=lambda *done: told.append(done)) is not None
    assert told == [(30, 90), (60, 90), (90, 90)]


def test_what_is_shared_is_one_layer_of_attention_and_neurons_without_scores():
    facts = FactTable([[0, 1], [1, 0]])
    model = block_superposition(facts)
    (block,) = model.blocks
    scores = {name: tuple(np.ones_like(dense(W)) for W in block.attention.W_V) for name in ("W_Q", "W_K")}
    for blocks, shared in [
        ((block,), True),
        ((block, block), False),
        ((replace(block, attention=None),), False),
        ((replace(block, mlp=None),), False),
        ((replace(block, attention=replace(block.attention, **scores)),), False),
    ]:
        changed = replace(model, blocks=blocks)
        assert (filter_.AdditiveLayer.of(changed.map(Ball.of), changed, facts) is not None) == shared


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_a_filter_that_lets_most_facts_through_is_not_used(noise):
    """All margins are 2, or as near as single precision sees."""
    model, facts = recalling(0, 30, 3, noise)
    assert filtered(model, facts) is None


def test_exact_models_are_left_to_exact_margins():
    facts = random_bijections(30, 2, rng=np.random.default_rng(0))
    assert filtered(in_place_superposition(facts), facts) is None


def test_values_in_float16_are_halved_without_underflow():
    """W_V of 2^-24, the least that float16 holds: half of it is 0 there."""
    model, facts = recalling(0, 30, 2, 0.05)
    block = model.blocks[0]
    W_V, W_O = (np.stack([dense(W) for W in heads]) for heads in (block.attention.W_V, block.attention.W_O))
    attention = replace(block.attention, W_V=(W_V * 2.0**-24).astype(np.float16), W_O=W_O * 2.0**24)
    assert np.abs(attention.W_V).max() == 2.0**-24
    assert assert_filters(replace(model, blocks=(replace(block, attention=attention),)), facts) is not None
