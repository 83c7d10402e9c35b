"""The forward pass as an ONNX graph, for engines that nobody here wrote.

Inputs `tokens` and `positions`, int64 [batch, T]; output `logits` [batch, d_vocab_out], at the last position.
Initializers carry the names of `Transformer.weights`, one per head; each value in between is called by its
place, `blocks.0.attn.head.1.scores`, and a node by what it computes. The graph follows the forward pass of
`constructions.transformer.transformer` operation by operation, so that what is proved of its sums holds of
the engine's.
"""

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.loading import Stored, stored_model
from georecall.constructions.files.onnx_graph import Graph
from georecall.constructions.files.reading import whole_file
from georecall.constructions.files.weights import answers_beside, description
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.files import replacing
from georecall.theory.tools.version import VERSION

if TYPE_CHECKING:
    import onnx

ONNX_DTYPES = ("float64", "float32")
_OPSET, _IR = 18, 8  # ReduceMax takes its axes as an input from 18 on; onnxruntime reads them since 1.14
_LIMIT = 1 << 31  # bytes of one protobuf message
_WEIGHT = re.compile(
    r"[Wb]_|ln_final\.[wb]$|blocks\.\d+\.ln[12]\.[wb]$|blocks\.\d+\.(attn|mlp)\.[Wb]_"
)  # the initializers that are weights


def onnx_graph(
    model: Transformer, *, dtype: str = "float64", metadata: Mapping[str, str] | None = None
) -> "onnx.ModelProto":
    """The model as a graph.

    Args:
        model: any transformer, built or trained; sparse weights become dense.
        dtype: float64 or float32, of weights and arithmetic alike.
        metadata: for `metadata_props`.

    Raises:
        ImportError: onnx is not installed (extra `export`).
        ValueError: another dtype, a weight that it would round, or more than 2 GiB of weights.
    """
    from onnx import TensorProto, checker, helper

    if dtype not in ONNX_DTYPES:
        raise ValueError(f"ONNX graphs are of {' or '.join(ONNX_DTYPES)}, not {dtype}")
    size = model.n_parameters * np.dtype(dtype).itemsize
    if size >= _LIMIT:
        raise ValueError(f"the dense weights would take {size / 2**30:.1f} GiB; an ONNX file holds 2 GiB")
    graph = Graph(model, dtype)
    number = TensorProto.DOUBLE if dtype == "float64" else TensorProto.FLOAT
    prompt = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "T"])
        for name in ("tokens", "positions")
    ]
    logits = helper.make_tensor_value_info("logits", number, ["batch", model.d_vocab_out])
    made = helper.make_model(
        helper.make_graph(graph.nodes, "transformer", prompt, [logits], graph.initializers),
        producer_name="georecall",
        producer_version=VERSION,
        ir_version=_IR,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    helper.set_model_props(made, dict(metadata or {}))
    checker.check_model(made, full_check=True)
    return made


def save_onnx(
    model: Transformer,
    path: str | PathLike[str],
    answers: NDArray[np.int64],
    *,
    queries: Sequence[Mapping[str, Any]],
    dtype: str = "float64",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the graph to `path` and the answers beside it; all as of `save_safetensors`.

    Raises:
        ImportError, ValueError: see `onnx_graph`.
        OSError: a file cannot be written.
    """
    described = description(model, answers, queries=queries, metadata=metadata)
    graph = onnx_graph(model, dtype=dtype, metadata=described)
    with answers_beside(path, answers) as beside, replacing(path) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))
    return beside


def read_onnx(path: str | PathLike[str]) -> Stored:
    """The weights of a graph that is the one that `onnx_graph` makes of them, to the last node.

    Raises:
        ImportError: onnx is not installed (extra `export`).
        ValueError: the file cannot be read, or is another graph.
    """
    import onnx

    data = whole_file(path, _LIMIT)
    try:
        found = onnx.load_model_from_string(data)
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in found.graph.initializer):
            raise ValueError("its weights lie in other files")
        values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in found.graph.initializer}
    except Exception as error:  # protobuf and onnx raise what they like
        raise ValueError(f"cannot read {path}: it is no ONNX file with its weights: {error}") from error
    metadata = {entry.key: entry.value for entry in found.metadata_props}
    file = stored_model(
        path, metadata, _heads_together({k: w for k, w in values.items() if _WEIGHT.match(k)})
    )
    dtype = str(file.model.W_E.dtype)
    if dtype not in ONNX_DTYPES or _bare(onnx_graph(file.model, dtype=dtype)) != _bare(found):
        raise ValueError(
            f"{path} is another graph than georecall exports of its weights, so that they do not say what it "
            "computes: give the weights as M.safetensors"
        )
    return file


def _bare(graph: "onnx.ModelProto") -> bytes:
    """A graph's bytes but for what it says about itself."""
    for field in ("metadata_props", "producer_name", "producer_version"):
        graph.ClearField(field)
    return bytes(graph.SerializeToString(deterministic=True))


def _heads_together(weights: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The tensors by name; the heads of a layer, `blocks.0.attn.W_Q.1`, are one tuple."""
    heads: dict[str, list[NDArray[Any]]] = {}
    others: dict[str, Any] = {}
    for name, weight in weights.items():
        of, _, number = name.rpartition(".")
        if not number.isdigit():
            others[name] = weight
        elif int(number) == len(heads.setdefault(of, [])):
            heads[of].append(weight)
    return others | {name: tuple(several) for name, several in heads.items()}
