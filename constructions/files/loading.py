"""Weights from files, ours or anyone's in the same names: every tensor and every key is used, or refused.

A file is read once. A name that is not understood may change what its author's model computes: it is never
passed over. What a file does not say is assumed, and said (`Stored.assumed`).
"""

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from georecall.constructions.files.safetensors import read
from georecall.constructions.files.weights import MEANING, ORIGIN
from georecall.constructions.transformer.layers import Attention, Block, Norm
from georecall.constructions.transformer.trained import ACTIVATIONS, BiasedAttention, NormedBlock
from georecall.constructions.transformer.transformer import Transformer

_OUTER = {"W_E": 2, "W_pos": 2, "W_U": 2, "b_U": 1, "ln_final.w": 1, "ln_final.b": 1}
_PARTS = {
    "attn": {"W_Q": 3, "W_K": 3, "W_V": 3, "W_O": 3, "b_Q": 2, "b_K": 2, "b_V": 2, "b_O": 1},
    "mlp": {"W_in": 2, "b_in": 1, "W_out": 2, "b_out": 1},
    "ln1": {"w": 1, "b": 1},
    "ln2": {"w": 1, "b": 1},
}
_PLACES = ("ln1", "ln2", "ln_final")
_NORMS = ("LN", "RMS", "LNPre", "RMSPre")  # of the last two, w = 1 and b = 0 are folded into what follows
_NAME = re.compile(r"blocks\.(0|[1-9][0-9]{0,8})\.(\w+)\.(\w+)", re.ASCII)
_SAMPLE = ("subject", "relations", "tokens", "positions", "answer")


@dataclass(frozen=True, eq=False)
class Stored:
    """What a file of weights holds."""

    model: Transformer  # the weights, and how they are meant
    queries: list[dict[str, Any]]  # sample prompts, which show how the model is asked; none if it has none
    typed: bool | None  # whether each hop has relations of its own; None if the file does not say
    assumed: dict[str, str]  # what it does not say and the model rests on, in words by name
    answers_sha256: str | None  # of the answers that it was made for, if it says so
    facts_sha256: str | None  # of the table with its names, likewise


def load_weights(path: str | PathLike[str]) -> Stored:
    """Reads a file of weights: safetensors, or an ONNX graph that is one of ours.

    Raises:
        ValueError: the file cannot be read, lacks a weight, has one that is not understood, or shapes do not
            fit; the message says what.
        ImportError: a graph, and onnx is not installed.
    """
    if str(path).endswith(".onnx"):
        from georecall.constructions.files.onnx import read_onnx

        return read_onnx(path)
    return stored_model(path, *read(path))


def load_safetensors(path: str | PathLike[str]) -> Transformer:
    """The transformer that a file holds, this package's or anyone's in the same names and shapes.

    Without metadata, attention is soft and unscaled; without W_pos, prompts may have any length. Weights
    stored in less than four bytes come as float32, which holds them, and in which NumPy and SciPy can add.

    Raises:
        ValueError: see `load_weights`.
    """
    return stored_model(path, *read(path)).model


def stored_model(path: str | PathLike[str], metadata: Mapping[str, str], weights: dict[str, Any]) -> Stored:
    """What metadata and tensors (of heads also a tuple) make; `path` is for messages; see `load_weights`."""
    try:
        known = _known(metadata)
        numbers = _numbers(weights)
        norms = _Norms(weights, known)
        blocks = tuple(_block(weights, number, norms, known) for number in numbers)
        model = Transformer(
            W_E=_taken(weights, "W_E"),
            W_pos=weights.get("W_pos"),
            blocks=blocks,
            W_U=_taken(weights, "W_U"),
            b_U=weights.get("b_U", np.zeros(weights["W_U"].shape[1])),
            attention=known.get("attention", "soft"),
            attn_scale=known.get("attn_scale", 1.0),
            ln_final=norms.at("ln_final", True),
            bos=known.get("bos"),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    attends = any(block.attention is not None for block in blocks)
    said = {"attention": "soft", "attn_scale": "1"} if attends else {}
    if not model.plain:
        said |= {"activation": "relu"} | ({"eps": "1e-05", "norm_position": "pre"} if "norm" in known else {})
    said |= {"W_pos": "none, positions write nothing"} | ({} if "b_U" in weights else {"b_U": "0"})
    said |= _left_out(weights, numbers, known.get("norm"))
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
        "activation": (f"one of {', '.join(ACTIVATIONS)}", lambda value: value in list(ACTIVATIONS)),
        "norm": (f"one of {', '.join(_NORMS)}", lambda value: value in _NORMS),
        "eps": ("a finite number, at least 0", lambda value: _is_number(value) and value >= 0),
        "norm_position": ('"pre" or "post"', lambda value: value in ("pre", "post")),
        "bos": ("a whole number", lambda value: type(value) is int),
        "typed": ("true or false", lambda value: isinstance(value, bool)),
        "answers_sha256": ("64 hexadecimal digits", _is_digest),
        "facts_sha256": ("64 hexadecimal digits", _is_digest),
    }
    for name, (want, right) in wants.items():
        if name in known and not right(known[name]):
            raise ValueError(f"the metadata {name!r} must be {want}, got {reprlib.repr(metadata[name])}")
    for name in ("eps", "norm_position"):
        if name in known and "norm" not in known:
            raise ValueError(f"the metadata {name!r} is about norms, but there is no 'norm'")
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


def _numbers(weights: dict[str, Any]) -> range:
    """The layers' numbers; every tensor has a name of the format and its number of axes."""
    numbers = set()
    for name, weight in weights.items():
        inner = _NAME.fullmatch(name)
        parts = _PARTS.get(inner[2], {}) if inner else _OUTER
        if (part := inner[3] if inner else name) not in parts:
            raise ValueError(
                f"{name!r} is not understood: names are {', '.join(_OUTER)}, "
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
    return range(len(numbers))


def _left_out(weights: Mapping[str, Any], numbers: range, norm: str | None) -> dict[str, str]:
    """What is taken for 0 or for no norm: biases of MLPs, and what others of its kind are there without."""

    def of_norm(at: str, place: str) -> Iterator[tuple[str, str]]:
        if norm in ("LN", "RMS") and f"{at}{place}.w" not in weights:
            yield place, "none"
        elif norm == "LN" and f"{at}{place}.b" not in weights:
            yield f"{place}.b", "0"

    biases = ("b_Q", "b_K", "b_V", "b_O") if any(".attn.b_" in name for name in weights) else ()
    lacking: dict[tuple[str, str], list[int]] = {}
    for number in numbers:
        at = f"blocks.{number}."
        for part, place, may in ("attn", "ln1", biases), ("mlp", "ln2", ("b_in", "b_out")):
            if f"{at}{part}.W_O" in weights or f"{at}{part}.W_out" in weights:
                zeros = [(f"{part}.{bias}", "0") for bias in may if f"{at}{part}.{bias}" not in weights]
                for each in (*zeros, *of_norm(at, place)):
                    lacking.setdefault(each, []).append(number)
    said = dict(of_norm("", "ln_final"))
    for (name, taken), blocks in lacking.items():
        some = "" if len(blocks) == len(numbers) else f" in block {', '.join(map(str, blocks))}"
        said[name] = taken + some
    return said


class _Norms:
    """The norms of a file, by where they are."""

    def __init__(self, weights: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        self.weights, self.kind = weights, known.get("norm")
        self.eps, self.width = float(known.get("eps", 1e-5)), int(_taken(weights, "W_E").shape[-1])
        there = [name for name in weights if name.rpartition(".")[0].rpartition(".")[2] in _PLACES]
        folded = self.kind in ("LNPre", "RMSPre")
        if there and (self.kind is None or folded):
            why = f"the metadata 'norm' is {self.kind}" if folded else "the metadata lack 'norm', LN or RMS"
            raise ValueError(f"there is {there[0]}, but {why}")
        if self.kind in ("LN", "RMS") and not there:
            raise ValueError(f"the metadata 'norm' is {self.kind}, but there is no weight of a norm")

    def at(self, place: str, used: bool) -> Norm | None:
        """The norm of that name, of a part that is used or not; None where there is none."""
        w, b = (self.weights.get(f"{place}.{name}") for name in "wb")
        if b is not None and w is None:
            raise ValueError(f"no {place}.w beside {place}.b")
        if w is not None and not used:
            raise ValueError(f"{place}.w is of a part that there is not")
        if self.kind is None or not used or (w is None and self.kind in ("LN", "RMS")):
            return None
        ones, zeros = np.ones(self.width), np.zeros(self.width)
        return Norm(ones if w is None else w, zeros if b is None else b, self.eps, self.kind.startswith("LN"))


def _block(weights: Mapping[str, Any], number: int, norms: _Norms, known: Mapping[str, Any]) -> Block:
    def part(kind: str) -> list[Any]:
        needed = ("W", "b") if kind == "mlp" and any(".mlp.b_" in name for name in weights) else ("W",)
        keys = [f"blocks.{number}.{kind}.{name}" for name in _PARTS[kind] if name.startswith(needed)]
        there = [name for name in weights if name.startswith(f"blocks.{number}.{kind}.")]
        if there and (missing := [key for key in keys if key not in weights]):
            raise ValueError(f"no {missing[0]} beside {there[0]}")
        return [weights[key] for key in keys] if there else []

    heads, mlp = part("attn"), part("mlp")
    if len(mlp) == 2:  # as no block of the file has biases
        W_in, W_out = mlp
        mlp = [W_in, np.zeros(W_in.shape[-1]), W_out, np.zeros(norms.width)]
    attention: Attention | None = Attention(*heads) if heads else None
    at = f"blocks.{number}.attn"
    biases = [weights.get(f"{at}.{name}") for name in ("b_Q", "b_K", "b_V", "b_O")]
    if any(bias is not None for bias in biases):
        zeros = [*([np.zeros(W.shape[-1]) for W in several] for several in heads[:3]), np.zeros(norms.width)]
        filled = [z if bias is None else bias for z, bias in zip(zeros, biases, strict=True)]
        attention = BiasedAttention(*heads, *filled)
    ln1, ln2 = (norms.at(f"blocks.{number}.{name}", bool(of)) for name, of in (("ln1", heads), ("ln2", mlp)))
    block = Block(attention, ACTIVATIONS[known.get("activation", "relu")](*mlp) if mlp else None)
    if ln1 is None and ln2 is None:
        return block
    return NormedBlock(block.attention, block.mlp, ln1, ln2, known.get("norm_position") == "post")


def _taken(weights: Mapping[str, Any], name: str) -> Any:
    if name not in weights:
        raise ValueError(f"no {name}; there is {', '.join(sorted(weights)) or 'nothing'}")
    return weights[name]
