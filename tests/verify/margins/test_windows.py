"""The windows certificate: what stands for all queries says what asking all of them says, or refuses."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import georecall as gr
from georecall.theory.facts.strings import letters
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.margins.windows import windows

FACTS = gr.random_bijections(5, 2, rng=np.random.default_rng(7))
HOPS = 3
ALPHABET = letters(FACTS, HOPS)


def model(**options):
    return gr.parallel_hops(FACTS, hops=HOPS, **options)


@settings(max_examples=settings.default.max_examples // 3)
@given(st.integers(2, 6), st.integers(1, 3), st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_representatives_have_the_margins_of_all_queries(N, R, hops, typed, seed):
    facts = gr.random_functions(N, R * (hops if typed else 1), rng=np.random.default_rng(seed))
    alphabet = letters(facts, hops, typed=typed)
    built = gr.parallel_hops(facts, hops=hops, typed=typed)
    short = windows(built, facts, alphabet)
    assert short.method == "windows"
    assert short.n_facts <= N
    if R**hops <= 64:
        assert short.minimum == margins(built, Chains(facts, alphabet)).minimum


def test_fewer_hops_than_the_weights_are_for_are_certified_too():
    for hops in (1, 2):
        assert windows(model(), FACTS, ALPHABET[:hops]).minimum == (2, 2)


def test_facts_that_the_tokens_do_not_hold_are_found_with_every_pair_of_answers():
    altered = FACTS.altered(2, 1, int(FACTS.answers[1, 2] + 1) % 5)
    found, everything = windows(model(), altered, ALPHABET), margins(model(), Chains(altered, ALPHABET))
    assert found.n_wrong > 0
    assert found.minimum == everything.minimum
    wrong = set(everything.wrong)
    assert all((query in wrong) == (sign < 0) for query, sign in zip(
        map(found.queries.query, range(found.n_facts)), found.signs, strict=True))  # fmt: skip


def with_weight(built, path, change):
    """The model with one weight changed by a function of a dense copy."""
    block, part, name = path
    if block is None:
        weight = np.array(getattr(built, name), dtype=float)
        change(weight)
        return replace(built, **{name: weight})
    layer = built.blocks[block]
    inner = getattr(layer, part)
    old = getattr(inner, name)
    one = old[0] if part == "attention" else old
    weight = np.array(one.toarray() if hasattr(one, "toarray") else one, dtype=float)
    change(weight)
    inner = replace(inner, **{name: (weight,) if part == "attention" else weight})
    blocks = [replace(layer, **{part: inner}) if b == block else old for b, old in enumerate(built.blocks)]
    return replace(built, blocks=tuple(blocks))


def plus(index, value):
    def change(weight):
        weight[index] += value

    return change


N_M = 5 * 3


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ((None, None, "W_E"), plus((0, 0), 1.0), "constant map to itself"),
        ((None, None, "W_E"), plus((5, 0), 1.0), "an entity's word"),
        ((None, None, "W_E"), plus((5, N_M), 1.0), "operands must be empty"),
        ((None, None, "W_pos"), plus((1, 0), 1.0), "positions must write to no slot"),
        ((None, None, "W_E"), plus((5, -1), 1.0), "tokens must not write"),
        ((None, None, "W_U"), plus((3, 0), 1.0), "W_U must"),
        ((None, None, "W_U"), plus((0, 0), 1.0), "a word of signs"),
        ((0, "attention", "W_V"), plus((0, 1), 1.0), "copy the table to the operand"),
        ((0, "attention", "W_Q"), plus((-1, -1), 9.0), "position 3 must compose all positions"),
        ((0, "mlp", "b_in"), plus(3, 1.0), "must become the slot that it names"),
        ((1, "mlp", "b_in"), plus(3, 1.0), "must become the slot that it names"),
        ((0, "mlp", "W_in"), plus((0, 7), 1.0), "."),
        ((0, "mlp", "W_out"), plus((0, 0), 1.0), "."),
        ((0, "mlp", "b_out"), plus(N_M, 1.0), "must become the slot that it names"),
        ((0, "mlp", "b_out"), plus(-1, 1.0), "layers must not write"),
        ((0, "mlp", "W_in"), plus((-1, 0), 1.0), "read nothing but table and operand"),
        ((0, "mlp", "b_in"), plus(0, 0.001), "multiples of 2"),
    ],
)
def test_weights_that_do_not_compose_maps_are_refused(path, change, says):
    with pytest.raises(PremiseError, match=says):
        windows(with_weight(model(), path, change), FACTS, ALPHABET)


def test_other_models_are_refused():
    for other in (gr.sequential_hops(FACTS, hops=HOPS), model(attention="soft"), gr.chain_of_thought(FACTS)):
        with pytest.raises(PremiseError):
            windows(other, FACTS, ALPHABET)


@settings(max_examples=settings.default.max_examples)
@given(st.data())
def test_whatever_weight_is_changed_the_certificate_is_right_or_silent(data):
    built = model()
    weights = built.dense().weights()
    name = data.draw(st.sampled_from(sorted(weights)))
    at = data.draw(st.integers(0, weights[name].size - 1))
    value = data.draw(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0]))
    where = name.split(".")
    path = (
        (None, None, name) if len(where) == 1
        else (int(where[1]), {"attn": "attention"}.get(where[2], where[2]), where[3])
    )  # fmt: skip

    def change(weight):
        weight.flat[at] = value

    changed = with_weight(built, path, change)
    try:
        found = windows(changed, FACTS, ALPHABET)
    except PremiseError:
        return
    everything = margins(changed, Chains(FACTS, ALPHABET))
    assert found.minimum == everything.minimum
    assert (found.n_wrong > 0) == (everything.n_wrong > 0)
