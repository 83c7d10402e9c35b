"""What single passes hold on the way: the entities that the theory puts there, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import georecall as gr
from georecall.constructions.held import Layer, layers
from georecall.constructions.questions import answer_in_a_pass

FACTS = gr.random_bijections(9, 2, rng=np.random.default_rng(0))
PI = FACTS.answers


def held(model, subject, relations):
    return [layer.holds for layer in layers(model, FACTS, subject, relations)]


def named(*entities):
    return tuple(None if e is None else FACTS.subject_name(int(e)) for e in entities)


@pytest.mark.parametrize("how", [{}, {"attention": "soft"}])
@given(s=st.integers(0, 8), r=st.tuples(*[st.integers(0, 1)] * 3))
def test_sequential_hops_hold_the_entity_reached_then_its_embedding(how, s, r):
    first = PI[r[0], s]
    second = PI[r[1], first]
    assert held(gr.sequential_hops(FACTS, hops=3, **how), s, r) == [
        {"readout": named(first)},
        {"block": named(*PI[:, first])},
        {"readout": named(second)},
        {"block": named(*PI[:, second])},
        {"readout": named(PI[r[2], second])},
    ]


def test_merged_layers_hold_embeddings_and_stages_hold_all_their_strings():
    first = PI[1, 4]
    assert held(gr.sequential_hops(FACTS, merged=True), 4, [1, 0]) == [
        {"block": named(*PI[:, first])},
        {"readout": named(PI[0, first])},
    ]
    middle = PI[0, PI[1, 4]]
    memory = held(gr.hybrid_hops(FACTS, hops=4), 4, [1, 0, 0, 1])[1]
    assert memory == {"block": named(*(PI[b, PI[a, middle]] for a in range(2) for b in range(2)))}


def test_two_sides_hold_the_entity_in_the_middle_where_w_u_reads_the_string_asked():
    middle = PI[1, 4]
    assert held(gr.two_sided_hops(FACTS, hops=2), 4, [1, 0]) == [
        {"block": named(middle, None)},
        {"block": named(middle, None)},
    ]
    assert held(gr.two_sided_hops(FACTS, hops=2), 4, [1, 1])[1] == {"block": named(None, middle)}
    assert held(gr.two_sided_hops(FACTS, hops=2, merged=True), 4, [1, 1]) == [{"output": named(None, middle)}]
    assert held(gr.single_hop_split(FACTS), 4, [0])[0] == {"block": named(PI[0, 4], None)}


def test_parallel_hops_hold_maps_that_double():
    first, second, third = held(gr.parallel_hops(FACTS, hops=4), 3, [1, 0, 0, 1])
    assert first == {"table": named(*PI[1, PI[0]])}  # of the last two letters
    assert second == {"table": named(*PI[1, PI[0, PI[0, PI[1]]]])}
    assert third == {"table": named(PI[1, PI[0, PI[0, PI[1, 3]]]])}


@pytest.mark.parametrize(
    "build", [gr.composed_hops, gr.sequential_hops, gr.hybrid_hops, gr.parallel_hops, gr.two_sided_hops]
)
@pytest.mark.parametrize("attention", ["hard", "soft"])
def test_a_pass_says_the_answer(build, attention):
    model = build(FACTS, hops=3, attention=attention)
    step = answer_in_a_pass(FACTS, 2, [1, 1, 0], model)
    assert step.said == FACTS.subject_name(int(PI[0, PI[1, PI[1, 2]]]))
    assert step.margin >= 1 - 1e-9
    assert step.prompt == ("s2", "r1", "r1", "r0")


def test_layers_are_shown_in_a_line():
    assert (
        str(Layer(1, {"table": ("a", "a", "a"), "readout": ("b",)})) == "table a in all 3 places; readout b"
    )
    assert str(Layer(1, {"block": ("a", None, "b", "c", "d")})) == "block a, -, b, c, ... (5 places)"
    assert str(Layer(1, {})) == "nothing"


def test_models_that_do_not_say_their_layout_are_refused():
    with pytest.raises(ValueError, match="laid out"):
        layers(gr.block_superposition(FACTS), FACTS, 0, [0])
