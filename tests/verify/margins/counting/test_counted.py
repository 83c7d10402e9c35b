"""Counting at scale agrees with margins one by one: on constructions, random weights and planted faults."""

from dataclasses import replace

import numpy as np
import pytest
from cases import C1
from hypothesis import given, settings
from hypothesis import strategies as st

import georecall.constructions.transformer.on_demand as on_demand
from georecall import MLP, Attention, Block, Code, Transformer, block_superposition, in_place_superposition
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.theory.facts.keyed import KeyedBijections
from georecall.verify.margins.counting import counted as counted_module
from georecall.verify.margins.counting import partial_count
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.partial_count import PartialCount
from georecall.verify.margins.margins import margins

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=settings.default.max_examples // 3)  # of each construction
EXACT = (*C1, "single-hop-dense")


def table(seed, N, R, A=None):
    rng = np.random.default_rng(seed)
    return random_bijections(N, R, rng=rng) if A is None else random_functions(N, R, A, rng=rng)


def assert_agree(model, facts, **options):
    """The judge's margins are bit for bit those of all logits by the plain forward pass."""
    truth = margins(model, facts, method="exhaustive")
    judge = ExactMargins.of(model, facts)
    assert judge is not None
    found, _ = judge.margins(0, facts.n_subjects)
    assert found.tolist() == truth.lower.tolist() == truth.upper.tolist()
    counted = count(model, facts, **options)
    assert (counted.n_recalled, counted.n_wrong) == (truth.n_recalled, truth.n_wrong)
    assert counted.minimum == truth.minimum
    if counted.n_wrong:
        assert counted.worst.margin == float(truth.minimum[0])
        s, r = counted.worst.subject, counted.worst.relations[0]
        assert found[r, s] == counted.worst.margin
    return counted


@pytest.mark.parametrize("name", EXACT)
@FEW
@given(seed=SEEDS, N=st.integers(2, 40), R=st.integers(1, 5), functions=st.booleans())
def test_the_judge_finds_the_margins_of_the_plain_forward_pass(name, seed, N, R, functions):
    assert_agree(CONSTRUCTIONS[name](facts := table(seed, N, R, 7 if functions else None)), facts)


@pytest.mark.parametrize("name", C1)
@FEW
@given(
    seed=SEEDS, N=st.integers(2, 40), R=st.integers(1, 5), gate=st.sampled_from([0.25, 0.75, 1.0, 2.5, 7.0])
)
def test_at_any_gate_and_with_weights_on_demand_too(name, seed, N, R, gate):
    facts = table(seed, N, R)
    held = CONSTRUCTIONS[name](facts, gate=gate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_demand, "_HELD", 0)
        model = CONSTRUCTIONS[name](facts, gate=gate)
    assert np.array_equal(np.asarray(model.W_E), held.W_E)
    assert np.array_equal(np.asarray(model.W_U), held.W_U)
    assert_agree(held, facts)
    assert assert_agree(model, facts).tally == count(held, facts).tally


@given(
    seed=SEEDS,
    N=st.integers(1, 6),
    R=st.integers(1, 3),
    kind=st.sampled_from(["integers", "halves", "large"]),
    sparse=st.booleans(),
    attention=st.sampled_from(["soft", "hard"]),
)
def test_random_weights_of_one_layer_are_judged_as_the_plain_pass_does(
    random_model, seed, N, R, kind, sparse, attention
):
    entries = {
        "integers": lambda rng, shape: rng.integers(-2, 3, size=shape).astype(float),
        "halves": lambda rng, shape: rng.integers(-3, 4, size=shape) / 4.0,
        "large": lambda rng, shape: rng.integers(-9, 10, size=shape) * 2.0 ** rng.integers(0, 5),
    }[kind]
    model = random_model(
        seed, entries, d_vocab=N + R, n_heads=2, attention=attention, uniform=True, sparse=sparse
    )
    facts = FactTable(np.random.default_rng(seed).integers(3, size=(R, N)), n_attributes=3)
    if ExactMargins.of(model, facts) is None:  # an unembedding of zeros
        assert not model.W_U.any()
    else:
        assert_agree(model, facts)


@given(seed=SEEDS, layers=st.integers(1, 3))
def test_scores_that_depend_on_tokens_and_further_layers_are_left_to_margins(random_model, seed, layers):
    model = random_model(
        seed, lambda rng, shape: rng.integers(1, 3, size=shape).astype(float), n_layers=layers, d_vocab=5
    )
    facts = FactTable(np.zeros((2, 3), dtype=int), n_attributes=3)
    assert ExactMargins.of(model, facts) is None
    assert count(model, facts) is None


def test_real_weights_are_left_to_margins():
    facts = table(0, 9, 2)
    model = block_superposition(facts)
    spoilt = replace(model, W_E=model.W_E / 3)
    assert count(spoilt, facts) is None


@pytest.mark.parametrize("name", C1)
@FEW
@given(seed=SEEDS)
def test_one_wrong_coordinate_among_many_facts_is_found(name, seed):
    facts = table(seed, 60, 3)
    model = CONSTRUCTIONS[name](facts)
    rng = np.random.default_rng(seed)
    W_E = model.W_E.copy()
    W_E[rng.integers(60), rng.integers(W_E.shape[1])] += rng.choice([-2.0, -1.0, 0.5, 1.0, 2.0])
    assert_agree(replace(model, W_E=W_E), facts)


@pytest.mark.usefixtures("either_way")
def test_an_altered_fact_is_refuted_with_a_witness_and_the_others_are_recalled():
    facts = table(1, 3000, 4)
    model = in_place_superposition(facts)
    answer = int(facts.answers[2, 1234] + 1) % 3000
    counted = count(model, facts.altered(1234, 2, answer))
    assert (counted.n_wrong, counted.n_recalled, counted.complete) == (1, 11999, True)
    assert str(counted.worst).startswith(
        f"r2 of s1234: right a{answer}, got a{facts.answers[2, 1234]}, margin -"
    )


@pytest.mark.usefixtures("either_way")
def test_the_outcome_does_not_depend_on_threads_or_pieces(monkeypatch):
    facts = table(2, 2000, 3)
    model = block_superposition(facts, gate=0.75)
    whole = count(model, facts, workers=1)
    assert 0 < whole.n_wrong < whole.n_facts
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)
    for workers in (1, 2, 3):
        assert count(model, facts, workers=workers) == whole


@pytest.mark.usefixtures("either_way")
def test_counting_stops_once_a_hopeless_table_is_refuted(monkeypatch):
    facts = table(2, 2000, 3)
    model = block_superposition(facts, gate=0.75)
    monkeypatch.setattr(counted_module, "_ENOUGH", 0)
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)
    counted = count(model, facts)
    assert counted.tally.n_subjects == 256
    assert counted.n_wrong
    assert not counted.complete
    assert not counted.exact  # the least margin may be another fact's


@pytest.mark.usefixtures("either_way")
def test_one_wrong_fact_is_enough(monkeypatch):
    monkeypatch.setattr(counted_module, "_ENOUGH", 0)
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)
    facts = table(2, 1000, 2)
    counted = count(in_place_superposition(facts), facts.altered(3, 1, int(facts.answers[1, 4])))
    assert (counted.n_wrong, counted.tally.n_subjects, counted.complete) == (1, 256, False)


@pytest.mark.usefixtures("either_way")
def test_what_was_begun_is_finished_to_the_same_tally(monkeypatch):
    facts = table(3, 1500, 2)
    model = block_superposition(facts, gate=0.75)
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)
    seen = []
    whole = count(model, facts, keep=seen.append)
    assert len(seen) == 6
    for begun in seen:
        assert count(model, facts, begun=begun) == whole


def test_tallies_add_up_in_order():
    one = PartialCount(2, 4, 3, 1, -1.0, (0, 1))
    two = PartialCount(1, 2, 1, 0, -1.0, (1, 2))
    assert one.plus(two) == PartialCount(3, 6, 4, 1, -1.0, (0, 1))
    assert PartialCount().plus(two) == two
    assert one.plus(replace(two, least=-3.0)).worst == (1, 2)


@FEW
@given(seed=SEEDS, N=st.integers(2, 300), R=st.integers(1, 4))
def test_keyed_bijections_are_recalled_as_the_same_table_is(seed, N, R):
    keyed = KeyedBijections(N, R, seed=seed)
    held = FactTable(keyed.block(0, N), n_attributes=N)
    for name in C1:
        a, b = CONSTRUCTIONS[name](keyed), CONSTRUCTIONS[name](held)
        assert np.array_equal(np.asarray(a.W_E), np.asarray(b.W_E))
        assert count(a, keyed) == count(b, held)


def test_a_code_whose_words_coincide_is_refuted_at_margin_0():
    facts = table(5, 8, 2)
    code = Code(np.repeat([[-1, -1], [1, -1], [-1, 1], [1, 1]], 2, axis=0))
    counted = assert_agree(block_superposition(facts, code=code), facts)
    assert (counted.minimum, counted.n_wrong) == ((0, 0), 16)


@given(seed=SEEDS, N=st.integers(1, 5), R=st.integers(1, 4), d=st.integers(1, 3))
def test_maps_that_are_identities_share_no_memory_that_is_written_to(seed, N, R, d):
    """x itself is what the MLP reads, and what is read out: adding to the one must not change the other."""
    rng = np.random.default_rng(seed)

    def small(*shape):
        return rng.integers(-3, 4, size=shape).astype(float)

    zero, one = np.zeros((1, d, 1)), np.eye(d)
    model = Transformer(
        W_E=small(N + R, d),
        W_pos=np.zeros((2, d)),
        blocks=(
            Block(Attention(zero, zero, 2 * one[None], one[None]), MLP(one, small(d), small(d, d), small(d))),
        ),
        W_U=np.concatenate([one, small(d, 1)], axis=1),
        b_U=np.zeros(d + 1),
    )
    assert_agree(model, FactTable(rng.integers(d + 1, size=(R, N)), n_attributes=d + 1))


@given(seed=SEEDS, stored=st.sampled_from([np.float16, np.float32, np.int8, np.int64]))
def test_the_type_in_which_weights_are_stored_does_not_matter(seed, stored):
    """Halves in float16, too: their digits are more than float16 has."""
    facts = table(seed, 6, 2)
    sound = in_place_superposition(facts)
    rng, scale = np.random.default_rng(seed), 1 if np.dtype(stored).kind == "i" else 0.5
    W_E = scale * (sound.W_E + rng.integers(0, 2, size=sound.W_E.shape))
    model = replace(sound, W_E=W_E, b_U=scale * rng.integers(-1, 2, size=6))
    want = assert_agree(model, facts)
    assert assert_agree(replace(model, W_E=W_E.astype(stored), b_U=model.b_U.astype(stored)), facts) == want
