"""Weights to files: safetensors in the field's names, answers in .npy beside them.

Keys: `W_E`, `W_pos`, `W_U`, `b_U`, `blocks.{l}.attn.{W_Q,W_K,W_V,W_O}` and
`blocks.{l}.mlp.{W_in,b_in,W_out,b_out}`; an absent part has no keys. Subjects come first in W_E, then the
relations in order. The metadata, all JSON: `attention`, `attn_scale`, `query` (sample prompts with their
answers: a model is asked at every number of hops that they show), `answers_sha256`, and what the exporter
adds: `typed`, whether each hop has relations of its own. `constructions.files.loading` reads them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.safetensors import DTYPES, encoded, write
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import Attention
from georecall.constructions.transformer.trained import ACTIVATIONS, NormedBlock
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.files import replacing

_LIMIT = 1 << 33  # bytes of one file: sparse weights of wide models are too large when dense
# Metadata that say how the forward pass is meant, and those that say where the weights come from.
TRAINED = ("activation", "norm", "eps", "norm_position", "bos")  # of models that are not plain
MEANING = ("attention", "attn_scale", "query", "answers_sha256", "typed", *TRAINED)
ORIGIN = ("claim", "parameters", "version", "arithmetic", "facts_sha256", "format")


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
    named: dict[str, Any] = {name: w for name, w in model.weights().items() if not name.startswith("blocks")}
    for number, block in enumerate(b for b in model.blocks if b.attention or b.mlp):  # no numbers with gaps
        if block.attention is not None:
            width = _d_head(block.attention)
            for name, matrices in vars(block.attention).items():
                padded = [_padded(dense(head), width, rows=name == "W_O") for head in matrices]
                named[f"blocks.{number}.attn.{name}"] = np.stack(padded)  # of b_O, its numbers
        if block.mlp is not None:
            named |= {f"blocks.{number}.mlp.{name}": weight for name, weight in vars(block.mlp).items()}
        for name in ("ln1", "ln2") if isinstance(block, NormedBlock) else ():
            if (norm := getattr(block, name)) is not None:
                named |= {f"blocks.{number}.{name}.{part}": w for part, w in norm.weights().items()}
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
        ValueError: see `tensors` and `description`.
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
    """The metadata of a model's file, all JSON; arguments as of `save_safetensors`.

    Raises:
        ValueError: one of another name than `MEANING` and `ORIGIN` have, which nobody would read.
    """
    if strange := set(metadata or {}) - {*MEANING, *ORIGIN}:
        raise ValueError(
            f"metadata {min(strange)!r} would be refused; known are {', '.join(MEANING + ORIGIN)}"
        )
    stored = {
        "attention": model.attention,
        "attn_scale": model.attn_scale,
        "query": [dict(query) for query in queries],
        "answers_sha256": answers_digest(answers),
        **(metadata or {}),
    }
    return {name: json.dumps(value) for name, value in (stored | _trained(model)).items()}


def _trained(model: Transformer) -> dict[str, Any]:
    """The metadata of what a model has beside the theory's setting; of plain models none.

    Raises:
        ValueError: layers differ in what a file says once.
    """
    normed = [block for block in model.blocks if isinstance(block, NormedBlock)]
    norms = [norm for block in normed for norm in (block.ln1, block.ln2)] + [model.ln_final]
    kinds = {("LN" if norm.centred else "RMS", norm.eps) for norm in norms if norm is not None}
    places = {"post" if block.post else "pre" for block in normed if block.ln1 or block.ln2}
    names = {mlp: name for name, mlp in ACTIVATIONS.items()}
    activations = {names[type(block.mlp)] for block in model.blocks if block.mlp is not None}
    for several in (kinds, places, activations):
        if len(several) > 1:
            raise ValueError(f"a file has one activation and one kind of norm, not {sorted(several)}")
    said: dict[str, Any] = {} if model.bos is None else {"bos": model.bos}
    if activations and not model.plain:
        said["activation"] = activations.pop()
    for kind, eps in kinds:
        said |= {"norm": kind, "eps": eps, "norm_position": places.pop() if places else "pre"}
    return said


def answers_digest(answers: NDArray[np.int64]) -> str:
    """The `answers_sha256` of a table: of its bytes as they are stored, relation by relation."""
    return hashlib.sha256(_answers(answers).tobytes()).hexdigest()


@contextmanager
def answers_beside(path: str | PathLike[str], answers: NDArray[np.int64]) -> Iterator[Path]:
    """Where the answers of a model at `path` are, once the block that writes the model has ended well."""
    beside = Path(path).with_suffix(".answers.npy")
    with replacing(beside) as temporary:
        with temporary.open("wb") as file:
            np.save(file, _answers(answers))
        yield beside


def _d_head(attention: Attention) -> int:
    """The width of the widest head."""
    return max(int(head.shape[-1]) for head in (*attention.W_Q, *attention.W_V))


def _padded(matrix: NDArray[Any], width: int, *, rows: bool) -> NDArray[Any]:
    """A head's matrix, or bias, with zeros up to d_head = width: columns, of W_O rows."""
    if matrix.ndim < 2:  # a number of b_O is no head
        return np.pad(matrix, (0, width - matrix.size)) if matrix.ndim else matrix
    missing = width - matrix.shape[0 if rows else 1]
    return np.pad(matrix, ((0, missing), (0, 0)) if rows else ((0, 0), (0, missing)))


def _answers(answers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(answers, dtype="<i8")
