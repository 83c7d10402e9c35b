"""The readout formulas beside the C1 claims are what the transformers read, at any gate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import (
    Code,
    block_superposition,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
)
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.claims.single_hop import readout_narrow, readout_selected
from georecall.verify.strategies import table_of

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = {
    "seed": SEEDS,
    "N": st.integers(1, 6),
    "R": st.integers(1, 5),
    "m": st.integers(1, 5),
    "lo": st.integers(-4, 4),
    "V": st.integers(1, 9),
    "quarters": st.integers(0, 80),
}


@pytest.fixture(scope="module")
def instance():
    """A random table, a random code (words may coincide), and its words at every fact."""

    def drawn(seed, N, R, m, lo, V, A=7):
        words = np.random.default_rng(seed).integers(lo, lo + V + 1, size=(A, m))
        table = table_of("functions", N, R, A, seed=seed)
        return table, Code(words, lo=lo, hi=lo + V), words[table.answers].astype(float)

    return drawn


def residuals(model, table):
    """The residual stream at the last position for every fact, shape (R, N, d_model)."""
    R, N = table.answers.shape
    relations, subjects = np.divmod(np.arange(R * N), N)
    return model.residual(subject_first(N, subjects, relations)).reshape(R, N, -1)


@given(**SHAPES)
def test_c1_reads_the_word_plus_the_leak_of_every_other_block(instance, seed, N, R, m, lo, V, quarters):
    table, code, v = instance(seed, N, R, m, lo, V)
    gate = quarters / 4
    read = residuals(block_superposition(table, code=code, gate=gate), table)[..., -m:]
    assert np.array_equal(read, readout_selected(v, gate, lo))


@given(**SHAPES)
def test_c1_in_place_reads_what_c1_reads(instance, seed, N, R, m, lo, V, quarters):
    table, code, v = instance(seed, N, R, m, lo, V)
    gate = quarters / 4
    found = residuals(in_place_superposition(table, code=code, gate=gate), table)
    read = found.reshape(*found.shape[:2], R, m).sum(axis=2)
    assert np.array_equal(read, readout_selected(v, gate, lo))


@given(**SHAPES)
def test_c1_narrow_reads_what_the_last_block_keeps(instance, seed, N, R, m, lo, V, quarters):
    table, code, v = instance(seed, N, R, m, lo, V)
    gate = quarters / 4
    read = residuals(narrow_superposition(table, code=code, gate=gate), table)[..., -m:]
    assert np.array_equal(read, readout_narrow(v, gate, V))


@given(**SHAPES, bits=st.integers(1, 6))
def test_c1_packed_reads_the_packed_word_plus_leaks(instance, seed, N, R, m, lo, V, quarters, bits):
    table, code, _ = instance(seed, N, R, m, lo, V)
    gate, n_groups = quarters / 4, -(-m // bits)
    read = residuals(packed_superposition(table, bits=bits, code=code, gate=gate), table)[..., -n_groups:]
    group = np.arange(m) // bits
    scale = np.array([2.0 ** (group == g).sum() - 1 for g in range(n_groups)])
    packed = np.array(
        [[w[group == g] @ 2 ** np.arange((group == g).sum()) for g in set(group)] for w in code.words]
    )
    v = packed[table.answers].astype(float)
    assert np.array_equal(read, readout_selected(v, gate * scale, lo * scale))


def test_above_the_least_gate_nothing_leaks():
    v = np.random.default_rng(0).integers(-1, 2, size=(4, 5, 3)).astype(float)
    assert np.array_equal(readout_selected(v, 1.0, -1), v)
    assert np.array_equal(readout_narrow(v, 2.0, 2), v)
    assert not np.array_equal(readout_selected(v, 0.75, -1), v)
    assert not np.array_equal(readout_narrow(v, 1.75, 2), v)


def test_c1_below_gate_1_leaks_2_minus_2_gate_for_every_plus_one_elsewhere():
    u = np.random.default_rng(1).choice([-1.0, 1.0], size=(4, 6, 5))
    for gate in (0.0, 0.25, 0.875, 1.0):
        elsewhere = (u == 1).sum(axis=0) - (u == 1)
        assert np.array_equal(readout_selected(u, gate, -1), u + (2 - 2 * gate) * elsewhere)
