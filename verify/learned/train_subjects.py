"""Training only the subjects' embeddings of a frozen one-layer transformer, in JAX."""

from typing import Any

import numpy as np

from georecall.constructions.training.loop import libraries
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.learned.vectors import Parts

RATE = 0.05  # of Adam, in units of the embeddings' root mean square; a cosine takes it to 0


def train_subjects(parts: Parts, facts: FactTable, *, steps: int, seed: int = 0) -> Floats:
    """Embeddings, shape (N, d), trained on all facts from Gaussian ones of the old mean and size.

    Raises:
        MissingExtraError: JAX or optax is not installed.
    """
    jax, optax = libraries()
    jnp = jax.numpy
    N = facts.n_subjects
    size = float(parts.subjects.std())
    rng = generator(seed, "train subjects", N, facts.n_relations, parts.subjects.shape[1])
    start = parts.subjects.mean(axis=0) + size * rng.standard_normal((N, parts.subjects.shape[1]))
    frozen = {k: np.asarray(w, dtype=np.float32) for k, w in parts.model.weights().items()}
    shared, relations = frozen.pop("W_E")[0] + frozen["W_pos"][0], parts.model.W_E[-facts.n_relations :]
    shared[parts.coordinates] = frozen["W_pos"][0, parts.coordinates]
    frozen |= {"shared": shared, "relations": np.asarray(relations, np.float32) + frozen["W_pos"][1]}
    heads = [] if parts.model.blocks[0].attention is None else range(len(parts.model.blocks[0].attention.W_Q))
    hard, scale = parts.model.attention == "hard", parts.model.attn_scale

    def loss(e: Any, w: Any, answers: Any) -> Any:
        x_s = jnp.tile(w["shared"], (len(e), 1)).at[:, parts.coordinates].add(e)[None]
        x_r = w["relations"][:, None]
        x = x_r
        for h in heads:
            W_Q, W_K, W_V, W_O = (w[f"blocks.0.attn.{name}.{h}"] for name in ("W_Q", "W_K", "W_V", "W_O"))
            scores = [scale * ((x_r @ W_Q) * (token @ W_K)).sum(-1, keepdims=True) for token in (x_s, x_r)]
            lead = scores[0] - scores[1]
            weight = (jnp.sign(lead) + 1) / 2 if hard else jax.nn.sigmoid(lead)
            x = x + (weight * x_s + (1 - weight) * x_r) @ W_V @ W_O
        h = jax.nn.relu(x @ w["blocks.0.mlp.W_in"] + w["blocks.0.mlp.b_in"])
        y = x + h @ w["blocks.0.mlp.W_out"] + w["blocks.0.mlp.b_out"]
        z = jax.nn.log_softmax(y @ w["W_U"] + w["b_U"])
        return -jnp.take_along_axis(z, answers[..., None], -1).mean()

    optimiser = optax.adam(optax.cosine_decay_schedule(RATE * size, steps))

    def run(e: Any, w: Any, answers: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            e, moments = state
            change, moments = optimiser.update(jax.grad(loss)(e, w, answers), moments)
            return (optax.apply_updates(e, change), moments), None

        return jax.lax.scan(step, (e, optimiser.init(e)), None, length=steps)[0][0]

    answers = np.asarray(facts.answers, dtype=np.int32)
    return np.asarray(jax.jit(run)(np.asarray(start, np.float32), frozen, answers), dtype=np.float64)
