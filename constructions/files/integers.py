"""Weights as whole numbers in JSON, for a re-checker that shares no code with this package.

Every float is a whole number over a power of two: a matrix is `{"shift", "columns", "rows"}`, a row a list of
pairs (column, number), a weight number / 2^shift. Beside them stand the answers and which prompts to ask.
"""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.layers import MLP, Block, Matrix
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.files import replacing


def whole_numbers(weight: Matrix) -> dict[str, Any]:
    """A weight (a vector is one row) as whole numbers over a power of two.

    Raises:
        ValueError: an entry is no finite number.

    Example:
        >>> whole_numbers(np.array([[0.0, 1.5], [-2.0, 0.0]]))
        {'shift': 1, 'columns': 2, 'rows': [[[1, 3]], [[0, -4]]]}
    """
    rows = np.atleast_2d(np.asarray(dense(weight), dtype=np.float64))
    if not np.isfinite(rows).all():
        raise ValueError("a weight is no finite number")
    ratios = [[(c, *float(row[c]).as_integer_ratio()) for c in np.flatnonzero(row).tolist()] for row in rows]
    shift = max((d.bit_length() - 1 for row in ratios for _, _, d in row), default=0)
    whole = [[[c, n << shift - d.bit_length() + 1] for c, n, d in row] for row in ratios]
    return {"shift": shift, "columns": rows.shape[1], "rows": whole}


def in_whole_numbers(
    model: Transformer,
    answers: NDArray[np.int64],
    queries: Sequence[Mapping[str, Any]],
    *,
    typed: bool = False,
) -> dict[str, Any]:
    """A model, the answers that it should give, and which prompts to ask.

    Args:
        model: of the setting: no norms, no other activation than ReLU.
        answers: shape (R, N).
        queries: sample prompts, which show the numbers of hops and whether it is a chain of thought.
        typed: whether hop t of k asks for the t-th share of the relations alone.

    Raises:
        ValueError: the model has parts that the setting lacks.
    """
    if not model.plain or model.W_pos is None:
        raise ValueError(
            "only the setting's transformer is written in whole numbers: no norm, no GELU, no bias"
        )
    N = answers.shape[1]
    hops = sorted({len(query["relations"]) for query in queries}) or [1]
    thinking = next((query for query in queries if query["tokens"][0] >= N), None)
    return {
        "attention": model.attention,
        "sign_of_scale": int(np.sign(model.attn_scale)),
        "subjects": N,
        "answers": answers.tolist(),
        "typed": typed,
        "hops": list(range(1, hops[-1] + 1)) if thinking else hops,
        "chains": 0 if thinking is None else _first_entity(thinking, N, model.n_ctx // 2),
        "layers": [{"heads": _heads(block), "mlp": _named(block.mlp)} for block in model.blocks],
        **{name: whole_numbers(getattr(model, name)) for name in ("W_E", "W_pos", "W_U", "b_U")},
    }


def save_integers(
    model: Transformer,
    path: str | PathLike[str],
    answers: NDArray[np.int64],
    *,
    queries: Sequence[Mapping[str, Any]],
    dtype: str = "float64",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Writes `in_whole_numbers` to a file of JSON; arguments as of `weights.save_safetensors`.

    Raises:
        ValueError: see `in_whole_numbers`.
        OSError: the file cannot be written.
    """
    if dtype != "float64":
        raise ValueError(f"whole numbers have no dtype, got {dtype}")
    stored = in_whole_numbers(model, answers, queries, typed=bool((metadata or {}).get("typed", False)))
    with replacing(path) as temporary:
        Path(temporary).write_text(json.dumps({**(metadata or {}), **stored}, separators=(",", ":")), "utf-8")
    return Path(path)


def _first_entity(query: Mapping[str, Any], N: int, default: int) -> int:
    """At which position the entities of a chain of thought begin."""
    k = next(place for place, token in enumerate(query["tokens"]) if token < N)
    return int(query["positions"][k]) if query.get("positions") else default


def _heads(block: Block) -> list[dict[str, Any]]:
    if block.attention is None:
        return []
    heads = zip(*vars(block.attention).values(), strict=True)
    return [dict(zip(vars(block.attention), map(whole_numbers, head), strict=True)) for head in heads]


def _named(mlp: MLP | None) -> dict[str, Any]:
    return {} if mlp is None else {name: whole_numbers(weight) for name, weight in vars(mlp).items()}
