"""Every construction rebuilt from its page alone: the weights that the code builds are the ones on the page.

Each test transcribes the section "Construction" of a page, coordinate by coordinate, in dense arrays; it
shares no line with the package. Neurons have no order, so layers are compared with theirs sorted.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import ceil, log2
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import georecall as gr
from georecall.constructions.codes.code import Code, sign_code

Array = NDArray[np.float64]
Head = tuple[Array, Array, Array, Array]
Neuron = tuple[Array, float, Array]  # weights into it, its bias, weights out of it
Layer = tuple[list[Head], list[Neuron], Array]

RNG = np.random.default_rng(16)
N, R = 6, 3
FACTS = gr.FactTable(RNG.integers(N, size=(R, N)), n_attributes=N)
VALUES = Code(np.array([[0, 3], [1, 1], [2, 0], [3, 3], [0, 0], [2, 2]]), lo=0, hi=3)
u = sign_code(N).words.astype(float)
m = u.shape[1]


class Space:
    """Coordinates by name: `at("block", r, j)`, and unit vectors."""

    def __init__(self, **sizes: tuple[int, ...]) -> None:
        self.places = [(name, *at) for name, shape in sizes.items() for at in product(*map(range, shape))]
        self.d = len(self.places)

    def one(self, *place: Any) -> Array:
        unit = np.zeros(self.d)
        unit[self.places.index(place)] = 1
        return unit

    def all(self, name: str, *start: int) -> Array:
        """The sum of all unit vectors of a name, or of a block of it."""
        chosen = [p[0] == name and p[1 : 1 + len(start)] == start for p in self.places]
        return np.array(chosen, dtype=float)

    def put(self, name: str, *start: int, word: Array) -> Array:
        return np.sum([value * self.one(name, *start, j) for j, value in enumerate(word)], axis=0)

    def uniform(self) -> list[Head]:
        eye, nothing = np.eye(self.d), np.zeros((self.d, self.d))
        return [(nothing, nothing, eye, 2 * eye)]


def assert_built(
    model: gr.Transformer, W_E: Array, W_pos: Array, layers: list[Layer], W_U: Array, b_U: Array
) -> None:
    """The model has these weights, and no others."""
    dense = model.dense()
    for name, page in {"W_E": W_E, "W_pos": W_pos, "W_U": W_U, "b_U": b_U}.items():
        np.testing.assert_array_equal(dense.weights()[name], page, err_msg=name)
    assert len(dense.blocks) == len(layers)
    for block, (heads, neurons, b_out) in zip(dense.blocks, layers, strict=True):
        built = [] if block.attention is None else list(zip(*vars(block.attention).values(), strict=True))
        assert len(built) == len(heads)
        for (W_Q, W_K, W_V, W_O), (Q, K, V, out) in zip(built, heads, strict=True):
            np.testing.assert_array_equal(W_Q @ W_K.T, Q @ K.T)
            np.testing.assert_array_equal(W_V @ W_O, V @ out)
        assert block.mlp is not None
        mlp = block.mlp
        rows = np.column_stack([mlp.W_in.T, mlp.b_in, mlp.W_out])
        page = np.array([[*into, bias, *out] for into, bias, out in neurons])
        np.testing.assert_array_equal(rows[np.lexsort(rows.T)] + 0.0, page[np.lexsort(page.T)] + 0.0)
        np.testing.assert_array_equal(mlp.b_out, b_out)


def bias(words: Array) -> Array:
    norms = (words**2).sum(axis=1)
    return np.zeros(len(words)) if len(set(norms)) == 1 else -norms / 2


def embedded(space: Space, v: Array, gates: list[Array]) -> Array:
    subjects = [
        np.sum([space.put("block", r, word=v[FACTS.answers[r, s]]) for r in range(R)], axis=0)
        for s in range(N)
    ]
    return np.array([*subjects, *gates])


def coordinates() -> list[tuple[int, int]]:
    return list(product(range(R), range(2)))


@pytest.mark.parametrize("g", [1.5, 2.0])
def test_c1_with_a_readout(g: float) -> None:
    space, v, lo = Space(block=(R, 2), readout=(2,)), VALUES.words.astype(float), 0
    neurons = [(space.one("block", r, j), -(2 * g + lo), space.one("readout", j)) for r, j in coordinates()]
    assert_built(
        gr.block_superposition(FACTS, code=VALUES, gate=g),
        embedded(space, v, [g * space.all("block", r) for r in range(R)]),
        np.zeros((2, space.d)),
        [(space.uniform(), neurons, lo * space.all("readout"))],
        np.array([space.put("readout", word=v[a]) for a in range(N)]).T,
        bias(v),
    )


@pytest.mark.parametrize("g", [1.5, 2.0])
def test_c1_in_place(g: float) -> None:
    space, v, level = Space(block=(R, 2)), VALUES.words.astype(float), 2 * g + 0
    neurons = [(-space.one("block", r, j), level, space.one("block", r, j)) for r, j in coordinates()]
    rest = np.sum([space.all("block", r) for r in range(1, R)], axis=0)
    assert_built(
        gr.in_place_superposition(FACTS, code=VALUES, gate=g),
        embedded(space, v, [g * space.all("block", r) for r in range(R)]),
        np.zeros((2, space.d)),
        [(space.uniform(), neurons, -2 * g * space.all("block", 0) - level * rest)],
        np.array([np.sum([space.put("block", r, word=v[a]) for r in range(R)], axis=0) for a in range(N)]).T,
        bias(v),
    )


@pytest.mark.parametrize("g", [3.0, 4.0])
def test_c1_narrow(g: float) -> None:
    space, v, V, last = Space(block=(R, 2)), VALUES.words.astype(float), 3, R - 1
    neurons = [
        (space.one("block", r, j) - space.one("block", last, j), -V, space.one("block", last, j))
        for r, j in coordinates()
        if r < last
    ]
    gates = [g * space.all("block", r) for r in range(last)] + [(g - V / 2) * space.all("block", last)]
    assert_built(
        gr.narrow_superposition(FACTS, code=VALUES, gate=g),
        embedded(space, v, gates),
        np.zeros((2, space.d)),
        [(space.uniform(), neurons, (V - 2 * g) * space.all("block", last))],
        np.array([space.put("block", last, word=v[a]) for a in range(N)]).T,
        bias(v),
    )


@pytest.mark.parametrize("g", [1.0, 1.5])
def test_c1_packed(g: float) -> None:
    p, lo = 2, -1
    sizes = [len(range(start, min(start + p, m))) for start in range(0, m, p)]
    space = Space(block=(R, m), readout=(len(sizes),))
    packed = np.array(
        [[sum(2**i * u[a, p * n + i] for i in range(size)) for n, size in enumerate(sizes)] for a in range(N)]
    )
    neurons, b_out = [], np.zeros(space.d)
    for n, size in enumerate(sizes):
        M = 2**size - 1
        b_out += M * lo * space.one("readout", n)
        for r in range(R):
            into = np.sum([2**i * space.one("block", r, p * n + i) for i in range(size)], axis=0)
            neurons.append((into, -M * (2 * g + lo), space.one("readout", n)))
    assert_built(
        gr.packed_superposition(FACTS, bits=p, gate=g),
        embedded(space, u, [g * space.all("block", r) for r in range(R)]),
        np.zeros((2, space.d)),
        [(space.uniform(), neurons, b_out)],
        np.array([space.put("readout", word=packed[a]) for a in range(N)]).T,
        bias(packed),
    )


def test_c2() -> None:
    length, g = 7, 2.5
    model = gr.dense_superposition(FACTS, length=length, gate=g)
    words = model.W_U.T  # the draw: words in the unembedding, diagonals in the relations' embeddings
    D = model.W_E[N:] / g
    assert set(np.unique([*words.ravel(), *D.ravel()])) == {-1.0, 1.0}
    space, eye = Space(sum=(length,)), np.eye(length)
    subjects = [np.sum([D[r] * words[FACTS.answers[r, s]] for r in range(R)], axis=0) for s in range(N)]
    assert_built(
        model,
        np.array([*subjects, *(g * D)]),
        np.zeros((2, length)),
        [(space.uniform(), [(-eye[j], 0.0, 2 * eye[j]) for j in range(length)], np.full(length, -2 * g))],
        words.T,
        np.zeros(N),
    )


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("soft", [True, False])
def test_c3(separate: bool, soft: bool) -> None:
    K, g, lo = 5, 1.25, -1
    q = max(1, ceil(log2(K)))
    space = Space(block=(R, m), **({"readout": (m,)} if separate else {}), key=(q,), query=(q,))
    model = gr.chain_of_thought(
        FACTS,
        max_hops=K,
        gate=g,
        attention="soft" if soft else "hard",
        readout="separate" if separate else "in-place",
    )
    eps = min((1 - 1 / 2) / (2 * (1 + g)), 1 - 1 / g)  # promise: half of D/2
    scales = np.arange(1, 1 << 14) / 1024
    words = np.minimum((1 + np.exp(-2 * scales)) ** q - 1, (K - 1) * np.exp(-2 * scales))
    beta = scales[np.argmax(words + K * np.exp(-scales * q) <= eps / (1 - eps))] if soft else 1.0
    word = sign_code(K).words.astype(float)
    W_pos = [space.put("key", word=word[t]) for t in range(K)] + [
        space.put("query", word=word[t]) for t in range(K)
    ]
    Q = np.array([beta * space.one("query", i) for i in range(q)]).T
    keys = np.array([space.one("key", i) for i in range(q)]).T
    blocks = np.diag(space.all("block"))
    level, places = 2 * g + lo, list(product(range(R), range(m)))
    if separate:
        neurons = [(space.one("block", r, j), -level, space.one("readout", j)) for r, j in places]
        b_out = lo * space.all("readout")
        W_U = [space.put("readout", word=u[a]) for a in range(N)]
    else:
        neurons = [(-space.one("block", r, j), level, space.one("block", r, j)) for r, j in places]
        b_out = -level * space.all("block") + (level - 2 * g) * space.all("block", 0)
        W_U = [np.sum([space.put("block", r, word=u[a]) for r in range(R)], axis=0) for a in range(N)]
    assert_built(
        model,
        embedded(space, u, [g * space.all("block", r) for r in range(R)]),
        np.array(W_pos),
        [([(Q, keys, blocks, 2 * blocks)], neurons, b_out)],
        np.array(W_U).T,
        np.zeros(N),
    )


def answer(s: int, string: tuple[int, ...]) -> int:
    for r in string:
        s = int(FACTS.answers[r, s])
    return s


def strayed(beta: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """S of C5's page, for every beta."""
    return np.sum([np.exp(-beta * i) for n in (k // 2, ceil(k / 2)) for i in range(1, n + 1)], axis=0)


def least_scale(eps: float, k: int) -> float:
    scales = np.arange(1, 1 << 14) / 1024
    return float(scales[np.argmax(strayed(scales, k) <= eps / (1 - eps))])


def pairs(neurons: list[Neuron], top: float) -> list[Neuron]:
    return [
        (into, b_in - quarter * top / 4, factor * out)
        for into, b_in, out in neurons
        for quarter, factor in ((1, 2), (3, -2))
    ]


class Hops:
    """What the pages' C5(a), (b), (c) share: layout, embeddings, heads, erasure, memories."""

    beta = 1.0

    def __init__(self, k: int, longest: int, *, separate: bool = True, asked: bool = False) -> None:
        readout = {"readout": (m,)} if separate else {}
        more = {"asked": (R,)} if asked else {}
        self.space = Space(block=(R**longest, m), **readout, letter=(R,), **more, position=(k + 1,))
        self.k, self.first = k, self.strings(longest)
        self.W_E = np.array(
            [self.state(s, longest) for s in range(N)] + [self.space.one("letter", r) for r in range(R)]
        )
        self.W_pos = np.array([self.space.one("position", t) for t in range(k + 1)])

    def strings(self, length: int) -> list[tuple[int, ...]]:
        return list(product(range(R), repeat=length))

    def state(self, s: int, length: int) -> Array:
        put = [self.space.put("block", b, word=u[answer(s, w)]) for b, w in enumerate(self.strings(length))]
        return np.sum(put, axis=0)

    def head(self, t: int, copied: Array) -> Head:
        score = np.sum([-abs(j - t) * self.space.one("position", j) for j in range(self.k + 1)], axis=0)
        return self.beta * self.space.all("position")[:, None], score[:, None], np.eye(self.space.d), copied

    def copy_subject(self) -> Head:
        return self.head(0, np.diag(self.space.all("block")))

    def gates(self, t: int, hop: int, length: int, g: float) -> Head:
        lift = np.zeros((self.space.d, self.space.d))
        for b, string in enumerate(self.strings(length)):
            lift += np.outer(self.space.one("letter", string[hop]), 2 * g * self.space.all("block", b))
        return self.head(t, lift)

    def select(self, length: int, lift: float, silence: float) -> list[Neuron]:
        quiet = -silence * self.space.one("position", 0)
        return [
            (self.space.one("block", b, j) + quiet, -(lift - 1), self.space.one("readout", j))
            for b, j in product(range(R**length), range(m))
        ]

    def erase(self, length: int) -> list[Neuron]:
        places = product(range(R**length), range(m))
        return [(self.space.one("block", b, j), 1.0, -self.space.one("block", b, j)) for b, j in places]

    def memory(self, length: int) -> list[Neuron]:
        return [
            (
                self.space.put("readout", word=u[x]),
                -(m - 1.0),
                self.state(x, length) - self.space.put("readout", word=u[x]),
            )
            for x in range(N)
        ]

    def W_U(self) -> Array:
        return np.array([self.space.put("readout", word=u[a]) for a in range(N)]).T


@pytest.mark.parametrize("mu", [None, 1.25])
@pytest.mark.parametrize(
    ("lengths", "build"),
    [
        ([2], lambda **how: gr.composed_hops(FACTS, hops=2, **how)),
        ([1, 1, 1], lambda **how: gr.sequential_hops(FACTS, hops=3, **how)),
        ([2, 1], lambda **how: gr.hybrid_hops(FACTS, hops=3, stages=2, **how)),
    ],
)
def test_c5_composed_sequential_hybrid(
    lengths: list[int], build: Callable[..., gr.Transformer], mu: float | None
) -> None:
    g, k, hops = 1.5, sum(lengths), Hops(sum(lengths), lengths[0])
    if mu:
        one, D = len(lengths) == 1, 4
        allowed = [(1 - 2 * mu / D) / (2 * g * lengths[-1] + one), 1 - 1 / g]
        hops.beta = least_scale(min(*allowed, 1 if one else 1 / (2 + 4 * g * lengths[0])), k)
    space, layers, start = hops.space, [], 0
    for stage, length in enumerate(lengths):
        heads = [hops.copy_subject()] if stage == 0 else []
        heads += [hops.gates(start + hop + 1, hop, length, g) for hop in range(length)]
        neurons, b_out = hops.select(length, 2 * g * length, len(lengths) > 1), -space.all("readout")
        start += length
        if mu and start < k:
            neurons = pairs(neurons, 2)
        if start < k:
            neurons += hops.erase(length)
            b_out = b_out + np.sum([space.all("block", b) for b in range(R**length)], axis=0)
        layers.append((heads, neurons, b_out))
        if start < k:
            layers.append(([], hops.memory(lengths[stage + 1]), np.zeros(space.d)))
    model = build(gate=g, **({"attention": "soft", "margin": mu} if mu else {}))
    assert model.attention == ("soft" if mu else "hard")
    assert_built(model, hops.W_E, hops.W_pos, layers, hops.W_U(), np.zeros(N))


def test_c5_composed_in_place() -> None:
    g, k, lo = 1.5, 2, -1
    hops = Hops(k, k, separate=False)
    space, level = hops.space, 2 * g * k + lo
    places = list(product(range(R**k), range(m)))
    neurons = [(-space.one("block", b, j), level, space.one("block", b, j)) for b, j in places]
    b_out = -level * space.all("block") + (level - 2 * g * k) * space.all("block", 0)
    heads = [hops.copy_subject(), *(hops.gates(t + 1, t, k, g) for t in range(k))]
    W_U = [np.sum([space.put("block", b, word=u[a]) for b in range(R**k)], axis=0) for a in range(N)]
    model = gr.composed_hops(FACTS, hops=k, gate=g, readout="in-place")
    assert_built(model, hops.W_E, hops.W_pos, [(heads, neurons, b_out)], np.array(W_U).T, np.zeros(N))


@pytest.mark.parametrize("mu", [None, 1.25])
def test_c5_merged(mu: float | None) -> None:
    g, k = 1.5, 3
    hops = Hops(k, 1, asked=True)
    if mu:
        hops.beta = least_scale(min((1 - mu / 2) / (2 * g), 1 / (2 + 4 * g), 1 / (4 * (m + 1))), k)
    space, quiet = hops.space, hops.space.one("position", 0)
    ask = np.sum([np.outer(space.one("letter", r), space.one("asked", r)) for r in range(R)], axis=0)
    look_up = [
        (space.put("block", r, word=u[x]) + space.one("asked", r) - m * quiet, -float(m), hops.state(x, 1))
        for r, x in product(range(R), range(N))
    ]
    look_up = pairs(look_up, 1) if mu else look_up
    forget = [(space.one("asked", r), 0.0, -space.one("asked", r)) for r in range(R)]
    layers: list[Layer] = []
    for t in range(1, k + 1):
        heads = [*([hops.copy_subject()] if t == 1 else []), hops.head(t, ask)]
        if t < k:
            layers.append((heads, look_up + hops.erase(1) + forget, space.all("block")))
        else:
            select = [
                (into + 2 * g * space.one("asked", b), bias_in, out)
                for (into, bias_in, out), b in zip(
                    hops.select(1, 2 * g, 1), np.repeat(range(R), m), strict=True
                )
            ]
            layers.append((heads, select, -space.all("readout")))
    how = {"attention": "soft", "margin": mu} if mu else {}
    model = gr.sequential_hops(FACTS, hops=k, gate=g, merged=True, **how)
    assert_built(model, hops.W_E, hops.W_pos, layers, hops.W_U(), np.zeros(N))


def test_c8_linear_memory() -> None:
    d = 5
    model = gr.linear_associative_memory(FACTS, dimension=d)
    e, D, words, eye = model.W_E[:N], 2 * model.W_E[N:], model.W_U.T, np.eye(d)
    W = np.sum(
        [np.outer(D[r] * e[s], words[FACTS.answers[r, s]]) for r, s in product(range(R), range(N))], axis=0
    )
    neurons = [(sign * eye[j], 0.0, W[j] - sign * eye[j]) for sign, j in product((1, -1), range(d))]
    layers = [(Space(sum=(d,)).uniform(), neurons, -W.sum(axis=0))]
    assert_built(model, np.array([*e, *(D / 2)]), np.zeros((2, d)), layers, words.T, np.zeros(N))


def test_c8_random_features() -> None:
    d, w = 4, 6
    model = gr.random_feature_memory(FACTS, dimension=d, width=w)
    space = Space(key=(d,), value=(d,))
    e, D, words = model.W_E[:N, :d], 2 * model.W_E[N:, :d], model.W_U[d:].T
    signs = np.asarray(model.blocks[1].mlp.W_in)[:d, : w // 2].T
    mean = round(np.mean([abs(sum(row)) for row in product((-1, 1), repeat=d)]) * 1024) / 1024
    phi = {(r, s): np.abs(signs @ (D[r] * e[s])) - mean for r, s in product(range(R), range(N))}
    W = np.sum([np.outer(phi[r, s], words[FACTS.answers[r, s]]) for r, s in phi], axis=0)
    first = [(-space.one("key", j), 0.0, 2 * space.one("key", j)) for j in range(d)]
    second = [
        (sign * space.put("key", word=signs[i]), 0.0, space.put("value", word=W[i]))
        for sign, i in product((1, -1), range(w // 2))
    ]
    layers = [
        (space.uniform(), first, -space.all("key")),
        ([], second, space.put("value", word=-mean * W.sum(axis=0))),
    ]
    W_E = np.array([space.put("key", word=row) for row in [*e, *(D / 2)]])
    W_U = np.array([space.put("value", word=word) for word in words]).T
    assert_built(model, W_E, np.zeros((2, 2 * d)), layers, W_U, np.zeros(N))


def test_c8_sign_codes() -> None:
    names, q = sign_code(N).words.astype(float), m
    space = Space(name=(q,), readout=(m,), gate=(R,))
    neurons = [
        (
            space.put("name", word=names[s]) + space.one("gate", r),
            -float(q),
            space.put("readout", word=u[FACTS.answers[r, s]]),
        )
        for r, s in product(range(R), range(N))
    ]
    W_E = [space.put("name", word=names[s]) for s in range(N)] + [
        0.5 * space.one("gate", r) for r in range(R)
    ]
    assert_built(
        gr.sign_code_memory(FACTS),
        np.array(W_E),
        np.zeros((2, space.d)),
        [(space.uniform(), neurons, np.zeros(space.d))],
        np.array([space.put("readout", word=u[a]) for a in range(N)]).T,
        np.zeros(N),
    )


def moved(weights: Any) -> Any:
    """The weights with one of them changed, the largest."""
    changed = np.array(weights.toarray() if hasattr(weights, "toarray") else weights, dtype=float)
    changed.flat[np.abs(changed).argmax()] += 1
    return changed


@pytest.mark.parametrize("name", ["W_E", "W_pos", "W_U", "b_U", "W_in", "b_in", "W_out", "b_out", "W_O"])
def test_one_weight_that_is_not_the_pages_is_seen(name: str) -> None:
    def build(gate: float) -> gr.Transformer:
        model = gr.composed_hops(FACTS, hops=2, gate=gate).dense()
        (block,) = model.blocks
        if hasattr(model, name):
            return replace(model, **{name: moved(getattr(model, name))})
        if name == "W_O":
            heads = [moved(block.attention.W_O[0]), *block.attention.W_O[1:]]
            return replace(model, blocks=(replace(block, attention=replace(block.attention, W_O=heads)),))
        return replace(
            model, blocks=(replace(block, mlp=replace(block.mlp, **{name: moved(getattr(block.mlp, name))})),)
        )

    with pytest.raises(AssertionError):
        test_c5_composed_sequential_hybrid([2], build, None)
