"""The training loop of C9, in JAX: one compiled chunk of steps, run again until all are done.

x = e_s + e_r (or what a trained head makes of [s, r]), y = ReLU(x W_in + b_in) W_out + b_out (+ x), logits
y against the attribute vectors, cross-entropy, AdamW, all in float32. What a chunk does depends on its
state alone, so a run that resumes from a checkpoint gives the same bytes as one that was never stopped, on
the same machine with the same versions. JAX and optax are imported when a run begins (extra `learn`).
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.training.recipe import Kind, Recipe
from georecall.constructions.training.state import restored, save
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.errors import MissingExtraError
from georecall.theory.tools.randomness import generator

Parameters = dict[str, Any]  # name -> float32 array, NumPy's or JAX's
State = dict[str, Any]  # step, key, learned parameters, optimiser
Floats32 = NDArray[np.float32]
Chunk = Callable[[State, Parameters, NDArray[np.int32]], tuple[State, Any]]
Progress = Callable[[int, int], None]

CHUNK = 250  # steps between two looks at progress and checkpoint
NORM_EPS = 1e-5
MLP_WEIGHTS = ("W_in", "b_in", "W_out", "b_out")
_UNDECAYED = ("b_in", "b_out")


@dataclass(frozen=True)
class Trained:
    """What a run ends with.

    Args:
        parameters: name -> float32 array.
        losses: mean cross-entropy in nats of every chunk.
    """

    parameters: dict[str, Floats32]
    losses: tuple[float, ...]


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


def placed(vectors: Any, kind: Kind) -> Any:
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

    Args:
        parameters: see `initial`.
        subjects: their embeddings as they are used, shape (B, d).
        recipe: says which attention, residual and attributes.

    Returns:
        Shape (R, B, |A|).
    """
    import jax

    p, read = parameters, normalised if recipe.norm else lambda x: x
    e_s, e_r = subjects[None], strings(p["relations"], recipe.hops)[:, None]
    x = e_s + e_r
    if recipe.attention == "trained":  # the last position attends to both, q.k unscaled as in the Transformer
        s, r = read(e_s), read(e_r)
        scores = [((r @ p["W_Q"]) * (e @ p["W_K"])).sum(-1, keepdims=True) for e in (s, r)]
        weight = jax.nn.sigmoid(scores[0] - scores[1])
        x = e_r + (weight * s + (1 - weight) * r) @ p["W_V"] @ p["W_O"]
    attributes = placed(p["attributes"], recipe.attributes).T
    if recipe.mlp == "none":
        return read(x) @ attributes
    z = read(x) @ p["W_in"] + p["b_in"]
    h = jax.nn.relu(z) if recipe.activation == "relu" else jax.nn.gelu(z, approximate=False)
    y = h @ p["W_out"] + p["b_out"]
    return read(y + x if recipe.residual else y) @ attributes


def normalised(x: Any) -> Any:
    """LayerNorm without a gain, as `constructions.transformer` has it."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / ((centred**2).mean(-1, keepdims=True) + NORM_EPS) ** 0.5


def train(
    facts: FactTable,
    recipe: Recipe,
    *,
    asked: NDArray[np.bool_] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Trains a model, or goes on where a checkpoint of the same run stands.

    Args:
        facts: any table of functions.
        recipe: the settings.
        asked: shape (R, N), which facts are trained on; default: all.
        checkpoint: a file that holds the state after every chunk; made, or continued.
        progress: called with the number of steps done and of all steps.

    Raises:
        MissingExtraError: JAX or optax is not installed.
        CheckpointError: the file is of another run, or cannot be read or written.
    """
    with _as_shipped():
        return _train(facts, recipe, asked, checkpoint, progress)


def _train(
    facts: FactTable,
    recipe: Recipe,
    asked: NDArray[np.bool_] | None,
    checkpoint: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> Trained:
    jax, _ = libraries()
    learned = initial(facts, recipe)
    frozen = [name for name in ("attributes", "subjects") if getattr(recipe, name) == "frozen"]
    frozen += MLP_WEIGHTS if recipe.mlp == "frozen" else ()
    kept = {name: learned.pop(name) for name in frozen}
    key = jax.random.key(_key(facts, recipe), impl="unsafe_rbg")
    state: State = {
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
            save(Path(checkpoint), about, jax.tree.leaves(state), losses)
    if progress is not None:
        progress(recipe.steps, recipe.steps)
    final = {name: np.asarray(value) for name, value in (kept | state["learned"]).items()}
    return Trained(dict(sorted(final.items())), tuple(losses))


def libraries() -> tuple[Any, Any]:
    """JAX and optax.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import jax
        import optax

        jax.devices()
    except ImportError as error:
        raise MissingExtraError(
            f"training needs {error.name or 'JAX'}, which is not installed: pip install 'georecall[learn]'"
        ) from error
    except (RuntimeError, ValueError) as error:  # JAX_PLATFORMS=nonesuch, JAX_ENABLE_X64=perhaps
        raise MissingExtraError(f"JAX does not start as its environment variables ask: {error}") from error
    return jax, optax


_SHIPPED = {
    "jax_enable_x64": False,
    "jax_numpy_rank_promotion": "allow",
    "jax_numpy_dtype_promotion": "standard",
    "jax_default_matmul_precision": None,
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_disable_jit": False,
    "jax_random_seed_offset": 0,
    "jax_transfer_guard": None,
}
"""What decides numbers or refuses operations, as JAX has it where no environment variable says otherwise."""


@contextmanager
def _as_shipped() -> Iterator[None]:
    """JAX as it is shipped, whatever the environment says; afterwards as it was."""
    jax, _ = libraries()
    before = {name: getattr(jax.config, name) for name in _SHIPPED}
    for name, value in _SHIPPED.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


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

    Args:
        recipe: the settings.
        some: whether answers of -1 are left out.
    """
    jax, optax = libraries()
    jnp = jax.numpy
    optimiser = _optimiser(recipe)

    def loss(learned: Parameters, kept: Parameters, rows: Any, wanted: Any, noise: Any) -> Any:
        everything = learned | kept
        e = everything["subjects"] if rows is None else everything["subjects"][rows]
        e = placed(e, recipe.subjects)
        if recipe.noise:
            size = jnp.sqrt((jax.lax.stop_gradient(e) ** 2).mean())
            e = e + recipe.noise * size * noise
        z = jax.nn.log_softmax(logits(everything, e, recipe))
        if some:
            lost = -jnp.take_along_axis(z, jnp.maximum(wanted, 0)[..., None], -1)[..., 0]
            return jnp.where(wanted >= 0, lost, 0.0).sum() / jnp.maximum((wanted >= 0).sum(), 1)
        return -jnp.take_along_axis(z, wanted[..., None], -1).mean()

    def update(state: State, kept: Parameters, answers: Any) -> tuple[State, Any]:
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

    def chunk(state: State, kept: Parameters, answers: Any) -> tuple[State, Any]:
        def one(state: State, _: None) -> tuple[State, Any]:
            def rest(state: State) -> tuple[State, Any]:
                return state, jnp.float32(jnp.nan)

            going = state["step"] < recipe.steps
            after: tuple[State, Any] = jax.lax.cond(
                going, lambda state: update(state, kept, answers), rest, state
            )
            return after

        state, values = jax.lax.scan(one, state, None, length=CHUNK)
        return state, jnp.nanmean(values)

    compiled: Chunk = jax.jit(chunk)
    return compiled
