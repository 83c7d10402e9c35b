"""Bits of a subject's embedding, declared by the construction and found in the weights."""

from dataclasses import replace

import numpy as np
import pytest

from georecall import Code, Storage, block_superposition, in_place_superposition
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.transformer import on_demand
from georecall.theory.facts.fact_table import FactTable, random_functions
from georecall.verify.verdict.stored_bits import subject_bits

TABLE = random_functions(6, 3, 8, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("single-hop", 9),
        ("single-hop-in-place", 9),
        ("single-hop-narrow", 9),
        ("single-hop-quantized", 12),
        ("single-hop-packed", 9),
    ],
)
def test_the_family_stores_r_code_words_a_subject(name, bits):
    assert subject_bits(CONSTRUCTIONS[name](TABLE), 6) == bits


def test_weights_that_do_not_say_where_the_facts_are_have_no_count():
    assert subject_bits(replace(block_superposition(TABLE), storage=None), 6) is None


def test_a_coordinate_that_varies_without_being_declared_is_counted():
    model = block_superposition(TABLE)
    W_E = model.W_E.copy()
    W_E[:6, -1] = [-1, -1, 1, -1, -1, -1]  # on the readout
    assert subject_bits(replace(model, W_E=W_E), 6) == 10
    W_E[:6, -1] = 1.0  # the same for all subjects: no information
    assert subject_bits(replace(model, W_E=W_E), 6) == 9


def test_a_coordinate_that_is_declared_is_counted_though_it_does_not_vary():
    model = block_superposition(TABLE)
    W_E = model.W_E.copy()
    W_E[:6, 0] = 1.0
    assert subject_bits(replace(model, W_E=W_E), 6) == 9


@pytest.mark.parametrize(("value", "bits"), [(0.5, 18), (-1.0, 9)])
def test_more_values_than_declared_are_counted(value, bits):
    model = in_place_superposition(TABLE)
    W_E = model.W_E.copy()
    W_E[1, 4] = value
    assert subject_bits(replace(model, W_E=W_E), 6) == bits


def test_values_that_do_not_occur_are_counted_where_they_are_declared():
    code = Code(np.arange(8)[:, None] * 3, lo=0, hi=30)
    assert subject_bits(in_place_superposition(TABLE, code=code), 6) == 3 * 5


def test_the_relations_are_not_subjects():
    model = block_superposition(TABLE)
    W_E = model.W_E.copy()
    W_E[6:, -1] = 7.0
    assert subject_bits(replace(model, W_E=W_E), 6) == 9


def test_more_is_stored_than_a_false_declaration_says():
    model = block_superposition(FactTable([[0, 7, 1], [6, 1, 5]]))  # every coordinate takes both signs
    assert subject_bits(replace(model, storage=Storage(np.array([0, 1]), 2)), 3) == 6


@pytest.mark.parametrize("kind", ["", "-in-place", "-narrow", "-quantized", "-packed"])
@pytest.mark.parametrize("false", [False, True])
def test_embeddings_on_demand_store_what_they_store_when_they_are_held(monkeypatch, kind, false):
    name = f"single-hop{kind}"
    facts = FactTable([np.arange(16), np.arange(16)[::-1]])  # every digit takes every value
    held = CONSTRUCTIONS[name](facts)
    monkeypatch.setattr(on_demand, "_HELD", 0)
    model = CONSTRUCTIONS[name](facts)
    assert isinstance(model.W_E, on_demand.OnDemand)
    if false:
        held, model = (replace(each, storage=Storage(np.array([0, 1]), 2)) for each in (held, model))
    assert subject_bits(model, 16) == subject_bits(held, 16) > 0
    every, (varying, n_values) = np.asarray(model.W_E)[:16], model.W_E.varying()
    assert ((every != every[0]).any(axis=0) == varying).all()
    assert len(np.unique(every[:, varying])) == n_values
