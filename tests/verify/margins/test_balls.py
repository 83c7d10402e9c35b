"""Certified floats: the true result lies in the ball, and `exact` is said of true results only."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from georecall import MLP, Attention, Block, Transformer
from georecall.constructions.transformer.arithmetic import hardmax, inner, mix, relu, softmax, times
from georecall.verify.margins import balls as balls_module
from georecall.verify.margins.balls import Ball, format_needed
from georecall.verify.margins.number_formats import (
    FORMATS,
    SUMMED_IN,
    Format,
    granule,
)

SEEDS = st.integers(0, 2**32 - 1)
MODELS = st.fixed_dictionaries(
    {
        "n_layers": st.integers(0, 3),
        "n_heads": st.integers(1, 2),
        "d_mlp": st.integers(0, 4),
        "drop": st.booleans(),
        "sparse": st.booleans(),
    }
)
SCALES = st.sampled_from([1.0, 0.1, -3.0, 0.0, 2.0**-40])


KINDS = st.sampled_from(["small", "wild", "cancelling", "border", "denormal", "tied"])


def assert_holds(ball, truths, slack=0):
    """Every true number lies in its ball; an exact ball has them as midpoints."""
    assert ball.shape == np.shape(truths)
    for mid, radius, truth in zip(ball.mid.ravel(), ball.radius.ravel(), np.ravel(truths), strict=True):
        assert abs(Fraction(float(mid)) - truth) <= Fraction(float(radius)) + slack
        assert not ball.exact or Fraction(float(mid)) == truth


@given(seed=SEEDS, shape=MODELS, scale=SCALES, T=st.integers(1, 4), entries=KINDS)
def test_hard_attention_the_ball_holds_the_rational_result(
    plain, random_model, seed, shape, scale, T, entries
):
    model = random_model(seed, entries, attention="hard", attn_scale=scale, **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(2, T))
    reference = plain(model)
    ball = model.map(Ball.of).logits(tokens)
    assert_holds(ball, np.array([reference.logits(prompt) for prompt in tokens.tolist()]))


@given(seed=SEEDS, shape=MODELS, T=st.integers(1, 4), entries=KINDS)
def test_equal_scores_the_ball_holds_the_rational_result(plain, random_model, seed, shape, T, entries):
    """Uniform attention over 1 to 4 positions: averages over 3 of them are never exact."""
    model = random_model(seed, entries, attention="soft", uniform=True, **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(2, T))
    reference = plain(model)
    ball = model.map(Ball.of).logits(tokens)
    assert_holds(ball, np.array([reference.logits(prompt) for prompt in tokens.tolist()]))


@given(
    seed=SEEDS,
    shape=MODELS,
    scale=st.sampled_from([1.0, 0.1, -3.0, 30.0, 2.0**-40]),
    T=st.integers(1, 4),
    entries=st.sampled_from(["small", "tied", lambda rng, shape: rng.normal(size=shape)]),
)
def test_soft_attention_the_ball_holds_the_real_result(plain, random_model, seed, shape, scale, T, entries):
    model = random_model(seed, entries, attention="soft", attn_scale=scale, **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(2, T))
    ball = model.map(Ball.of).logits(tokens)
    with mpmath.workdps(60):
        reference = plain(model, mpmath.mpf, mpmath.exp)
        truths = [[as_fraction(y) for y in reference.logits(prompt)] for prompt in tokens.tolist()]
    largest = max(abs(y) for row in truths for y in row)
    assert_holds(ball, np.array(truths), slack=0 if ball.exact else Fraction(1, 10**40) * (1 + largest))


def as_fraction(real):
    sign, mantissa, exponent, _ = real._mpf_
    return (-1) ** sign * int(mantissa) * Fraction(2) ** exponent


@given(seed=SEEDS, T=st.sampled_from([1, 2, 4]), uniform=st.booleans(), sparse=st.booleans())
def test_small_dyadic_models_are_proved_exact(plain, random_model, seed, T, uniform, sparse):
    """The proof is not vacuous: one layer of quarters, a power of two of positions."""
    model = random_model(seed, "small", attention="soft", uniform=True, sparse=sparse)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(2, T))
    ball = model.map(Ball.of).logits(tokens)
    assert ball.exact
    assert ball.exact_differences
    assert_holds(ball, np.array([plain(model).logits(prompt) for prompt in tokens.tolist()]))


def test_radii_are_not_idle():
    """An ordinary product is known to about n units in the last place."""
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(1, 50)), rng.normal(size=(50, 3))
    ball = times(Ball.of(x), Ball.of(W))
    assert not ball.exact
    assert (ball.radius < 60 * 2.0**-53 * (abs(x) @ abs(W))).all()


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    others=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4),
)
def test_the_granule_is_the_largest_power_of_two_that_divides_all(value, others):
    numbers = [Fraction(x) for x in (value, *others)]
    step = granule(np.array([value, *others]))
    assert all((x / Fraction(2) ** step).denominator == 1 for x in numbers)
    if any(numbers):
        assert any((x / Fraction(2) ** (step + 1)).denominator != 1 for x in numbers)
    else:
        assert step == 0


@pytest.mark.parametrize(
    ("numbers", "step"),
    [
        ([5e-324], -1074),
        ([2.0**-1022 * (1 + 2.0**-52)], -1074),
        ([-(2.0**1023)], 1023),
        ([1.7976931348623157e308], 971),
        ([6.0, 0.75], -2),
        ([-0.0, 0.0], 0),
        ([0.1], -55),
        ([2.0**53 - 1], 0),
        ([], 0),
    ],
)
def test_granules_of_known_numbers(numbers, step):
    assert granule(np.array(numbers)) == step
    assert granule(csr_array(np.array([numbers]))) == step


@pytest.mark.parametrize("stored", [np.float16, np.float32, np.int8])
def test_the_granule_of_a_stored_type_is_that_of_its_numbers(stored):
    numbers = np.array([-128, 6, 40])
    assert granule(numbers.astype(stored)) == 1
    if np.dtype(stored).kind == "f":
        assert granule((numbers / 256).astype(stored)) == -7


def test_the_granule_of_a_large_weight_is_found_piece_by_piece():
    weight = np.full((1 << 20) + 10, 4.0)
    assert granule(weight) == 2
    for place in (-1, 0):
        weight[place] = 0.5
        assert granule(weight) == -1
        weight[place] = 4.0


BELOW, AT = 2.0**53 - 2, 2.0**53


def test_integers_are_exact_below_2_to_the_53_and_not_beyond():
    one = Ball.of(np.array([[1.0]]))
    assert (one + Ball.of(np.array([2.0**52]))).exact
    far = one + Ball.of(np.array([AT]))
    assert not far.exact
    assert_holds(far, np.array([[2**53 + 1]]))
    assert far.mid[0, 0] == 2.0**53  # the float sum is wrong by 1


def test_partial_sums_beyond_2_to_the_53_are_not_exact_though_the_sum_is_small():
    """2^53 + 1 - 2^53: the order of the sum decides whether the 1 survives."""
    x = Ball.of(np.array([[1.0, 1.0, 1.0]]))
    ball = times(x, Ball.of(np.array([[AT], [1.0], [-AT]])))
    assert not ball.exact
    assert_holds(ball, np.array([[1]]))


def test_products_that_cancel_are_not_exact_though_all_factors_are():
    """1 + 2^60 + 2^30 - (2^60 + 2^30): the 1 is lost in the sum, or not, as its order will have it."""
    far = 2.0**30 + 1
    x, W = np.array([[1.0, far, far]]), np.array([[1.0], [2.0**30], [-(2.0**30)]])
    ball = times(Ball.of(x), Ball.of(W))
    assert not ball.exact
    assert_holds(ball, np.array([[1]]))
    assert_holds(inner(Ball.of(x), Ball.of(W.T), 1.0), np.array([[1]]))
    assert not inner(Ball.of(x), Ball.of(W.T), 1.0).exact


def test_products_that_underflow_are_not_exact():
    least = 5e-324
    ball = times(Ball.of(np.array([[least, 2.0**-540]])), Ball.of(np.array([[0.5], [2.0**-540]])))
    assert not ball.exact
    assert_holds(ball, np.array([[Fraction(least) / 2 + Fraction(2) ** -1080]]))
    kept = times(Ball.of(np.array([[2.0**-540]])), Ball.of(np.array([[2.0**-534]])))
    assert kept.exact
    assert_holds(kept, np.array([[Fraction(2) ** -1074]]))


def test_sums_of_denormals_are_exact():
    least = 5e-324
    ball = Ball.of(np.array([[3 * least]])) + Ball.of(np.array([-least]))
    assert ball.exact
    assert ball.mid[0, 0] == 2 * least


def test_an_average_over_three_positions_is_not_exact_and_over_four_is():
    values = np.array([[[3.0], [6.0], [9.0], [-2.0]]])
    for n, exact in ((1, True), (2, True), (3, False), (4, True)):
        scores = Ball.of(np.zeros((1, 1, n)))
        shown = np.zeros((1, n), dtype=bool)
        truth = Fraction(int(values[0, :n].sum()), n)
        for attend in (softmax, hardmax):
            ball = mix(attend(scores, shown), Ball.of(values[:, :n]))
            assert ball.exact == exact
            assert_holds(ball, np.array([[[truth]]]))


def test_equal_weights_of_a_third_are_within_their_radius():
    third = Fraction(1, 3)
    for attend in (softmax, hardmax):
        ball = attend(Ball.of(np.zeros((1, 3))), np.zeros((1, 3), dtype=bool))
        assert_holds(ball, np.array([[third] * 3]))
        assert ball.radius.max() < 1e-15


def test_an_average_that_needs_a_digit_more_than_a_float_is_not_exact():
    values = Ball.of(np.array([[[1.0], [2.0**53]]]))
    ball = mix(softmax(Ball.of(np.zeros((1, 1, 2))), np.zeros((1, 2), dtype=bool)), values)
    assert not ball.exact
    assert_holds(ball, np.array([[[2**52 + Fraction(1, 2)]]]))


def test_an_average_of_odd_multiples_of_the_least_float_is_not_exact():
    values = Ball.of(np.array([[[5e-324], [0.0]]]))
    ball = mix(softmax(Ball.of(np.zeros((1, 1, 2))), np.zeros((1, 2), dtype=bool)), values)
    assert not ball.exact
    assert_holds(ball, np.array([[[Fraction(5e-324) / 2]]]))


def test_rows_over_one_two_and_four_positions_are_exact_together():
    future = np.triu(np.ones((2, 2), dtype=bool), 1)
    pattern = softmax(Ball.of(np.zeros((2, 2))), future)
    assert pattern.exact
    assert pattern.mid.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def copying_head(d_model):
    """Scores are the product of coordinates 0 and 1; the last coordinate is copied."""
    read_0, read_1, value = np.zeros((3, 1, d_model, 1))
    read_0[0, 0], read_1[0, 1], value[0, -1] = 1.0, 1.0, 1.0
    return Attention(W_Q=read_0, W_K=read_1, W_V=value, W_O=value.swapaxes(1, 2))


def attending(keys, query=1.0, **options):
    """A model whose last token attends to keys and copies the values 1, 2, 4, ... of their tokens."""
    W_E = np.array([[query, key, 2.0**i] for i, key in enumerate(keys)])
    blocks = (Block(copying_head(3)),)
    W_U = np.array([[0.0], [0.0], [1.0]])
    return Transformer(W_E, np.zeros((len(keys), 3)), blocks, W_U, np.zeros(1), attention="hard", **options)


@pytest.mark.parametrize(
    ("keys", "copied"),
    [
        ([1.0, 0.0], 1),
        ([0.0, 1.0], 2),
        ([1.0, 1.0], Fraction(3, 2)),
        ([1.0, 1.0, 1.0], Fraction(7, 3)),
        ([1.0, np.nextafter(1.0, 0.0)], 1),
        ([np.nextafter(1.0, 0.0), 1.0, 0.0], 2),
        ([-5e-324, 0.0], 2),
        ([-0.0, 0.0], Fraction(3, 2)),
    ],
)
def test_ties_and_near_ties_of_hard_attention(plain, keys, copied):
    model = attending(keys)
    tokens = np.arange(len(keys))[None]
    want = copied + 2 ** (len(keys) - 1)
    assert plain(model).logits(tokens[0].tolist()) == [want]
    assert_holds(model.map(Ball.of).logits(tokens), np.array([[want]]))


def summing(keys):
    """A model whose last token attends to the largest sum of a key and copies that token's 1, 2, 4, ..."""
    keys = np.array(keys, dtype=float)
    n, d = keys.shape
    W_E = np.concatenate([keys, np.ones((n, 1)), 2.0 ** np.arange(n)[:, None]], axis=1)
    W_Q, W_K, W_V = np.zeros((3, 1, d + 2, d))
    W_Q[0, d, :] = 1.0
    W_K[0, :d] = np.eye(d)
    W_V[0, d + 1, 0] = 1.0
    W_O = np.zeros((1, d, d + 2))
    W_O[0, 0, d + 1] = 1.0
    W_U = np.zeros((d + 2, 1))
    W_U[d + 1] = 1.0
    blocks = (Block(Attention(W_Q, W_K, W_V, W_O)),)
    return Transformer(W_E, np.zeros((n, d + 2)), blocks, W_U, np.zeros(1), attention="hard")


@given(seed=SEEDS, n=st.integers(2, 4))
def test_scores_whose_sums_round_past_each_other_leave_every_candidate_open(plain, seed, n):
    """Sums around 2^53, of terms around 1: floats order them otherwise than fractions do."""
    rng = np.random.default_rng(seed)
    keys = np.concatenate(
        [2.0**53 + rng.choice([-2.0, 0.0, 2.0], size=(n, 1)), rng.choice([0.0, 0.5, 1.0, 1.5], size=(n, 3))],
        axis=1,
    )
    keys = rng.permuted(keys, axis=1)
    model = summing(keys)
    tokens = np.arange(n)
    assert_holds(model.map(Ball.of).logits(tokens[None]), np.array([plain(model).logits(tokens.tolist())]))


def test_equal_floats_of_inexact_scores_do_not_make_the_softmax_uniform():
    """2^53 + 1 and 2^53 are one float, but the weights of such scores are e : 1."""
    queries, keys = Ball.of(np.array([[1.0, 1.0]])), Ball.of(np.array([[2.0**53, 1.0], [2.0**53, 0.0]]))
    scores = inner(queries, keys, 1.0)
    assert scores.mid[0, 0] == scores.mid[0, 1]
    ball = softmax(scores, np.zeros((1, 2), dtype=bool))
    assert not ball.exact
    share = Fraction(float(np.e / (1 + np.e)))
    assert_holds(ball, np.array([[share, 1 - share]]), slack=Fraction(1, 10**15))


def test_inexact_scores_with_a_clear_winner_give_exact_attention():
    far = 2.0**27 + 1  # its square has 55 digits
    model = attending([0.0, far, -far], query=far)
    certified, tokens = model.map(Ball.of), np.array([[0, 1, 2]])
    x, head = certified.W_E[tokens], certified.blocks[0].attention
    assert not inner(times(x, head.W_Q[0]), times(x, head.W_K[0]), 1.0).exact
    ball = certified.logits(tokens)
    assert ball.exact
    assert ball.mid.tolist() == [[6.0]]


def test_inexact_scores_that_may_tie_are_never_exact():
    third = float(np.nextafter(1 / 3, 0))
    ball = attending([third, third, 0.0], query=0.1).map(Ball.of).logits(np.array([[0, 1, 2]]))
    assert not ball.exact
    assert_holds(ball, np.array([[Fraction(11, 2)]]))


def test_softmax_weights_that_underflow_are_within_their_radius():
    scores = np.array([[0.0, -800.0, -1e5, -708.5]])
    ball = softmax(Ball.of(scores), np.zeros((1, 4), dtype=bool))
    with mpmath.workdps(400):
        weights = [mpmath.exp(s) for s in scores[0]]
        truths = [as_fraction(w / sum(weights)) for w in weights]
    assert_holds(ball, np.array([truths]), slack=Fraction(1, 10**390))
    assert ball.radius.max() < 1e-10


@given(seed=SEEDS, largest=st.sampled_from([0.7, 30.1, 300.3, 600.9]))
def test_softmax_weights_of_exact_scores_are_within_their_radius(seed, largest):
    """The differences of the scores round, and exponentials make much of it."""
    scores = np.random.default_rng(seed).uniform(0, largest, size=(1, 3))
    ball = softmax(Ball.of(scores), np.zeros((1, 3), dtype=bool))
    with mpmath.workdps(330):
        weights = [mpmath.exp(mpmath.mpf(float(s))) for s in scores[0]]
        truths = [as_fraction(w / sum(weights)) for w in weights]
    assert_holds(ball, np.array([truths]), slack=Fraction(1, 10**320))
    assert (ball.radius <= 1e-12 * ball.mid + 1e-300).all()


def test_scores_of_large_radius_leave_the_softmax_open():
    scores = replace(Ball.of(np.array([[0.1, 0.2]])), rad=np.full((1, 2), 5.0))
    ball = softmax(scores, np.zeros((1, 2), dtype=bool))
    assert ball.radius.min() == 1.0


def test_a_masked_score_has_weight_0_and_no_radius():
    scores = Ball.of(np.array([[0.1, 0.2, 1e300]]))
    masked = np.array([[False, False, True]])
    for attend in (softmax, hardmax):
        ball = attend(scores, masked)
        assert ball.mid[0, 2] == ball.radius[0, 2] == 0.0


def test_scaled_scores_are_exact_only_if_both_steps_are():
    queries, keys = Ball.of(np.array([[2.0**30 + 1]])), Ball.of(np.array([[2.0**22 + 1]]))
    for scale, exact in ((1.0, True), (0.25, True), (3.0, False), (0.1, False), (2.0**20, True)):
        ball = inner(queries, keys, scale)
        assert ball.exact == exact
        assert_holds(ball, np.array([[Fraction(scale) * (2**30 + 1) * (2**22 + 1)]]))


@pytest.mark.parametrize("scale", [2.0**100, 2.0**1000])
def test_scaling_up_does_not_bring_back_scores_that_underflowed(scale):
    queries, keys = Ball.of(np.array([[2.0**-550]])), Ball.of(np.array([[2.0**-550]]))
    ball = inner(queries, keys, scale)
    assert not ball.exact


def test_scores_that_underflow_keep_their_radius_when_scaled_up(plain):
    """7/16 + 7/16 > 10/16 of the least float, but as floats 0 < 1: scaled by 2^300 that is no certainty."""
    unit = 2.0**-537
    model = summing(np.array([[10, 0], [7, 7]]) / 16 * unit)
    model = replace(model, W_E=np.where(model.W_E == 1.0, [[1.0], [unit]], model.W_E), attn_scale=2.0**300)
    model = replace(model, W_E=np.concatenate([model.W_E[:, :2], [[unit, 1.0], [unit, 2.0]]], axis=1))
    assert plain(model).logits([0, 1]) == [4]
    assert_holds(model.map(Ball.of).logits(np.array([[0, 1]])), np.array([[4]]))


def test_sums_that_overflow_are_not_exact():
    largest = Ball.of(np.array([[2.0**1023]]))
    assert largest.exact
    with np.errstate(over="ignore"):
        assert not (largest + Ball.of(np.array([2.0**1023]))).exact


def test_bounds_that_overflow_prove_nothing():
    """Rows that are not asked for push the bound beyond the largest float; the product asked for rounds."""
    odd = 2.0**27 + 1  # its square has 55 digits
    x = np.array([[2.0**460 * odd, 0.0], [0.0, 2.0**512]])
    W = np.array([[2.0**465 * odd], [2.0**517]])
    with np.errstate(over="ignore"):
        ball = times(Ball.of(x)[np.array([0])], Ball.of(W))
    assert not ball.exact
    assert_holds(ball, np.array([[Fraction(x[0, 0]) * Fraction(W[0, 0])]]))


def test_entries_that_are_stored_in_pieces_are_refused():
    """100000 tenths in one place: a sum of as many roundings."""
    n = 100_000
    pieces = csr_array((np.full(n, 0.1), np.zeros(n, dtype=int), np.array([0, n])), shape=(1, 1))
    for weight in (pieces, pieces.tocsc(), pieces.tocoo()):
        with pytest.raises(ValueError, match="sum_duplicates"):
            Ball.of(weight)


def test_integers_that_float64_would_round_are_refused():
    for large in (2**53 + 1, -(2**53) - 1, 2**63 - 1):
        with pytest.raises(ValueError, match="float64 would round"):
            Ball.of(np.array([[large]]))
    with pytest.raises(ValueError, match="float64 would round"):
        Ball.of(np.array([[2**64 - 1]], dtype=np.uint64))
    assert Ball.of(np.array([[2**53, -(2**53)]])).exact


def test_other_sparse_formats_are_the_same_numbers():
    dense = np.array([[0.5, 0.0], [0.0, -3.0], [2.0, 1.0]])
    x = Ball.of(np.array([[1.0, 2.0, 3.0]]))
    for kind in ("coo", "csc", "csr", "bsr", "lil", "dok"):
        assert_holds(times(x, Ball.of(coo_array(dense).asformat(kind))), np.array([[Fraction(13, 2), -3]]))


def test_the_format_that_a_model_needs_holds_its_scores_too():
    """Scores 2^30 and 2^30 + 1 tie in float32: hard attention would look elsewhere."""
    model = summing([[2.0**30, 0.0], [2.0**30, 1.0]])
    prompt = {"tokens": [0, 1], "positions": [0, 1]}
    single = model.map(lambda W: W.astype(np.float32))
    assert single.logits(np.array([[0, 1]]))[0, 0] != model.logits(np.array([[0, 1]]))[0, 0]
    assert format_needed(model, [prompt]).digits > 24
    assert format_needed(summing([[4.0, 0.0], [4.0, 1.0]]), [prompt]).digits < 24


LAYOUTS = {"bfloat16": (8, 7), "float16": (5, 10), "float32": (8, 23), "float64": (11, 52)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_formats_are_those_of_the_bit_patterns(name):
    """IEEE's layout, from the numbers of bits; bfloat16 is the upper half of a float32."""
    n_exponent, n_fraction = LAYOUTS[name]
    bias = 2 ** (n_exponent - 1) - 1
    digits, least = n_fraction + 1, 1 - bias - n_fraction
    largest = 2 - Fraction(1, 2**n_fraction)  # times 2^bias
    found = FORMATS[name]
    assert found == Format(digits, least, bias)
    if name == "bfloat16":  # least, largest, next to 1
        patterns = (np.array([1, 0x7F7F, 0x3F81], dtype="<u4") << 16).view("<f4").astype(float)
        assert [Fraction(x) for x in patterns] == [
            Fraction(2) ** least,
            largest * Fraction(2) ** bias,
            1 + Fraction(1, 2**n_fraction),
        ]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_numbers_of_a_format_survive_it_and_the_next_do_not(dtype):
    digits, low, high = FORMATS[np.dtype(dtype).name]
    inside = [2.0**low, 2.0**high, 1 + 2.0 ** (1 - digits), 2.0**digits - 1]
    outside = [2.0 ** (low - 1), 2.0 ** (high + 1), 1 + 2.0**-digits, 2.0**digits + 1]
    with np.errstate(over="ignore"):
        assert [float(dtype(x)) == x for x in inside] == [True] * 4
        assert [float(dtype(x)) == x for x in outside] == [False] * 4


def test_sums_of_int8_weights_are_audited_in_a_format_that_holds_the_weights():
    whole = np.arange(-128, 128)
    for name in SUMMED_IN.values():
        assert FORMATS[name].represents(Ball.of(whole).needs)
        assert not FORMATS[name].represents(Ball.of(np.array([2.0**24, 1.0])).needs)


CORNERS = st.sampled_from([-1, 0, 1])


@given(
    seed=SEEDS,
    corner=CORNERS,
    other=CORNERS,
    scale=st.sampled_from([1.0, -0.5, 3.0]),
    radii=st.sampled_from([2.0**-60, 2.0**-20, 0.5]),
)
def test_operations_widen_by_what_their_arguments_may_be_off(seed, corner, other, scale, radii):
    """Arguments at the corners of their balls: results stay in theirs, though the midpoints round nothing."""
    rng = np.random.default_rng(seed)

    def ball_and_truth(shape, corner, low=-8):
        mid = rng.integers(low, 9, size=shape) / 4
        rad = radii * rng.integers(0, 3, size=shape)
        truth = [Fraction(x) + corner * Fraction(r) for x, r in zip(mid.ravel(), rad.ravel(), strict=True)]
        return replace(Ball.of(mid), rad=rad), np.array(truth, dtype=object).reshape(shape)

    (x, x_truth), (y, y_truth) = ball_and_truth((2, 3), corner), ball_and_truth((4, 3), other)
    W = rng.integers(-8, 9, size=(3, 2)) / 4
    exactly = np.array([[Fraction(entry) for entry in row] for row in W.tolist()])
    assert_holds(times(x, Ball.of(W)), x_truth @ exactly)
    assert_holds(inner(x, y, scale), x_truth @ y_truth.T * Fraction(scale))
    assert_holds(y[:2] + x, y_truth[:2] + x_truth)
    assert_holds(relu(x), np.maximum(x_truth, 0))
    pattern, pattern_truth = ball_and_truth((2, 4), other, low=0)
    assert_holds(mix(pattern, y), pattern_truth @ y_truth)


@given(seed=SEEDS, n=st.integers(2, 4), radii=st.sampled_from([2.0**-60, 0.25, 0.5]))
def test_hard_attention_widens_by_what_its_scores_may_be_off(seed, n, radii):
    """Scores anywhere in their balls, at the corners above all."""
    rng = np.random.default_rng(seed)
    mid = rng.integers(-3, 4, size=(1, n)) / 4
    rad = radii * rng.integers(0, 3, size=(1, n))
    ball = hardmax(replace(Ball.of(mid), rad=rad), np.zeros((1, n), dtype=bool))
    for _ in range(5):
        corners = rng.choice([-1, 0, 1], size=n).tolist()
        scores = [Fraction(x) + c * Fraction(r) for x, c, r in zip(mid[0], corners, rad[0], strict=True)]
        winners = [score == max(scores) for score in scores]
        assert_holds(ball, np.array([[Fraction(winner, sum(winners)) for winner in winners]]))


def test_relu_moves_no_further_than_its_argument():
    ball = Ball.of(np.array([[-1.0, 0.1]])) + Ball.of(np.array([1.0 + 2.0**-52, -0.1]))
    positive = relu(ball)
    assert_holds(positive, np.array([[Fraction(2) ** -52, Fraction(0)]]))


def test_differences_of_exact_numbers_may_still_round():
    for largest in (2.0**53 - 1, 2.0**52 + 1):
        ball = Ball.of(np.array([[largest, -largest]]))
        assert ball.exact
        assert not ball.exact_differences


@given(seed=SEEDS, dtype=st.sampled_from([np.float32, np.float16, np.int64, np.int8, bool]))
def test_weights_of_any_real_dtype_are_taken_as_stored(seed, dtype):
    stored = np.random.default_rng(seed).normal(size=(4, 3)).astype(dtype)
    sparse = [] if dtype is np.float16 else [csr_array(stored)]  # SciPy has none
    for weight in (stored, *sparse):
        ball = times(Ball.of(np.eye(4)), Ball.of(weight))
        assert ball.exact
        assert_holds(ball, np.array([[Fraction(entry.item()) for entry in row] for row in stored]))


def test_a_model_without_neurons_is_certified():
    mlp = MLP(csr_array((2, 0)), np.zeros(0), csr_array((0, 2)), np.array([1.0, 2.0]))
    model = Transformer(np.eye(2), np.zeros((1, 2)), (Block(None, mlp),), np.eye(2), np.zeros(2))
    ball = model.map(Ball.of).logits(np.array([[1]]))
    assert ball.exact
    assert ball.mid.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(
    ("needed", "held"),
    [
        (Format(11, 5, 15), True),
        (Format(12, 4, 15), False),
        (Format(3, -25, -22), False),
        (Format(6, 10, 16), False),
    ],
)
def test_a_format_needs_digits_and_both_ends_of_its_range(needed, held):
    assert FORMATS["float16"].represents(needed) == held


def test_a_sum_of_many_terms_is_within_its_radius():
    """64 ones and 4032 x 2^-53: added to 1 one by one these are lost; few columns are no fewer terms."""
    many = np.concatenate([np.ones(64), np.full(4032, 2.0**-53)])
    ones = np.ones((1, 4096))
    truth = 64 + 4032 * Fraction(2) ** -53
    product = times(Ball.of(ones), Ball.of(np.stack([many, many], axis=1)))
    score = inner(Ball.of(ones), Ball.of(many[None]), 1.0)
    for found in (product, score):
        assert not found.exact
        for mid, rad in zip(found.mid.ravel(), found.radius.ravel(), strict=True):
            assert abs(Fraction(mid) - truth) <= Fraction(rad) < 2.0**-33


def test_where_relu_is_certainly_0_it_is_known_exactly():
    x = replace(Ball.of(np.array([-3.0, -2.0, -1.0, 3.0])), rad=np.full(4, 2.0))
    assert relu(x).radius.tolist() == [0.0, 0.0, 2.0, 2.0]


def test_an_uncertain_query_leaves_the_certain_ones_exact():
    """One query cannot tell its two scores apart; the other can."""
    apart = np.array([[[0.0, 0.0, 0.0]], [[0.0, 9.0, 0.0]]])
    scores = replace(Ball.of(apart), rad=np.ones(apart.shape))
    pattern = hardmax(scores, np.array([[False, False, True]]))
    assert pattern.radius.tolist() == [[[1.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]]


def test_a_score_that_may_be_off_leaves_the_weights_of_all_positions_open():
    scores = replace(Ball.of(np.zeros((1, 1, 2))), rad=np.array([[[2.0**-10, 0.0]]]))
    ball = softmax(scores, np.zeros((1, 2), dtype=bool))
    away = 1 / (1 + np.exp(-(2.0**-10))) - 0.5  # with the first score at the end of its radius
    assert (np.abs(ball.mid - 0.5) + ball.radius >= away).all()
    assert ball.radius.max() < 8 * away


@given(
    seed=st.integers(0, 10**6),
    size=st.sampled_from([1, 2**10, 2**20, 2**23, 2**30]),
    step=st.sampled_from([-30, 0, 7]),
)
def test_products_in_single_precision_are_those_of_whole_numbers(seed, size, step):
    """And are made only where no partial sum can pass 2^24 granules."""
    rng = np.random.default_rng(seed)
    x, W = rng.integers(-size, size + 1, (3, 40)), np.zeros((40, 90), dtype=np.int64)
    W[np.ix_(rng.choice(40, 12, replace=False), rng.choice(90, 70, replace=False))] = rng.integers(
        -1, 2, (12, 70)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balls_module, "_WORTH", 1)
        patch.setattr(balls_module, "_SMALL", 0)
        balls = Ball.of(np.ldexp(x.astype(float), step)), Ball.of(csr_array(W.astype(float)))
        product = times(*balls)
        bound = balls[0].bound @ balls[1].absolute
        mid = balls_module._in_single_precision(*balls, bound, balls[0].granule + balls[1].granule)
    assert product.exact
    assert np.array_equal(product.mid, np.ldexp((x @ W).astype(float), step))
    assert mid is None or np.array_equal(mid, product.mid)
    assert (mid is None) == (size >= 2**23)
