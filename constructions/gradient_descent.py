"""C9: weights that gradient descent finds, in the same transformer as every construction.

Training computes x = e_s + e_r (or lets a head read `[s, r]`) and, without a residual, reads the MLP's output
alone. The transformer that results says so exactly. Uniform attention with W_V W_O = 2 I gives
e_s + 2 W_E[r], so W_E[r] = e_r / 2. A stream always keeps what it holds, so a readout that leaves x out
needs coordinates of its own: without a residual d_model is 2 d, embeddings lie in the first half, the MLP
writes to the second and W_U reads there, as in C1 with a separate readout. float32 weights are stored as
the same numbers in float64.
"""

from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from georecall.constructions.training.loop import train
from georecall.constructions.training.model import NORM_EPS, Floats32, as_used, initial
from georecall.constructions.training.recipe import Recipe, recipe_for
from georecall.constructions.transformer.layers import Attention, Block, Norm
from georecall.constructions.transformer.parts import uniform_attention
from georecall.constructions.transformer.trained import ACTIVATIONS, NormedBlock
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress, watched


@watched("training")
def gradient_descent(
    facts: FactTable,
    *,
    seed: int = 0,
    checkpoint: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Transformer:
    """C9: one layer, trained on all facts of a table; nothing is promised of it.

    Args:
        facts: any table of functions, R relations over N subjects.
        seed: of all random draws.
        checkpoint: see `constructions.training.loop.train`.
        progress: called with the number of steps done and of all steps.
        settings: fields of `Recipe` that differ from `recipe_for(facts)`; where the dimension does, the width
            is four times it.

    Raises:
        MissingExtraError: JAX or optax is not installed (extra `learn`).
        CheckpointError: the checkpoint is of another run, or cannot be used.
        ValueError: a setting out of range.

    Source: theory/pages/c9.md, C9; arXiv 2605.12426 (abstract).
    """
    if "dimension" in settings:
        settings = {"width": 4 * settings["dimension"]} | settings
    recipe = replace(recipe_for(facts, seed), **settings)
    return trained(facts, recipe, checkpoint=checkpoint, progress=progress)


def trained(
    facts: FactTable,
    recipe: Recipe,
    *,
    checkpoint: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Transformer:
    """The transformer that a recipe leads to; arguments and errors as `gradient_descent`."""
    found = train(facts, recipe, checkpoint=checkpoint, progress=progress)
    return as_transformer(found.parameters, recipe)


def untrained(facts: FactTable, recipe: Recipe) -> Transformer:
    """The transformer before the first step."""
    return as_transformer(initial(facts, recipe), recipe)


def as_transformer(parameters: dict[str, Floats32], recipe: Recipe) -> Transformer:
    """The same computation as `constructions.training.model.logits`, as a transformer in float64.

    Raises:
        ValueError: the recipe is of several hops, whose prompts are longer.
    """
    if recipe.hops > 1:
        raise ValueError("strings of several hops have no prompt [s, r]")
    used = dict(parameters)
    for name in ("attributes", "subjects"):
        used[name] = as_used(np.asarray(used[name], dtype=np.float32), getattr(recipe, name))
    p = {name: np.asarray(value, dtype=np.float64) for name, value in used.items()}
    apart = 0 if recipe.residual or recipe.mlp == "none" else recipe.dimension
    d_model = recipe.dimension + apart
    u = p["attributes"]
    relations, attention = p["relations"] / 2, uniform_attention(d_model, 2.0)
    if recipe.attention == "trained":
        relations = p["relations"]
        heads = ([np.pad(p[name], (0, apart))] for name in ("W_Q", "W_K", "W_V", "W_O"))
        attention = Attention(*heads)
    mlp = None
    if recipe.mlp != "none":
        mlp = ACTIVATIONS[recipe.activation](
            W_in=np.pad(p["W_in"], ((0, apart), (0, 0))),
            b_in=p["b_in"],
            W_out=np.pad(p["W_out"], ((0, 0), (apart, 0))),
            b_out=np.pad(p["b_out"], (apart, 0)),
        )
    norm = Norm(np.ones(d_model), np.zeros(d_model), eps=NORM_EPS) if recipe.norm else None
    block = NormedBlock(attention, mlp, ln1=norm, ln2=norm) if norm else Block(attention, mlp)
    return Transformer(
        W_E=np.pad(np.concatenate([p["subjects"], relations]), ((0, 0), (0, apart))),
        W_pos=np.zeros((2, d_model)),
        blocks=(block,),
        W_U=np.pad(u.T, ((apart, 0), (0, 0))),
        b_U=np.zeros(len(u)),
        ln_final=norm,
    )


BUILDS = {"gradient-descent": gradient_descent}
