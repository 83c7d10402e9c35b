"""Files of weights and of answers, damaged or odd."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from georecall.constructions.files.loading import load_safetensors, load_weights
from georecall.constructions.files.reading import load_answers


@pytest.fixture(scope="module")
def exported(folder, asked):
    """A model of ours and its answers, as bytes: the same ones every time."""
    out = folder / "exported.safetensors"
    assert asked("export", "single-hop", "--subjects", "3", "--relations", "2", "--out", str(out))[0] == 0
    data = out.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True).encode()
    data = struct.pack("<Q", len(header)) + header + data[8 + length :]
    return data, out.with_suffix(".answers.npy").read_bytes()


DTYPES = st.sampled_from(
    ["F64", "F32", "F16", "BF16", "I64", "I8", "U8", "BOOL", "F8_E4M3", "X", "", 3, None]
)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 5, 2**40, 2**63, -1, "3", None]), max_size=4)


@st.composite
def odd_headers(draw, data: bytes) -> bytes:
    """A safetensors file whose header says something else of a tensor, or of the metadata."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    name = draw(st.sampled_from(sorted(header)))
    if name == "__metadata__":
        key = draw(st.sampled_from([*sorted(header[name]), "typed", "other"]))
        odd = st.sampled_from(
            ['""', "[]", "3", "{", "null", '"hard"', "NaN", "1e999", "[{}]", '[{"tokens": 3}]']
        )
        query = st.fixed_dictionaries(
            {"relations": st.lists(st.integers(-1, 3) | st.just("x"), max_size=3)},
            optional={"tokens": st.lists(st.integers(-3, 9) | st.none(), max_size=4)},
        )
        header[name][key] = draw(odd | st.lists(query, max_size=2).map(json.dumps) | st.text(max_size=5))
    else:
        match draw(st.sampled_from(["dtype", "shape", "data_offsets", "rename", "drop"])):
            case "rename":
                header[
                    draw(
                        st.sampled_from(
                            ["W_E", "W_X", "b_U", "blocks.7.mlp.W_in", "blocks.999999999.mlp.W_in", ""]
                        )
                    )
                ] = header.pop(name)
            case "drop":
                del header[name]
            case "data_offsets":
                header[name]["data_offsets"] = draw(st.lists(st.integers(-9, 2**40), max_size=3))
            case field:
                header[name][field] = draw(DTYPES if field == "dtype" else SHAPES)
    text = json.dumps(header).encode()
    return struct.pack("<Q", draw(st.sampled_from([len(text)] * 4 + [0, 7, 2**40, 2**64 - 1]))) + text + body


@given(data=st.data())
def test_damaged_weights_are_judged_or_refused(
    folder, assert_answers_properly, names_in, exported, damaged, data
):
    model, answers = folder / "damaged.safetensors", folder / "right.npy"
    model.write_bytes(data.draw(damaged(exported[0]) | odd_headers(exported[0])))
    answers.write_bytes(exported[1])
    before = names_in(folder)
    assert_answers_properly("check", "--model", str(model), "--answers", str(answers))
    assert names_in(folder) == before


FLOATS = st.sampled_from([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 2.0**60])


@st.composite
def odd_tensors(draw):
    """Tensors of the right names, of other shapes, number formats and values."""
    wide = st.integers(0, 6)
    d, A, width = draw(st.integers(0, 4)), draw(wide), draw(st.integers(0, 3))
    shapes = {
        "W_E": (draw(wide), d),
        "W_U": (d, A),
        "W_pos": (draw(st.integers(0, 3)), d),
        "b_U": (A,),
        "blocks.0.mlp.W_in": (d, width),
        "blocks.0.mlp.b_in": (width,),
        "blocks.0.mlp.W_out": (width, d),
        "blocks.0.mlp.b_out": (d,),
        "blocks.0.attn.W_Q": (1, d, 1),
        "blocks.0.attn.W_K": (1, d, 1),
        "blocks.0.attn.W_V": (1, d, 1),
        "blocks.0.attn.W_O": (1, 1, d),
    }
    kept = (
        draw(st.lists(st.sampled_from(sorted(shapes)), unique=True)) if draw(st.booleans()) else list(shapes)
    )
    tensors = {}
    for name in kept:
        shape = shapes[name] if draw(st.integers(0, 5)) else tuple(draw(st.lists(wide, max_size=3)))
        dtype = draw(
            st.sampled_from([np.float64] * 4 + [np.float32, np.float16, np.int64, np.int8, np.bool_])
        )
        with np.errstate(all="ignore"):
            tensors[name] = np.full(shape, draw(FLOATS)).astype(dtype)
    return tensors


@given(tensors=odd_tensors(), answers=st.integers(1, 3), hard=st.sampled_from([None, '"hard"', '"soft"']))
def test_odd_tensors_are_judged_or_refused(folder, assert_answers_properly, tensors, answers, hard):
    from safetensors.numpy import save_file

    model, right = folder / "odd.safetensors", folder / "odd.npy"
    save_file(tensors, model, metadata={"attention": hard} if hard else None)
    np.save(right, np.zeros((1, answers), dtype=np.int64))
    assert_answers_properly("check", "--model", str(model), "--answers", str(right))


@st.composite
def odd_arrays(draw, damaged) -> bytes:
    """A .npy file of another shape, dtype or content, or whose header promises what is not there."""
    out = io.BytesIO()
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    dtype = draw(
        st.sampled_from(["<i8", ">i8", "<i4", "u1", "<u8", "f8", "c16", "?", "U3", "S2", "O", "M8[s]"])
    )
    value = draw(st.sampled_from([0, 1, 2, 7, 255]))
    array = np.full(shape, "x" if dtype == "U3" else b"x" if dtype == "S2" else value).astype(dtype)
    np.save(out, array, allow_pickle=True)
    data = out.getvalue()
    if draw(st.booleans()):
        promised = draw(
            st.sampled_from(["(1000000000000, 3)", "(3, -1)", "(2, 3", "3", "('a',)", "None", "()"])
        )
        data = data.replace(repr(shape).encode(), promised.encode())
    return draw(st.just(data) | damaged(data))


@given(data=st.data())
@example(data=None)
def test_damaged_answers_are_judged_or_refused(
    folder, assert_answers_properly, names_in, exported, damaged, data
):
    model, answers = folder / "right.safetensors", folder / "damaged.npy"
    model.write_bytes(exported[0])
    if data is None:  # more than any machine has
        head = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1000000000000), }\n"
        written = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
    else:
        written = data.draw(damaged(exported[1]) | odd_arrays(damaged))
    answers.write_bytes(written)
    before = names_in(folder)
    assert_answers_properly("check", "--model", str(model), "--answers", str(answers))
    assert names_in(folder) == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "'' is not understood"),
        ("other", "'other' is not understood"),
        ("blocks.999999999.mlp.W_in", "a block is numbered 999999999"),
    ],
)
def test_a_tensor_of_another_name_is_refused(folder, name, says):
    from safetensors.numpy import save_file

    square = np.zeros((2, 2))
    save_file({name: square, "W_E": square, "W_U": square}, folder / "named")
    with pytest.raises(ValueError, match=says):
        load_safetensors(folder / "named")


def refusal(load, path) -> str | None:
    """What a loader says of a file that it does not take."""
    try:
        load(path)
    except ValueError as error:
        return str(error)
    return None


@given(data=st.data())
def test_the_loaders_raise_only_what_they_say(folder, exported, damaged, data):
    """In Python, without the command line: ValueError, nothing else, and it names the file."""
    path = folder / "file"
    path.write_bytes(
        data.draw(
            damaged(exported[0]) | odd_headers(exported[0]) | damaged(exported[1]) | odd_arrays(damaged)
        )
    )
    for read in (load_safetensors, load_weights, load_answers):
        refused = refusal(read, path)
        assert refused is None or str(path) in refused
