"""Models made to get a false verdict: each found a hole, or guards a path that small weights never reach."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import bsr_array, csr_array

from georecall import (
    MLP,
    Attention,
    Block,
    Code,
    Transformer,
    block_superposition,
    chain_of_thought,
    in_place_superposition,
    sequential_hops,
)
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.constructions.transformer.arithmetic import dense, float64, hardmax
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.verify.engines.formats import what_rounds
from georecall.verify.margins.additive_layer import AdditiveLayer
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.contexts import _linear_parts
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.linear_map import LinearMap, NotExactError
from georecall.verify.margins.hops import enumeration
from georecall.verify.margins.induction import PremiseError, induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.number_formats import Format
from georecall.verify.margins.queries import Facts
from georecall.verify.margins.transitions import transitions
from georecall.verify.recall.floats import measured


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

    def check(model, facts, *, like=None, judged=True):
        truth = plain(like or model).margins(facts)
        judge = ExactMargins.of(model, facts)
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


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble])
@pytest.mark.parametrize("name", ["W_E", "b_U"])
def test_weights_of_any_float_type_are_judged_by_their_values(assert_right, name, kind):
    """2^53 is no number of float16: granules were found in the weight's own type."""
    model = one_layer(small(0, 9, 3) / 4, small(1, 3, 3), np.eye(3), small(2, 3, 3), small(3, 3, 4))
    model = replace(model, b_U=np.array([0.5, 0.375, -0.125, 0.0]))
    facts = FactTable(np.random.default_rng(0).integers(4, size=(3, 9)), n_attributes=4)
    assert_right(replace(model, **{name: getattr(model, name).astype(kind)}), facts, like=model)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32])
def test_the_least_integer_of_a_type_has_no_magnitude_in_it(assert_right, kind):
    """All biases are -2^(bits - 1): they cancel, but not where float32 has rounded the logits."""
    lowest = np.full(4, np.iinfo(kind).min, dtype=kind)
    model = one_layer(small(0, 9, 3), small(1, 3, 3), np.eye(3), small(2, 3, 3), small(3, 3, 4), b_U=lowest)
    facts = FactTable(np.random.default_rng(0).integers(4, size=(3, 9)), n_attributes=4)
    assert_right(model, facts)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_half_of_the_least_number_of_a_type_is_one_of_float64(kind):
    """The filter halves W_V: in float16 and float32 that rounds an odd multiple of the least number away."""
    least = np.finfo(kind).smallest_subnormal
    W_E = np.array([[1.0, 0.5], [-0.25, 1.0], [0.0, 0.0], [0.0, 0.0]]) / float(least)
    nothing, W_V = np.zeros((1, 2, 2)), np.array([[[3, 1], [1, 5]]], dtype=kind) * least
    attend = Attention(nothing, nothing, W_V, 0.1 * np.eye(2)[None])
    select = MLP(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2))
    W_U = np.array([[1.0, -1.0], [0.5, 0.1]])
    model = Transformer(W_E, np.zeros((2, 2)), (Block(attend, select),), W_U, np.zeros(2))
    facts = FactTable([[0, 1], [1, 0]])
    certified, shared = model.map(Ball.of), AdditiveLayer.of(model.map(Ball.of), model, facts)
    for relation in range(2):
        found = shared.residual(shared.subjects(np.arange(2)), slice(relation, relation + 1))
        whole = certified.residual(np.array([[0, 2 + relation], [1, 2 + relation]]))
        assert (np.abs(found.mid - whole.mid) <= found.radius + whole.radius).all()


def test_a_column_whose_sum_no_integer_holds_bounds_nothing():
    """2048 entries of nearly 2^53 add up to a negative number of 64 bits."""
    with pytest.raises(NotExactError, match="beyond 2\\^62"):
        LinearMap.of(np.full((2048, 1), 2.0**53 - 2.0**34 + 1), 0)


def test_words_far_from_zero_are_told_apart(assert_right):
    """Packed into one integer before their least values were taken off, words lost their last digits."""
    words = np.zeros((6, 44), dtype=np.int64)
    words[0] = words[1, 0] = words[2, 1] = 1
    words[3, :3] = words[4, :4] = 1
    words += (1 << 22) - 1
    distances = ((words[:, None] - words) ** 2).sum(axis=2) + (1 << 30) * np.eye(6, dtype=np.int64)
    assert nearest_squared_distances(words).tolist() == distances.min(axis=1).tolist() == [40, 1, 1, 1, 1, 1]
    facts = FactTable([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    assert_right(in_place_superposition(facts, code=Code(words, lo=(1 << 22) - 1, hi=1 << 22)), facts)


def in_bytes(model):
    """The same whole weights as int8."""
    return model.map(lambda weight: dense(weight).astype(np.int8))


def test_a_token_that_writes_minus_128_to_the_queries_is_seen():
    """Its magnitude in int8 is -128. Step 1 comes out right; at step 2 it asks for relation 1 again."""
    facts = FactTable([[1, 2, 3, 0], [0, 0, 2, 2]])
    model = in_bytes(chain_of_thought(facts, max_hops=2))
    assert induction(model, facts, max_hops=2).n_recalled == facts.n_facts
    (reads,) = np.flatnonzero(dense(model.blocks[0].attention.W_Q[0]).any(axis=1))
    W_E = model.W_E.copy()
    W_E[:4, reads] = -128
    spoilt = replace(model, W_E=W_E)
    assert enumeration(spoilt, facts, 1, max_hops=2).n_wrong == 0
    assert enumeration(spoilt, facts, 2, max_hops=2).n_wrong > 0
    with pytest.raises(PremiseError, match="tokens must not write to queries"):
        induction(spoilt, facts, max_hops=2)


def test_in_a_single_pass_too():
    """The same of what the certificate of transitions asks of tokens."""
    facts = FactTable([[1, 2, 3, 0], [0, 0, 2, 2]])
    model = in_bytes(sequential_hops(facts, hops=2))
    alphabet = letters(facts, 2)
    transitions(model, facts, alphabet)
    reads = np.flatnonzero(dense(model.blocks[0].attention.W_Q[0]).any(axis=1))[0]
    W_E = model.W_E.copy()
    W_E[:4, reads] = -128
    with pytest.raises(PremiseError, match="tokens must not write to queries or keys"):
        transitions(replace(model, W_E=W_E), facts, alphabet)


def test_products_of_weights_are_no_bytes():
    """How far softmax may move a residual: 100 x 2 is -56 in int8."""
    W_in, W_out = np.array([[100], [1]], dtype=np.int8), np.array([[2, 1]], dtype=np.int8)
    _, through, _ = _linear_parts(MLP(W_in, np.zeros(1), W_out, np.zeros(2)), 2)
    assert through.toarray().tolist() == [[200, 100, 2, 1]]


def test_what_a_silent_neuron_has_rounded_is_not_forgotten():
    """-2^30 - 1 + 2^30 + 1/2 is negative, and 1/2 in float32: nothing is added in one, 1/2 in the other."""
    mlp = MLP(np.array([[-(2.0**30)], [-1.0], [2.0**30], [0.5]]), np.zeros(1), np.eye(1, 4), np.zeros(4))
    model = Transformer(np.ones((1, 4)), np.zeros((1, 4)), (Block(None, mlp),), np.eye(4), np.zeros(4))
    assert "binary digits" in what_rounds(model, [{"tokens": [0], "positions": [0]}], "float32")


def test_a_witness_that_integers_do_not_hold_is_left_to_margins():
    """The codebook knows that words coincide; logits with these biases have too many digits."""
    facts = FactTable(np.arange(8).reshape(1, 8))
    code = Code(np.repeat([[-1, -1], [1, -1], [-1, 1], [1, 1]], 2, axis=0))
    model = block_superposition(facts, code=code)
    model = replace(model, b_U=model.b_U + 2.0**53 - 2)
    assert count(model, facts) is None
    assert margins(model, facts).n_wrong == 8


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 2.0**-60, reason="long doubles are doubles here")
@pytest.mark.parametrize("answers", [[[0, 1]], [[1, 0]]])
def test_differences_that_float64_has_rounded_decide_nothing(answers):
    """In long doubles the logits are 1 + 2^-53 +- 2^-60; in float64 they are 1 and 1 + 2^-52."""
    middle, little = np.longdouble(1) + np.longdouble(2) ** -53, np.longdouble(2) ** -60

    def logits(tokens):
        return middle + np.where(tokens[:, :1] == np.arange(2), little, -little)

    found = measured(logits, Facts(FactTable(answers)))
    assert not found.n_recalled
    assert not found.n_wrong


def test_a_block_that_is_stored_twice_is_refused():
    """The pieces add up to what float64 rounds, and a forward pass may add them up otherwise."""
    blocks = np.array([[[2.0**53]], [[1.0]]])
    twice = bsr_array((blocks, np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    with pytest.raises(ValueError, match="stores an entry twice"):
        float64(twice)
    assert float64(bsr_array(np.diag([1.0, 0.0]))).toarray().tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_the_scale_of_scores_is_a_float64_that_rationals_know(random_model):
    """Of float32 there was no fraction, and an integer beyond 2^53 was rounded unseen."""
    weights = lambda rng, shape: rng.integers(-2, 3, size=shape) / 3  # noqa: E731
    model = random_model(0, weights, attn_scale=np.float32(0.5))
    facts = FactTable([[0, 1, 2], [2, 1, 0]])
    assert margins(model, facts).exact
    with pytest.raises(ValueError, match="would round attn_scale"):
        random_model(0, weights, attn_scale=2**53 + 1)


def test_a_score_whose_partial_sums_overflow_is_not_taken_for_the_least(plain):
    """-M - M + M is -M; in float64 it is -infinity, and the relation, at -1.25 M, is read instead."""
    M = 1.5 * 2.0**1023
    W_Q, W_K, W_V, W_O = (np.zeros(shape) for shape in ((4, 3), (4, 3), (4, 3), (3, 4)))
    W_Q[0], W_K[0], W_K[1] = 1.0, (-1.25 * M, 0, 0), (-M, -M, M)
    W_V[2, 0] = W_O[0, 3] = 1.0
    W_E = np.array([[0.0, 1, 1, 0], [0.0, 1, 1, 0], [1.0, 0, 0, 0]])
    block = Block(Attention(W_Q[None], W_K[None], W_V[None], W_O[None]))
    W_U = np.array([[0.0, 0], [0, 0], [0, 0], [1, 0]])
    model = Transformer(W_E, np.zeros((2, 4)), (block,), W_U, np.array([0, 0.5]), attention="hard")
    for answer, margin in ((0, 0.5), (1, -0.5)):
        facts = FactTable([[answer, answer]], n_attributes=2)
        assert plain(model).margins(facts) == [[margin, margin]]
        assert margins(model, facts).lower.tolist() == [[margin, margin]]


@pytest.mark.parametrize("mid", [-np.inf, np.inf, np.nan])
def test_what_overflows_may_be_the_largest_score_or_not(mid):
    scores = Ball(np.array([[mid, 0.0]]), np.array([[np.inf, 0.0]]), np.full(2, np.inf), 0, Format(1, 0, 1))
    with np.errstate(invalid="ignore"):  # as in `margins`
        pattern = hardmax(scores, np.zeros((1, 2), dtype=bool))
    assert (pattern.mid - pattern.radius <= 0).all()
    assert (pattern.mid + pattern.radius >= 1).all()


def test_an_unembedding_of_all_sizes_is_left_to_margins_without_a_warning():
    """In units of its least entry its largest one overflows; a warning would stand beside the verdict."""
    W_U = np.array([[2.0**-1074, 0.0], [0.0, 2.0**1000]])
    model = one_layer(np.eye(2), np.zeros((1, 2)), np.eye(2), np.zeros((2, 2)), W_U)
    facts = FactTable([[0, 1]])
    assert count(model, facts) is None
    assert margins(model, facts).n_recalled == 2
