"""TransformerLens' names: `embed.W_E`, `blocks.0.attn.W_Q`, `unembed.W_U`; ours but for the outer ones."""

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from georecall.constructions.files.loading import stored_model
from georecall.constructions.files.torch_layers import Said
from georecall.constructions.transformer.transformer import Transformer


def transformer_lens(weights: dict[str, Any], given: Said, cfg: Any) -> Transformer:
    """The model of TransformerLens' names; of a module, its `cfg` says the rest."""
    if cfg is not None:
        given = _configured(given, cfg)
    outer = {"embed.W_E": "W_E", "pos_embed.W_pos": "W_pos", "unembed.W_U": "W_U", "unembed.b_U": "b_U"}
    named = {outer.get(name, name): w for name, w in weights.items()}
    for name in [name for name in named if name.endswith((".attn.mask", ".attn.IGNORE"))]:
        mask = named.pop(name)
        if mask.ndim == 2 and not np.array_equal(mask, np.tri(len(mask))):
            raise ValueError(f"{name} is not causal")
    heads = [w.shape[-1] for name, w in named.items() if name.endswith("attn.W_Q")]
    scale = given.attn_scale if given.attn_scale is not None else 1 / sqrt(heads[0]) if heads else 1.0
    said = {"norm": given.norm, "activation": given.activation, "attn_scale": scale}
    if given.norm is not None:
        said |= {
            "eps": 1e-5 if given.eps is None else given.eps,
            "norm_position": given.norm_position or "pre",
        }
    if given.activation is None and any(".mlp." in name for name in named):
        raise ValueError("a state dict does not say its activation: give activation=")
    about = {name: f'"{v}"' if isinstance(v, str) else repr(v) for name, v in said.items() if v is not None}
    return stored_model("the state dict", about, named).model


def _configured(given: Said, cfg: Any) -> Said:
    """What a configuration of TransformerLens says.

    Raises:
        ValueError: it asks for something that a `Transformer` does not have.
    """
    wants = {
        "positional_embedding_type": "standard",
        "attention_dir": "causal",
        "use_local_attn": False,
        "parallel_attn_mlp": False,
        "gated_mlp": False,
        "scale_attn_by_inverse_layer_idx": False,
        "use_qk_norm": False,
    }
    for name, want in wants.items():
        if getattr(cfg, name, want) != want:
            raise ValueError(f"cfg.{name} is {getattr(cfg, name)!r}, want {want!r}")
    for name in ("attn_scores_soft_cap", "output_logits_soft_cap"):
        if getattr(cfg, name, -1.0) > 0:
            raise ValueError(f"cfg.{name} is {getattr(cfg, name)}, want none")
    if given.attn_scale is None:  # theirs divides
        divisor = float(cfg.attn_scale) if getattr(cfg, "use_attn_scale", True) else 1.0
        given = replace(given, attn_scale=1 / divisor)
    return replace(
        given,
        activation=given.activation or (None if cfg.attn_only else cfg.act_fn),
        norm=given.norm or cfg.normalization_type,
        eps=cfg.eps if given.eps is None else given.eps,
    )
