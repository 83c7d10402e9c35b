"""C11: recall without an MLP."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.bounds.additive import Additive, additive
from georecall.constructions.selector import additive_logits, disjoint_superposition, selecting_heads
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.margins.margins import margins
from georecall.verify.strategies import fact_tables


def apart(sizes: list[int], n_subjects: int, seed: int = 0) -> FactTable:
    """Relation r answers from a set of its own, of sizes[r] attributes; every attribute answers something."""
    rng, start, rows = np.random.default_rng(seed), 0, []
    for size in sizes:
        rows.append(start + rng.permutation(np.arange(n_subjects) % size))
        start += size
    return FactTable(np.array(rows), n_attributes=start)


@given(
    sizes=st.lists(st.integers(2, 9), min_size=2, max_size=4),
    gate=st.sampled_from([0.25, 0.5, 1.0, 3.0]),
    seed=st.integers(0, 99),
)
def test_disjoint_attributes_are_recalled_without_neurons_by_the_lesser_of_distance_and_gate(
    sizes: list[int], gate: float, seed: int
) -> None:
    facts = apart(sizes, 12, seed)
    model = disjoint_superposition(facts, gate=gate)
    assert (model.d_mlp, model.d_model) == (0, sum(max(1, (n - 1).bit_length()) + 1 for n in sizes))
    assert margins(model, facts).minimum == (min(2, 2 * gate),) * 2


def test_sets_of_very_different_sizes_need_their_bias() -> None:
    facts = apart([2, 8, 100], 100)
    model = disjoint_superposition(facts)
    assert margins(model, facts).minimum == (2, 2)
    from dataclasses import replace

    bare = replace(model, b_U=np.zeros(facts.n_attributes))
    assert margins(bare, facts).minimum == (-4, -4)
    assert margins(replace(model, b_U=np.asarray(model.b_U) / 2), facts).minimum == (-1, -1)


def test_shared_attributes_break_it() -> None:
    facts = random_bijections(8, 2, rng=np.random.default_rng(0))
    assert margins(disjoint_superposition(facts), facts).n_wrong > 0


@given(fact_tables(n_attributes=st.integers(2, 6)))
def test_heads_that_look_at_the_relation_recall_every_table_without_neurons(facts: FactTable) -> None:
    model = selecting_heads(facts)
    found = margins(model, facts)
    m = max(1, (facts.n_attributes - 1).bit_length())
    assert (model.d_mlp, model.d_model) == (0, facts.n_relations * (m + 1) + 1)
    assert found.n_wrong == 0
    assert found.minimum[0] >= 2


@pytest.mark.parametrize("answers", [[[0, 1], [1, 2]], [[0, 1, 2, 2], [1, 1, 3, 2]], [[0, 1], [0, 1]]])
def test_an_additive_model_is_a_transformer_that_recalls(answers: list[list[int]]) -> None:
    facts = FactTable(answers, n_attributes=4)
    found = additive(answers)
    assert isinstance(found, Additive)
    f, g = found.arrays(facts.n_subjects, facts.n_relations, facts.n_attributes)
    assert margins(additive_logits(f, g), facts).n_wrong == 0
