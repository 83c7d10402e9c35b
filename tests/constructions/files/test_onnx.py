"""The exported graph, run by onnxruntime, against a forward pass written in loops from the setting."""

import math
from dataclasses import replace

import numpy as np
import pytest
from cases import LAYERS
from hypothesis import given
from hypothesis import strategies as st

from georecall import Transformer, block_superposition
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.files.onnx import onnx_graph, save_onnx
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.engines.engine import onnxruntime_engine

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SEEDS = st.integers(0, 2**32 - 1)


def prompts(model, seed, batch, T):
    rng = np.random.default_rng(seed)
    positions = rng.permuted(np.tile(np.arange(model.n_ctx), (batch, 1)), axis=1)[:, :T]
    return rng.integers(model.d_vocab, size=(batch, T)), positions


@given(seed=SEEDS, shape=LAYERS, batch=st.integers(1, 3), T=st.integers(1, 4), sparse=st.booleans())
def test_the_graph_computes_what_the_theory_says(plain, random_model, seed, shape, batch, T, sparse):
    """Soft and hard, with ties, any number of layers and heads, absent parts, positions out of order."""
    model = random_model(seed, "halves", sparse=sparse, **shape)
    tokens, positions = prompts(model, seed, batch, T)
    reference = plain(model, float, math.exp)
    logits = onnxruntime_engine(model)(tokens, positions)
    assert logits.dtype == np.float64
    for row, prompt, places in zip(logits, tokens.tolist(), positions.tolist(), strict=True):
        assert row == pytest.approx(reference.logits(prompt, places), rel=1e-12, abs=1e-9)


@given(seed=SEEDS, shape=LAYERS, T=st.integers(1, 4))
def test_float32_graphs_compute_in_float32(plain, random_model, seed, shape, T):
    model = random_model(seed, "halves", **shape)
    tokens, positions = prompts(model, seed, 1, T)
    logits = onnxruntime_engine(model, dtype="float32")(tokens, positions)
    assert logits.dtype == np.float32
    want = plain(model, float, math.exp).logits(tokens[0].tolist(), positions[0].tolist())
    assert logits[0] == pytest.approx(want, rel=1e-4, abs=1e-3)


def test_masked_scores_weigh_nothing_at_any_place(random_model):
    """Exactly nothing, in the engine's vector instructions too: the pattern of the earlier of two layers."""
    for attention in ("soft", "hard"):
        model = random_model(3, "halves", n_layers=2, n_ctx=40, attention=attention, uniform=True)
        for T in range(1, 40):
            prompt = np.zeros((1, T), dtype=np.int64), np.arange(T)[None]
            pattern = _value(onnx_graph(model), "blocks.0.attn.head.0.pattern", *prompt)
            assert np.array_equal(pattern[0], np.tri(T) / np.arange(1, T + 1)[:, None])


def _value(graph, name, tokens, positions):
    """A value in between, as another output of the graph."""
    import onnxruntime

    probe = onnx.ModelProto()
    probe.CopyFrom(graph)
    probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], {"tokens": tokens, "positions": positions})[0]


def test_the_contract_of_inputs_and_output():
    model = block_superposition(FactTable([[1, 2, 0], [0, 0, 1]]))
    graph = onnx_graph(model)
    onnx.checker.check_model(graph, full_check=True)
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.graph.input, *graph.graph.output)
    }
    assert shapes == {
        "tokens": (onnx.TensorProto.INT64, ["batch", "T"]),
        "positions": (onnx.TensorProto.INT64, ["batch", "T"]),
        "logits": (onnx.TensorProto.DOUBLE, ["batch", 3]),
    }


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_graphs_are_readable_and_the_same_bytes_every_time(name):
    model = CONSTRUCTIONS[name](FactTable([[1, 2, 0], [2, 0, 1]]))
    graph = onnx_graph(model, metadata={"claim": '"c"'})
    names = [node.name for node in graph.graph.node]
    stored = [initializer.name for initializer in graph.graph.initializer]
    assert all(names)
    assert len(set(names)) == len(names)
    assert [node.output[0] for node in graph.graph.node] == names  # a value is called like its node
    assert set(model.weights()) <= set(stored)
    used = {value for node in graph.graph.node for value in node.input}
    assert set(stored) <= used  # none is there in vain
    again = onnx_graph(model, metadata={"claim": '"c"'})
    assert graph.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)
    assert [(prop.key, prop.value) for prop in graph.metadata_props] == [("claim", '"c"')]


def test_what_a_graph_cannot_hold_is_refused(random_model):
    model = random_model(1, "halves")
    with pytest.raises(ValueError, match="of float64 or float32, not float16"):
        onnx_graph(model, dtype="float16")
    with pytest.raises(ValueError, match=r"float32 would round W_E\[0, 0\] = 0\.1"):
        onnx_graph(replace(model, W_E=np.full((5, 4), 0.1)), dtype="float32")
    with pytest.raises(ValueError, match=r"float32 would round attn_scale = 0\.1"):
        onnx_graph(replace(model, attn_scale=0.1), dtype="float32")

    class Huge(Transformer):
        n_parameters = 1 << 28

    huge = Huge(**{name: getattr(model, name) for name in model.__dataclass_fields__})
    with pytest.raises(ValueError, match=r"2\.0 GiB; an ONNX file holds 2 GiB"):
        onnx_graph(huge)


def test_a_file_holds_the_graph_the_answers_and_the_metadata(tmp_path):
    facts = FactTable([[1, 2, 0], [0, 0, 1]])
    path = tmp_path / "m.onnx"
    beside = save_onnx(block_superposition(facts), path, facts.answers, queries=[], metadata={"claim": "c"})
    assert beside == tmp_path / "m.answers.npy"
    assert np.array_equal(np.load(beside), facts.answers)
    properties = {prop.key: prop.value for prop in onnx.load(path).metadata_props}
    assert properties.keys() == {"attention", "attn_scale", "query", "answers_sha256", "claim"}
    first = path.read_bytes()
    save_onnx(block_superposition(facts), path, facts.answers, queries=[], metadata={"claim": "c"})
    assert path.read_bytes() == first
