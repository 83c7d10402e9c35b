"""Weights in files: safetensors in the field's names, answers in .npy beside them.

Keys: `W_E`, `W_pos`, `W_U`, `b_U`, `blocks.{l}.attn.{W_Q,W_K,W_V,W_O}` and
`blocks.{l}.mlp.{W_in,b_in,W_out,b_out}`; an absent part has no keys. Subjects come first in W_E, then the
relations in order. The metadata, all JSON: `attention`, `attn_scale`, `query` (sample prompts with their
answers: a model is asked at every number of hops that they show), `answers_sha256`, and what the exporter
adds: `typed`, whether each hop has relations of its own.
"""

import hashlib
import json
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.safetensors import DTYPES, encoded, read, read_metadata, write
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import MLP, Attention, Block, Transformer
from georecall.theory.tools.files import replacing

_LIMIT = 1 << 33  # bytes of one file: sparse weights of wide models are too large when dense
_MOST_BLOCKS = 10_000  # of a file: a number in a name must not cost memory
_ATTENTION, _MLP = ("W_Q", "W_K", "W_V", "W_O"), ("W_in", "b_in", "W_out", "b_out")


def tensors(model: Transformer, dtype: str = "float64") -> dict[str, NDArray[Any]]:
    """The bits of all weights, dense, by the names of the format; an attention matrix has a row of heads.

    The heads of a layer get the d_head of the widest, narrower ones zeros.

    Raises:
        ValueError: a weight changes when stored in that dtype, or the file would pass 8 GiB.
    """
    attentions = [block.attention for block in model.blocks if block.attention is not None]
    heads = sum(4 * model.d_model * _d_head(a) * len(a.W_Q) for a in attentions)
    others = sum(prod(weight.shape) for name, weight in model.weights().items() if ".attn." not in name)
    size = (heads + others) * DTYPES[dtype].bits.itemsize
    if size > _LIMIT:
        raise ValueError(f"the dense weights would take {size / 2**30:.1f} GiB in {dtype}, more than 8 GiB")
    named: dict[str, Any] = {"W_E": model.W_E, "W_pos": model.W_pos, "W_U": model.W_U, "b_U": model.b_U}
    for number, block in enumerate(model.blocks):
        if block.attention is not None:
            width = _d_head(block.attention)
            for name, matrices in vars(block.attention).items():
                padded = [_padded(dense(head), width, rows=name == "W_O") for head in matrices]
                named[f"blocks.{number}.attn.{name}"] = np.stack(padded)
        if block.mlp is not None:
            named |= {f"blocks.{number}.mlp.{name}": weight for name, weight in vars(block.mlp).items()}
    return {name: encoded(name, dense(weight), dtype) for name, weight in named.items()}


def save_safetensors(
    model: Transformer,
    path: str | PathLike[str],
    answers: NDArray[np.int64],
    *,
    queries: Sequence[Mapping[str, Any]],
    dtype: str = "float64",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the weights to `path` and the answers beside it, both or neither; the path of the answers.

    The same arguments give the same bytes.

    Args:
        model: the weights.
        path: where to; answers go to the same name with `.answers.npy` for `.safetensors`.
        answers: shape (R, N).
        queries: sample prompts: subject, relations, tokens, positions, answer.
        dtype: float64, float32, float16, bfloat16 or int8. Whether the forward pass rounds in it is not
            asked here (see `verify.engines.formats`); int8 is a type of weights alone, whose sums take a
            wider one.
        metadata: more to store, JSON values by name.

    Raises:
        ValueError: see `tensors`.
        OSError: a file cannot be written.
    """
    bits = tensors(model, dtype)
    described = description(model, answers, queries=queries, metadata=metadata)
    with answers_beside(path, answers) as beside, replacing(path) as temporary:
        write(temporary, bits, dtype, described)
    return beside


def description(
    model: Transformer,
    answers: NDArray[np.int64],
    *,
    queries: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """The metadata of a model's file, all JSON; arguments as of `save_safetensors`."""
    stored = {
        "attention": model.attention,
        "attn_scale": model.attn_scale,
        "query": [dict(query) for query in queries],
        "answers_sha256": hashlib.sha256(_answers(answers).tobytes()).hexdigest(),
        **(metadata or {}),
    }
    return {name: json.dumps(value) for name, value in stored.items()}


@contextmanager
def answers_beside(path: str | PathLike[str], answers: NDArray[np.int64]) -> Iterator[Path]:
    """Where the answers of a model at `path` are, once the block that writes the model has ended well."""
    beside = Path(path).with_suffix(".answers.npy")
    with replacing(beside) as temporary:
        with temporary.open("wb") as file:
            np.save(file, _answers(answers))
        yield beside


def load_safetensors(path: str | PathLike[str]) -> Transformer:
    """The transformer that a file holds, this package's or anyone's in the same names and shapes.

    Without metadata, attention is soft and unscaled. Weights stored in less than four bytes come as float32,
    which holds them, and in which NumPy and SciPy can add them.

    Raises:
        ValueError: the file cannot be read, lacks a weight, or shapes do not fit; the message says what.
    """
    metadata, weights = read(path)
    for name in ("W_E", "W_U"):
        if name not in weights:
            raise ValueError(f"{path} has no {name}; it has {', '.join(sorted(weights)) or 'nothing'}")
    for name, weight in weights.items():
        want = {"W": 3 if ".attn." in name else 2, "b": 1}.get(name.split(".")[-1][:1])
        if want is None:
            raise ValueError(
                f"{path}: {name!r} is no weight: names are W_E, W_U, blocks.0.mlp.W_in and so on"
            )
        if weight.ndim != want:
            raise ValueError(f"{path}: {name} has shape {weight.shape}, want {want} axes")
        if weight.dtype.itemsize < 4:
            weights[name] = weight.astype(np.float32)
    W_E, W_U = weights["W_E"], weights["W_U"]
    n_blocks = 1 + max(
        (int(m[1]) for name in weights if (m := re.match(r"blocks\.(\d+)\.", name))), default=-1
    )
    if n_blocks > _MOST_BLOCKS:
        raise ValueError(f"{path}: a block is numbered {n_blocks - 1}; blocks are numbered from 0")
    attention, scale = _json(path, metadata, "attention", "soft"), _json(path, metadata, "attn_scale", 1.0)
    try:
        return Transformer(
            W_E=W_E,
            W_pos=weights.get("W_pos", np.zeros((2, W_E.shape[1]))),
            blocks=tuple(_block(weights, number) for number in range(n_blocks)),
            W_U=W_U,
            b_U=weights.get("b_U", np.zeros(W_U.shape[1])),
            attention=attention,
            attn_scale=float(scale),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def load_queries(path: str | PathLike[str]) -> list[dict[str, Any]]:
    """The sample queries in a file's metadata, which show how its prompts are made; none if it has none.

    Raises:
        ValueError: the file cannot be read, or the entry is not a list of queries.
    """
    queries = _json(path, read_metadata(path), "query", [])
    if not isinstance(queries, list) or not all(map(_is_query, queries)):
        raise ValueError(
            f"{path}: the metadata 'query' must be a list of queries with relations, tokens and, if "
            "given, positions, each a list of whole numbers"
        )
    return queries


def load_typed(path: str | PathLike[str]) -> bool | None:
    """Whether a file says that each hop of its model has relations of its own; None if it does not say.

    Raises:
        ValueError: the file cannot be read, or the entry is neither true nor false.
    """
    metadata = read_metadata(path)
    typed: bool | None = _json(path, metadata, "typed", None)
    if "typed" in metadata and not isinstance(typed, bool):
        raise ValueError(f"{path}: the metadata 'typed' must be true or false, got {metadata['typed']}")
    return typed


def load_answers(path: str | PathLike[str]) -> NDArray[np.int64]:
    """The answers, shape (R, N), from a .npy file.

    Raises:
        ValueError: the file cannot be read or does not hold integers.
    """
    try:
        answers = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy parses the header as Python and believes the sizes that it promises
        why = getattr(error, "strerror", None) or error
        why = "it is no .npy file of numbers" if "pickle" in str(error) else why
        raise ValueError(f"cannot read {path}: {why}") from error
    if not isinstance(answers, np.ndarray) or answers.dtype.kind not in "iu" or answers.ndim != 2:
        raise ValueError(f"{path} must hold one array of integers of shape (R, N)")
    return answers.astype(np.int64)


def _d_head(attention: Attention) -> int:
    """The width of the widest head."""
    return max(int(head.shape[-1]) for head in (*attention.W_Q, *attention.W_V))


def _padded(matrix: NDArray[Any], width: int, *, rows: bool) -> NDArray[Any]:
    """A head's matrix with zeros up to d_head = width: columns, of W_O rows."""
    missing = width - matrix.shape[0 if rows else 1]
    return np.pad(matrix, ((0, missing), (0, 0)) if rows else ((0, 0), (0, missing)))


def _answers(answers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(answers, dtype="<i8")


def _block(weights: Mapping[str, NDArray[Any]], number: int) -> Block:
    def part(kind: str, names: Sequence[str]) -> list[Any]:
        keys = [f"blocks.{number}.{kind}.{name}" for name in names]
        present = [key for key in keys if key in weights]
        if present and len(present) < len(keys):
            raise ValueError(f"no {next(key for key in keys if key not in weights)} beside {present[0]}")
        return [weights[key] for key in present]

    attention, mlp = part("attn", _ATTENTION), part("mlp", _MLP)
    return Block(Attention(*attention) if attention else None, MLP(*mlp) if mlp else None)


def _is_query(value: Any) -> bool:
    """Whether it can be one sample query of the metadata."""
    if not isinstance(value, dict):
        return False
    lists = [value.get("relations"), value.get("tokens"), value.get("positions", [0])]
    return all(isinstance(each, list) and each and all(type(n) is int for n in each) for each in lists)


def _json(path: str | PathLike[str], metadata: Mapping[str, str], name: str, default: Any) -> Any:
    try:
        return json.loads(metadata[name]) if name in metadata else default
    except (ValueError, RecursionError) as error:  # no JSON, or numbers or lists that nobody reads
        shown = reprlib.repr(metadata[name])
        raise ValueError(f"{path}: the metadata {name!r} is not JSON that can be read: {shown}") from error
