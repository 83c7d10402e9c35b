"""The safetensors format: named arrays and metadata in one file, the same bytes every time.

Eight bytes with the length of the header, the header in JSON, then the numbers, little-endian. It is written
and read here: the package of that name orders metadata at random, lacks bfloat16, maps the file, and is
silent about keys that stand twice.
"""

import json
import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.reading import whole_file

Path_ = str | PathLike[str]


class DType(NamedTuple):
    """A type of stored numbers."""

    tag: str  # what safetensors calls it
    bits: np.dtype[Any]  # the NumPy type of the same bits


DTYPES = {
    "float64": DType("F64", np.dtype("<f8")),
    "float32": DType("F32", np.dtype("<f4")),
    "float16": DType("F16", np.dtype("<f2")),
    "bfloat16": DType("BF16", np.dtype("<u2")),  # the upper half of a float32
    "int8": DType("I8", np.dtype("i1")),
}
_WHOLE = {"I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8"}
_READ = {kind.tag: kind.bits for kind in DTYPES.values()} | {t: np.dtype(name) for t, name in _WHOLE.items()}
_MOST = 1 << 34  # bytes of a file


def encoded(name: str, weight: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The bits of a weight in that dtype, in the shape of the weight.

    Raises:
        ValueError: an entry would be rounded; the message names the weight, the first such entry and where.

    Example:
        >>> hex(encoded("b_U", np.array([1.0]), "bfloat16")[0])
        '0x3f80'
        >>> encoded("b_U", np.array([3.0, 0.5]), "int8")
        Traceback (most recent call last):
            ...
        ValueError: int8 would round b_U[1] = 0.5
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype == "bfloat16":
            upper = np.asarray(weight, dtype="<f4", order="C").view("<u4") >> 16
            bits = upper.astype(DTYPES[dtype].bits)
        else:
            bits = np.asarray(weight, dtype=DTYPES[dtype].bits, order="C")
        there = decoded(bits, dtype).astype(weight.dtype) != weight
    if there.any():
        place = tuple(map(int, np.argwhere(there)[0]))
        where = f"{name}{list(place)}" if place else name
        raise ValueError(f"{dtype} would round {where} = {float(weight[place])!r}")
    return bits


def decoded(bits: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The numbers that bits stand for; bfloat16 as float32."""
    return (bits.astype("<u4") << 16).view("<f4") if dtype == "bfloat16" else bits


def write(path: Path_, bits: Mapping[str, NDArray[Any]], dtype: str, metadata: Mapping[str, str]) -> None:
    """Writes arrays of bits, as of `encoded`, to a new file.

    Raises:
        OSError: the file cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for name, array in bits.items():
        end = start + array.nbytes
        header[name] = {"dtype": DTYPES[dtype].tag, "shape": list(array.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with Path(path).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in bits.values():
            file.write(np.ascontiguousarray(array).data)


def read(path: Path_) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """The metadata and the arrays of a file; bfloat16 as float32, which holds it.

    Raises:
        ValueError: the file cannot be read, is none of safetensors, or has a dtype that NumPy lacks.
    """
    data = whole_file(path, _MOST)
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= len(data) - 8:
        raise ValueError(f"cannot read {path}: it is no safetensors file")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_once)
        metadata = header.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata must be text")
        return metadata, _arrays(header, data, 8 + length)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"cannot read {path}: its header is not right: {str(error)[:200]}") from error


def _arrays(header: Mapping[str, Any], data: bytes, start: int) -> dict[str, NDArray[Any]]:
    """The arrays of a header, which must follow each other and fill the file."""
    arrays, at = {}, start
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"{name!r} has {list(entry)}")
        if entry["dtype"] not in _READ:
            raise ValueError(f"{name!r} is of dtype {entry['dtype']!r}, want {', '.join(_READ)}")
        bits, shape = _READ[entry["dtype"]], entry["shape"]
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"{name!r} has shape {shape!r}")
        end = at + math.prod(shape) * bits.itemsize
        if entry["data_offsets"] != [at - start, end - start] or end > len(data):
            raise ValueError(f"{name!r} has offsets {entry['data_offsets']!r}")
        array = np.frombuffer(data, bits, count=math.prod(shape), offset=at).reshape(shape)
        arrays[name], at = decoded(array, "bfloat16") if entry["dtype"] == "BF16" else array, end
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes belong to no tensor")
    return {name: arrays[name] for name in header}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of which no key stands twice: of two tensors of one name one would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found
