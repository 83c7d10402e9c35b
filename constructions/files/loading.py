"""Weights from files, ours or anyone's in the same names: every tensor and every key is used, or refused.

A file is read once. A name that is not understood may change what its author's model computes: it is never
passed over. What a file does not say is assumed, and said (`Stored.assumed`).
"""

import json
import math
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from georecall.constructions.files.safetensors import read
from georecall.constructions.files.weights import MEANING, ORIGIN
from georecall.constructions.transformer.transformer import MLP, Attention, Block, Transformer

_OUTER = {"W_E": 2, "W_pos": 2, "W_U": 2, "b_U": 1}
_PARTS = {
    "attn": {"W_Q": 3, "W_K": 3, "W_V": 3, "W_O": 3},
    "mlp": {"W_in": 2, "b_in": 1, "W_out": 2, "b_out": 1},
}
_NAME = re.compile(r"blocks\.(0|[1-9][0-9]{0,8})\.(\w+)\.(\w+)", re.ASCII)
_SAMPLE = ("subject", "relations", "tokens", "positions", "answer")


@dataclass(frozen=True, eq=False)
class Stored:
    """What a file of weights holds.

    Args:
        model: the weights, and how they are meant.
        queries: sample prompts, which show how the model is asked; none if the file has none.
        typed: whether each hop has relations of its own; None if the file does not say.
        assumed: what it does not say and the model rests on, in words by name.
        answers_sha256: of the answers that it was made for, if it says so.
        facts_sha256: of the table with its names, likewise.
    """

    model: Transformer
    queries: list[dict[str, Any]]
    typed: bool | None
    assumed: dict[str, str]
    answers_sha256: str | None
    facts_sha256: str | None


def load(path: str | PathLike[str]) -> Stored:
    """Reads a file of weights: safetensors, or an ONNX graph that is one of ours.

    Raises:
        ValueError: the file cannot be read, lacks a weight, has one that is not understood, or shapes do not
            fit; the message says what.
        ImportError: a graph, and onnx is not installed.
    """
    if str(path).endswith(".onnx"):
        from georecall.constructions.files.onnx import read_onnx

        return read_onnx(path)
    return stored(path, *read(path))


def load_safetensors(path: str | PathLike[str]) -> Transformer:
    """The transformer that a file holds, this package's or anyone's in the same names and shapes.

    Without metadata, attention is soft and unscaled; without W_pos, prompts may have any length. Weights
    stored in less than four bytes come as float32, which holds them, and in which NumPy and SciPy can add.

    Raises:
        ValueError: see `load`.
    """
    return stored(path, *read(path)).model


def stored(path: str | PathLike[str], metadata: Mapping[str, str], weights: dict[str, Any]) -> Stored:
    """What metadata and tensors (of heads also a tuple) make; `path` is for messages; errors as of `load`."""
    try:
        known = _known(metadata)
        blocks = _blocks(weights)
        model = Transformer(
            W_E=_taken(weights, "W_E"),
            W_pos=weights.get("W_pos"),
            blocks=blocks,
            W_U=_taken(weights, "W_U"),
            b_U=weights.get("b_U", np.zeros(weights["W_U"].shape[1])),
            attention=known.get("attention", "soft"),
            attn_scale=known.get("attn_scale", 1.0),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    attends = any(block.attention is not None for block in blocks)
    said = {"attention": "soft", "attn_scale": "1"} if attends else {}
    said |= {"W_pos": "none, positions write nothing"} | ({} if "b_U" in weights else {"b_U": "0"})
    made = known.get("parameters")
    return Stored(
        model,
        known.get("query", []),
        known.get("typed"),
        {name: value for name, value in said.items() if name not in (known.keys() | weights.keys())},
        known.get("answers_sha256"),
        known.get("facts_sha256", made.get("facts_sha256") if isinstance(made, dict) else None),
    )


def _known(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The metadata, of whose names all are known and whose values are what they should be."""
    for name in metadata:
        if name not in MEANING + ORIGIN:
            raise ValueError(
                f"the metadata {name!r} is not understood; known are {', '.join(MEANING + ORIGIN)}"
            )
    known = {name: _json(name, text) for name, text in metadata.items() if name != "format"}  # "pt", no JSON
    wants: dict[str, tuple[str, Callable[[Any], bool]]] = {
        "attention": ('"soft" or "hard"', lambda value: value in ("soft", "hard")),
        "attn_scale": ("a finite number", _is_number),
        "typed": ("true or false", lambda value: isinstance(value, bool)),
        "answers_sha256": ("64 hexadecimal digits", _is_digest),
        "facts_sha256": ("64 hexadecimal digits", _is_digest),
    }
    for name, (want, right) in wants.items():
        if name in known and not right(known[name]):
            raise ValueError(f"the metadata {name!r} must be {want}, got {reprlib.repr(metadata[name])}")
    queries = known.get("query", [])
    if not isinstance(queries, list) or not all(map(_is_query, queries)):
        raise ValueError(
            "the metadata 'query' must be a list of queries with relations, tokens and, if given, positions, "
            "each a list of whole numbers, and perhaps a subject and an answer"
        )
    return known


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # no JSON, or numbers or lists that nobody reads
        raise ValueError(
            f"the metadata {name!r} is not JSON that can be read: {reprlib.repr(text)}"
        ) from error


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 2.0**1023 and math.isfinite(value)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_query(value: Any) -> bool:
    """Whether it can be one sample query of the metadata."""
    if not isinstance(value, dict) or not set(value) <= {*_SAMPLE}:
        return False
    lists = [value.get("relations"), value.get("tokens"), value.get("positions", [0])]
    if not all(isinstance(each, list) and each and all(type(n) is int for n in each) for each in lists):
        return False
    return all(type(value.get(name, 0)) is int for name in ("subject", "answer"))


def _blocks(weights: dict[str, Any]) -> tuple[Block, ...]:
    """The layers; every tensor has a name of the format and its number of axes."""
    numbers = set()
    for name, weight in weights.items():
        inner = _NAME.fullmatch(name)
        parts = _PARTS.get(inner[2], {}) if inner else _OUTER
        if (part := inner[3] if inner else name) not in parts:
            raise ValueError(
                f"{name!r} is not understood: names are W_E, W_pos, W_U, b_U, "
                + ", ".join(f"blocks.0.{kind}.{{{','.join(of)}}}" for kind, of in _PARTS.items())
            )
        heads = weight if isinstance(weight, tuple) else (weight,)
        if any(head.ndim != parts[part] - isinstance(weight, tuple) for head in heads):
            raise ValueError(f"{name} has shape {heads[0].shape}, want {parts[part]} axes")
        if heads[0].dtype.itemsize < 4:
            weights[name] = weight.astype(np.float32)
        if inner:
            numbers.add(int(inner[1]))
    if numbers and max(numbers) >= len(numbers):
        missing = next(number for number in range(len(numbers) + 1) if number not in numbers)
        raise ValueError(f"a block is numbered {max(numbers)}, but there is no block {missing}")
    return tuple(_block(weights, number) for number in range(len(numbers)))


def _block(weights: Mapping[str, Any], number: int) -> Block:
    def part(kind: str) -> Sequence[Any]:
        keys = [f"blocks.{number}.{kind}.{name}" for name in _PARTS[kind]]
        present = [key for key in keys if key in weights]
        if present and len(present) < len(keys):
            raise ValueError(f"no {next(key for key in keys if key not in weights)} beside {present[0]}")
        return [weights[key] for key in present]

    attention, mlp = part("attn"), part("mlp")
    return Block(Attention(*attention) if attention else None, MLP(*mlp) if mlp else None)


def _taken(weights: Mapping[str, Any], name: str) -> Any:
    if name not in weights:
        raise ValueError(f"no {name}; there is {', '.join(sorted(weights)) or 'nothing'}")
    return weights[name]
