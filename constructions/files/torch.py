"""PyTorch models as a `Transformer`: plain decoders of torch.nn, and TransformerLens' names.

A state dict says what the weights are, not what is done with them. Of a module the rest is read off its
layers, and what they do not say is found by asking it: some prompts must get the module's own logits, or it
is refused. Every tensor is used, or refused by name. Torch is whatever the caller has imported.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.files.torch_layers import Said, decoder
from georecall.constructions.files.transformer_lens import transformer_lens
from georecall.constructions.transformer.trained import ACTIVATIONS
from georecall.constructions.transformer.transformer import Transformer

Tensor = NDArray[Any]
_PROMPTS, _LONGEST, _SEED = 16, 4, 0  # how many prompts of how many tokens a module is asked
_TOLERANCES = {"double": 1e-8, "float": 1e-3}  # of its logits, relative to the largest


def from_torch(
    source: Any,
    *,
    subjects: Sequence[int] | None = None,
    relations: Sequence[int] | None = None,
    outputs: Sequence[int] | None = None,
    bos: int | None = None,
    positions: str | None = None,
    n_heads: int | None = None,
    activation: str | None = None,
    norm: str | None = None,
    norm_position: str | None = None,
    eps: float | None = None,
    attn_scale: float | None = None,
    ask: bool = True,
) -> Transformer:
    """The model of a torch module or of a state dict, as weights that can be judged.

    Args:
        source: a module that maps tokens, shape (batch, T), to logits, shape (batch, T, vocabulary) or those
            of the last position: embeddings, layers (TransformerEncoderLayer, TransformerDecoderLayer without
            a memory, or a block with a MultiheadAttention and two Linears), perhaps a last norm, a Linear. Or
            its state dict, or one in TransformerLens' names.
        subjects: the tokens of the subjects, in order; default: the vocabulary as it is, subjects first.
        relations: the tokens of the relations.
        outputs: the logits that are the attributes, in order; all others follow as outputs that are never
            right. Default: the logits as they are.
        bos: the token that stands before every prompt.
        positions: the name of the table of positions, where neither it nor a module shows which it is.
        n_heads: of a state dict of torch.nn, which does not say it.
        activation: "relu", "gelu" or "gelu_new" (by a tanh), where the layers do not say it.
        norm: "LN" or "RMS" (in TransformerLens' names also "LNPre", "RMSPre"), likewise.
        norm_position: "pre", or "post": of the sum, likewise.
        eps: of the norms, likewise; default 1e-5.
        attn_scale: the factor on q.k; default 1 / sqrt(d_head).
        ask: whether a module's own logits are compared with; without, what it does not say must be given.

    Raises:
        ValueError: a tensor is not understood, something is not said, or the module computes something else.

    Example:
        >>> W = np.eye(2)
        >>> names = {"embed.W_E": W[[0, 1, 1]], "unembed.W_U": W, "unembed.b_U": np.zeros(2)}
        >>> from_torch(names).logits(np.array([[0, 2]])).tolist()
        [[0.0, 1.0]]
    """
    given = Said(n_heads, activation, norm, norm_position, eps, attn_scale)
    weights = {name: _array(tensor) for name, tensor in _state(source).items()}
    if "embed.W_E" in weights:
        model = transformer_lens(weights, given, getattr(source, "cfg", None))
        if ask and callable(source) and not _agrees(source, model):
            raise ValueError("the module computes something else than its names say: its logits are others")
        return _vocabulary(model, subjects, relations, outputs, bos)
    callable_ = ask and callable(source)
    for said in _readings(_told(source, given), callable_):
        model = decoder(dict(weights), said, _kinds(source), positions)
        if not callable_ or _agrees(source, model):
            return _vocabulary(model, subjects, relations, outputs, bos)
    raise ValueError("the module computes something else than its layers say: its logits are others")


def _state(source: Any) -> Mapping[str, Any]:
    found = source.state_dict() if hasattr(source, "state_dict") else source
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"want a torch module or a state dict with tensors, got {type(source).__name__}")
    return found


def _array(tensor: Any) -> Tensor:
    """A tensor of any real dtype, on any device, with or without grad, in float64, which holds it."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if tensor.is_complex() or tensor.is_quantized:
            raise ValueError(f"weights must be real numbers, not {tensor.dtype}")
        tensor = tensor.double().numpy()
    return np.array(tensor, dtype=np.float64)


def _kinds(source: Any) -> dict[str, set[str]]:
    """Of each part of a module its name and what it is called in torch."""
    parts = source.named_modules() if hasattr(source, "named_modules") else ()
    return {name: {kind.__name__ for kind in type(part).__mro__} for name, part in parts}


def _told(source: Any, given: Said) -> Said:
    """What a module's layers say, and what is given besides.

    Raises:
        ValueError: they say different things, or not what is given.
    """
    told: dict[str, set[Any]] = {name: set() for name in ("n_heads", "activation", "norm", "norm_position")}
    each_eps = {}
    for name, part in source.named_modules() if hasattr(source, "named_modules") else ():
        kind = _kinds(source)[name]
        if "MultiheadAttention" in kind:
            told["n_heads"].add(part.num_heads)
        if {"TransformerEncoderLayer", "TransformerDecoderLayer"} & kind:
            told["norm_position"].add("pre" if part.norm_first else "post")
            told["activation"].add(_activation(part.activation))
        if {"ReLU", "GELU"} & kind:
            told["activation"].add(_activation(part))
        if {"LayerNorm", "RMSNorm"} & kind:
            told["norm"].add("RMS" if "RMSNorm" in kind else "LN")
            own = part.eps if part.eps is not None else np.finfo(str(part.weight.dtype).split(".")[-1]).eps
            each_eps[name] = float(own)
    for what, said in told.items():
        if (value := getattr(given, what)) is not None:
            said.add(value)
        if len(said) > 1:
            raise ValueError(f"{what} is said to be {' and '.join(map(str, sorted(said)))}")
    return replace(given, each_eps=each_eps, **{what: min(said) for what, said in told.items() if said})


def _activation(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__).lower()
    if name == "gelu":
        return "gelu_new" if getattr(function, "approximate", "none") == "tanh" else "gelu"
    if name != "relu":
        raise ValueError(f"the activation {name} is none of {', '.join(ACTIVATIONS)}")
    return name


def _readings(said: Said, asked: bool) -> Iterator[Said]:
    """What a model may mean where it does not say it; asked of the module itself, else nothing is guessed."""
    if not asked:
        yield said
        return
    activations = ACTIVATIONS if said.activation is None else [said.activation]
    places = ("pre", "post") if said.norm_position is None else [said.norm_position]
    for activation, place in product(activations, places):
        yield replace(said, activation=activation, norm_position=place)


def _vocabulary(
    model: Transformer,
    subjects: Sequence[int] | None,
    relations: Sequence[int] | None,
    outputs: Sequence[int] | None,
    bos: int | None,
) -> Transformer:
    """The model with its tokens, and its logits, in the order asked for.

    Raises:
        ValueError: there is no such token or logit, or one stands twice.
    """
    if (subjects is None) != (relations is None):
        raise ValueError("subjects and relations are given together")
    rest = [token for token in range(model.d_vocab) if token != bos]
    tokens = rest if subjects is None or relations is None else [*subjects, *relations]
    tokens = [*tokens, *([] if bos is None else [bos])]
    columns = list(range(model.d_vocab_out)) if outputs is None else list(outputs)
    for what, chosen, size in (("token", tokens, model.d_vocab), ("logit", columns, model.d_vocab_out)):
        if wrong := [n for n in chosen if not 0 <= n < size or chosen.count(n) > 1]:
            raise ValueError(f"{what} {wrong[0]} is asked for, of {size}, each at most once")
    columns += [column for column in range(model.d_vocab_out) if column not in {*columns}]
    return replace(
        model,
        W_E=model.W_E[tokens],
        W_U=model.W_U[:, columns],
        b_U=model.b_U[columns],
        bos=None if bos is None else len(tokens) - 1,
    )


def _agrees(module: Any, model: Transformer) -> bool:
    """Whether a module's logits of some prompts are the model's, up to rounding.

    A copy of it is asked, in double precision or, where its forward pass makes single numbers, in that.

    Raises:
        ValueError: it cannot be asked, or gives what are no logits.
    """
    why: Exception | None = None
    for dtype, tolerance in _TOLERANCES.items():
        asked = getattr(deepcopy(module), dtype)().cpu().eval()
        try:
            return _same(asked, model, tolerance)
        except ValueError:
            raise
        except Exception as error:  # whatever a module raises
            why = error
    raise ValueError(f"the module cannot be asked for logits of tokens ({why}): or give ask=False") from why


def _same(module: Any, model: Transformer, tolerance: float) -> bool:
    torch, rng = sys.modules["torch"], np.random.default_rng(_SEED)
    for length in range(1, min(_LONGEST, model.n_ctx) + 1):
        tokens = rng.integers(model.d_vocab, size=(_PROMPTS, length))
        with torch.no_grad():
            found = _array(module(torch.from_numpy(tokens)))
        found = found[:, -1] if found.ndim == 3 else found
        own = model.logits(tokens)
        if found.shape != own.shape:
            raise ValueError(f"the module gives logits of shape {found.shape}, its layers {own.shape}")
        if not np.abs(found - own).max() <= tolerance * max(1.0, float(np.abs(own).max())):
            return False
    return True
