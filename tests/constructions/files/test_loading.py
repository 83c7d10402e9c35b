"""Files of weights: all that is in them is used or refused by name; what they do not say is assumed aloud."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from georecall import block_superposition, sequential_hops
from georecall.constructions.files import reading
from georecall.constructions.files.loading import load_weights
from georecall.constructions.files.onnx import save_onnx
from georecall.constructions.files.reading import load_answers, whole_file
from georecall.constructions.files.safetensors import read, write
from georecall.constructions.files.weights import answers_digest, save_safetensors
from georecall.theory.facts.fact_table import FactTable

FACTS = FactTable([[1, 2, 0], [0, 0, 1]])
QUERY = {"subject": 0, "relations": [0], "tokens": [0, 3], "positions": [0, 1], "answer": 1}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.safetensors"
    save_safetensors(block_superposition(FACTS), path, FACTS.answers, queries=[QUERY])
    return path


def rewritten(path: Path, tensors: dict[str, Any], **metadata: Any) -> None:
    """The file again, with tensors or metadata put in; None takes one out."""
    about, weights = read(path)
    weights, about = weights | tensors, about | metadata
    write(
        path,
        {name: np.asarray(w, dtype="<f8") for name, w in weights.items() if w is not None},
        "float64",
        {name: text for name, text in about.items() if text is not None},
    )


@pytest.mark.parametrize(
    "name",
    [
        "blocks.00.mlp.W_out",
        "blocks.0.mlp.W_gate",
        "blocks.0.attn.rotary_sin",
        " W_E",
        "b_U ",
        "blocks.0.mlp.b_out\n",
        "blocks.\u0660.mlp.b_out",
        "W_position",
        "embed.W_E",
        "blocks.0.attn.W_Q.0",
        "b_E",
        "",
    ],
)
def test_a_tensor_that_is_not_understood_is_refused_by_name(file: Path, name: str) -> None:
    rewritten(file, {name: np.zeros(3)})
    with pytest.raises(ValueError, match=r"is not understood: names are W_E, W_pos") as refused:
        load_weights(file)
    assert repr(name) in str(refused.value)
    assert str(file) in str(refused.value)


def test_w_position_beside_a_missing_w_pos_is_refused(file: Path) -> None:
    rewritten(file, {"W_pos": None, "W_position": np.ones((2, 1))})
    with pytest.raises(ValueError, match="'W_position' is not understood"):
        load_weights(file)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("attn_scale", "NaN", "must be a finite number, got 'NaN'"),
        ("attn_scale", "-Infinity", "must be a finite number"),
        ("attn_scale", "1e999", "must be a finite number"),
        ("attn_scale", "1" + "0" * 400, "must be a finite number"),
        ("attn_scale", '"2"', "must be a finite number"),
        ("attn_scale", "true", "must be a finite number"),
        ("attn_scale", "null", "must be a finite number"),
        ("attn_scale", "9007199254740993", "float64 would round attn_scale"),
        ("attention", '"Hard"', 'must be "soft" or "hard"'),
        ("attention", "[]", 'must be "soft" or "hard"'),
        ("typed", "1", "must be true or false"),
        ("answers_sha256", '"ab"', "must be 64 hexadecimal digits"),
        ("query", "{}", "must be a list of queries"),
        ("query", json.dumps([QUERY | {"mask": [0]}]), "must be a list of queries"),
        ("query", json.dumps([QUERY | {"answer": "a1"}]), "must be a list of queries"),
        ("rope_theta", "10000", "'rope_theta' is not understood"),
        (" attn_scale", "2", "' attn_scale' is not understood"),
        ("claim", "{", "is not JSON that can be read"),
    ],
)
def test_metadata_that_is_not_what_it_should_be_is_refused(
    file: Path, name: str, text: str, says: str
) -> None:
    rewritten(file, {}, **{name: text})
    with pytest.raises(ValueError, match=says) as refused:
        load_weights(file)
    assert str(file) in str(refused.value)


def test_metadata_that_nobody_would_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="metadata 'notes' would be refused"):
        save_safetensors(
            block_superposition(FACTS), tmp_path / "m", FACTS.answers, queries=[], metadata={"notes": 1}
        )


def test_blocks_are_numbered_without_gaps(file: Path) -> None:
    _, weights = read(file)
    moved = {name.replace("blocks.0", "blocks.1"): w for name, w in weights.items()}
    rewritten(file, dict.fromkeys(weights) | moved)
    with pytest.raises(ValueError, match="a block is numbered 1, but there is no block 0"):
        load_weights(file)


def test_what_a_file_does_not_say_is_assumed_aloud(file: Path) -> None:
    assert load_weights(file).assumed == {}
    rewritten(file, {"W_pos": None, "b_U": None}, attention=None, attn_scale=None)
    assert load_weights(file).assumed == {
        "attention": "soft",
        "attn_scale": "1",
        "W_pos": "none, positions write nothing",
        "b_U": "0",
    }


def test_a_model_without_positions_is_asked_at_any_length(file: Path) -> None:
    rewritten(file, {"W_pos": None})
    model, prompt = load_weights(file).model, np.zeros((1, 100), dtype=np.int64)
    assert model.W_pos is None
    assert np.array_equal(model.logits(prompt), model.logits(prompt, 7 * np.arange(100)))
    assert "W_pos" not in model.weights()
    again = file.with_name("again.safetensors")
    save_safetensors(model, again, FACTS.answers, queries=[])
    assert load_weights(again).model.W_pos is None


def header(text: bytes, body: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is no safetensors file"),
        (header(b"{}")[:9], "it is no safetensors file"),
        ((2**62).to_bytes(8, "little") + b"{}", "it is no safetensors file"),
        (header(b"[]"), "its header is not right"),
        (header(b'{"W_E": 3}'), "its header is not right"),
        (header(b'{"__metadata__": {"a": 1}}'), "its metadata must be text"),
        (header(b'{"__metadata__": {"a": "1", "a": "2"}}'), "'a' stands twice"),
        (header(b'{"x": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}'), "'x' has offsets"),
        (
            header(b'{"x": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}', bytes(8)),
            "'x' has shape",
        ),
        (header(b'{"x": {"dtype": "F8", "shape": [1], "data_offsets": [0, 8]}}', bytes(8)), "of dtype 'F8'"),
        (header(b"{}", bytes(8)), "8 bytes belong to no tensor"),
        (header(b'{"x": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}', bytes(16)), "has offsets"),
    ],
)
def test_a_header_that_is_not_right_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=says):
        load_weights(path)


def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    one = b'"b_U": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}'
    two = b'"b_U": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}'
    path = tmp_path / "m.safetensors"
    path.write_bytes(header(b"{" + one + b", " + two + b"}", bytes(16)))
    with pytest.raises(ValueError, match="'b_U' stands twice"):
        load_weights(path)


@pytest.mark.parametrize("read_it", [load_weights, load_answers])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, read_it: Any) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody ever writes
    for path, says in ((pipe, "it is a pipe"), (tmp_path, "it is a directory"), ("/dev/zero", "a device")):
        with pytest.raises(ValueError, match=says):
            read_it(path)
    with pytest.raises(ValueError, match="No such file"):
        read_it(tmp_path / "none")
    with pytest.raises(ValueError, match="null"):
        read_it("a\0b")


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"before")
    fstat, seen = os.fstat, []

    def grows(number: int) -> os.stat_result:
        seen.append(fstat(number))
        with path.open("ab") as file:
            file.write(b"!")
        return seen[-1]

    monkeypatch.setattr(reading.os, "fstat", grows)
    with pytest.raises(ValueError, match="it changed while it was read"):
        whole_file(path, 100)


def test_a_file_is_looked_at_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # of holes
    with pytest.raises(ValueError, match=r"it has 1024\.0 GiB, more than 16\.0"):
        load_weights(path)
    with pytest.raises(ValueError, match=r"it has 1024\.0 GiB, more than 8\.0"):
        load_answers(path)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 3)), "must hold one array of integers"),
        (np.zeros(3, dtype=int), "must hold one array of integers"),
        (np.full((1, 1), 2**63, dtype=np.uint64), "holds 9223372036854775808"),
    ],
)
def test_answers_that_are_no_numbers_of_attributes_are_refused(tmp_path: Path, array: Any, says: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match=says):
        load_answers(path)


def test_answers_come_as_they_went_in_either_order_and_endianness(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for dtype in ("<i8", ">i4", "u1"):
        for order in "CF":
            np.save(path, np.asarray(FACTS.answers, dtype=dtype, order=order))
            assert np.array_equal(load_answers(path), FACTS.answers)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="promises 6 bytes, 5 follow"):
        load_answers(path)


def test_our_own_graph_is_read_back_and_no_other(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    table = FactTable([[1, 2, 0], [0, 2, 1]])
    for model in (block_superposition(FACTS), sequential_hops(table, hops=2)):
        path = tmp_path / "m.onnx"
        save_onnx(model, path, FACTS.answers, queries=[QUERY])
        file = load_weights(path)
        assert (file.queries, file.answers_sha256) == ([QUERY], answers_digest(FACTS.answers))
        assert {name: w.shape for name, w in file.model.weights().items()} == {
            name: w.shape for name, w in model.weights().items()
        }
        assert all(
            np.array_equal(file.model.weights()[name], w) for name, w in model.dense().weights().items()
        )
    graph = onnx.load(path)
    next(node for node in graph.graph.node if node.op_type == "Relu").op_type = "Sigmoid"
    onnx.save(graph, path)
    with pytest.raises(ValueError, match="another graph than georecall exports"):
        load_weights(path)
    path.write_bytes(b"none")
    with pytest.raises(ValueError, match="it is no ONNX file"):
        load_weights(path)
