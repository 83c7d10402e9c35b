"""However little is looked at together, and however weights are stored, all ways find the margins there are.

The sizes of blocks are made so small that few facts pass through many of them; weights are pieces that meet
the checker's shortcuts: identities, permutations, rows that are equal or zero, no neurons at all.
"""

from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_array

import georecall.constructions.codes.code as codes
from georecall import MLP, Attention, Block, Transformer, in_place_superposition
from georecall.constructions.codes import comparison, nearest, spans
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins import codebook, filtered, ledger, unembedding
from georecall.verify.margins import margins as margin
from georecall.verify.margins.counting import counted as counted_module
from georecall.verify.margins.counting import exact, linear_map, partial_count
from georecall.verify.margins.counting.exact import ExactMargins

SIZES = {
    codebook: ("_BLOCK",),
    codes: ("_BLOCK",),
    filtered: ("_ENTRIES",),
    exact: ("_LOGITS", "_SAMPLE"),
    ledger: ("_BLOCK", "_SAMPLE"),
    comparison: ("_BLOCK", "_STREAM"),
    nearest: ("_STREAM", "_MAP_BITS", "_KEY_BITS"),
    spans: ("_STREAM",),
    linear_map: ("_FEW_TERMS",),
    partial_count: ("_PIECE_BYTES",),
    unembedding: ("_BLOCK",),
}
TYPES = ("int8", "int16", "int32", "int64", "float16", "float32", ">f8", "bool")
seeds = st.integers(0, 2**32 - 1)


@contextmanager
def small_blocks(rng):
    with pytest.MonkeyPatch.context() as patch:
        for module, names in SIZES.items():
            for name in names:
                kept = getattr(module, name)
                patch.setattr(module, name, int(rng.choice([1, 2, 3, 7, kept])))
        yield


def numbers(rng, *shape):
    """Entries of one kind: small, fractions, or at the ends of integer types."""
    kinds = (
        rng.integers(-2, 3, size=shape),
        rng.integers(-5, 6, size=shape) / 4,
        rng.choice([-(2.0**31), -128.0, -1.0, 0.0, 1.0, 127.0, 2.0**24 + 1, 2.0**31], size=shape),
        rng.integers(-3, 4, size=shape) * 2.0 ** int(rng.choice([-300, -24, 40])),
        rng.normal(size=shape),
    )
    return kinds[rng.choice(len(kinds), p=[0.5, 0.2, 0.15, 0.1, 0.05])].astype(np.float64)


def matrix(rng, n, m):
    """A matrix that meets a shortcut, in a dtype and format that holds it."""
    W = numbers(rng, n, m)
    if rng.random() < 0.6:
        order = rng.permutation(n) if rng.random() < 0.3 else np.arange(n)
        W = np.eye(n, m)[order] * rng.choice([1.0, 1.0, -1.0, 0.5])
    if rng.random() < 0.3:  # the first row again, as far as some column
        W[rng.integers(n)] = np.where(np.arange(m) < rng.integers(m + 1), W[0], rng.choice([0.0, -0.0]))
    if W.size and rng.random() < 0.3:
        return (csr_array if rng.random() < 0.5 else csc_matrix)(W)
    return of_a_type(rng, W)


def of_a_type(rng, W):
    """The same numbers in some dtype that holds them."""
    with np.errstate(all="ignore"):
        same = [kind for kind in TYPES if np.array_equal(W.astype(kind).astype(np.float64), W)]
    return W.astype(rng.choice(same)) if same and rng.random() < 0.3 else W


def model(rng, N, R, A):
    d, n_heads = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    width = int(rng.choice([0, 1, d, d, 4]))
    nothing = np.zeros((d, d))
    heads = [(nothing, matrix(rng, d, d), matrix(rng, d, d), matrix(rng, d, d)) for _ in range(n_heads)]
    if rng.random() < 0.5:
        heads = [(nothing, matrix(rng, d, d), np.eye(d), 2 * np.eye(d))]
    mlp = MLP(
        matrix(rng, d, width),
        of_a_type(rng, numbers(rng, width)),
        matrix(rng, width, d) if width else np.zeros((0, d)),
        numbers(rng, d) * rng.integers(2),
    )
    return Transformer(
        W_E=of_a_type(rng, numbers(rng, N + R, d)),
        W_pos=numbers(rng, 2, d) * rng.integers(2),
        blocks=(Block(Attention(*map(tuple, zip(*heads, strict=True))), mlp),),
        W_U=matrix(rng, d, A),
        b_U=of_a_type(rng, numbers(rng, A) * rng.integers(2)),
        attention=str(rng.choice(["soft", "hard"])),
    )


def assert_found(rng, model, facts, truth):
    """Whatever judges the facts finds these margins, or bounds around them; whether counting does."""
    with small_blocks(rng):
        counted = counted_module.count(model, facts)
        if counted is not None:
            found, _ = ExactMargins.of(model, facts).margins(0, facts.n_subjects)
            assert found.tolist() == truth
            assert counted.minimum[0] == min(map(min, truth))
        for bounds in (
            margin.margins(model, facts),
            margin.margins(model, facts, method="exhaustive"),
            filtered.filtered(model, facts),
        ):
            for (r, s), sign in np.ndenumerate(np.zeros(0) if bounds is None else bounds.signs):
                assert Fraction(bounds.lower[r, s]) <= truth[r][s] <= Fraction(bounds.upper[r, s])
                assert sign in (0, 1 if truth[r][s] > 0 else -1)
    return counted is not None


@settings(max_examples=settings.default.max_examples * 2)
@given(seed=seeds, N=st.integers(1, 4), R=st.integers(1, 3), A=st.integers(2, 5))
def test_of_any_weights(plain, seed, N, R, A):
    rng = np.random.default_rng(seed)
    facts = FactTable(rng.integers(A, size=(R, N)), n_attributes=A)
    asked = model(rng, N, R, A)
    truth = plain(asked.map(lambda W: np.asarray(W.toarray() if hasattr(W, "toarray") else W, dtype=float)))
    assert_found(rng, asked, facts, truth.margins(facts))


@given(seed=seeds, N=st.integers(2, 6), R=st.integers(1, 3), A=st.integers(2, 6))
def test_of_words_in_other_units_with_weights_moved(plain, seed, N, R, A):
    rng = np.random.default_rng(seed)
    facts = FactTable(rng.integers(A, size=(R, N)), n_attributes=A)
    built = in_place_superposition(facts).dense()
    W_U, W_E, t = built.W_U * 0.5, built.W_E.copy(), float(rng.choice([2.0**-9, 1.0, 8.0]))
    for _ in range(rng.integers(3)):
        W_E[rng.integers(len(W_E)), rng.integers(built.d_model)] += rng.choice([-2.0, -1.0, 0.5, 2.0])
    b_U = 0.5 * built.b_U + rng.choice([0.0, 0.25, 3.0, 2.0**40])
    asked = Transformer(W_E, built.W_pos, built.blocks, W_U * t, b_U * t, attention="hard")
    assert assert_found(rng, asked, facts, plain(asked).margins(facts)) or abs(b_U).max() > 2.0**39
