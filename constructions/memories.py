"""C8: what geometric recall is compared with, associative memories over frozen random embeddings.

The facts live in weights, not in the subjects' embeddings, which are the same for every table. Prompts are
`[s, r]`; the answer is read at the last position.
"""

from collections.abc import Callable, Iterable
from math import ceil

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code, sign_code
from georecall.constructions.dense import signs
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.parts import (
    covering,
    nearest_neighbour_bias,
    neurons,
    one_hop,
    placed,
)
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.numbers.memories import feature_noise, linear_noise, memory_dimension
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator

_NOTHING: NDArray[np.intp] = np.arange(0)
FEATURE_GRAIN = 1 / 1024  # of the features: a power of two


def linear_associative_memory(
    facts: FactTable,
    *,
    dimension: int | None = None,
    delta: float = 0.1,
    code: Code | None = None,
    seed: int = 0,
    rng: np.random.Generator | None = None,
) -> Transformer:
    """C8: the Hebbian matrix W = sum_x e_x^T u_{f(x)}, d_model = d, d_mlp = 2 d.

    The key of the fact x = (s, r) is e_x = D_r e_s, with e_s and D_r random signs (unit vectors, but for
    a scale that keeps all weights whole). Attention makes x = e_s + D_r, and |x| - 1 = D_r e_s is C2's
    selector for one relation. Its two neurons per coordinate, ReLU(x_j) and ReLU(-x_j), at once multiply
    the key with W and take x away.

    Args:
        facts: any table of functions, R relations over N subjects.
        dimension: d; default: a tenth above what n = N R facts need for delta (`theory.numbers.memories`).
        delta: the failure probability aimed at; used for the default dimension only.
        code: sign code of the attributes, of length d; default: random signs.
        seed: of the draw, which the sizes determine further.
        rng: draws instead of the seed: keys, then diagonals, then words.

    Raises:
        ValueError: d < 1, delta not between 0 and 1, or a code that is not of signs of length d.

    Source: theory/pages/c8.md, C8; arXiv 2412.06538, Theorem 1 (the scaling).
    """
    d = linear_dimension(facts, delta) if dimension is None else dimension
    e, D, u = frozen(facts, d, code, seed, rng)
    W = hebbian((e * turn for turn in D), facts, u)
    return remembering(e, D, u, W, other_bits=d * d * facts.n_facts.bit_length())


def random_feature_memory(
    facts: FactTable,
    *,
    dimension: int | None = None,
    width: int | None = None,
    delta: float = 0.1,
    code: Code | None = None,
    seed: int = 0,
    rng: np.random.Generator | None = None,
) -> Transformer:
    """C8: a hidden layer of random features, and a Hebbian readout: d_model = 2 d, n_layers = 2.

    The first layer makes the key z = D_r e_s in place, as the linear memory does. Feature i of the second
    is |<w_i, z>| - c, two neurons each, with random signs w_i and c close to the mean; it writes sum_x
    phi(x)^T u_{f(x)} to a value block. Even features have no linear part, so that their crosstalk falls
    as 1/d^2 and the memory holds n facts in width x d weights, not d^2.

    Arguments and errors as of `linear_associative_memory`, and the width, neurons of the memory layer: even
    and at least 2 (else a ValueError), by default d^2/4 rounded up. Features are drawn before the words.

    Source: theory/pages/c8.md, C8; arXiv 2412.06538, Theorem 2 (the scaling).
    """
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    d = feature_dimension(facts, delta) if dimension is None else dimension
    _check_dimension(d)
    width = feature_width(d) if width is None else width
    if width < 2 or width % 2:
        raise ValueError(f"width must be even and at least 2, got {width}")
    rng = generator(seed, "random-feature-memory", N, R, A, d, width) if rng is None else rng
    e, D = signs(rng, N, d), signs(rng, R, d)
    w = signs(rng, width // 2, d)
    u = _words(facts, d, code, rng)
    c = mean_of_feature(d)
    W = hebbian((features(e * turn, w) for turn in D), facts, u)

    space = Residual(key=(d,), value=(d,))
    neuron, b_select = np.arange(d), np.bincount(space["key"], minlength=space.d_model) * -1.0
    reads, writes = (space["key"], neuron, -1.0), (neuron, space["key"], 2.0)
    select = neurons(space, d, [reads], 0, [writes], b_select)
    W_in = np.zeros((space.d_model, width))
    W_in[space["key"]] = np.concatenate([w, -w]).T
    W_out = np.zeros((width, space.d_model))
    W_out[:, space["value"]] = np.concatenate([W, W])
    b_out = np.zeros(space.d_model)
    b_out[space["value"]] = -c * W.sum(axis=0)
    W_E = space.zeros(N + R)
    W_E[:, space["key"]] = np.concatenate([e, D / 2])
    W_U = space.zeros(A).T
    W_U[space["value"]] = u.T
    storage = Storage(_NOTHING, 2, W.size * (n_feature_values(facts, d) - 1).bit_length(), frozen=True)
    return one_hop(W_E, select, W_U, np.zeros(A), storage, MLP(W_in, np.zeros(width), W_out, b_out))


def sign_code_memory(
    facts: FactTable, *, code: Code | None = None, names: Code | None = None, threshold: float | None = None
) -> Transformer:
    """C8: one neuron per fact, d_mlp = N R, exact for every table.

    The subject's embedding is its name, a word c(s) of q signs; neuron (s, r) is ReLU(<c(s), x> + [r
    asked] - q): 1 for its own query, 0 for every other. It writes v(pi_r(s)) to the readout.

    Args:
        facts: any table of functions, R relations over N subjects.
        code: value code of the attributes; default: the sign code with m = ceil(log2 |A|).
        names: sign code of the subjects; default: the one with q = ceil(log2 N).
        threshold: default and right for the claim: q, the length of a name.

    Raises:
        ValueError: a code has too few words.

    Source: theory/pages/c8.md, C8 (as C5(b)'s memory; exact).
    """
    code = covering(code, facts)
    N, R, m = facts.n_subjects, facts.n_relations, code.length
    names = sign_code(N) if names is None else names
    if names.n_words < N:
        raise ValueError(f"the names have {names.n_words} words for {N} subjects")
    q = names.length
    space = Residual(name=(q,), readout=(m,), gate=(R,))
    neuron = np.arange(N * R).reshape(R, N)

    W_E = space.zeros(N + R)
    W_E[:N, space["name"]] = names.words[:N]
    W_E[N + np.arange(R), space["gate"]] = 0.5  # attention doubles it
    named = (space["name"][:, None, None], neuron, names.words[:N].T[:, None, :])
    asked = (space["gate"][:, None], neuron, 1.0)
    writes = (neuron[:, :, None], space["readout"], code.words[facts.answers])
    memory = neurons(space, N * R, [named, asked], -(q if threshold is None else threshold), [writes])
    W_U = space.zeros(facts.n_attributes).T
    W_U[space["readout"]] = code.words.T
    storage = Storage(_NOTHING, 2, N * R * m * (code.n_levels - 1).bit_length(), frozen=True)
    return one_hop(W_E, memory, W_U, nearest_neighbour_bias(code), storage)


def frozen(
    facts: FactTable, d: int, code: Code | None = None, seed: int = 0, rng: np.random.Generator | None = None
) -> tuple[Floats, Floats, Floats]:
    """C8's keys e, diagonals D and words u, signs, drawn in this order."""
    _check_dimension(d)
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    rng = generator(seed, "linear-memory", N, R, A, d) if rng is None else rng
    e, D = signs(rng, N, d), signs(rng, R, d)
    return e, D, _words(facts, d, code, rng)


def remembering(e: Floats, D: Floats, u: Floats, W: Floats, *, other_bits: int) -> Transformer:
    """The linear memory's weights for any matrix W: the readout of (s, r) is D_r e_s W.

    Of signs e, shape (N, d), D, (R, d), and u, (|A|, d), and W of shape (d, d), which holds other_bits.
    """
    d = W.shape[0]
    identity = np.eye(d)
    twice = np.arange(2 * d).reshape(2, d)  # neurons ReLU(x_j), then ReLU(-x_j)
    memory = MLP(
        W_in=placed((d, 2 * d), np.arange(d), twice, [[1.0], [-1.0]]),
        b_in=np.zeros(2 * d),
        W_out=np.concatenate([W - identity, W + identity]),  # |x| W - x
        b_out=-W.sum(axis=0),
    )
    W_E, storage = np.concatenate([e, D / 2]), Storage(_NOTHING, 2, other_bits, frozen=True)
    return one_hop(W_E, memory, np.ascontiguousarray(u.T), np.zeros(len(u)), storage)


def linear_dimension(facts: FactTable, delta: float) -> int:
    """The default d of the linear memory: a tenth above the guide of `theory.numbers.memories`."""
    return _dimension(facts, delta, linear_noise)


def feature_dimension(facts: FactTable, delta: float) -> int:
    """The default d of the random-feature memory: a tenth above the guide of `theory.numbers.memories`."""
    return _dimension(facts, delta, lambda n, busiest, d: feature_noise(n, busiest, d, feature_width(d) // 2))


def feature_width(d: int) -> int:
    """The default width of the random-feature memory: d^2/4, rounded up to even."""
    return 2 * -(-(d * d) // 8)


def features(keys: Floats, w: Floats) -> Floats:
    """|<w_i, z>| - c for every key z and feature i: whole multiples of 1/1024."""
    return np.asarray(np.abs(keys @ w.T) - mean_of_feature(w.shape[1]))


def n_feature_values(facts: FactTable, d: int) -> int:
    """How many values an entry of the random-feature memory may take: n features of either sign."""
    c = mean_of_feature(d)
    return 2 * facts.n_facts * round(max(d - c, c) / FEATURE_GRAIN) + 1


def mean_of_feature(d: int) -> float:
    """c: the mean of |sum of d signs|, to the nearest multiple of 1/1024, so that arithmetic stays exact.

    E|S_1| = 1, E|S_{n+2}| = E|S_n| (n + 2)/(n + 1) for odd n, and E|S_{n+1}| = E|S_n|.
    """
    odd = np.arange(1, d - 1, 2)
    return round(float(np.prod((odd + 2) / (odd + 1))) / FEATURE_GRAIN) * FEATURE_GRAIN


def hebbian(keys: Iterable[Floats], facts: FactTable, u: Floats) -> Floats:
    """sum_x phi(x)^T u_{f(x)}.

    Keys are for each relation the phi of every subject, shape (N, k); u has shape (|A|, d), the sum (k, d).
    Facts with the same answer are added up first.
    """
    total: Floats | float = 0.0
    for phi, answers in zip(keys, facts.answers, strict=True):
        shape = (facts.n_attributes, facts.n_subjects)
        total = total + placed(shape, answers, np.arange(facts.n_subjects), 1.0) @ phi
    return np.asarray(np.asarray(total).T @ u)


def _words(facts: FactTable, d: int, code: Code | None, rng: np.random.Generator) -> Floats:
    if code is None:
        return signs(rng, facts.n_attributes, d)
    if code.length != d or (code.lo, code.hi) != (-1, 1) or code.n_levels != 2:
        raise ValueError(f"the memory needs a code of signs of length {d}, got length {code.length}")
    return covering(code, facts).words.astype(np.float64)


def _dimension(facts: FactTable, delta: float, noise: Callable[[int, int, int], float]) -> int:
    """A tenth above the guide, for a noise of n facts, the most that share an answer, and d."""
    n, busiest = facts.n_facts, int(np.bincount(facts.answers.ravel()).max())
    pairs = n * max(1, facts.n_attributes - 1)  # of a fact and a competitor
    return ceil(1.1 * memory_dimension(pairs, delta, lambda d: noise(n, busiest, d)))


def _check_dimension(d: int) -> None:
    if d < 1:
        raise ValueError(f"a memory needs at least one dimension, got {d}")


BUILDS = {
    "linear-memory": linear_associative_memory,
    "sign-code-memory": sign_code_memory,
    "random-feature-memory": random_feature_memory,
}
