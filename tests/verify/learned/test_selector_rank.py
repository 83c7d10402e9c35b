"""The proof of the width floor, on given weights: what meets it, and what escapes it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from georecall.constructions.dense import dense_superposition
from georecall.constructions.hops import sequential_hops
from georecall.constructions.selector import disjoint_superposition, selecting_heads
from georecall.constructions.single_hop import (
    block_superposition,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    quantized_superposition,
)
from georecall.constructions.transformer.layers import Block
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.learned.selector_rank import selector_rank

FACTS = random_bijections(16, 3, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("build", "length", "width"),
    [
        (narrow_superposition, 4, 8),
        (in_place_superposition, 4, 12),
        (block_superposition, 4, 12),
        (lambda facts: narrow_superposition(facts, bits=4), 1, 2),
        (lambda facts: quantized_superposition(facts, bits=4), 1, 3),
    ],
)
def test_exact_selectors_switch_a_rank_of_r_minus_one_words(
    build: Callable[[FactTable], Transformer], length: int, width: int
) -> None:
    found = selector_rank(build(FACTS), 16, 3)
    assert found.rank == 2 * length <= found.switched <= found.width == width
    assert found.words == length
    assert found.exact()
    assert found.uncut > 0


def test_packed_and_dense_selectors_escape_the_floor() -> None:
    packed = selector_rank(packed_superposition(FACTS, bits=4), 16, 3)
    assert (packed.rank, packed.width) == (2, 3)
    assert not packed.exact()
    dense = selector_rank(dense_superposition(FACTS, length=40), 16, 3)
    assert dense.rank <= dense.switched <= 40
    assert not dense.exact()


def test_a_neuron_cut_off_costs_rank() -> None:
    model = narrow_superposition(FACTS)
    mlp = model.blocks[0].mlp
    assert mlp is not None
    W_out = np.array(mlp.W_out.todense() if hasattr(mlp.W_out, "todense") else mlp.W_out)
    W_out[0] = 0
    cut = replace(model, blocks=(Block(model.blocks[0].attention, replace(mlp, W_out=W_out)),))
    assert not selector_rank(cut, 16, 3).exact()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (selecting_heads(FACTS), "attention depends on the tokens"),
        (disjoint_superposition(FactTable([[0, 1], [2, 3]])), "there is no MLP"),
        (sequential_hops(FACTS, hops=2), "one layer"),
    ],
)
def test_other_models_are_told_what_they_select_by(model: Transformer, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        selector_rank(model, 16, 3)
