"""The transition certificate equals enumeration, and refuses what it cannot prove."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall import Attention, composed_hops, hybrid_hops, sequential_hops
from georecall.constructions.transformer.arithmetic import dense
from georecall.theory.facts.fact_table import random_functions
from georecall.theory.facts.strings import letters
from georecall.verify.margins import transitions as certificate
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.margins.transitions import representatives, transitions


def table(seed: int = 0, r: int = 2):
    return random_functions(6, r, rng=np.random.default_rng(seed))


MODELS = {
    "sequential": sequential_hops,
    "merged": lambda facts, **o: sequential_hops(facts, merged=True, **o),
    "hybrid": lambda facts, **o: hybrid_hops(facts, stages=2, **o),
    "composed": composed_hops,
}


@settings(max_examples=settings.default.max_examples // 2)
@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(sorted(MODELS)),
    typed=st.booleans(),
    gate=st.sampled_from([0.75, 1.0]),
    noise=st.booleans(),
)
def test_it_equals_enumeration_of_sound_and_of_broken_weights(seed, name, typed, gate, noise):
    facts = table(seed, 6 if typed else 2)
    model = MODELS[name](facts, hops=3, typed=typed, gate=gate)
    if noise:  # one embedding of one subject, and one remembered one
        W_E = model.W_E.copy()
        W_E[seed % 6, model.storage.coordinates[seed % 4]] *= -1
        model = replace(model, W_E=W_E)
    alphabet = letters(facts, 3, typed=typed)
    short, long = transitions(model, facts, alphabet), margins(model, Chains(facts, alphabet))
    assert short.minimum == long.minimum
    assert set(np.unique(short.lower)) == set(np.unique(long.lower))
    assert set(short.wrong) <= set(long.wrong)
    assert (short.n_wrong == 0) == (long.n_wrong == 0)


def test_few_queries_stand_for_many():
    facts = random_functions(20, 3, rng=np.random.default_rng(0))
    alphabet = letters(facts, 7)
    stands, _ = representatives(sequential_hops(facts, hops=7), facts, alphabet)
    assert len(stands.answers) <= 20 * 3  # of 20 x 3^7
    for history, answer in zip(stands.histories, stands.answers, strict=True):
        assert facts.compose(history[1:])[history[0]] == answer


def with_attention(model, layer, **changed):
    blocks = list(model.blocks)
    heads = {n: [dense(w).copy() for w in ws] for n, ws in vars(blocks[layer].attention).items()}
    for name, change in changed.items():
        heads[name] = [change(w) for w in heads[name]]
    blocks[layer] = replace(blocks[layer], attention=Attention(**heads))
    return replace(model, blocks=tuple(blocks))


def read_state(W_V):
    W_V = W_V.copy()
    W_V[0, 0] = 1.0
    return W_V


@pytest.mark.parametrize(
    ("premise", "corrupt"),
    [
        ("attention must be hard", lambda m: replace(m, attention="soft")),
        ("must read one position", lambda m: with_attention(m, 2, W_Q=np.zeros_like)),
        ("tokens alone", lambda m: with_attention(m, 2, W_V=read_state)),
        ("tokens must not write", lambda m: with_attention(m, 2, W_K=read_state)),
        ("once and in order", lambda m: with_attention(m, 2, W_K=np.negative)),
        ("not round", lambda m: replace(m, W_E=m.W_E * (1 + 2.0**-50))),
        ("3 hops need 4 positions", lambda m: replace(m, W_pos=m.W_pos[:3])),
    ],
)
def test_it_names_the_premise_that_fails(premise, corrupt):
    facts = table()
    with pytest.raises(PremiseError, match=premise):
        transitions(corrupt(sequential_hops(facts, hops=3)), facts, letters(facts, 3))


@pytest.mark.parametrize(("part", "name"), [("attention", "W_O"), ("mlp", "W_out"), ("mlp", "b_out")])
def test_heads_neurons_and_biases_must_not_write_where_scores_are_read(part, name):
    facts = table()
    model = sequential_hops(facts, hops=3)
    scored = np.flatnonzero(model.W_pos.any(axis=0))[0]
    block = model.blocks[2]
    weights = getattr(getattr(block, part), name)
    changed = dense(weights[0] if part == "attention" else weights).copy()
    changed[..., scored] += 1.0
    layer = replace(getattr(block, part), **{name: (changed,) if part == "attention" else changed})
    blocks = (*model.blocks[:2], replace(block, **{part: layer}), *model.blocks[3:])
    with pytest.raises(PremiseError, match="layers must not write to queries or keys"):
        transitions(replace(model, blocks=blocks), facts, letters(facts, 3))


def test_positions_beyond_the_prompt_are_of_no_account():
    facts = table()
    model = sequential_hops(facts, hops=3)
    # scores are minus distances: of the last position beyond the prompt they would be the largest
    longer = replace(model, W_pos=np.vstack([model.W_pos, -model.W_pos.sum(axis=0)]))
    assert (
        transitions(longer, facts, letters(facts, 3)).minimum
        == transitions(model, facts, letters(facts, 3)).minimum
    )


def test_a_relation_that_is_never_read_is_noticed():
    facts = table()
    model = sequential_hops(facts, hops=2)
    with pytest.raises(PremiseError, match="position 2 is not"):
        transitions(replace(model, blocks=model.blocks[:1]), facts, letters(facts, 2))


def test_every_head_must_read_what_tokens_alone_have_written():
    """The second head of the last layer does, the first one also reads the state."""
    facts = table()
    model = hybrid_hops(facts, hops=4, stages=2)
    assert len(model.blocks[2].attention.W_V) == 2
    heads = model.blocks[2].attention
    W_V = (read_state(dense(heads.W_V[0])), heads.W_V[1])
    blocks = (*model.blocks[:2], replace(model.blocks[2], attention=replace(heads, W_V=W_V)))
    transitions(model, facts, letters(facts, 4))
    with pytest.raises(PremiseError, match="layer 2 must read what tokens alone"):
        transitions(replace(model, blocks=blocks), facts, letters(facts, 4))


def test_only_equal_residuals_with_one_entity_and_one_last_token_are_merged():
    facts = table()
    residuals = [[1.0, 0.0], [1.0, -0.0], [1.0, 2.0**-80], [0.5, 0.0], [1.0, 0.0], [1.0, 0.0]]
    ways = certificate._Ways(
        facts,
        letters(facts, 1),
        histories=np.array([[0, 1], [1, 1], [2, 1], [3, 1], [4, 0], [5, 1]]),
        reached=np.array([2, 2, 2, 2, 2, 3]),
    )
    merged = ways.merge(Ball.of(np.array(residuals)))
    assert ways.histories.tolist() == [[0, 1], [2, 1], [3, 1], [4, 0], [5, 1]]  # in order; 1 goes with 0
    assert ways.reached.tolist() == [2, 2, 2, 2, 3]
    assert merged.mid.tolist() == [residuals[i] for i in (0, 2, 3, 4, 5)]


def test_residuals_are_told_apart_as_long_as_they_fit_the_memory(monkeypatch):
    """Six entities, two last tokens, split by the two letters of the first hop."""
    facts = table()
    model = sequential_hops(facts, hops=3)
    monkeypatch.setattr(certificate, "_LIMIT", 6 * 2 * 2 * model.d_model)
    transitions(model, facts, letters(facts, 3))
    monkeypatch.setattr(certificate, "_LIMIT", 6 * 2 * 2 * model.d_model - 1)
    with pytest.raises(PremiseError, match="too many to be told apart"):
        transitions(model, facts, letters(facts, 3))


def test_the_model_must_fit_and_progress_is_told():
    facts, told = table(), []
    model = sequential_hops(facts, hops=2)
    found = transitions(model, facts, letters(facts, 2), progress=lambda *done: told.append(done))
    assert told[-1] == (found.n_facts, found.n_facts)
    with pytest.raises(ValueError, match="6 subjects and 3 relations need 9"):
        transitions(model, table(r=3), letters(table(r=3), 2))


def test_scores_that_overflow_are_refused_without_a_warning():
    facts = table()
    model = sequential_hops(facts, hops=2)
    with pytest.raises(PremiseError, match="each head of layer 0 must read one position"):
        transitions(replace(model, W_pos=model.W_pos * 2.0**600), facts, letters(facts, 2))
