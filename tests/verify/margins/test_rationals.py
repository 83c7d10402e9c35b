"""Rationals: the forward pass in integers over a common denominator, without a rounding anywhere."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array

from georecall.constructions.transformer.arithmetic import hardmax, inner, mix, relu, softmax, times
from georecall.verify.margins.rationals import Rational, UndecidableError, Weight

SEEDS = st.integers(0, 2**32 - 1)
MODELS = st.fixed_dictionaries(
    {
        "n_layers": st.integers(0, 2),
        "n_heads": st.integers(1, 2),
        "attn_scale": st.sampled_from([1.0, 0.1, -3.0, 0.0, 2.0**100, 2.0**-700]),
        "d_mlp": st.integers(0, 3),
        "drop": st.booleans(),
        "sparse": st.booleans(),
    }
)


@given(seed=SEEDS, shape=MODELS, T=st.integers(1, 3), entries=st.sampled_from(["wild", "extreme", "tied"]))
def test_hard_attention_in_rationals_is_exact(plain, random_model, seed, shape, T, entries):
    model = random_model(seed, entries, attention="hard", **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(2, T))
    logits = model.map(Rational.of).logits(tokens).fractions()
    reference = plain(model)
    assert logits.tolist() == [reference.logits(prompt) for prompt in tokens.tolist()]


@given(seed=SEEDS, shape=MODELS, T=st.integers(1, 4), entries=st.sampled_from(["wild", "tied"]))
def test_soft_attention_over_equal_scores_in_rationals_is_exact(plain, random_model, seed, shape, T, entries):
    model = random_model(seed, entries, attention="soft", uniform=True, **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(1, T))
    logits = model.map(Rational.of).logits(tokens).fractions()
    assert logits.tolist() == [plain(model).logits(tokens[0].tolist())]


def test_soft_attention_over_unequal_scores_is_undecidable(random_model):
    model = random_model(0, "wild", attention="soft")
    with pytest.raises(UndecidableError, match="not rational"):
        model.map(Rational.of).logits(np.array([[0, 1]]))


@given(seed=SEEDS, dtype=st.sampled_from([np.float16, np.float32, np.int8, np.int64, bool]))
def test_weights_of_any_real_dtype_are_taken_as_stored(seed, dtype):
    stored = np.random.default_rng(seed).integers(0, 2, size=(3, 2)).astype(dtype)
    stored[0, 0] = dtype(3) / dtype(7) if np.dtype(dtype).kind == "f" else dtype(1)
    x = Rational(np.array([[1, 2, 3]], dtype=object), 7)
    exact = [sum(Fraction(stored[i, k].item()) * (i + 1) for i in range(3)) / 7 for k in range(2)]
    sparse = [] if dtype is np.float16 else [csr_array(stored), csc_array(stored)]  # SciPy has none
    for weight in (stored, *sparse):
        assert times(x, Rational.of(weight)).fractions().tolist() == [exact]


@pytest.mark.parametrize(
    "value", [0.1, -1e300, 5e-324, 2.0**62, -(2.0**62), 2.0**63, 2.0**1000 + 2.0**980, 0.0, -0.0]
)
def test_a_stored_number_becomes_that_rational(value):
    weight = Rational.of(np.array([value, 0.75]))
    assert isinstance(weight, Weight)
    assert weight[...].fractions().tolist() == [Fraction(value), Fraction(3, 4)]


@given(
    left=st.lists(st.fractions(), min_size=2, max_size=2),
    right=st.lists(st.fractions(), min_size=2, max_size=2),
)
def test_sums_are_exact_over_any_denominators(left, right):
    assert (rational(left) + rational(right)).fractions().tolist() == [
        a + b for a, b in zip(left, right, strict=True)
    ]
    assert relu(rational(left)).fractions().tolist() == [max(a, Fraction(0)) for a in left]


def rational(fractions):
    common = math.lcm(*(f.denominator for f in fractions))
    return Rational(
        np.array([f.numerator * (common // f.denominator) for f in fractions], dtype=object), common
    )


def test_scores_and_averages_are_exact():
    queries = Rational(np.array([[1, 2]], dtype=object), 3)
    keys = Rational(np.array([[5, 0], [0, -7]], dtype=object), 11)
    scores = inner(queries, keys, -0.5)
    assert scores.fractions().tolist() == [[Fraction(-5, 66), Fraction(14, 66)]]
    shown = np.array([[False, False]])
    assert hardmax(scores, shown).fractions().tolist() == [[0, 1]]
    assert hardmax(scores, np.array([[False, True]])).fractions().tolist() == [[1, 0]]
    even = hardmax(inner(queries, keys, 0.0), shown)
    assert even.fractions().tolist() == softmax(inner(queries, keys, 0.0), shown).fractions().tolist()
    assert mix(even, keys).fractions().tolist() == [[Fraction(5, 22), Fraction(-7, 22)]]


def test_a_masked_score_never_wins_and_does_not_matter_to_the_softmax():
    scores = Rational(np.array([[1, 1, 9]], dtype=object), 1)
    masked = np.array([[False, False, True]])
    half = Fraction(1, 2)
    assert hardmax(scores, masked).fractions().tolist() == [[half, half, 0]]
    assert softmax(scores, masked).fractions().tolist() == [[half, half, 0]]
    with pytest.raises(UndecidableError):
        softmax(scores, np.array([[False, False, False]]))


def test_it_is_said_of_which_prompts_the_softmax_is_rational():
    """Of two queries each: all alike, the last one not, neither."""
    scores = Rational(np.array([[[1, 1], [2, 2]], [[1, 1], [2, 1]], [[1, 2], [2, 1]]], dtype=object), 1)
    with pytest.raises(UndecidableError) as caught:
        softmax(scores, np.zeros((2, 2), dtype=bool))
    assert caught.value.rational.tolist() == [True, False, False]


def test_rows_over_different_numbers_of_positions_share_a_denominator():
    scores = Rational(np.zeros((3, 3), dtype=object), 1)
    future = np.triu(np.ones((3, 3), dtype=bool), 1)
    third, half = Fraction(1, 3), Fraction(1, 2)
    want = [[1, 0, 0], [half, half, 0], [third, third, third]]
    assert hardmax(scores, future).fractions().tolist() == want
    assert softmax(scores, future).fractions().tolist() == want


@pytest.mark.parametrize("step", [-3, 0, 2])
def test_equality_with_integers_times_a_power_of_two_is_exact(step):
    numbers = Rational(np.array([6, 7, 0], dtype=object), 3)
    integers = np.array([2, 2, 0])
    scaled = [Fraction(6, 3), Fraction(7, 3), Fraction(0)]
    want = [f == k * Fraction(2) ** step for f, k in zip(scaled, integers.tolist(), strict=True)]
    assert numbers.equals(integers, step).tolist() == want
    assert numbers.equals(integers, 0).tolist() == [True, False, True]


def test_an_empty_product_is_zero():
    x = Rational(np.zeros((2, 0), dtype=object), 5)
    assert times(x, Rational.of(np.zeros((0, 3)))).fractions().tolist() == [[0, 0, 0]] * 2
    assert times(x, Rational.of(csr_array((0, 3)))).fractions().tolist() == [[0, 0, 0]] * 2
