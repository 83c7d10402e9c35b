"""Strings of relations, and the predictions of C3 and C5."""

from fractions import Fraction
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.constructions.codes.code import sign_code
from georecall.theory.claims import CLAIMS
from georecall.theory.claims import symbols as sym
from georecall.theory.claims.chain_of_thought import inverse_temperature
from georecall.theory.claims.hops import matches
from georecall.theory.facts.fact_table import FactTable, random_functions
from georecall.theory.facts.strings import letters, reachable, spelled, string_answers


@given(seed=st.integers(0, 10**6), typed=st.booleans(), hops=st.integers(1, 3))
def test_string_answers_are_compositions(seed, typed, hops):
    facts = random_functions(5, 2 * hops if typed else 2, 5, rng=np.random.default_rng(seed))
    alphabet = letters(facts, hops, typed=typed)
    answers = string_answers(facts, alphabet)
    for number, string in enumerate(spelled(np.arange(2**hops), alphabet)):
        np.testing.assert_array_equal(answers[number], facts.compose(string))
    np.testing.assert_array_equal(reachable(facts, alphabet), np.unique(answers))


def test_unnamed_facts_are_of_entities_by_number():
    facts = FactTable([[1, 0, 0]])  # no attribute 2
    assert not facts.of_entities
    assert facts.to_entities().of_entities


def test_matches_count_letters():
    strings = spelled(np.arange(27), np.tile(np.arange(3), (3, 1)))
    expected = (strings[:, None] == strings).sum(axis=2)
    np.testing.assert_array_equal(matches(3, 3), expected)


@pytest.mark.parametrize("max_hops", [1, 2, 3, 16, 100])
@pytest.mark.parametrize(("margin", "gate"), [(0.1, 1.25), (1.0, 2.0), (1.99, 1.0625)])
def test_the_scale_leaves_no_more_than_the_leak_allowed(max_hops, margin, gate):
    beta = inverse_temperature(margin, distance=4, gate=gate, max_hops=max_hops)
    words = sign_code(max_hops).words

    def leak(beta):
        """The most weight off relation i, at any step, with all K positions and K entities shown."""
        distances = (words[:, None] != words).sum(axis=2)
        relations = np.exp(-2 * beta * distances).sum(axis=1).max() - 1
        S = relations + max_hops * exp(-beta * words.shape[1])
        return S / (1 + S)

    assert leak(beta) <= 1 - 1 / gate
    assert 2 * (1 - 2 * leak(beta) * (1 + gate)) >= margin - 1e-12
    if max_hops in (1, 2, 16):  # all words of q signs occur: the sum is the truth
        allowed = min((1 - margin / 2) / (2 * (1 + gate)), 1 - 1 / gate)
        assert leak(beta - 1 / 256) > allowed


def values(**given):
    known = {sym.N: 64, sym.R: 3, sym.A: 64, sym.m: 6, sym.V: 2, sym.gate: 1, sym.words: 64, sym.D: 4}
    flags = {sym.levels: 2, sym.strangers: 0, sym.soft: 0, sym.separate: 1, sym.merged: 0, sym.typed: 0}
    other = {getattr(sym, name): value for name, value in given.items()}
    return known | flags | {sym.promise: Fraction(0)} | other


def test_predictions_at_the_sizes_of_the_theory():
    predicted = CLAIMS["hybrid-hops"].predict(values(k=7, c=3))
    assert predicted["d_mlp_per_layer"] == [2 * 27 * 6, 64, 2 * 9 * 6, 64, 9 * 6]
    assert predicted["other_bits"] == 64 * 9 * 6
    assert CLAIMS["hybrid-hops"].predict(values(k=5, c=3))["other_bits"] == 64 * (9 + 3) * 6
    sequential = CLAIMS["sequential-hops"]
    assert sequential.predict(values(k=4, typed=1))["other_bits"] == 3 * 64 * 3 * 6
    assert sequential.predict(values(k=4, merged=1))["d_mlp_per_layer"] == [3 * 64 + 18 + 3] * 3 + [18]
    assert CLAIMS["chain-of-thought"].predict(values(K=16, separate=0, N=1000, R=4, m=10))["d_model"] == 48


def test_hybrid_with_one_stage_is_composed_and_with_k_sequential():
    hybrid = CLAIMS["hybrid-hops"]
    for k in range(1, 6):
        for name, c in (("composed-hops", 1), ("sequential-hops", k)):
            assert hybrid.predict(values(k=k, c=c)) == CLAIMS[name].predict(values(k=k))


@pytest.mark.parametrize("name", ["chain-of-thought", "composed-hops", "sequential-hops", "hybrid-hops"])
def test_claims_print(name):
    claim = CLAIMS[name]
    assert claim.latex().count(r"\begin{itemize}") == 3
    assert all(claim.symbols().values())
    assert claim.described()["predicted"]["d_mlp_per_layer"]
