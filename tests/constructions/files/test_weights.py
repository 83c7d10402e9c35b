"""Weights in files: every dtype comes back as it went, or is refused; nothing is written in part."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from georecall import block_superposition, in_place_superposition
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.files.loading import load_safetensors, load_weights
from georecall.constructions.files.reading import load_answers
from georecall.constructions.files.safetensors import DTYPES, decoded, encoded
from georecall.constructions.files.weights import save_safetensors, tensors
from georecall.theory.facts.fact_table import FactTable

FACTS = FactTable([[1, 2, 0], [0, 0, 1]])
QUERY = {"subject": 0, "relations": [0], "tokens": [0, 3], "positions": [0, 1], "answer": 1}


def save(path: Path, dtype: str = "float64", construct: Any = block_superposition, **more: Any) -> Path:
    answers: Path = save_safetensors(
        construct(FACTS), path, FACTS.answers, queries=[QUERY], dtype=dtype, metadata=more
    )
    return answers


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_as_it_went(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "m.safetensors"
    save(path, dtype)
    loaded, model = load_safetensors(path), block_superposition(FACTS)
    for name, weight in model.dense().weights().items():
        assert np.array_equal(loaded.weights()[name], weight), name
    prompt = np.array([[0, 3], [2, 4]])
    assert np.array_equal(loaded.logits(prompt), model.logits(prompt))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_safetensors_package_reads_what_is_written(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "m.safetensors"
    save(path, dtype, parameters=[1, "ü"])
    bits = tensors(block_superposition(FACTS), dtype)
    with safe_open(path, framework="np") as file:
        assert set(file.keys()) == set(bits)
        assert json.loads(file.metadata()["parameters"]) == [1, "ü"]
        for name, array in bits.items():
            found = file.get_slice(name)
            assert (found.get_dtype(), found.get_shape()) == (DTYPES[dtype].tag, list(array.shape))
            if dtype != "bfloat16":
                assert np.array_equal(file.get_tensor(name), array)


def test_bfloat16_is_what_others_take_it_for(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([0.0, -0.5, 1.0, 3.0, -255.0, 2.0**-133, 2.0**127 * (2 - 2.0**-7)])
    bits = encoded("w", values, "bfloat16")
    assert np.array_equal(bits.view(ml_dtypes.bfloat16).astype(float), values)
    assert np.array_equal(decoded(bits, "bfloat16"), values)


@given(
    dtype=st.sampled_from(["float32", "float16", "bfloat16", "int8"]),
    values=st.lists(
        st.one_of(st.integers(-300, 300).map(lambda n: n / 2), st.floats(allow_nan=False)), min_size=1
    ),
)
def test_a_weight_is_stored_exactly_or_refused_by_name(dtype: str, values: list[float]) -> None:
    weight = np.array(values)
    first = next((i for i, x in enumerate(values) if not _holds(dtype, x)), None)
    if first is None:
        assert np.array_equal(decoded(encoded("W_x", weight, dtype), dtype).astype(float), weight)
        return
    with pytest.raises(ValueError, match="would round") as refused:
        encoded("W_x", weight, dtype)
    assert str(refused.value) == f"{dtype} would round W_x[{first}] = {values[first]!r}"


@pytest.mark.parametrize(
    ("number", "dtype"), [(2**53 + 1, "float64"), (2**24 + 1, "float32"), (2**62, "int8")]
)
def test_whole_numbers_that_would_round_are_refused_too(number: int, dtype: str) -> None:
    with pytest.raises(ValueError, match=rf"{dtype} would round W_x\[1\]"):
        encoded("W_x", np.array([1, number]), dtype)


@pytest.mark.parametrize("scale", ["", "{", "[" * 5000 + "]" * 5000, "9" * 5000, "[Infinity", "1.0.0"])
def test_metadata_that_nobody_reads_gets_one_short_line(tmp_path: Path, scale: str) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"W_E": np.zeros((3, 2)), "W_U": np.zeros((2, 2))}, path, metadata={"attn_scale": scale})
    with pytest.raises(
        ValueError, match="the metadata 'attn_scale' is not JSON that can be read: "
    ) as refused:
        load_safetensors(path)
    assert len(str(refused.value)) < len(str(path)) + 100


def _holds(dtype: str, x: float) -> bool:
    """Whether a dtype has the number x, by its definition."""
    if dtype == "int8":
        return x in range(-128, 128)
    digits, low, top = {"float32": (24, -149, 128), "float16": (11, -24, 16), "bfloat16": (8, -133, 128)}[
        dtype
    ]
    if x == 0 or abs(x) == float("inf"):
        return True
    numerator, denominator = abs(x).as_integer_ratio()
    places = numerator.bit_length() - 1 - (denominator.bit_length() - 1)  # 2^places <= |x| < 2^(places + 1)
    step = max(low, places - digits + 1)
    whole = x * 2.0**-step if -1000 < step < 1000 else 0.5
    return places < top and whole == int(whole)


@pytest.mark.parametrize(
    ("dtype", "construct", "says"),
    [
        ("int8", CONSTRUCTIONS["single-hop-quantized"], "int8 would round W_E[3, 0] = 7.5"),
        (
            "float32",
            lambda facts: in_place_superposition(facts, gate=1.1),
            "float32 would round W_E[3, 0] = 1.1",
        ),
        (
            "bfloat16",
            lambda facts: in_place_superposition(facts, gate=257.0),
            "bfloat16 would round W_E[3, 0]",
        ),
    ],
)
def test_a_weight_that_would_round_is_named_and_nothing_is_written(
    tmp_path: Path, dtype: str, construct: Any, says: str
) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        save(tmp_path / "m.safetensors", dtype, construct)
    assert list(tmp_path.iterdir()) == []


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Also of the metadata, which has several entries."""
    code = (
        "import sys; from georecall import block_superposition as b, FactTable as F\n"
        "from georecall.constructions.files.weights import save_safetensors as s\n"
        "f = F([[1, 2, 0], [0, 0, 1]])\n"
        "s(b(f), sys.argv[1], f.answers, queries=[], metadata={'claim': 1, 'version': 2})"
    )
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}.safetensors"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_export_that_breaks_off_leaves_the_old_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "m.safetensors"
    beside = save(path)
    before = path.read_bytes(), beside.read_bytes()

    def half(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr("georecall.constructions.files.weights.write", half)
    with pytest.raises(type(error)):
        save(path, "float32", in_place_superposition)
    assert (path.read_bytes(), beside.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_numpy_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    text = json.dumps({"W_E": {"dtype": "F8_E4M3", "shape": [1, 1], "data_offsets": [0, 1]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0")
    with pytest.raises(ValueError, match=path.name):
        load_safetensors(path)


def test_weights_too_large_for_a_file_are_refused_before_any_is_made() -> None:
    wide = SimpleNamespace(shape=(1 << 20, 1 << 20))
    model = SimpleNamespace(blocks=(), weights=lambda: {"W_E": wide}, d_model=1 << 20)
    with pytest.raises(ValueError, match=r"8192\.0 GiB in float64, more than 8 GiB"):
        tensors(model)  # type: ignore[arg-type]


@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(sorted(DTYPES)))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, seed: int, dtype: str
) -> None:
    """Bytes changed, the end cut off, or another header: a model, or a ValueError that names the file."""
    path = tmp_path_factory.mktemp("damaged") / "m.safetensors"
    save(path, dtype)
    rng, raw = np.random.default_rng(seed), bytearray(path.read_bytes())
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    name = sorted(header)[rng.integers(len(header))]
    match rng.integers(5):
        case 0:
            for place in rng.integers(8 + length, size=3):
                raw[place] = rng.integers(256)
        case 1:
            del raw[rng.integers(len(raw)) :]
        case 2:
            header[str(rng.choice(["", ".", "b", "blocks.0.attn.W_Q"]))] = header.pop(name)
        case 3 if name != "__metadata__":
            header[name]["dtype"] = str(rng.choice(["BOOL", "U8", "I16", "F16", "BF16", "F8_E4M3", "C64"]))
        case _:
            values = ["1", "null", "[]", '"hard"', "NaN", "1e999", "x"]
            header["__metadata__"] = {
                str(rng.choice(["attention", "attn_scale", "query"])): str(rng.choice(values))
            }
    if json.loads(json.dumps(header)) != json.loads(path.read_bytes()[8 : 8 + length]):
        text = json.dumps(header).encode()
        raw = bytearray(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    path.write_bytes(raw)
    for read in (load_safetensors, load_weights):
        try:
            read(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017 (either outcome is right)


@pytest.mark.parametrize("objects", [True, False])
def test_answers_that_are_no_array_of_numbers_are_refused_without_advice_to_unpickle(
    tmp_path: Path, objects: bool
) -> None:
    path = tmp_path / "a.npy"
    if objects:
        np.save(path, np.array([{}, 1], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(b"no array at all")
    with pytest.raises(ValueError, match=r"a\.npy: it is no \.npy file of numbers$"):
        load_answers(path)
