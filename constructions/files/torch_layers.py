"""Layers by the names that torch.nn has for their tensors: `self_attn.in_proj_weight`, `linear1.weight`, ...

Weights are stored as `weight` (out, in), heads one after the other, and scores are q.k / sqrt(d_head): the
float nearest to that factor is the one that the Transformer has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from georecall.constructions.transformer.layers import Attention, Block, Norm
from georecall.constructions.transformer.trained import ACTIVATIONS, BiasedAttention, NormedBlock
from georecall.constructions.transformer.transformer import Transformer

_MEMORY = "multihead_attn"  # what a TransformerDecoderLayer calls its attention to a memory


@dataclass(frozen=True)
class Said:
    """What is known of a model beside its tensors; None where nobody says it."""

    n_heads: int | None = None
    activation: str | None = None
    norm: str | None = None
    norm_position: str | None = None
    eps: float | None = None
    attn_scale: float | None = None
    each_eps: Mapping[str, float] = field(default_factory=dict)  # of a module's norms, by name


def decoder(
    left: dict[str, Any], said: Said, kinds: Mapping[str, set[str]], positions: str | None
) -> Transformer:
    """The model of torch.nn's names; every tensor is taken from `left`."""
    heads = [name.removesuffix(".in_proj_weight") for name in left if name.endswith(".in_proj_weight")]
    heads = [at for at in heads if not at.endswith(_MEMORY)]
    blocks = tuple(block for at in heads for block in _layer(left, at, said, asked=bool(kinds)))
    tables = [name for name, w in left.items() if w.ndim >= 2]
    positions = positions or next((n for n in tables if _is_position(n, kinds, tables)), None)
    W_pos = None if positions is None else left.pop(positions)
    tables = [name for name in tables if name != positions]
    if len(tables) != 2:
        raise ValueError(
            "want one embedding and one Linear to logits beside the layers (and perhaps positions=), got "
            f"{', '.join(tables) or 'none'}"
        )
    W_E, head = left.pop(tables[0]), tables[1].removesuffix(".weight")
    W_U, b_U = _linear(left, head)
    last = [name.removesuffix(".weight") for name in left if name.endswith(".weight")]
    ln_final = _norm(left, last[0], said) if last else None
    if left:
        raise ValueError(f"{', '.join(left)}: not understood in a plain decoder")
    d = W_E.shape[1]
    scale = said.attn_scale if said.attn_scale is not None else _scale(blocks)
    return Transformer(
        W_E,
        None if W_pos is None else W_pos.reshape(-1, d),
        blocks,
        W_U,
        b_U,
        attn_scale=scale,
        ln_final=ln_final,
    )


def _is_position(name: str, kinds: Mapping[str, set[str]], tables: Sequence[str]) -> bool:
    """A table of positions: by its name, a bare parameter, or the second of two embeddings."""
    embeddings = [table for table in tables if "Embedding" in kinds.get(table.removesuffix(".weight"), set())]
    return "pos" in name.lower() or name in embeddings[1:] or not name.endswith("weight")


def _scale(blocks: Sequence[Block]) -> float:
    widths = {block.attention.W_Q[0].shape[1] for block in blocks if block.attention is not None}
    if len(widths) > 1:
        raise ValueError(f"layers have heads of widths {sorted(widths)}: one factor does not fit all")
    return 1 / sqrt(widths.pop()) if widths else 1.0


def _layer(left: dict[str, Any], at: str, said: Said, *, asked: bool) -> tuple[Block, ...]:
    """The layer around an attention, of whatever names: its Linears and norms in their order.

    A decoder layer also attends to a memory. One of zeros has the same value everywhere, so that all it does
    is to add a constant; a module with another memory gives other logits when it is asked.
    """
    if "." not in at:
        raise ValueError(f"{at} must be part of a layer of its own, with its Linears and norms")
    within = f"{at.rpartition('.')[0]}."
    attention = _attention(left, at, said)
    constant = None
    if f"{within}{_MEMORY}.in_proj_weight" in left:
        if not asked:
            raise ValueError(
                f"a state dict does not say what memory {within}{_MEMORY} reads: give the module"
            )
        constant = _of_no_memory(_attention(left, within + _MEMORY, said))
    named = [n.removesuffix(".weight") for n in left if n.startswith(within) and n.endswith(".weight")]
    linears, norms = ([n for n in named if left[f"{n}.weight"].ndim == axes] for axes in (2, 1))
    if len(linears) not in (0, 2) or len(norms) > (2 if constant is None else 3):
        raise ValueError(f"{within[:-1]} must have two Linears and at most two norms, got {linears + norms}")
    if linears and said.activation is None:
        raise ValueError("a state dict does not say its activation: give activation=")
    if norms and said.norm_position is None:
        raise ValueError("a state dict does not say where its norms are: give norm_position=")
    post, kind = said.norm_position == "post", ACTIVATIONS[said.activation or "relu"]
    mlp = kind(*(w for name in linears for w in _linear(left, name))) if linears else None
    normed: list[Norm | None] = [_norm(left, name, said) for name in norms]
    ln1, *others = normed or [None]
    ln2 = others[-1] if others else None
    if constant is None:
        return (NormedBlock(attention, mlp, ln1, ln2, post) if norms else Block(attention, mlp),)
    d = len(constant)
    adds = kind(np.zeros((d, 0)), np.zeros(0), np.zeros((0, d)), constant)
    return (
        NormedBlock(attention, None, ln1, None, post),
        NormedBlock(None, adds, None, others[0] if others else None, post),
        NormedBlock(None, mlp, None, ln2, post),
    )


def _of_no_memory(attention: Attention) -> Any:
    """What attention adds whose every value is its bias: shape (d_model,)."""
    if not isinstance(attention, BiasedAttention):
        return np.zeros(attention.W_O[0].shape[-1])
    heads = zip(attention.b_V, attention.W_O, strict=True)
    return np.asarray(sum(b_V @ W_O for b_V, W_O in heads) + attention.b_O)


def _attention(left: dict[str, Any], at: str, said: Said) -> Attention:
    if said.n_heads is None:
        raise ValueError("a state dict does not say how many heads it has: give n_heads=")
    inward, outward = left.pop(f"{at}.in_proj_weight"), left.pop(f"{at}.out_proj.weight")
    d, H = outward.shape[0], said.n_heads
    if d % H or inward.shape != (3 * d, d):
        raise ValueError(f"{at}.in_proj_weight has shape {inward.shape}, which is not that of {H} heads")
    W_Q, W_K, W_V = inward.reshape(3, H, d // H, d).swapaxes(2, 3)  # heads one after the other
    W_O = outward.T.reshape(H, d // H, d)
    b_in, b_O = left.pop(f"{at}.in_proj_bias", None), left.pop(f"{at}.out_proj.bias", None)
    if b_in is None and b_O is None:
        return Attention(W_Q, W_K, W_V, W_O)
    biases: Any = np.zeros(3 * d) if b_in is None else b_in
    b_Q, b_K, b_V = biases.reshape(3, H, d // H)
    return BiasedAttention(W_Q, W_K, W_V, W_O, b_Q, b_K, b_V, np.zeros(d) if b_O is None else b_O)


def _linear(left: dict[str, Any], name: str) -> tuple[Any, Any]:
    W = left.pop(name if name in left else f"{name}.weight").T
    return W, left.pop(f"{name}.bias", np.zeros(W.shape[-1]))


def _norm(left: dict[str, Any], name: str, said: Said) -> Norm:
    w, b = left.pop(f"{name}.weight"), left.pop(f"{name}.bias", None)
    kind = said.norm or ("LN" if b is not None else None)
    if kind is None:
        raise ValueError(f"a state dict does not say what norm {name} is: give norm=")
    eps = said.each_eps.get(name, 1e-5 if said.eps is None else said.eps)
    return Norm(w, np.zeros(len(w)) if b is None else b, eps, kind == "LN")
