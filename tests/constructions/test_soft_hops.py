"""C5 and C10 with softmax: the margin asked for is kept on every query, the scale is derived from it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import georecall as gr
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.facts.strings import letters
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains

BUILDS = {
    "composed": (gr.composed_hops, 2, {}),
    "in place": (gr.composed_hops, 2, {"readout": "in-place"}),
    "sequential": (gr.sequential_hops, 3, {}),
    "merged": (gr.sequential_hops, 3, {"merged": True}),
    "typed": (gr.hybrid_hops, 3, {"stages": 2, "typed": True}),
    "hybrid": (gr.hybrid_hops, 3, {"stages": 2}),
    "parallel": (gr.parallel_hops, 3, {}),
    "two-sided": (gr.two_sided_hops, 2, {}),
    "middle letter": (gr.two_sided_hops, 3, {}),
    "no letter on the left": (gr.two_sided_hops, 2, {"split": 0}),
    "all letters on the left": (gr.two_sided_hops, 2, {"split": 2}),
    "two-sided, merged": (gr.two_sided_hops, 2, {"merged": True}),
    "two-sided, stages": (gr.two_sided_hops, 3, {"stages": 2}),
    "two-sided, stages merged": (gr.two_sided_hops, 3, {"stages": 2, "merged": True}),
}


def asked(name, seed=0, n_subjects=7):
    """A table, a way to build, and all queries."""
    build, hops, options = BUILDS[name]
    typed = bool(options.get("typed"))
    rng = np.random.default_rng(seed)
    facts = gr.random_bijections(n_subjects, 2 * (hops if typed else 1), rng=rng)
    queries = Chains(facts, letters(facts, hops, typed=typed))
    return facts, partial(build, facts, hops=hops, attention="soft", **options), queries


@pytest.mark.parametrize("margin", [0.25, 1.0, 1.75])
@pytest.mark.parametrize("name", BUILDS)
def test_every_query_keeps_the_margin_asked_for(name, margin):
    _, build, queries = asked(name)
    least, most = margins(build(margin=margin), queries).minimum
    assert margin <= least <= most <= 2


@pytest.mark.parametrize("name", BUILDS)
def test_half_the_scale_loses_what_was_promised(name):
    _, build, queries = asked(name, n_subjects=8)
    assert margins(replace(build(margin=1.0), attn_scale=0.5), queries).minimum[1] < 1.0


@pytest.mark.parametrize("merged", [False, True])
def test_depth_costs_no_margin_because_pairs_of_neurons_make_states_exact(merged):
    facts = gr.random_bijections(5, 2, rng=np.random.default_rng(5))
    kept = []
    for hops in (3, 6):
        model = gr.sequential_hops(facts, hops=hops, merged=merged, attention="soft", margin=0.5)
        kept.append(float(margins(model, Chains(facts, letters(facts, hops))).minimum[0]))
    assert abs(kept[0] - kept[1]) < 0.05


def test_the_same_weights_keep_the_margin_for_fewer_hops_in_parallel():
    facts = gr.random_functions(6, 2, rng=np.random.default_rng(3))
    model = gr.parallel_hops(facts, hops=5, attention="soft", margin=1.0)
    for hops in range(1, 6):
        assert margins(model, Chains(facts, letters(facts, hops))).minimum[0] >= 1
    everyone = np.arange(6)
    assert (model.logits(subject_first(6, everyone)).argmax(axis=1) == everyone).all()


def test_a_code_of_larger_distance_keeps_more():
    facts = gr.random_bijections(6, 2, rng=np.random.default_rng(4))
    model = gr.sequential_hops(facts, code=distance_code(6, 3), attention="soft", margin=5.0)
    assert margins(model, Chains(facts, letters(facts, 2))).minimum[0] >= 5


@pytest.mark.parametrize("name", BUILDS)
def test_margins_that_softmax_cannot_keep_are_refused(name):
    _, build, _ = asked(name)
    with pytest.raises(ValueError, match="between 0 and 2, not 2"):
        build(margin=2.0)


def test_softmax_needs_a_gate_above_one_and_signs():
    facts, build, _ = asked("composed")
    with pytest.raises(ValueError, match="gate above 1"):
        build(gate=1.0)
    with pytest.raises(ValueError, match="sign code"):
        gr.composed_hops(facts, attention="soft", code=gr.quantized_code(7, bits=2))
