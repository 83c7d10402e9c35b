"""The model that is trained: its first parameters and its forward pass, in NumPy's terms or JAX's.

x = e_s + e_r (or what a trained head makes of [s, r]), y = ReLU(x W_in + b_in) W_out + b_out (+ x), logits
y against the attribute vectors.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.training.recipe import Kind, Recipe
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.randomness import generator

Parameters = dict[str, Any]  # name -> float32 array, NumPy's or JAX's
Floats32 = NDArray[np.float32]

NORM_EPS = 1e-5
MLP_WEIGHTS = ("W_in", "b_in", "W_out", "b_out")


def initial(facts: FactTable, recipe: Recipe) -> dict[str, Floats32]:
    """The parameters before the first step: embeddings N(0, 1), weights that keep variances."""
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    d, w = recipe.dimension, recipe.width
    letters = round(R ** (1 / recipe.hops))
    if letters**recipe.hops != R:
        raise ValueError(f"{R} rows of facts are not all strings of {recipe.hops} relations")
    rng = generator(recipe.seed, "gradient-descent", N, R, A, d, w)

    def normal(*shape: int, variance: float = 1.0) -> Floats32:
        return np.asarray(rng.standard_normal(shape) * np.sqrt(variance), dtype=np.float32)

    drawn = {
        "subjects": normal(N, d, variance=recipe.initial**2),
        "relations": normal(recipe.hops * letters, d),
        "attributes": normal(A, d),
        "W_in": normal(d, w, variance=2 / d),
        "b_in": np.zeros(w, np.float32),
        "W_out": normal(w, d, variance=1 / w),
        "b_out": np.zeros(d, np.float32),
    }
    if recipe.mlp == "none":
        drawn = {name: weight for name, weight in drawn.items() if name not in MLP_WEIGHTS}
    if recipe.attention == "trained":
        drawn |= {name: normal(d, d, variance=1 / d) for name in ("W_Q", "W_K", "W_V", "W_O")}
    if recipe.norm:  # scores and logits of unit size, as a language model starts
        drawn["W_Q"] /= np.float32(d**0.5)
        drawn["attributes"] /= np.float32(d**0.5)
    for name in ("attributes", "subjects"):
        if getattr(recipe, name) == "frozen":
            drawn[name] = on_sphere(drawn[name])
    return drawn


def on_sphere(vectors: Any) -> Any:
    """The vectors, shape (k, d), at length sqrt(d)."""
    lengths = (vectors**2).sum(-1, keepdims=True) ** 0.5
    return vectors * (vectors.shape[-1] ** 0.5) / lengths


def as_used(vectors: Any, kind: Kind) -> Any:
    """The vectors as they are used: on the sphere, if that is their kind."""
    return on_sphere(vectors) if kind == "sphere" else vectors


def strings(relations: Any, hops: int) -> Any:
    """The embedding of every string, the sum of its letters': shape (R^hops, d), from (hops R, d)."""
    letters = relations.reshape(hops, -1, relations.shape[-1])
    total = letters[0]
    for letter in letters[1:]:
        total = (total[:, None] + letter[None]).reshape(-1, relations.shape[-1])
    return total


def logits(parameters: Parameters, subjects: Any, recipe: Recipe) -> Any:
    """The logits of all relations of some subjects.

    Their embeddings as they are used have shape (B, d); logits (R, B, |A|).
    """
    import jax

    p, read = parameters, _normalised if recipe.norm else lambda x: x
    e_s, e_r = subjects[None], strings(p["relations"], recipe.hops)[:, None]
    x = e_s + e_r
    if recipe.attention == "trained":  # the last position attends to both, q.k unscaled as in the Transformer
        s, r = read(e_s), read(e_r)
        scores = [((r @ p["W_Q"]) * (e @ p["W_K"])).sum(-1, keepdims=True) for e in (s, r)]
        weight = jax.nn.sigmoid(scores[0] - scores[1])
        x = e_r + (weight * s + (1 - weight) * r) @ p["W_V"] @ p["W_O"]
    attributes = as_used(p["attributes"], recipe.attributes).T
    if recipe.mlp == "none":
        return read(x) @ attributes
    z = read(x) @ p["W_in"] + p["b_in"]
    h = jax.nn.relu(z) if recipe.activation == "relu" else jax.nn.gelu(z, approximate=False)
    y = h @ p["W_out"] + p["b_out"]
    return read(y + x if recipe.residual else y) @ attributes


def _normalised(x: Any) -> Any:
    """LayerNorm without a gain, as `constructions.transformer` has it."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / ((centred**2).mean(-1, keepdims=True) + NORM_EPS) ** 0.5
