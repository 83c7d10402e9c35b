"""Engines against what is proved, query by query, for every construction; and faults that they must see."""

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
import pytest
from cases import EXACT, OPTIONS, VARIANTS, built
from hypothesis import given
from hypothesis import strategies as st

from georecall import Attention, Block, Transformer
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.files.onnx import onnx_graph
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.check import check
from georecall.verify.claims.options import prepare
from georecall.verify.engines.agreement import agreement
from georecall.verify.engines.engine import (
    altered_weight,
    everything_asked,
    in_engine,
    onnxruntime_engine,
    require,
)
from georecall.verify.engines.in_jax import jax_engine
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Facts
from georecall.verify.recall.weights import check_recall
from georecall.verify.usage import UsageError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {"subjects": 12, "relations": 3}
STARTS = {"onnxruntime": onnxruntime_engine, "jax": jax_engine}


@pytest.fixture(params=STARTS)
def start(request):
    """What makes an engine of a model."""
    pytest.importorskip(request.param)
    return STARTS[request.param]


def run_graph(graph):
    """An engine for a graph that a test has changed."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(tokens, positions):
        positions = np.ascontiguousarray(np.broadcast_to(positions, tokens.shape))
        return session.run(None, {"tokens": tokens, "positions": positions})[0]

    return run


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_an_engine_agrees_on_every_query_of_every_construction(name, start):
    """On the very logits, but for trained weights, which round: there within what is proved."""
    _, model, asked = built(name)
    found = agreement(model, asked, start(model))
    hops = OPTIONS.get(name, {}).get("hops", 1)
    # of a chain of thought every step of every chain of at most 3 hops
    n_all = sum(k * 12 * 3**k for k in (1, 2, 3)) if name == "chain-of-thought" else 12 * 3**hops
    assert (found.n_compared, found.n_all, found.n_different) == (n_all, n_all, 0)
    if name in EXACT:
        assert (found.n_exact, found.n_open) == (n_all, 0)
        assert found.least > 0


@pytest.mark.parametrize(
    ("variant", "start"),
    [(variant, "onnxruntime") for variant in VARIANTS]
    + [(variant, "jax") for variant in VARIANTS if "softmax" in variant],  # which compiles for each
    indirect=["start"],
)
def test_and_at_other_options(variant, start):
    name, options = VARIANTS[variant]
    prepared = prepare(name, subjects=7, relations=2, **options)
    model = prepared.instance.build()
    asked = everything_asked(prepared.instance.margins(model, None))
    found = agreement(model, asked, start(model))
    assert (found.n_different, found.n_open) == (0, 0)
    assert found.n_compared == sum(prod(queries.shape) for queries in asked)
    assert found.n_exact == found.n_compared or options.get("attention") == "soft"


@pytest.mark.parametrize("name", EXACT)
def test_float32_graphs_that_the_audit_allows_have_the_very_logits_too(name):
    from georecall.verify.engines.formats import what_rounds

    prepared, model, asked = built(name)
    if why := what_rounds(model, prepared.instance.samples(), "float32"):
        assert name in ("random-feature-memory", "best-linear-memory") or name not in EXACT, why
        return
    found = agreement(model, asked, onnxruntime_engine(model, dtype="float32"))
    assert found.n_exact == found.n_compared


@given(
    seed=st.integers(0, 2**32 - 1),
    attention=st.sampled_from(["soft", "hard"]),
    n_layers=st.integers(1, 3),
    n_heads=st.integers(1, 2),
    attn_scale=st.sampled_from([1.0, 0.3]),
)
def test_weights_that_round_agree_within_the_proved_radius(random_model, seed, **shape):
    """As trained weights do: nothing is exact, and no query is off."""
    model = random_model(seed, lambda rng, at: rng.normal(size=at), d_vocab=7, d_out=5, **shape)
    facts = FactTable(np.random.default_rng(seed).integers(5, size=(2, 5)))
    found = agreement(model, [Facts(facts)], onnxruntime_engine(model))
    assert found.n_different == 0


# Faults in the graph: what is changed, and in which construction (at these options) it shows.

FAULTS = {
    "no ReLU": ("single-hop", "blocks.0.mlp.post", {"op_type": "Identity"}),
    "the smallest score": ("composed-hops", "blocks.0.attn.head.1.scores.max", {"op_type": "ReduceMin"}),
    "the future in place of the past": ("sequential-hops", "future", {"op_type": "Less"}),
    "no residual around the MLP": ("single-hop-narrow", "blocks.0.mlp.resid", {"drop": 0}),
    "no output bias": ("single-hop-in-place", "blocks.0.mlp.out.biased", {"drop": 1}),
    "no positions": ("chain-of-thought", "resid.0", {"drop": 1}),
    "the first position read out": ("single-hop", "blocks.0.resid_last", {"constant": ("last", 0)}),
    "weights that do not add up to 1": ("single-hop-dense", "blocks.0.attn.head.0.pattern", {"drop": 1}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_graph_is_seen(fault):
    name, at, change = FAULTS[fault]
    _, model, asked = built(name)
    graph = onnx_graph(model)
    (node,) = [node for node in graph.graph.node if node.name == at]
    if "op_type" in change:
        node.op_type = change["op_type"]
    elif "constant" in change:
        stored, value = change["constant"]
        (initializer,) = [i for i in graph.graph.initializer if i.name == stored]
        initializer.CopyFrom(onnx.numpy_helper.from_array(np.array([value]), stored))
    else:
        kept = node.input[1 - change["drop"]]
        node.op_type = "Identity"
        del node.input[:]
        node.input.append(kept)
    found = agreement(model, asked, run_graph(graph))
    assert found.n_different > 0
    assert found.first is not None


@pytest.mark.parametrize("name", EXACT)
def test_a_fault_in_one_number_of_any_weight_is_seen_wherever_the_proof_sees_it(name):
    """The graph of a model with one entry of a weight moved by one disagrees on exactly those queries whose
    proved logits differ, and agrees with what is proved of the changed model."""
    _, model, asked = built(name, subjects=6, relations=2)
    asked = asked[-1:]
    rng = generator(0, "faults", name)
    dense = model.dense()
    seen = 0
    for weight in ("W_E", "W_pos", "W_U", "b_U", *[w for w in dense.weights() if w.startswith("blocks.0")]):
        changed = moved(dense, weight, rng)
        before, after = (logits(m, asked[0]) for m in (dense, changed))
        different = int((before != after).any(axis=1).sum())
        engine = onnxruntime_engine(changed)
        assert agreement(model, asked, engine).n_different == different
        assert agreement(changed, asked, engine).n_different == 0
        seen += different > 0
    assert seen >= 3


def moved(model, name, rng):
    """The model with one entry of one weight, an ndarray, one larger."""
    place = tuple(int(rng.integers(n)) for n in model.weights()[name].shape)
    target = model.weights()[name]

    def change(weight):
        if weight is not target:
            return weight
        weight = weight.copy()
        weight[place] += 1.0
        return weight

    return model.map(change)


def logits(model, queries):
    tokens, positions, _ = queries.prompts(np.arange(prod(queries.shape)))
    return model.logits(tokens, positions)


def test_a_tie_of_hard_attention_is_seen_where_an_engine_breaks_it():
    """Two positions tie and are averaged; an engine that takes the first of them disagrees."""
    one = np.ones((1, 2, 1))
    head = Attention(W_Q=one, W_K=one, W_V=np.eye(2)[None], W_O=2 * np.eye(2)[None])
    W_E = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])  # subjects 0 and 1, one relation: all score alike
    model = Transformer(W_E, np.zeros((2, 2)), (Block(head),), np.eye(2), np.zeros(2), attention="hard")
    facts = FactTable([[0, 1]])
    graph = onnx_graph(model)
    asked = [Facts(facts)]
    assert agreement(model, asked, run_graph(graph)).n_exact == 2
    (cast,) = [node for node in graph.graph.node if node.name.endswith("weights")]
    tie, first = cast.input[0], onnx.helper.make_node("CumSum", ["whole", "axis"], ["count"])
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(2), "axis"))
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1.0), "one"))
    whole = onnx.helper.make_node("Cast", [tie], ["whole"], to=onnx.TensorProto.DOUBLE)
    nodes = list(graph.graph.node)
    at = nodes.index(cast)
    cast.CopyFrom(onnx.helper.make_node("Equal", ["count", "one"], ["is.first"], name="is.first"))
    ones = onnx.helper.make_node(
        "Cast", ["is.first"], ["blocks.0.attn.head.0.weights"], to=onnx.TensorProto.DOUBLE
    )
    nodes = [*nodes[:at], whole, first, cast, ones, *nodes[at + 1 :]]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    assert agreement(model, asked, run_graph(graph)).n_different == 2


# Verdicts.


def judged(model, facts, engine=None, monkeypatch=None, **options):
    if engine is not None:
        monkeypatch.setattr("georecall.verify.engines.engine.onnxruntime_engine", engine)
    return check_recall(model, facts, engine="onnxruntime", **options)


@pytest.mark.parametrize("name", STARTS)
def test_a_verdict_says_which_engine_and_how_many_queries(name):
    pytest.importorskip(name)
    verdict = check("single-hop", **SMALL, engine=name)
    assert (verdict.status, verdict.parameters["engine"]) == ("holds", name)
    assert (verdict.measured["engine_queries"], verdict.measured["engine_min_margin"]) == (36, 2)
    assert verdict.controls[0].name == "one weight of the graph negated"
    assert verdict.controls[0].ok
    assert check("single-hop", **SMALL).parameters["engine"] == "numpy"


FACTS = FactTable([[1, 2, 0], [0, 0, 1]])


def test_an_engine_with_a_wrong_answer_refutes(monkeypatch):
    model = CONSTRUCTIONS["single-hop"](FACTS)

    def wrong(model, **_):
        honest = onnxruntime_engine(model)

        def run(tokens, positions):
            logits = honest(tokens, positions)
            logits[(tokens[:, 0] == 2) & (tokens[:, 1] == 4), 0] += 1000.0
            return logits

        return run

    verdict = judged(model, FACTS, wrong, monkeypatch)
    assert verdict.status == "refuted"
    assert (verdict.witness.subject, verdict.witness.relations, verdict.witness.got) == (2, (1,), 0)
    assert verdict.witness.margin < 0
    assert "onnxruntime disagrees on 1 of 6 queries; r1 of s2: logit 0 is 10" in verdict.reason


@pytest.mark.parametrize(("off", "status"), [(0.0, "inconclusive"), (np.nan, "refuted")])
def test_an_engine_that_is_off_by_the_least_without_a_wrong_answer_is_inconclusive(monkeypatch, off, status):
    """One logit of each query the next float; what is no number is no right answer."""

    def worse(model, **_):
        honest = onnxruntime_engine(model)

        def run(tokens, positions):
            logits = honest(tokens, positions)
            place = np.arange(len(logits)), logits.argmin(axis=1)
            logits[place] = np.nextafter(logits[place], -np.inf) + off
            return logits

        return run

    verdict = judged(CONSTRUCTIONS["single-hop"](FACTS), FACTS, worse, monkeypatch)
    assert verdict.status == status
    assert verdict.reason.startswith("onnxruntime disagrees on 6 of 6 queries; r0 of s0: logit")
    assert verdict.witness is not None


def test_queries_that_are_too_many_are_inconclusive(monkeypatch):
    monkeypatch.setattr("georecall.verify.engines.agreement._BUDGET", 1 << 12)
    verdict = check("single-hop", **SMALL, engine="onnxruntime")
    assert verdict.status == "inconclusive"
    assert "queries compared, which are not all 36" in verdict.reason


def test_of_too_many_queries_the_kinds_that_are_few_are_compared_in_full():
    _, model, asked = built("chain-of-thought")
    found = agreement(model, asked, onnxruntime_engine(model), most=1 << 20)
    assert sum(prod(queries.shape) for queries in asked[:1]) < found.n_compared < found.n_all
    assert (found.n_exact, found.n_different) == (found.n_compared, 0)
    again = agreement(model, asked, onnxruntime_engine(model), most=1 << 20)
    assert again == found


def test_a_model_too_large_for_a_graph_is_inconclusive(monkeypatch):
    monkeypatch.setattr("georecall.constructions.files.onnx._LIMIT", 1 << 10)
    verdict = judged(CONSTRUCTIONS["single-hop"](FACTS), FACTS)
    assert verdict.status == "inconclusive"
    assert verdict.reason.startswith("onnxruntime was not asked: the dense weights would take")


def test_a_control_that_is_not_seen_is_inconclusive(monkeypatch):
    model = CONSTRUCTIONS["single-hop"](FACTS)
    verdict = judged(model, FACTS, lambda *_, **__: onnxruntime_engine(model), monkeypatch)
    assert verdict.status == "inconclusive"
    assert verdict.reason == "control not as predicted: one weight of the graph negated"


def test_margins_that_rounding_leaves_open_are_inconclusive():
    """A margin of less than 2^-53: decided in rationals here, but no engine is held to it."""
    x, W_U = np.array([0.1, 0.2]), np.array([[0.9, 0.7], [0.3, 0.8]])
    difference = sum(Fraction(a) * (Fraction(p) - Fraction(q)) for a, (p, q) in zip(x, W_U, strict=True))
    b = float(difference) if difference > Fraction(float(difference)) else np.nextafter(float(difference), -1)
    W_E = np.stack([np.zeros(2), np.zeros(2), x])
    model = Transformer(W_E, np.zeros((2, 2)), (), W_U, np.array([0.0, b]))
    facts = FactTable([[0, 0]], n_attributes=2)
    assert check_recall(model, facts).status == "holds"
    verdict = judged(model, facts)
    assert verdict.status == "inconclusive"
    assert verdict.reason == "rounding may turn 2 answers: onnxruntime cannot be held to them"


def test_the_control_negates_a_weight_that_is_read():
    for name in CONSTRUCTIONS:
        _, model, asked = built(name)
        assert altered_weight(model, asked[0], onnxruntime_engine).ok


def test_a_claim_that_does_not_hold_is_not_asked_of_an_engine():
    model = CONSTRUCTIONS["single-hop"](FACTS)
    verdict = judged(model, FACTS.altered(0, 0, 2))
    assert (verdict.status, verdict.reason) == ("refuted", "1 of 6 facts wrong")
    assert "engine_queries" not in verdict.measured
    assert in_engine(verdict, model, margins(model, FACTS), "numpy") is verdict


def test_chains_of_thought_of_anyones_weights_are_asked_step_by_step():
    prepared, model, asked = built("chain-of-thought")
    verdict = check_recall(model, asked[0].facts, asked=prepared.instance.samples(), engine="onnxruntime")
    assert verdict.status == "holds"
    assert verdict.measured["engine_queries"] == sum(prod(queries.shape) for queries in asked)
    assert all(isinstance(queries, Chains) for queries in asked)


def test_engines_that_are_not_there(monkeypatch):
    with pytest.raises(UsageError, match="engine must be one of numpy, onnxruntime, jax, got 'abacus'"):
        check("single-hop", **SMALL, engine="abacus")
    with pytest.raises(UsageError, match="counting-bound is about all models"):
        check("counting-bound", **SMALL, engine="onnxruntime")
    for option in ({"implicit": True}, {"checkpoint": "counted.json"}):
        with pytest.raises(UsageError, match="for counting by NumPy, not for another engine"):
            check("single-hop", **SMALL, **option, engine="onnxruntime")

    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("georecall.verify.engines.engine.import_module", missing)
    with pytest.raises(ImportError, match=r"onnx is not installed: pip install 'georecall\[export\]'"):
        require("onnxruntime")
    with pytest.raises(UsageError, match=r"georecall\[export\]"):
        check("single-hop", **SMALL, engine="onnxruntime")
    with pytest.raises(UsageError, match=r"jax is not installed: pip install 'georecall\[learn\]'"):
        check("single-hop", **SMALL, engine="jax")
    require("numpy")


def test_what_is_refused_anyway_is_refused_before_an_engine_is_imported(monkeypatch):
    monkeypatch.setattr("georecall.verify.engines.engine.import_module", lambda _: pytest.fail("imported"))
    with pytest.raises(UsageError, match="gradient-descent is about trained models"):
        check("gradient-descent", **SMALL, engine="jax")
    with pytest.raises(UsageError, match="single-hop has no option"):
        check("single-hop", **SMALL, hops=2, engine="jax")


def test_everything_asked_of_one_pass_is_what_its_margins_speak_for():
    model = replace(CONSTRUCTIONS["single-hop"](FACTS))
    found = margins(model, FACTS)
    assert everything_asked(found) == [found.queries]


def test_a_residual_that_overflows_is_a_disagreement_and_no_warning():
    """2^1023 + 2^1023 is infinite in floats; read by 2^-1024 it is 1 in rationals."""
    W_E, W_pos = np.full((2, 1), 2.0**1023), np.full((2, 1), 2.0**1023)
    model = Transformer(W_E, W_pos, (), np.array([[2.0**-1024, 0.0]]), np.zeros(2))
    assert check_recall(model, FactTable([[0]], n_attributes=2)).min_margin == 1
    verdict = check_recall(model, FactTable([[0]], n_attributes=2), engine="onnxruntime")
    assert verdict.status == "inconclusive"
    assert "onnxruntime disagrees on 1 of 1 queries" in verdict.reason
