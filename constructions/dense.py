"""C2: a subject is one sum of R attribute vectors, each turned by its relation's map.

Attribute vectors are random signs. The maps are what the variants differ in: diagonals of signs, which an
absolute value undoes within the m coordinates of the sum, or full matrices (Gaussian, orthogonal), which
need a neuron per relation and coordinate. Prompts are `[s, r]`; the answer is read at the last position.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from georecall.constructions.embeddings import EMBEDDINGS, GRAIN, Embedding, bound_sum
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.parts import one_hop, scaled_identity
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.numbers.dense import closed_form_length
from georecall.theory.numbers.zero_forced import proved_length
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator

Variant = Literal["signs", "gaussian", "orthogonal"]


def dense_superposition(
    facts: FactTable,
    *,
    variant: Variant = "signs",
    embedding: Embedding = "plain",
    length: int | None = None,
    delta: float = 0.1,
    gate: float | None = None,
    seed: int = 0,
    rng: np.random.Generator | None = None,
) -> Transformer:
    """C2: recalls a table fixed before the draw with probability at least 1 - delta, d_model = d_mlp = m.

    With the maps D_r of signs, x = W_E[s] + 2 gate D_r, and the selector is x + 2 ReLU(-x) - 2 gate =
    |x| - 2 gate = D_r W_E[s]: all integers, computed exactly. The variants with a full matrix M_r keep
    u_a M_r in the sum and read <x, M_r u>; see `by_matrices` for their selector. C2 proves nothing of them.

    Args:
        facts: any table of functions, R relations over N subjects.
        variant: "signs"; or "gaussian" (entries N(0, 1/m)) or "orthogonal" (Haar), d_model = m + R and
            d_mlp = (R+1) m.
        embedding: of the signs: "plain" sums, "zero-forced" or "optimised" (`constructions.embeddings`).
        length: m; default: what is proved to suffice at `delta`, for plain sums the closed form of C2.
        delta: the failure probability promised at most; used for the default length only.
        gate: half the lift; least for the claim: half the reach of an embedding's coordinates. Default: that,
            R/2 for plain sums and otherwise half a power of two. Taken by the signs only.
        seed: of the draw, which the sizes determine further.
        rng: draws instead of the seed.

    Raises:
        ValueError: an unknown variant or embedding, or one that the variant lacks, m < 1,
            delta not between 0 and 1, or a gate where none is taken.

    Source: theory/pages/c2.md, C2 (derived there; the variants stated here).
    """
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    if variant not in MAPS:
        raise ValueError(f"variant must be one of {', '.join(MAPS)}, got {variant!r}")
    if embedding not in EMBEDDINGS or (variant != "signs" and embedding != "plain"):
        raise ValueError(f"embedding must be one of {', '.join(EMBEDDINGS)}, with signs; got {embedding!r}")
    m = suffices(embedding, N, A, R, delta) if length is None else length
    if m < 1:
        raise ValueError(f"a code needs at least one coordinate, got {m}")
    rng = generator(seed, "dense", variant, N, R, A, m) if rng is None else rng
    u, maps = signs(rng, A, m), MAPS[variant](rng, R, m)
    if variant == "signs":
        return by_signs(facts, u, maps, gate, EMBEDDINGS[embedding](facts, u, maps))
    if gate is not None:
        raise ValueError(f"the variant {variant!r} takes no gate")
    return by_matrices(facts, u, maps)


def signs(rng: np.random.Generator, *shape: int) -> Floats:
    """Independent uniform signs."""
    return np.asarray(rng.integers(2, size=shape, dtype=np.int8) * 2.0 - 1.0, dtype=np.float64)


def gaussian_maps(rng: np.random.Generator, R: int, m: int) -> Floats:
    """R matrices of independent normal entries of variance 1/m: shape (R, m, m)."""
    return np.asarray(rng.standard_normal((R, m, m)) / np.sqrt(m), dtype=np.float64)


def orthogonal_maps(rng: np.random.Generator, R: int, m: int) -> Floats:
    """R independent orthogonal matrices, uniform up to rounding (Haar): shape (R, m, m).

    The Q of a Gaussian matrix is uniform once R's diagonal is made positive (Mezzadri, arXiv
    math-ph/0609050, section 5).
    """
    Q, T = np.linalg.qr(rng.standard_normal((R, m, m)))
    return np.asarray(Q * np.sign(np.diagonal(T, axis1=1, axis2=2))[:, None, :])


MAPS: dict[str, Callable[[np.random.Generator, int, int], Floats]] = {
    "signs": signs,
    "gaussian": gaussian_maps,
    "orthogonal": orthogonal_maps,
}


def suffices(embedding: str, n_subjects: int, n_attributes: int, R: int, delta: float) -> int:
    """A length at which the draw is proved to succeed with probability 1 - delta.

    Optimised embeddings succeed wherever zero-forced or plain ones do.
    """
    sizes = n_subjects, n_attributes, R, delta
    if embedding == "zero-forced":
        return proved_length(*sizes)
    closed = closed_form_length(*sizes)
    return closed if embedding == "plain" else min(closed, proved_length(*sizes))


def reach_of(embeddings: Floats, R: int) -> float:
    """A bound on coordinates for the lift to be made of: R for sums of R signs, else a power of two."""
    largest = float(np.abs(embeddings).max())
    return float(R) if _sums(embeddings, R) else float(2.0 ** np.ceil(np.log2(largest or 1.0)))


def n_levels(embeddings: Floats, R: int) -> int:
    """How many values a coordinate may take: R + 1 for sums of R signs, else the multiples of 2^-20."""
    return R + 1 if _sums(embeddings, R) else int(2 * reach_of(embeddings, R) / GRAIN) + 1


def _sums(embeddings: Floats, R: int) -> bool:
    return not (embeddings % 1).any() and float(np.abs(embeddings).max()) <= R


def by_signs(
    facts: FactTable, u: Floats, D: Floats, gate: float | None = None, embeddings: Floats | None = None
) -> Transformer:
    """C2's weights for given codes u, shape (|A|, m), diagonals D, shape (R, m), and embeddings, (N, m)."""
    m, R = u.shape[1], facts.n_relations
    embeddings = bound_sum(facts, u, D) if embeddings is None else embeddings
    gate = reach_of(embeddings, R) / 2 if gate is None else gate
    select = MLP(scaled_identity(m, -1.0), np.zeros(m), scaled_identity(m, 2.0), np.full(m, -2.0 * gate))
    W_E, W_U = np.concatenate([embeddings, gate * D]), np.ascontiguousarray(u.T)
    storage = Storage(np.arange(m), n_levels(embeddings, R))
    return one_hop(W_E, select, W_U, np.zeros(facts.n_attributes), storage)


def by_matrices(facts: FactTable, u: Floats, M: Floats) -> Transformer:
    """The weights for given matrices M, shape (R, m, m): neuron (r, j) gates the j-th coordinate of x M_r^T.

    With a bound B on what is read, ReLU(<x, M_r[j]> + 2 B [r asked] - B) is <x, M_r[j]> + B for the
    relation asked for and 0 for the others. m more neurons, ReLU(x_j + B), take the sum itself away.
    """
    N, R, m = facts.n_subjects, facts.n_relations, u.shape[1]
    space = Residual(sum=(m,), gate=(R,))
    total = bound_sum(facts, u, M)
    reach = max(np.abs(total).max(), max(np.abs(total @ turn.T).max() for turn in M))
    # a power of two, well above the rounding of the reach; in one dimension signs may cancel to a reach of 0
    B = 2.0 ** np.ceil(np.log2(1.5 * reach)) if reach > 0 else 1.0

    W_E = space.zeros(N + R)
    W_E[:N, space["sum"]] = total
    W_E[N + np.arange(R), space["gate"]] = 0.5  # attention doubles it
    neuron = np.arange(R * m).reshape(R, m)
    W_in = np.zeros((space.d_model, (R + 1) * m))
    W_in[:m, : R * m] = M.reshape(R * m, m).T
    W_in[space["gate"][:, None], neuron] = 2 * B
    W_in[:m, R * m :] = np.eye(m)
    W_out = np.zeros(((R + 1) * m, space.d_model))
    W_out[: R * m, :m] = np.tile(np.eye(m), (R, 1))
    W_out[R * m :, :m] = -np.eye(m)
    b_in = np.concatenate([np.full(R * m, -B), np.full(m, B)])
    W_U = space.zeros(facts.n_attributes).T
    W_U[space["sum"]] = u.T
    select = MLP(W_in, b_in, W_out, np.zeros(space.d_model))
    return one_hop(W_E, select, W_U, np.zeros(facts.n_attributes))


BUILDS = {"single-hop-dense": dense_superposition}
