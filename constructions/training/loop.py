"""The training loop of C9, in JAX: one compiled chunk of steps, run again until all are done.

Cross-entropy of `model.logits`, AdamW, all in float32. What a chunk does depends on its state alone, so a
run that resumes from a checkpoint gives the same bytes as one that was never stopped, on the same machine
with the same versions. JAX and optax are imported when a run begins (extra `learn`).
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.training.model import MLP_WEIGHTS, Floats32, Parameters, as_used, initial, logits
from georecall.constructions.training.recipe import Recipe
from georecall.constructions.training.state import restored, save_state
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.errors import MissingExtraError
from georecall.theory.tools.jax_as_shipped import as_shipped, started
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator

TrainingState = dict[str, Any]  # step, key, learned parameters, optimiser
Chunk = Callable[[TrainingState, Parameters, NDArray[np.int32]], tuple[TrainingState, Any]]

CHUNK = 250  # steps between two looks at progress and checkpoint
_UNDECAYED = ("b_in", "b_out")


@dataclass(frozen=True)
class Trained:
    """What a run ends with."""

    parameters: dict[str, Floats32]  # name -> float32 array
    losses: tuple[float, ...]  # mean cross-entropy in nats of every chunk


def libraries() -> tuple[Any, Any]:
    """JAX and optax.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import optax  # which imports JAX
    except ImportError as error:
        raise MissingExtraError(
            f"training needs {error.name or 'optax'}, which is not installed: pip install 'georecall[learn]'"
        ) from error
    return started(), optax


@as_shipped()
def train(
    facts: FactTable,
    recipe: Recipe,
    *,
    asked: NDArray[np.bool_] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Trains a model, or goes on where a checkpoint of the same run stands.

    Asked, shape (R, N), are the facts that are trained on, by default all. A checkpoint holds the state after
    every chunk, and is made or continued; progress is told the steps done and of all.

    Raises:
        MissingExtraError: JAX or optax is not installed.
        CheckpointError: the file is of another run, or cannot be read or written.
    """
    jax, _ = libraries()
    learned = initial(facts, recipe)
    frozen = [name for name in ("attributes", "subjects") if getattr(recipe, name) == "frozen"]
    frozen += MLP_WEIGHTS if recipe.mlp == "frozen" else ()
    kept = {name: learned.pop(name) for name in frozen}
    key = jax.random.key(_key(facts, recipe), impl="unsafe_rbg")
    state: TrainingState = {
        "step": np.int32(0),
        "key": jax.random.key_data(key),
        "learned": learned,
        "optimiser": _optimiser(recipe).init(learned),
    }
    losses: list[float] = []
    about = {**recipe.described(), "facts": facts.digest, "jax": jax.__version__}
    if asked is not None:
        about["asked"] = hashlib.sha256(np.packbits(asked).tobytes()).hexdigest()
    if checkpoint is not None and Path(checkpoint).exists():
        leaves, tree = jax.tree.flatten(state)
        leaves, losses = restored(Path(checkpoint), about, len(leaves))
        state = jax.tree.unflatten(tree, leaves)
    chunk = _chunk(replace(recipe, seed=0), asked is not None)
    answers = np.asarray(facts.answers if asked is None else np.where(asked, facts.answers, -1), np.int32)
    while (done := int(state["step"])) < recipe.steps:
        if progress is not None:
            progress(done, recipe.steps)
        state, loss = chunk(state, kept, answers)
        losses.append(float(loss))
        if checkpoint is not None:
            save_state(Path(checkpoint), about, jax.tree.leaves(state), losses)
    if progress is not None:
        progress(recipe.steps, recipe.steps)
    final = {name: np.asarray(value) for name, value in (kept | state["learned"]).items()}
    return Trained(dict(sorted(final.items())), tuple(losses))


def _key(facts: FactTable, recipe: Recipe) -> int:
    """The seed of batches and noise."""
    rng = generator(recipe.seed, "gradient-descent noise", facts.digest, recipe.dimension, recipe.width)
    return int(rng.integers(2**31))


def _optimiser(recipe: Recipe) -> Any:
    """AdamW; its decay spares biases, and attributes whose length the sphere fixes."""
    _, optax = libraries()
    rate = optax.warmup_cosine_decay_schedule(
        init_value=recipe.learning_rate / 100,
        peak_value=recipe.learning_rate,
        warmup_steps=min(100, recipe.steps // 2),
        decay_steps=recipe.steps,
        end_value=recipe.learning_rate / 100,
    )
    spared = _UNDECAYED if recipe.attributes == "learned" else (*_UNDECAYED, "attributes")

    def decayed(parameters: Parameters) -> dict[str, bool]:
        return {name: name not in spared for name in parameters}

    return optax.adamw(rate, weight_decay=recipe.weight_decay, mask=decayed)


@cache
def _chunk(recipe: Recipe, some: bool) -> Chunk:
    """CHUNK steps, compiled; steps beyond the last one change nothing. The seed is not looked at.

    Where `some` is asked, answers of -1 are left out.
    """
    jax, optax = libraries()
    jnp = jax.numpy
    optimiser = _optimiser(recipe)

    def loss(learned: Parameters, kept: Parameters, rows: Any, wanted: Any, noise: Any) -> Any:
        everything = learned | kept
        e = everything["subjects"] if rows is None else everything["subjects"][rows]
        e = as_used(e, recipe.subjects)
        if recipe.noise:
            size = jnp.sqrt((jax.lax.stop_gradient(e) ** 2).mean())
            e = e + recipe.noise * size * noise
        z = jax.nn.log_softmax(logits(everything, e, recipe))
        if some:
            lost = -jnp.take_along_axis(z, jnp.maximum(wanted, 0)[..., None], -1)[..., 0]
            return jnp.where(wanted >= 0, lost, 0.0).sum() / jnp.maximum((wanted >= 0).sum(), 1)
        return -jnp.take_along_axis(z, wanted[..., None], -1).mean()

    def update(state: TrainingState, kept: Parameters, answers: Any) -> tuple[TrainingState, Any]:
        learned, moments = state["learned"], state["optimiser"]
        N, d = answers.shape[1], recipe.dimension
        key, *keys = jax.random.split(jax.random.wrap_key_data(state["key"], impl="unsafe_rbg"), 3)
        rows = jax.random.randint(keys[0], (recipe.batch,), 0, N) if recipe.batch else None
        wanted = answers if rows is None else answers[:, rows]
        noise = jax.random.normal(keys[1], (wanted.shape[1], d)) if recipe.noise else None
        value, gradient = jax.value_and_grad(loss)(learned, kept, rows, wanted, noise)
        change, moments = optimiser.update(gradient, moments, learned)
        return {
            "step": state["step"] + 1,
            "key": jax.random.key_data(key),
            "learned": optax.apply_updates(learned, change),
            "optimiser": moments,
        }, value

    def chunk(state: TrainingState, kept: Parameters, answers: Any) -> tuple[TrainingState, Any]:
        def one(state: TrainingState, _: None) -> tuple[TrainingState, Any]:
            def rest(state: TrainingState) -> tuple[TrainingState, Any]:
                return state, jnp.float32(jnp.nan)

            going = state["step"] < recipe.steps
            after: tuple[TrainingState, Any] = jax.lax.cond(
                going, lambda state: update(state, kept, answers), rest, state
            )
            return after

        state, values = jax.lax.scan(one, state, None, length=CHUNK)
        return state, jnp.nanmean(values)

    compiled: Chunk = jax.jit(chunk)
    return compiled
