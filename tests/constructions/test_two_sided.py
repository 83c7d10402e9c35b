"""C10's weights, against answers followed hop by hop, and recomputed without the package's forward pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import single_hop_split, two_sided_hops
from georecall.constructions.sides import parts
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.facts.fact_table import FactsError, FactTable, random_bijections, random_functions
from georecall.theory.facts.strings import letters, spelled, string_answers

OPTIONS = st.sampled_from(
    [
        *({"hops": k} for k in (1, 2, 3, 4, 5)),
        *({"hops": 3, "split": a} for a in (0, 1, 2, 3)),
        *({"hops": k, "stages": c} for k, c in [(3, 2), (5, 2), (5, 3)]),
        {"hops": 5, "split": 3, "stages": 2},
    ]
)


@given(
    OPTIONS, st.booleans(), st.booleans(), st.sampled_from([1.0, 1.5]), st.integers(2, 12), st.integers(0, 99)
)
def test_c10_answers_every_query_by_twice_the_distance(options, typed, merged, gate, N, seed):
    hops, R = options["hops"], 1 + seed % 3 if options["hops"] < 4 else 2
    facts = random_bijections(N, R * (hops if typed else 1), rng=np.random.default_rng(seed))
    model = two_sided_hops(facts, typed=typed, merged=merged, gate=gate, **options)
    alphabet = letters(facts, hops, typed=typed)
    strings = spelled(np.arange(R**hops), alphabet)
    answers = string_answers(facts, alphabet)
    for string, right in zip(strings, answers, strict=True):
        logits = model.logits(subject_first(N, np.arange(N), *string))
        best = logits[np.arange(N), right].copy()
        logits[np.arange(N), right] = -np.inf
        assert (best - logits.max(axis=1) >= 2).all()


def test_c10_recomputed_from_its_exported_weights():
    from tests.constructions.test_hops import independent_logits

    facts = random_bijections(6, 2, rng=np.random.default_rng(3))
    for options in ({"hops": 3}, {"hops": 4, "merged": True}, {"hops": 3, "stages": 2}):
        model = two_sided_hops(facts, **options)
        alphabet = letters(facts, options["hops"])
        for string in spelled(np.arange(0, 2 ** len(alphabet), 3), alphabet):
            tokens = subject_first(6, 5, *string)[0]
            logits = independent_logits(model, tokens, np.arange(len(tokens)))
            np.testing.assert_array_equal(logits, model.logits(tokens[None])[0])
            assert logits.argmax() == facts.compose(string)[5]


def test_dimensions_of_the_theory():
    facts = random_bijections(1000, 8, rng=np.random.default_rng(0))
    assert two_sided_hops(facts, hops=2).d_model == 8 * 10 + 8 + 3 + 8 == 99
    few = random_bijections(64, 3, rng=np.random.default_rng(0))
    assert two_sided_hops(few, hops=3).d_model == 2 * 3 * 6 + 3 + 4 + 6  # ceil((R+1)/2) R^q blocks
    split = single_hop_split(few)
    assert (split.d_model, split.d_mlp_per_layer) == (2 * 6 + 3 + 2 + 2, [2 * 2 * 6, 3 * 6 + 2])


def test_nothing_in_attention_or_mlp_depends_on_the_facts():
    first, second = (random_bijections(9, 3, rng=np.random.default_rng(seed)) for seed in (0, 1))
    for options in ({"hops": 2}, {"hops": 3}, {"hops": 4, "merged": True}):
        weights = [two_sided_hops(facts, **options).dense().weights() for facts in (first, second)]
        differ = {name for name in weights[0] if not np.array_equal(weights[0][name], weights[1][name])}
        assert differ == {"W_E", "W_U"}


def test_only_what_w_u_inverts_must_be_bijective():
    facts = random_functions(8, 3, rng=np.random.default_rng(0))
    two_sided_hops(facts, hops=2, split=2)
    with pytest.raises(FactsError, match="is no bijection: W_U cannot hold its inverse"):
        two_sided_hops(facts, hops=2)


def test_the_relation_whose_blocks_the_right_letters_lift_must_be_bijective():
    rows = random_bijections(5, 3, rng=np.random.default_rng(0)).answers.copy()
    rows[1] = 0  # any function on the left is answered
    facts = FactTable(rows)
    asked = subject_first(5, np.repeat(np.arange(5), 3), np.tile(np.arange(3), 5))
    logits = single_hop_split(facts).logits(asked)
    np.testing.assert_array_equal(logits.argmax(axis=1), rows.T.ravel())
    with pytest.raises(FactsError, match="is no bijection"):  # but not the first: W_U's words would coincide
        single_hop_split(FactTable(rows[[1, 0, 2]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((3, 4, 1), "split must be from 0"),
        ((3, None, 3), "stages must be from 1 to 2"),
        ((4, 1, 2), "from 2"),
    ],
)
def test_parts_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        parts(*options)
