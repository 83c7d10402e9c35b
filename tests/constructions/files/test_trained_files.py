"""Trained models in files: they come back as they went, and another engine agrees with them."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from reference import trained_model

from georecall import Attention
from georecall.constructions.files.loading import load_weights
from georecall.constructions.files.onnx import onnx_graph, save_onnx
from georecall.constructions.files.safetensors import read, write
from georecall.constructions.files.weights import save_safetensors, tensors
from georecall.constructions.transformer.layers import Norm
from georecall.constructions.transformer.trained import ACTIVATIONS
from georecall.verify.engines.engine import onnxruntime_engine
from georecall.verify.engines.formats import what_rounds
from georecall.verify.engines.in_jax import jax_engine
from georecall.verify.margins import margins  # noqa: F401 (norms of balls)
from georecall.verify.margins.balls import Ball

ANSWERS = np.zeros((2, 3), dtype=np.int64)
SHAPES = [
    {"norm": norm, "post": post, "activation": activation, "bos": bos}
    for norm, post, activation, bos in product(("LN", "RMS", None), (False, True), ACTIVATIONS, (False, True))
]


def asked(model):
    return np.array([[0, 3, 1], [2, 4, 0]]), np.array([0, 2, 1])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: " ".join(map(str, s.values())))
def test_a_trained_model_comes_back_as_it_went(shape, tmp_path):
    model, path = trained_model(1, **shape), tmp_path / "m.safetensors"
    save_safetensors(model, path, ANSWERS, queries=[])
    file = load_weights(path)
    assert {name: w.tolist() for name, w in file.model.weights().items()} == {
        name: np.asarray(w).tolist() for name, w in model.weights().items()
    }
    assert np.array_equal(file.model.logits(*asked(model)), model.logits(*asked(model)))
    assert file.assumed == {}
    assert what_rounds(model, [{"tokens": [0, 3], "positions": [0, 1]}], "float64") is not None


@pytest.mark.parametrize(
    ("engine", "shape"),
    [*product([onnxruntime_engine], SHAPES), *product([jax_engine], SHAPES[::5])],  # which takes longer
    ids=lambda given: " ".join(map(str, given.values())) if isinstance(given, dict) else given.__name__,
)
def test_engines_agree_within_the_proved_bounds(shape, engine):
    pytest.importorskip(engine.__name__.removesuffix("_engine"))
    model = trained_model(2, **shape)
    proved = model.map(Ball.of).logits(*asked(model))
    tokens, positions = asked(model)
    computed = engine(model)(tokens, np.broadcast_to(positions, tokens.shape))
    assert (np.abs(computed - proved.mid) <= 2 * proved.radius).all()
    assert np.allclose(computed, proved.mid, rtol=1e-10, atol=1e-11)


def test_a_graph_of_a_trained_model_is_read_back(tmp_path):
    pytest.importorskip("onnx")
    for shape in SHAPES[::5]:
        model, path = trained_model(3, **shape), tmp_path / "m.onnx"
        save_onnx(model, path, ANSWERS, queries=[])
        again = load_weights(path).model
        assert np.array_equal(again.logits(*asked(model)), model.logits(*asked(model)))
    with pytest.raises(ValueError, match="float32 would round"):
        onnx_graph(model, dtype="float32")


def test_a_file_has_one_activation_and_one_kind_of_norm():
    model = trained_model(4)
    first, second = model.blocks
    for other in (
        replace(second, mlp=ACTIVATIONS["relu"](*vars(second.mlp).values())),
        replace(second, ln1=replace(second.ln1, eps=1e-6)),
        replace(second, ln1=replace(second.ln1, centred=False)),
        replace(second, post=True),
    ):
        mixed = replace(model, blocks=(first, other))
        with pytest.raises(ValueError, match="a file has one activation and one kind of norm"):
            save_safetensors(mixed, "nowhere", ANSWERS, queries=[])


@pytest.fixture
def rewritten(tmp_path):
    """A file of a trained model, with metadata and tensors put in or taken out."""

    def write_again(out=(), **metadata):
        path = tmp_path / "m.safetensors"
        save_safetensors(trained_model(5), path, ANSWERS, queries=[])
        about, weights = read(path)
        about |= {name: json.dumps(value) for name, value in metadata.items() if value is not None}
        about = {name: text for name, text in about.items() if metadata.get(name, 0) is not None}
        write(path, {n: w for n, w in weights.items() if not n.startswith(tuple(out))}, "float64", about)
        return path

    return write_again


@pytest.mark.parametrize(
    ("out", "metadata", "says"),
    [
        (
            [],
            {"norm": None, "eps": None, "norm_position": None},
            "there is .*ln.*, but the metadata lack 'norm', LN or RMS",
        ),
        ([], {"norm": "LNPre"}, "there is .*ln.*, but the metadata 'norm' is LNPre"),
        (["blocks.0.ln", "blocks.1.ln", "ln_final"], {}, "'norm' is LN, but there is no weight of a norm"),
        (["blocks.0.ln1.w"], {}, "no blocks.0.ln1.w beside blocks.0.ln1.b"),
        (["blocks.0.mlp"], {}, "blocks.0.ln2.w is of a part that there is not"),
        (["blocks.0.attn.W"], {}, "no blocks.0.attn.W_Q beside blocks.0.attn.b_"),
        ([], {"norm": "batch"}, "'norm' must be one of LN, RMS"),
        ([], {"norm": None}, "is about norms, but there is no 'norm'"),
        ([], {"activation": "silu"}, "'activation' must be one of relu, gelu, gelu_new"),
        ([], {"eps": -1}, "'eps' must be a finite number"),
        ([], {"norm_position": "both"}, "'norm_position' must be"),
        ([], {"bos": 0}, "bos must be the last token"),
    ],
)
def test_what_does_not_go_together_is_refused(rewritten, out, metadata, says):
    with pytest.raises(ValueError, match=says):
        load_weights(rewritten(out, **metadata))


def test_what_a_file_of_a_trained_model_does_not_say_is_assumed_aloud(rewritten):
    file = load_weights(rewritten(eps=None, norm_position=None, activation=None))
    assert file.assumed == {"activation": "relu", "eps": "1e-05", "norm_position": "pre"}


@pytest.mark.parametrize(
    ("out", "assumed"),
    [
        (["blocks.0.mlp.b_", "blocks.1.mlp.b_"], {"mlp.b_in": "0", "mlp.b_out": "0"}),
        (["blocks.0.attn.b_Q"], {"attn.b_Q": "0 in block 0"}),
        (["blocks.1.attn.b_"], {f"attn.b_{name}": "0 in block 1" for name in "QKVO"}),
        (["blocks.0.attn.b_", "blocks.1.attn.b_"], {}),  # which is attention as the theory has it
        (["blocks.0.ln1.b", "blocks.1.ln1.b", "ln_final.b"], {"ln1.b": "0", "ln_final.b": "0"}),
        (["blocks.0.ln2", "ln_final"], {"ln2": "none in block 0", "ln_final": "none"}),
    ],
)
def test_biases_and_norms_that_are_left_out_are_none_and_said_to_be(rewritten, out, assumed):
    file = load_weights(rewritten(out))
    assert file.assumed == assumed
    if "none" not in str(assumed):
        about, weights = read(rewritten())
        path = rewritten()
        write(
            path, {n: 0 * w if n.startswith(tuple(out)) else w for n, w in weights.items()}, "float64", about
        )
        same = load_weights(path).model
        assert np.array_equal(file.model.logits(*asked(same)), same.logits(*asked(same)))


@pytest.mark.parametrize("out", ["blocks.1.mlp.b_in", "blocks.0.mlp.b_"])
def test_where_one_mlp_has_a_bias_none_may_be_missing(rewritten, out):
    with pytest.raises(ValueError, match=r"no blocks\.[01]\.mlp\.b_in beside"):
        load_weights(rewritten([out]))


def test_folded_norms_have_no_weights_and_are_everywhere(rewritten):
    norms = ["blocks.0.ln", "blocks.1.ln", "ln_final"]
    model = load_weights(rewritten(norms, norm="LNPre")).model
    whole = trained_model(5)
    plain = Norm(np.ones(6), np.zeros(6), 1e-3)
    blocks = tuple(replace(block, ln1=plain, ln2=plain) for block in whole.blocks)
    want = replace(whole, blocks=blocks, ln_final=plain)
    assert np.array_equal(model.logits(*asked(model)), want.logits(*asked(model)))


def test_biases_that_a_file_lacks_are_none(rewritten):
    model = load_weights(rewritten(["blocks.0.attn.b_Q", "blocks.1.attn.b_"])).model
    assert not np.any(model.blocks[0].attention.b_Q)
    assert np.any(model.blocks[0].attention.b_K)
    assert type(model.blocks[1].attention) is Attention
    assert set(tensors(model)) >= {"blocks.0.attn.b_Q", "blocks.0.ln1.w", "ln_final.b"}
