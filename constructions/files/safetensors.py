"""The safetensors format: named arrays and metadata in one file, the same bytes every time.

Eight bytes with the length of the header, the header in JSON, then the numbers, little-endian. It is written
here, since the package of that name orders metadata at random and needs another one for bfloat16; it is read
with that package, and bfloat16 by hand.
"""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Path_ = str | PathLike[str]


class DType(NamedTuple):
    """A type of stored numbers.

    Args:
        tag: what safetensors calls it.
        bits: the NumPy type of the same bits.
    """

    tag: str
    bits: np.dtype[Any]


DTYPES = {
    "float64": DType("F64", np.dtype("<f8")),
    "float32": DType("F32", np.dtype("<f4")),
    "float16": DType("F16", np.dtype("<f2")),
    "bfloat16": DType("BF16", np.dtype("<u2")),  # the upper half of a float32
    "int8": DType("I8", np.dtype("i1")),
}


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
        header[name] = {
            "dtype": DTYPES[dtype].tag,
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
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
    with _opened(path) as file:
        tags = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (not a dict)
        try:
            arrays = {name: file.get_tensor(name) for name, tag in tags.items() if tag != "BF16"}
        except Exception as error:  # the package raises what it likes where NumPy has no such type
            raise ValueError(f"cannot read {path}: {error}") from error
        metadata = dict(file.metadata() or {})
    if "BF16" in tags.values():
        arrays |= _bfloat16(path)
    return metadata, {name: arrays[name] for name in tags}


def read_metadata(path: Path_) -> dict[str, str]:
    """The metadata of a file; errors as of `read`."""
    with _opened(path) as file:
        return dict(file.metadata() or {})


def _opened(path: Path_) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="np")
    except (OSError, SafetensorError, TypeError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error


def _bfloat16(path: Path_) -> dict[str, NDArray[Any]]:
    """The bfloat16 arrays of a file whose header is known to be right."""
    arrays = {}
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        for name, entry in json.loads(file.read(length)).items():
            if entry.get("dtype") == "BF16":
                start, end = entry["data_offsets"]
                file.seek(8 + length + start)
                bits = np.frombuffer(file.read(end - start), DTYPES["bfloat16"].bits)
                arrays[name] = decoded(bits, "bfloat16").reshape(entry["shape"])
    return arrays
