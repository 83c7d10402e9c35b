"""What the relations of a subject share: the same residuals as one prompt after the other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import MLP, Block, sign_code_memory
from georecall.constructions.transformer.parts import uniform_attention
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, random_functions
from georecall.verify.margins import additive_layer
from georecall.verify.margins.additive_layer import AdditiveLayer, memory_residuals
from georecall.verify.margins.queries import Facts
from georecall.verify.margins.rationals import Rational


def layer(rng, facts: FactTable, d: int, width: int) -> Transformer:
    """One layer of small whole numbers under uniform attention; most neurons sleep for most facts."""
    whole = lambda *shape: rng.integers(-2, 3, shape).astype(float)  # noqa: E731
    mlp = MLP(whole(d, width), whole(width) - 4, whole(width, d), whole(d))
    return Transformer(
        whole(facts.n_subjects + facts.n_relations, d),
        whole(2, d),
        (Block(uniform_attention(d, 2.0), mlp),),
        whole(d, facts.n_attributes),
        whole(facts.n_attributes),
    )


def one_by_one(model: Transformer, facts: FactTable) -> list[list[float]]:
    """The residual of every prompt, in integers over one denominator."""
    tokens, positions, _ = Facts(facts).prompts(np.arange(facts.n_facts))
    return model.map(Rational.of).residual(tokens, positions).fractions().tolist()


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 7), r=st.integers(1, 3), entries=st.sampled_from([1, 40])
)
def test_residuals_are_those_of_every_prompt(seed, n, r, entries):
    rng = np.random.default_rng(seed)
    facts = random_functions(n, r, 4, rng=rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(additive_layer, "_ENTRIES", entries)
        for model in (layer(rng, facts, 3, 9), layer(rng, facts, 2, 3)):
            assert memory_residuals(model, facts).tolist() == one_by_one(model, facts)


def test_neurons_that_sleep_for_some_subjects_are_left_out_and_no_other(monkeypatch):
    """A memory has one awake for each fact of theirs; with one fewer the residuals show it."""
    facts = random_functions(12, 2, 5, rng=np.random.default_rng(0))
    model = sign_code_memory(facts)
    monkeypatch.setattr(additive_layer, "_ENTRIES", 3 * model.d_mlp)
    left, awake = [], AdditiveLayer.awake

    def counted(self, part):
        fewer, part = awake(self, part)
        left.append(fewer.W_out.shape[0])
        return fewer, part

    monkeypatch.setattr(AdditiveLayer, "awake", counted)
    assert memory_residuals(model, facts).tolist() == one_by_one(model, facts)
    assert left == [6] * 4
    columns = additive_layer._columns
    monkeypatch.setattr(additive_layer, "_columns", lambda x, here: columns(x, np.roll(here, 1)))
    assert memory_residuals(model, facts).tolist() != one_by_one(model, facts)


def test_what_rounds_gains_nothing_or_attends_to_tokens_is_left_to_others(monkeypatch):
    facts = random_functions(12, 2, 5, rng=np.random.default_rng(0))
    model = sign_code_memory(facts)
    block = model.blocks[0]
    assert memory_residuals(model, facts) is not None
    assert memory_residuals(replace(model, W_E=model.W_E / 3), facts) is None
    assert memory_residuals(layer(np.random.default_rng(0), facts, 4, 4), facts) is None
    looks = replace(block.attention, W_Q=(np.eye(model.d_model),), W_K=(np.eye(model.d_model),))
    assert memory_residuals(replace(model, blocks=(replace(block, attention=looks),)), facts) is None
    monkeypatch.setattr(additive_layer, "_LIMIT", 1)
    assert memory_residuals(model, facts) is None
