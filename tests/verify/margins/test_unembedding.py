"""Rows of W_U that are identical are put together, however few columns are looked at together."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import Code
from georecall.constructions.codes.code import sign_code
from georecall.constructions.transformer.on_demand import BlockUnembedding as OnDemand
from georecall.theory.tools.blocks import blocks
from georecall.verify.margins import unembedding
from georecall.verify.margins.unembedding import Unembedding

ROWS = [
    [1, 2, 3, 4, 5, 6],
    [1, 2, 3, 0, 0, 0],
    [0, 0, 0, 4, 5, 6],
    [0] * 6,
    [1, 2, 3, 4, 5, 6],
    [0, 0, 0, 4, 5, 7],
]


def restored(read):
    """P C, which must be W_U."""
    return np.ldexp(read.gather @ read.columns(slice(0, read.n_words)).astype(np.float64), read.step)


@pytest.mark.parametrize("columns", [1, 2, 3, 6])
def test_rows_that_part_late_or_end_in_zeros_are_told_apart(monkeypatch, columns):
    """A row may agree with another on the first columns and be zero from there on."""
    monkeypatch.setattr(unembedding, "_BLOCK", columns * len(ROWS))
    read = Unembedding.of(np.array(ROWS, dtype=np.float64))
    assert read.first.tolist() == [0, 1, 2, 5]
    np.testing.assert_array_equal(restored(read), ROWS)


@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 2)), min_size=1, max_size=6
    ),
    n_words=st.integers(2, 9),
    columns=st.integers(1, 9),
)
def test_nothing_is_lost_at_any_block_size(pieces, n_words, columns):
    """Rows that are pieces of one row, some of them twice as large."""
    place = np.arange(n_words)
    W_U = np.array([factor * (place + 1.0) * (a <= place) * (place < b) for a, b, factor in pieces])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unembedding, "_BLOCK", columns * len(W_U))
        several = Unembedding.of(W_U), Unembedding.of(W_U, apart)
    for read in several:
        if read is None:
            assert not W_U.any()
            continue
        np.testing.assert_array_equal(restored(read), W_U)
        assert read.length == len(np.unique(W_U[W_U.any(axis=1)], axis=0))


def apart(_, n, size, step, state, merge):
    """Every block from the first state, put together from the last one on."""
    found = [step(state, block) for block in blocks(n, size)]
    return reduce(lambda later, earlier: merge(earlier, later), reversed(found))


def test_entries_are_stored_in_integers_that_hold_them():
    """128 is no number of eight bits."""
    for most in (127, 128, -128, 2**24 - 1):
        W_U = np.array([[1.0, most], [most, 3.0]])
        np.testing.assert_array_equal(restored(Unembedding.of(W_U)), W_U)
        assert Unembedding.of(W_U).largest == abs(most)


def test_rows_on_demand_that_are_called_alike_are_one():
    code = sign_code(40)
    for block in (np.array([[1, 2, 3, 4, 5, 6]]), np.array([[0, 1, 2, 3, 4, 5], [7, 8, 9, 10, 11, 12]])):
        W_U = OnDemand(code, block, 14)
        alike, every = W_U.alike(), np.asarray(W_U)
        assert (alike[:, None] == alike).tolist() == (every[:, None] == every).all(axis=2).tolist()


def test_columns_on_demand_are_read_as_those_that_are_held(monkeypatch):
    """Numerals 0, ..., 7 in either order, one column at a time."""
    monkeypatch.setattr(unembedding, "_BLOCK", 1)
    for numerals in (np.arange(8), np.arange(8)[::-1]):
        code = Code(np.stack([numerals, numerals[::-1]], axis=1), lo=0, hi=7)
        W_U = OnDemand(code, np.array([[0, 1], [3, 4]]), 6)
        read, held = Unembedding.of(W_U), Unembedding.of(np.asarray(W_U))
        assert read.gather.tolist() == held.gather.tolist()
        assert (read.largest, read.step, read.n_words, read.length) == (7, 0, 8, 2)
        np.testing.assert_array_equal(restored(read), np.asarray(W_U))
        for some in (slice(2, 5), np.array([6, 0])):
            np.testing.assert_array_equal(read.columns(some), held.columns(some))
