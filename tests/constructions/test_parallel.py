"""C5(d)'s weights, for every number of hops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall import parallel_hops
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.facts.fact_table import FactsError, FactTable, random_functions
from georecall.theory.facts.strings import letters, spelled, string_answers


@settings(max_examples=settings.default.max_examples // 2)
@given(st.integers(2, 7), st.integers(1, 3), st.integers(1, 5), st.booleans(), st.integers(0, 999))
def test_c5d_answers_queries_of_every_length_with_the_same_weights(N, R, hops, typed, seed):
    facts = random_functions(N, R * (hops if typed else 1), rng=np.random.default_rng(seed))
    model = parallel_hops(facts, hops=hops, typed=typed)
    assert model.n_layers == int(np.ceil(np.log2(hops + 1)))
    everyone = np.arange(N)
    assert (model.logits(everyone[:, None]).argmax(axis=1) == everyone).all()
    for k in range(1, hops + 1):
        alphabet = letters(facts, hops, typed=typed)[:k]
        some = np.unique(np.random.default_rng(seed).integers(R**k, size=4))
        for string, right in zip(spelled(some, alphabet), string_answers(facts, alphabet)[some], strict=True):
            logits = model.logits(subject_first(N, everyone, *string))
            best = logits[everyone, right].copy()
            logits[everyone, right] = -np.inf
            assert (best - logits.max(axis=1) >= 2).all()


def test_the_margin_is_twice_the_distance_of_the_code():
    facts = random_functions(5, 2, rng=np.random.default_rng(1))
    model = parallel_hops(facts, hops=3, code=distance_code(5, 3))
    logits = np.sort(model.logits(subject_first(5, np.arange(5), 1, 0, 1)), axis=1)
    assert (logits[:, -1] - logits[:, -2] >= 6).all()


def test_sizes_of_the_theory_and_where_the_facts_are():
    first, second = (random_functions(6, 2, rng=np.random.default_rng(seed)) for seed in (0, 1))
    model = parallel_hops(first, hops=4)
    assert (model.d_model, model.d_mlp_per_layer) == (2 * 6 * 3 + 5, [36 * 3 + 36, 36 * 3 + 36, 18 + 3])
    weights = [parallel_hops(facts, hops=4).dense().weights() for facts in (first, second)]
    assert [name for name in weights[0] if not np.array_equal(weights[0][name], weights[1][name])] == ["W_E"]
    np.testing.assert_array_equal(weights[0]["W_E"][:6], weights[1]["W_E"][:6])


def test_attributes_that_are_no_subjects_do_not_compose():
    with pytest.raises(FactsError, match="attributes are the subjects"):
        parallel_hops(FactTable([[0, 1, 5], [5, 4, 3]], n_attributes=6))
