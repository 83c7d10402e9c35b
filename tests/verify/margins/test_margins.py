"""Margins: bounds that hold, against the forward pass in fractions; every way to them says the same."""

import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import C1
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from georecall import (
    MLP,
    Attention,
    Block,
    Code,
    Transformer,
    block_superposition,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    sign_code,
)
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.verify.margins import ledger
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Facts
from georecall.verify.margins.rationals import Weight
from georecall.verify.recall.weights import check_recall

SEEDS = st.integers(0, 2**32 - 1)
SIZES = {"N": st.integers(1, 4), "R": st.integers(1, 3), "A": st.integers(2, 5)}
MODELS = st.fixed_dictionaries(
    {
        "n_layers": st.integers(0, 2),
        "n_heads": st.integers(1, 2),
        "d_mlp": st.integers(0, 3),
        "drop": st.booleans(),
        "sparse": st.booleans(),
        "attention": st.just("hard"),
        "attn_scale": st.sampled_from([1.0, 0.1, -3.0]),
    }
)


KINDS = st.sampled_from(["small", "wild", "cancelling", "tied"])


def assert_bounds(found, truth):
    """The bounds hold the true margins, and what is derived from them is right."""
    truth = np.array(truth, dtype=object)
    for low, high, margin in zip(found.lower.ravel(), found.upper.ravel(), truth.ravel(), strict=True):
        assert Fraction(float(low)) <= margin <= Fraction(float(high))
        assert low >= 0 or margin < 0 or not found.exact
    least = min(truth.ravel())
    assert found.minimum[0] <= least <= found.minimum[1]
    assert found.n_facts == truth.size
    undecided = (found.lower <= 0) & (found.upper > 0)
    right = (truth > 0).astype(bool)
    assert np.array_equal(found.lower > 0, right & ~undecided)
    assert np.array_equal(found.upper <= 0, ~right & ~undecided)
    assert (found.n_recalled, found.n_wrong) == (int((found.lower > 0).sum()), int((found.upper <= 0).sum()))
    if found.exact:
        assert found.minimum == (least, least)
        assert not undecided.any()
        assert found.wrong == [
            (s, r) for r in range(truth.shape[0]) for s in range(truth.shape[1]) if truth[r, s] <= 0
        ]
        worst = truth[found.worst.relations[0], found.worst.subject]
        assert float(worst) == pytest.approx(float(least), rel=1e-15)
        assert found.worst.margin == pytest.approx(float(worst), rel=1e-15)


def random_instance(random_model, random_table, seed, N, R, A, entries, **shape):
    table = random_table(seed, N, R, A)
    return random_model(seed, entries, d_vocab=N + R, d_out=A, **shape), table


@given(seed=SEEDS, **SIZES, shape=MODELS, entries=KINDS)
def test_margins_are_exact_for_any_weights_whose_logits_are_rational(
    plain, random_model, random_table, seed, N, R, A, shape, entries
):
    model, table = random_instance(random_model, random_table, seed, N, R, A, entries, **shape)
    truth = plain(model).margins(table)
    for method in ("auto", "exhaustive"):
        found = margins(model, table, method=method)
        assert found.exact
        assert_bounds(found, truth)


@given(seed=SEEDS, **SIZES, shape=MODELS, entries=KINDS)
def test_without_a_budget_for_rationals_bounds_still_hold_and_every_sign_is_decided(
    plain, random_model, random_table, seed, N, R, A, shape, entries
):
    model, table = random_instance(random_model, random_table, seed, N, R, A, entries, **shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "_RATIONAL_BUDGET", -1)
        found = margins(model, table)
    assert not ((found.lower <= 0) & (found.upper > 0)).any()
    assert_bounds(found, plain(model).margins(table))
    assert found.exact == (found.method != "filtered")


@given(seed=SEEDS, N=st.integers(1, 6), R=st.integers(1, 4), A=st.integers(2, 9), name=st.sampled_from(C1))
def test_codebook_exhaustive_and_fractions_agree_on_every_construction(
    plain, random_table, seed, N, R, A, name
):
    table = random_table(seed, N, R, A)
    model = CONSTRUCTIONS[name](table)
    by_codebook = margins(model, table, method="codebook")
    by_logits = margins(model, table, method="exhaustive")
    assert (by_codebook.method, by_logits.method) == ("codebook", "exhaustive")
    truth = plain(model).margins(table)
    for found in (by_codebook, by_logits, margins(model, table)):
        assert found.exact
        assert found.lower.tolist() == found.upper.tolist() == truth
        assert_bounds(found, truth)


@given(
    seed=SEEDS,
    N=st.integers(1, 5),
    R=st.integers(1, 4),
    A=st.integers(2, 7),
    name=st.sampled_from(C1[:3] + C1[4:]),
    gate=st.sampled_from([1.3, 0.9, 0.1, 2.7, 1 / 3, 1e-20, 1.0 + 2.0**-52, 12345.678]),
)
def test_gates_that_are_not_dyadic_are_decided_exactly(plain, random_table, seed, N, R, A, name, gate):
    table = random_table(seed, N, R, A)
    model = CONSTRUCTIONS[name](table, gate=gate)
    truth = plain(model).margins(table)
    for method in ("auto", "exhaustive"):
        found = margins(model, table, method=method)
        assert found.exact
        assert_bounds(found, truth)


@given(seed=SEEDS, name=st.sampled_from(C1), rounded=st.sampled_from([np.int64, np.int32, np.int16]))
def test_integer_and_float64_weights_have_identical_margins(random_table, seed, name, rounded):
    table = random_table(seed, 5, 3, 6)
    options = {"code": Code(sign_code(6).words)} if name == "single-hop-quantized" else {}
    model = CONSTRUCTIONS[name](table, gate=2.0, **options)
    whole = model.map(lambda W: W.astype(rounded))
    assert {W.dtype for W in whole.weights().values()} == {np.dtype(rounded)}
    for method in ("codebook", "exhaustive"):
        found, want = margins(whole, table, method=method), margins(model, table, method=method)
        assert np.array_equal(found.lower, want.lower)
        assert np.array_equal(found.upper, want.upper)
        assert (found.minimum, found.exact, found.method) == (want.minimum, want.exact, want.method)
        assert found.worst == want.worst


@given(seed=SEEDS, name=st.sampled_from(C1), power=st.integers(-300, 300))
def test_an_unembedding_scaled_by_a_power_of_two_scales_every_margin(random_table, seed, name, power):
    table = random_table(seed, 4, 2, 5)
    model = CONSTRUCTIONS[name](table)
    scaled = replace(model, W_U=np.ldexp(model.W_U, power), b_U=np.ldexp(model.b_U, power))
    found, want = margins(scaled, table), margins(model, table)
    assert found.exact
    assert np.array_equal(found.lower, np.ldexp(want.lower, power))
    assert found.minimum[0] == want.minimum[0] * Fraction(2) ** power


@pytest.mark.parametrize("factor", [3.0, 0.1, -1.0])
def test_an_unembedding_scaled_otherwise_is_measured_as_it_is(plain, factor):
    table = random_bijections(5, 2, rng=np.random.default_rng(0))
    model = in_place_superposition(table)
    scaled = replace(model, W_U=factor * model.W_U)
    found = margins(scaled, table)
    assert_bounds(found, plain(scaled).margins(table))
    assert found.exact
    assert found.minimum[0] == min(min(row) for row in plain(scaled).margins(table))
    assert (found.n_wrong == 0) == (factor > 0)


def table_of_readouts(readouts, columns, biases):
    """A model without layers: relation r, asked of the only subject, is read out as readouts[r]."""
    readouts, columns = np.array(readouts, dtype=float), np.array(columns, dtype=float)
    W_E = np.concatenate([np.zeros((1, readouts.shape[1])), readouts])
    return Transformer(W_E, np.zeros((2, readouts.shape[1])), (), columns.T, np.array(biases, dtype=float))


def test_a_tie_is_an_error():
    model = table_of_readouts([[1.0, 0.0]], [[1, 0], [1, 5], [0, 9]], [0, 0, 0])
    found = margins(model, FactTable([[0]], n_attributes=3))
    assert (found.n_wrong, found.n_recalled, found.wrong, found.minimum) == (1, 0, [(0, 0)], (0, 0))
    assert found.worst.got == 1
    assert check_recall(model, FactTable([[0]], n_attributes=3)).status == "refuted"


@pytest.mark.parametrize(
    ("numbers", "sign"), [((0.1, 0.2, 0.3), 1), ((0.25, 0.5, 0.75), 0), ((0.1, 0.7, 0.8), -1)]
)
def test_a_tie_of_floats_is_settled_by_the_stored_numbers(numbers, sign):
    """0.1 + 0.2 exceeds 0.3 as stored, and 0.1 + 0.7 falls short of 0.8."""
    a, b, c = numbers
    truth = Fraction(a) + Fraction(b) - Fraction(c)
    assert (truth > 0) - (truth < 0) == sign
    model = table_of_readouts([[1.0, 1.0]], [[a, b], [c, 0]], [0, 0])
    found = margins(model, FactTable([[0]], n_attributes=2))
    assert found.minimum == (truth, truth)
    assert (found.n_recalled, found.n_wrong) == (int(sign > 0), int(sign <= 0))


def test_a_tie_that_only_fractions_see_is_an_error():
    """0.1 + 0.2 in either order, among terms that round."""
    model = table_of_readouts([[1.0, 1.0, 1.0]], [[0.1, 0.2, 0.7], [0.7, 0.1, 0.2]], [0, 0])
    found = margins(model, FactTable([[0]], n_attributes=2))
    assert (found.n_wrong, found.n_recalled, found.minimum, found.exact) == (1, 0, (0, 0), True)


def test_exact_logits_may_differ_by_more_digits_than_a_float_has():
    model = table_of_readouts([[1.0]], [[2.0**52 + 1], [-(2.0**52) - 2]], [0, 0])
    found = margins(model, FactTable([[0]], n_attributes=2), method="exhaustive")
    assert found.minimum == (2**53 + 3, 2**53 + 3)
    assert int(found.lower[0, 0]) < 2**53 + 3 < int(found.upper[0, 0])


ONE = FactTable([[1]], n_attributes=2)


def test_integers_are_not_rounded_into_a_recall():
    """Right logit 2 (2^53 + 3), wrong (2^53 + 5) + (2^53 + 2): rounded, the right one would win by 2."""
    big = 2**53
    columns = np.array([[big + 5, big + 2], [big + 3, big + 3]])
    model = replace(table_of_readouts([[1, 1]], columns, [0, 0]), W_U=columns.T)
    with pytest.raises(ValueError, match="float64 would round an entry of a weight stored as int64"):
        margins(model, ONE)


def test_hard_attention_by_scores_that_underflow_is_not_certain(plain):
    """7/16 + 7/16 > 10/16 of the least float, but as floats 0 < 1; the model scales scores by 2^300."""
    unit = 2.0**-537
    W_Q = np.concatenate([np.eye(2), np.zeros((3, 2))])[None]
    W_K = np.concatenate([np.zeros((2, 2)), np.eye(2), np.zeros((1, 2))])[None]
    copy = np.zeros((1, 5, 1))
    copy[0, 4] = 1.0
    model = Transformer(
        W_E=np.array([[16, 16, 10, 0, 16], [16, 16, 7, 7, 0]]) / 16 * unit,
        W_pos=np.zeros((2, 5)),
        blocks=(Block(Attention(W_Q, W_K, copy, copy.swapaxes(1, 2))),),
        W_U=np.array([[0.0, 0.0]] * 4 + [[0.0, 1 / unit]]),
        b_U=np.array([0.5, 0.0]),
        attention="hard",
        attn_scale=2.0**300,
    )
    truth = plain(model).margins(ONE)
    assert truth == [[Fraction(-1, 2)]]
    assert_bounds(margins(model, ONE), truth)


def test_margins_beyond_the_largest_float_are_refused():
    model = table_of_readouts([[1e200]], [[0.0], [1e200]], [0, 0])
    with pytest.raises(ValueError, match="overflow float64"):
        margins(model, ONE)


def test_granules_far_apart_are_measured():
    model = table_of_readouts([[1.0]], [[5e-324], [1.0]], [0, 0])
    assert margins(model, ONE).minimum == (1 - Fraction(5e-324),) * 2


def test_a_positive_margin_below_the_least_float_is_a_recall():
    model = table_of_readouts([[2.0**-600, 0.0]], [[0.0, 0.0], [2.0**-600, 0.1]], [0, 0])
    found = margins(model, ONE)
    assert (found.exact, found.n_recalled, found.minimum[0]) == (True, 1, Fraction(2) ** -1200)
    assert check_recall(model, ONE).status == "holds"


@pytest.mark.parametrize(("dtype", "large"), [(np.int8, 100), (np.float16, 300), (np.int16, 30000)])
def test_the_witness_is_right_where_the_stored_type_would_overflow(dtype, large):
    columns = np.array([[large], [3], [0]])
    model = table_of_readouts([[large]], columns, np.zeros(3)).map(lambda W: W.astype(dtype))
    found = margins(model, FactTable([[2]]))
    assert (found.worst.got, found.n_wrong, found.worst.margin) == (0, 1, -(float(large) ** 2))


def test_the_witness_is_the_worst_fact_and_what_beats_it():
    table = FactTable([[0, 1], [2, 0]], subjects=["x", "y"], relations=["p", "q"], attributes=["a", "b", "c"])
    model = block_superposition(table)
    asked = table.altered(1, 0, 2)  # p of y is b, not c
    found = margins(model, asked)
    assert found.wrong == [(1, 0)]
    worst = found.worst
    assert (worst.subject, worst.relations, worst.answer, worst.got) == (1, (0,), 2, 1)
    assert (worst.question, worst.answer_name, worst.got_name) == ("p of y", "c", "b")
    assert worst.margin == found.lower.min() < 0


def soft_reader(biases, columns):
    """Soft attention with weights sigmoid(1) on the subject and sigmoid(-1) on the relation."""
    score, value = np.array([[[1.0], [0.0]]]), np.array([[[0.0], [1.0]]])
    head = Attention(score, score, value, value.swapaxes(1, 2))
    W_E = np.array([[1.0, 1.0], [1.0, 0.0]])
    positions = np.array([[0.0, 0.0], [0.0, 0.0]])
    positions[0, 0] = 1.0  # the subject's key is 2, the relation's 1; the relation asks with 1
    return Transformer(W_E, positions, (Block(head),), np.array(columns, dtype=float).T, np.array(biases))


def test_soft_attention_with_room_to_spare_is_decided():
    table = FactTable([[0]], n_attributes=2)
    found = margins(soft_reader([0.0, 0.5], [[0, 1], [0, 0]]), table)  # sigmoid(1) - 1/2
    assert (found.exact, found.method, found.n_recalled) == (False, "filtered", 1)
    sigmoid = 1 / (1 + np.exp(-1.0))
    assert found.lower[0, 0] <= sigmoid - 0.5 <= found.upper[0, 0]
    assert found.upper[0, 0] - found.lower[0, 0] < 1e-13
    assert check_recall(soft_reader([0.0, 0.5], [[0, 1], [0, 0]]), table).status == "holds"
    assert check_recall(soft_reader([0.0, 0.75], [[0, 1], [0, 0]]), table).status == "refuted"


def test_beyond_the_budget_for_rationals_only_open_signs_are_made_exact(monkeypatch):
    """A tie that floats cannot see, and a margin of about 1 whose sign they can."""
    columns = [[0.1, 0.2, 0.7], [0.7, 0.1, 0.2]]
    model = table_of_readouts([[1.0, 1.0, 1.0], [0.1, 0.1, 3.0]], columns, [0, 0])
    facts = FactTable([[0], [0]], n_attributes=2)
    assert margins(model, facts).exact
    monkeypatch.setattr(ledger, "_RATIONAL_BUDGET", -1)
    found = margins(model, facts)
    assert found.signs.tolist() == [[-1], [1]]
    assert (found.exact, found.method, found.minimum) == (False, "filtered", (0, 0))
    assert (found.lower == found.upper).tolist() == [[True], [False]]


def test_a_tie_refutes_beside_a_margin_that_no_interval_decides():
    """Relation 0 reads one irrational number twice; relation 1 weighs all alike and reads 1/2 twice."""
    model = soft_reader([0.0, 0.0], [[0, 1], [0, 1]])
    model = replace(model, W_E=np.concatenate([model.W_E, [[0.0, 0.0]]]))
    facts = FactTable([[0], [0]], n_attributes=2)
    found = margins(model, facts)
    assert found.signs.tolist() == [[0], [-1]]
    assert found.lower[0, 0] < found.lower[1, 0] == 0
    assert found.worst.relations == (1,)
    assert check_recall(model, facts).status == "refuted"


def test_soft_attention_too_close_to_call_is_inconclusive():
    """Two readings of one irrational number: a tie that no interval can prove."""
    table = FactTable([[0]], n_attributes=2)
    model = soft_reader([0.0, 0.0], [[0, 1], [0, 1]])
    found = margins(model, table)
    assert (found.n_recalled, found.n_wrong, found.exact) == (0, 0, False)
    assert found.lower[0, 0] <= 0 <= found.upper[0, 0]
    verdict = check_recall(model, table)
    assert verdict.status == "inconclusive"
    assert verdict.reason == "the sign of 1 margins is not decided"


@pytest.mark.parametrize(
    "name", ["W_E", "W_pos", "W_U", "b_U", "W_Q", "W_K", "W_V", "W_O", "W_in", "b_in", "W_out", "b_out"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_is_refused_by_name(random_model, name, value):
    model = random_model(0, "small", d_vocab=3, d_out=2)
    full = next(key for key in model.weights() if name in key.split("."))
    poisoned = {key: np.array(W) for key, W in model.weights().items()}
    poisoned[full].flat[-1] = value
    order = iter(poisoned.values())
    outer = {key: next(order) for key in ("W_E", "W_pos", "W_U", "b_U")}
    parts = list(order)
    block = Block(Attention(*(part[None] for part in parts[:4])), type(model.blocks[0].mlp)(*parts[4:]))
    with pytest.raises(ValueError, match=f"^{full.replace('.', '[.]')} holds a number that is not finite$"):
        margins(replace(model, blocks=(block,), **outer), FactTable([[0, 1]]))


def test_a_sparse_weight_that_is_not_finite_is_refused():
    table = FactTable([[0, 1]])
    model = block_superposition(table)
    mlp = model.blocks[0].mlp
    W_in = csr_array(mlp.W_in)
    W_in.data[0] = np.nan
    broken = replace(model, blocks=(replace(model.blocks[0], mlp=replace(mlp, W_in=W_in)),))
    with pytest.raises(ValueError, match=r"^blocks[.]0[.]mlp[.]W_in holds a number that is not finite$"):
        margins(broken, table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (FactTable([[0, 1, 0]], n_attributes=2), "W_E has 3 rows; 3 subjects and 1 relations need 4"),
        (FactTable([[0], [1], [1]], n_attributes=2), "W_E has 3 rows; 1 subjects and 3 relations need 4"),
        (FactTable([[0, 1]], n_attributes=3), "W_U has 2 columns for 3 attributes"),
    ],
)
def test_a_model_that_does_not_fit_the_facts_is_refused_in_one_line(table, message):
    model = block_superposition(FactTable([[0, 1]]))
    with pytest.raises(ValueError, match=message) as caught:
        margins(model, table)
    assert "\n" not in str(caught.value)


def test_a_context_too_short_for_a_prompt_is_refused():
    table = FactTable([[0, 1]])
    model = block_superposition(table)
    with pytest.raises(ValueError, match="W_pos has 1 rows"):
        margins(replace(model, W_pos=model.W_pos[:1]), table)


def test_a_model_without_dimensions_is_refused():
    """Blocks of residuals were as many as fit, divided by 0."""
    nothing = Transformer(np.zeros((3, 0)), np.zeros((2, 0)), (), np.zeros((0, 2)), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="W_E has no columns"):
        check_recall(nothing, FactTable([[1, 1]], n_attributes=2))


def test_another_method_is_refused():
    table = FactTable([[0, 1]])
    with pytest.raises(ValueError, match="codebok"):
        margins(block_superposition(table), table, method="codebok")


def test_one_attribute_has_no_margin():
    table = FactTable([[0, 0]])
    with pytest.raises(ValueError, match="with one attribute there is no wrong answer"):
        margins(block_superposition(table), table)


def test_the_codebook_can_be_insisted_on():
    table = random_bijections(6, 3, rng=np.random.default_rng(0))
    model = narrow_superposition(table)
    W_E = model.W_E.copy()
    W_E[2, 0] *= -1  # one fact is read as another word
    for asked, word in [(table, "facts"), (Chains(table, np.arange(3)[None]), "queries")]:
        with pytest.raises(ValueError, match=f"the codebook settles 17 of 18 {word} only"):
            margins(replace(model, W_E=W_E), asked, method="codebook")
    assert margins(replace(model, W_E=W_E), table).wrong == [(2, 0)]


def test_facts_are_measured_in_blocks_of_any_size(monkeypatch):
    table = random_bijections(7, 3, rng=np.random.default_rng(1))
    model = packed_superposition(table).map(lambda W: W)
    whole = margins(model, table, method="exhaustive")
    calls = []
    monkeypatch.setattr(ledger, "_BLOCK", 100)  # 5 facts, or 14 logits, at a time
    found = margins(model, table, method="exhaustive", progress=lambda done, of: calls.append((done, of)))
    assert np.array_equal(found.lower, whole.lower)
    assert len(calls) == 5
    assert calls == sorted(calls)
    assert calls[-1] == (21, 21)
    assert {of for _, of in calls} == {21}


def test_rationals_are_made_for_as_many_queries_as_fit_a_block(monkeypatch, random_model):
    """Each is an object: the neurons of a thousand prompts of a wide model were gigabytes."""
    table = random_functions(7, 3, 3, rng=np.random.default_rng(0))
    model = random_model(0, "tied", d_vocab=10, d_mlp=8)
    whole, asked = margins(model, table, method="exhaustive"), []
    residual = Transformer.residual

    def counted(self, tokens, positions=None):
        if isinstance(self.W_E, Weight):
            asked.append(len(tokens))
        return residual(self, tokens, positions)

    monkeypatch.setattr(Transformer, "residual", counted)
    monkeypatch.setattr(ledger, "_RATIONAL_BLOCK", 2 * 8 * 5)  # 5 prompts of 2 tokens
    found = margins(model, table, method="exhaustive")
    assert asked == [5, 5, 5, 5, 1]
    assert found.minimum == whole.minimum
    assert np.array_equal(found.lower, whole.lower)


@given(seed=SEEDS, A=st.integers(2, 4), entries=KINDS, radii=KINDS)
def test_bounds_enclose_whatever_the_radii_allow_and_no_more_than_rounding_asks(
    drawn, seed, A, entries, radii
):
    rng, rows = np.random.default_rng(seed), np.arange(3)
    mid, rad, answers = (
        drawn(entries, rng, (3, A)),
        np.abs(drawn(radii, rng, (3, A))),
        rng.integers(A, size=3),
    )
    found = ledger._bounds(replace(Ball.of(mid), rad=rad), answers)
    for row, answer, lower, upper in zip(rows, answers, *found, strict=True):
        wrong = [a for a in range(A) if a != answer]
        low, high = (
            [Fraction(m) + sign * Fraction(r) for m, r in zip(mid[row], rad[row], strict=True)]
            for sign in (-1, 1)
        )
        least = low[answer] - max(high[a] for a in wrong)
        most = high[answer] - max(low[a] for a in wrong)
        size = (
            abs(low[answer])
            + abs(high[answer])
            + abs(max(high[a] for a in wrong))
            + abs(max(low[a] for a in wrong))
        )
        assert 0 <= least - Fraction(lower) <= size / 2**48
        assert 0 <= Fraction(upper) - most <= size / 2**48


def test_exact_and_rational_facts_share_one_minimum(plain):
    """All facts settle by codebook but one, whose word is shortened to 0.9."""
    table = random_bijections(6, 2, rng=np.random.default_rng(3))
    model = block_superposition(table)
    W_E = model.W_E.copy()
    W_E[4, 0] *= 0.9
    spoilt = replace(model, W_E=W_E)
    found = margins(spoilt, table)
    assert found.exact
    assert_bounds(found, plain(spoilt).margins(table))
    assert 1.75 < found.minimum[0] < 2
    assert found.lower[1].min() == 2


def test_margins_say_what_was_found():
    table = FactTable([[0, 1]])
    found = margins(block_superposition(table), table)
    assert repr(found) == "Margins(2 of 2 recalled, least 2, codebook)"
    loose = replace(found, minimum=(Fraction(3, 2), Fraction(2)), exact=False, method="filtered")
    assert repr(loose) == "Margins(2 of 2 recalled, least in [1.5, 2], filtered)"


def test_a_witness_of_logits_that_overflow_is_found_in_silence():
    """Both logits overflow, and the margin is 1."""
    columns = np.array([[1e200, 0.0], [1e200, 1.0]])
    W_E = np.array([[0.0, 0.0], [1e200, 1.0]])
    model = Transformer(W_E, np.zeros((2, 2)), (), columns.T, np.zeros(2))
    found = margins(model, FactTable([[1]], n_attributes=2))
    assert (found.minimum, found.n_recalled) == ((1, 1), 1)


@pytest.mark.parametrize("budget", [5 * 10**7, -1])
def test_readouts_that_overflow_on_the_way_are_decided_in_rationals(monkeypatch, budget):
    monkeypatch.setattr(ledger, "_RATIONAL_BUDGET", budget)
    big = MLP(np.array([[1e300, 1e300]]), np.zeros(2), np.array([[1e300], [-1e300]]), np.zeros(1))
    W_E = np.array([[0.0], [1.0]])
    columns = np.array([[-1.0, 1.0]])
    model = Transformer(W_E, np.zeros((2, 1)), (Block(None, big),), columns, np.zeros(2))
    found = margins(model, FactTable([[1]], n_attributes=2))
    assert (found.minimum, found.exact) == ((2, 2), True)


@pytest.mark.parametrize("dtype", [complex, object])
def test_weights_that_are_no_real_numbers_are_refused(dtype):
    model = Transformer(np.eye(2), np.zeros((2, 2)), (), np.eye(2).astype(dtype), np.zeros(2))
    with pytest.raises(ValueError, match="real numbers"):
        margins(model, FactTable([[1]], n_attributes=2))


def test_the_least_of_several_has_a_witness_that_is_wrong():
    """One step is known only to within 3, and may be wrong; another certainly is: that one is the witness."""
    facts = FactTable([[0, 1], [1, 0]])
    fine = margins(in_place_superposition(facts), facts)
    loose = replace(fine, lower=fine.lower - 3, minimum=(fine.minimum[0] - 3, fine.minimum[1]), exact=False)
    wrong = margins(in_place_superposition(facts, gate=0.5), facts)
    assert wrong.n_wrong
    assert loose.minimum[0] < wrong.minimum[0]
    both = Margins.least([loose, wrong], fine.queries)
    assert both.worst == wrong.worst
    assert both.minimum == (loose.minimum[0], wrong.minimum[1])


@pytest.mark.parametrize(
    ("columns", "rival"),
    [
        ([[0.6, 0.2, 0.3], [0.6, 0.3, 0.2], [0.2, 0.5, 0.1], [0.3, 0.7, 0.1]], 1),
        ([[0.7, 0.4, 0.3], [0.7, 0.1, 0.6], [0.4, 0.1, 0.7], [0.4, 0.3, 0.7]], 3),
    ],
)
def test_a_witness_names_what_beats_the_right_answer_in_fractions_not_in_floats(columns, rival):
    """One wrong attribute ties with the right one; floats put another, which is below both, on top."""
    model = table_of_readouts([[1.0, 1.0, 1.0]], columns, np.zeros(4))
    found = margins(model, FactTable([[0]], n_attributes=4))
    assert (found.minimum, found.worst.got) == ((0, 0), rival)


def test_a_witness_known_by_bounds_alone_names_what_certainly_beats_the_right_answer():
    """Attribute 1 is 1 beyond doubt; attribute 2 is about 2, give or take 3."""
    model = table_of_readouts([[0.0]], [[0.0]] * 3, [0, 0, 0])
    loose = replace(Ball.of(np.array([[0.0, 1.0, 2.0]])), rad=np.array([[0.0, 0.0, 3.0]]))
    blurred = replace(model.map(Ball.of), b_U=loose[0])
    found = ledger.witness(blurred, Facts(FactTable([[0]], n_attributes=3)), 0, -1.0)
    assert found.got == 1


def test_the_least_of_several_is_known_by_the_worst_of_those_that_are_wrong_or_of_all():
    facts = FactTable([[0, 1], [1, 0]])
    fine, wrong, worse = (
        margins(in_place_superposition(facts, gate=gate), facts) for gate in (1.0, 0.5, 0.25)
    )
    lesser = margins(
        replace(model := in_place_superposition(facts), W_U=model.W_U / 2, b_U=model.b_U / 2), facts
    )
    assert 0 < lesser.minimum[0] < fine.minimum[0]
    assert worse.minimum[0] < wrong.minimum[0] <= 0
    for several, least in [([fine], fine), ([fine, lesser], lesser), ([wrong, fine, worse], worse)]:
        found = Margins.least(several, Facts(facts))
        assert (found.worst, found.minimum, found.exact) == (least.worst, least.minimum, True)
        assert found.signs.tolist() == least.signs.tolist()


def test_the_least_of_several_is_taken_query_by_query():
    facts = FactTable([[0, 1], [1, 0]])
    one, other = (
        margins(in_place_superposition(facts.altered(s, r, s ^ r ^ 1)), facts) for s, r in [(0, 0), (1, 1)]
    )
    assert one.wrong == [(0, 0)]
    assert other.wrong == [(1, 1)]
    loose, queries = replace(other, upper=other.upper + 1), Facts(facts)
    found = Margins.least([one, loose, one], queries)
    assert (found.wrong, found.queries) == ([(0, 0), (1, 1)], queries)
    assert found.lower.tolist() == [[-2, 2], [2, -2]]
    assert found.upper.tolist() == [[-2, 2], [2, -1]]


def test_ties_by_the_thousand_stop_early_once_one_is_refuted(monkeypatch):
    facts = FactTable(np.arange(12).reshape(2, 6) % 3)
    model = block_superposition(facts)
    W_U = np.asarray(model.W_U) * 0.1  # no codebook, and floats that round
    tied = replace(model, W_U=np.column_stack([W_U[:, 0], W_U[:, 0], W_U[:, 0]]))
    everything = margins(tied, facts, method="exhaustive")
    assert (everything.n_wrong, everything.how_many_wrong) == (12, "12 of 12 facts wrong")
    monkeypatch.setattr(ledger, "_RATIONAL_BUDGET", 1)
    monkeypatch.setattr(ledger, "_RATIONAL_BLOCK", 1)
    open_ = lambda logits, answers: (-np.ones(len(answers)), np.ones(len(answers)))  # noqa: E731
    monkeypatch.setattr(ledger, "_bounds", open_)
    some = margins(tied, facts, method="exhaustive")
    assert 0 < some.n_wrong < 12
    assert (
        some.how_many_wrong == f"at least {some.n_wrong} of 12 facts wrong, {12 - some.n_wrong} not decided"
    )
    assert some.worst.margin == 0
    right = margins(model, facts, method="exhaustive")  # nothing refutes it: all is decided
    assert (right.n_wrong, right.n_recalled) == (0, 12)


def test_margins_travel_to_other_processes_with_their_witness():
    facts = random_bijections(9, 2, rng=np.random.default_rng(0))
    for asked in (facts, facts.altered(3, 1, int(facts.answers[1, 4]))):
        found = margins(block_superposition(facts), asked)
        there = pickle.loads(pickle.dumps(found))
        assert (there.worst, there.minimum) == (found.worst, found.minimum)
        assert (there.signs == found.signs).all()
