"""The weights of C3 and C5, recomputed without the package's forward pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import Transformer, chain_of_thought, composed_hops, generate, hybrid_hops, sequential_hops
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.files.weights import tensors
from georecall.constructions.hops import stage_lengths
from georecall.constructions.transformer.hop_parts import dyadic
from georecall.constructions.transformer.prompts import relations_first, subject_first
from georecall.theory.facts.fact_table import FactsError, FactTable, random_bijections, random_functions
from georecall.theory.facts.strings import letters, spelled

seeds = st.integers(0, 10**6)


def independent_logits(model: Transformer, tokens, positions):
    """One prompt, hard attention, from the exported tensors: none of the package's arithmetic."""
    w = tensors(model)
    x = w["W_E"][tokens] + w["W_pos"][positions]
    for layer in range(model.n_layers):
        heads = range(len(w.get(f"blocks.{layer}.attn.W_Q", ())))
        added = np.zeros_like(x)
        for W_Q, W_K, W_V, W_O in (
            [w[f"blocks.{layer}.attn.{n}"][h] for n in ("W_Q", "W_K", "W_V", "W_O")] for h in heads
        ):
            for t in range(len(x)):
                scores = [x[t] @ W_Q @ (x[j] @ W_K) for j in range(t + 1)]
                best = [j for j in range(t + 1) if scores[j] == max(scores)]
                added[t] += np.mean([x[j] @ W_V @ W_O for j in best], axis=0)
        x = x + added
        mlp = [w.get(f"blocks.{layer}.mlp.{n}") for n in ("W_in", "b_in", "W_out", "b_out")]
        if mlp[0] is not None:
            x = x + np.maximum(x @ mlp[0] + mlp[1], 0) @ mlp[2] + mlp[3]
    return x[-1] @ w["W_U"] + w["b_U"]


def tables(n_relations: int = 2):
    def draw(seed: int, n: int, bijective: bool) -> FactTable:
        kind = random_bijections if bijective else random_functions
        return kind(n, n_relations, rng=np.random.default_rng(seed))

    return st.builds(draw, seeds, st.integers(2, 9), st.booleans())


@given(table=tables(), seed=seeds, gate=st.sampled_from([1.0, 1.5, 2.0]), separate=st.booleans())
def test_c3_answers_every_chain_by_feeding_back_its_own_answers(table, seed, gate, separate):
    rng = np.random.default_rng(seed)
    model = chain_of_thought(table, max_hops=5, gate=gate, readout="separate" if separate else "in-place")
    for hops in (1, 3, 5):
        relations = rng.integers(2, size=(8, hops))
        subjects = rng.integers(table.n_subjects, size=8)
        said = generate(model, subjects, relations, n_entities=table.n_subjects)
        for t in range(1, hops + 1):
            right = [table.compose(r[:t])[s] for r, s in zip(relations, subjects, strict=True)]
            assert said[:, t - 1].tolist() == right


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    "construct",
    [
        composed_hops,
        lambda facts, **o: composed_hops(facts, readout="in-place", **o),
        sequential_hops,
        lambda facts, **o: sequential_hops(facts, merged=True, **o),
        lambda facts, **o: hybrid_hops(facts, stages=2, **o),
    ],
    ids=["composed", "composed in place", "sequential", "merged", "hybrid"],
)
def test_c5_recomputed_independently(construct, typed):
    facts = random_functions(6, 6 if typed else 2, rng=np.random.default_rng(3))
    model = construct(facts, hops=3, typed=typed)
    alphabet = letters(facts, 3, typed=typed)
    for string in spelled(np.arange(0, 8, 3), alphabet):
        for subject in (0, 5):
            tokens = subject_first(6, subject, *string)[0]
            logits = independent_logits(model, tokens, np.arange(4))
            np.testing.assert_array_equal(logits, model.logits(tokens[None])[0])
            answer = facts.compose(string)[subject]
            assert logits[answer] - np.delete(logits, answer).max() >= 2


def test_c3_recomputed_independently():
    facts = random_functions(6, 2, rng=np.random.default_rng(3))
    model = chain_of_thought(facts, max_hops=3)
    relations, entities = np.array([[1, 0, 1]]), np.array([[4, int(facts.answers[1, 4])]])
    tokens, positions = relations_first(6, relations, entities, max_hops=3)
    logits = independent_logits(model, tokens[0], positions)
    np.testing.assert_array_equal(logits, model.logits(tokens, positions)[0])
    assert logits.argmax() == facts.compose([1, 0])[4]


@pytest.mark.parametrize("name", ["chain-of-thought", "composed-hops", "sequential-hops", "hybrid-hops"])
def test_every_construction_needs_only_facts(name):
    facts = random_bijections(5, 2, rng=np.random.default_rng(0))
    assert CONSTRUCTIONS[name](facts).d_vocab == 7


def test_layers_widths_and_dimensions_of_c5():
    facts = random_bijections(33, 3, rng=np.random.default_rng(0))  # m = 6
    assert sequential_hops(facts, hops=3).d_mlp_per_layer == [36, 33, 36, 33, 18]
    assert sequential_hops(facts, hops=3, merged=True).d_mlp_per_layer == [120, 120, 18]
    assert hybrid_hops(facts, hops=5, stages=2).d_mlp_per_layer == [324, 33, 54]
    assert composed_hops(facts, hops=3, readout="in-place").d_model == 27 * 6 + 3 + 4
    assert chain_of_thought(facts, max_hops=16).W_pos.shape == (32, 3 * 6 + 8)


def test_no_position_grows_though_nobody_reads_it():
    """Position 0 holds the embedding twice; silenced, it stays small through every memory."""
    facts = random_functions(50, 4, rng=np.random.default_rng(1))
    tokens = subject_first(50, np.arange(50), *[np.zeros(50, int)] * 6)
    for model in (sequential_hops(facts, hops=6), sequential_hops(facts, hops=6, merged=True)):
        x = model.W_E[tokens] + model.W_pos[np.arange(7)]
        for block in model.blocks:
            if block.attention is not None:
                x = x + block.attention(x, x, kind="hard", scale=1.0)
            x = x + block.mlp(x)
            assert np.abs(x).max() <= 5


@given(hops=st.integers(1, 12), stages=st.integers(1, 12))
def test_stages_are_balanced_and_the_longest_first(hops, stages):
    if stages <= hops:
        lengths = stage_lengths(hops, stages)
        assert sum(lengths) == hops
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] == -(-hops // stages) <= lengths[-1] + 1


@given(gate=st.floats(1, 100))
def test_a_gate_is_rounded_up_to_few_digits(gate):
    assert 0 <= dyadic(gate) - gate < 2**-23
    assert (dyadic(gate) * 2**24).is_integer()


def test_bad_arguments_are_named():
    facts = random_bijections(4, 3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="stages must be from 1"):
        hybrid_hops(facts, hops=2, stages=3)
    with pytest.raises(FactsError, match="do not divide among 2 hops"):
        composed_hops(facts, hops=2, typed=True)
    with pytest.raises(FactsError, match="attributes are the subjects"):
        sequential_hops(FactTable([[0, 5]]))
    with pytest.raises(ValueError, match="max_hops"):
        chain_of_thought(facts, max_hops=0)
    with pytest.raises(ValueError, match="gate above 1"):
        chain_of_thought(facts, attention="soft", gate=1.0)
    with pytest.raises(ValueError, match="margin between 0 and 2"):
        chain_of_thought(facts, attention="soft", margin=2.0)
    with pytest.raises(ValueError, match="more than the 2"):
        generate(chain_of_thought(facts, max_hops=2), [0], np.zeros((1, 3), int), n_entities=4)
