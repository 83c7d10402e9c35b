"""What figures draw of constructions beside the sweep is what those constructions are."""

import numpy as np
import pytest

from georecall import chain_of_thought, parallel_hops, sequential_hops, two_sided_hops
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.figures.hop_sizes import others


@pytest.mark.parametrize(("N", "R", "k"), [(9, 2, 4), (8, 3, 3), (5, 2, 2)])
def test_sizes_are_those_of_models(N, R, k):
    facts = random_bijections(N, R, rng=np.random.default_rng(0))
    built = {
        "sequential, merged (C5(b))": [sequential_hops(facts, hops=k, merged=True)],
        "two-sided (C10)": [two_sided_hops(facts, hops=k)],
        "two-sided, one layer": [two_sided_hops(facts, hops=k, merged=True)],
        "two-sided with memories": [two_sided_hops(facts, hops=k, stages=c) for c in range(2, k)],
        "parallel (C5(d))": [parallel_hops(facts, hops=k)],
        "chain of thought (C3), k passes": [chain_of_thought(facts, max_hops=k)],
    }
    models = [(family, model) for family, several in built.items() for model in several]
    sizes = others(N, R, k)
    assert [size.family for size in sizes] == [family for family, _ in models]
    for size, (_, model) in zip(sizes, models, strict=True):
        assert (size.n_layers, size.d_model) == (model.n_layers, model.d_model)
        assert (size.subject_bits, size.other_bits) == (model.storage.subject_bits, model.storage.other_bits)


def test_bits_of_columns_count_among_the_others():
    for size in others(64, 3, 4):
        assert size.output_bits * 64 <= size.other_bits
        assert bool(size.output_bits) == size.family.startswith("two-sided")
