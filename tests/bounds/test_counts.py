"""C6 by counting, against the arrays of answers that all tables have."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import every_array

from georecall.bounds import (
    counts,
    multi_hop,
    multi_hop_entropy,
    multi_hop_untyped,
    precision,
    untyped_floors,
)

TYPED = [(2, 2, 2), (2, 2, 3), (3, 1, 3), (3, 2, 2), (2, 3, 2), (4, 1, 2)]
UNTYPED = [(3, 2, 2), (3, 2, 3), (4, 2, 2), (4, 2, 3), (3, 3, 2), (5, 1, 3), (4, 2, 4)]


def arrays(N: int, R: int, k: int, T: int, *, typed: bool) -> int:
    """How many arrays of k-hop answers T subjects have over all tables, by trying them all."""
    return len(np.unique(every_array(N, R, k, T, typed=typed), axis=0))


@pytest.mark.parametrize(("N", "R", "k"), TYPED)
def test_the_typed_arrays_are_counted_exactly(N, R, k):
    for T in range(1, N + 1):
        assert counts.typed_arrays(N, R, k, T) == arrays(N, R, k, T, typed=True)


@pytest.mark.parametrize(("N", "R", "k"), UNTYPED)
def test_no_floor_is_above_the_number_of_untyped_arrays(N, R, k):
    for T in range(1, N + 1):
        exact = math.log2(arrays(N, R, k, T, typed=False))
        for name, floor in untyped_floors(N, R, k, T).items():
            assert floor.lower_float <= exact + 1e-9, (name, T)


@given(st.integers(2, 20), st.integers(1, 3), st.integers(1, 4), st.data())
def test_paths_are_below_the_count_and_the_count_below_the_most(N, R, k, data):
    T = data.draw(st.integers(1, N))
    exact = counts.typed_arrays(N, R, k, T)
    with precision(100):
        path, most = counts.typed_path(N, R, k, T), counts.typed_most(N, R, k, T)
        if exact is not None:
            assert float(path.mid()) <= math.log2(exact) + 1e-9 <= float(most.mid()) + 2e-9
            assert multi_hop_entropy(N, R, k, T).lower_float <= math.log2(exact) + 1e-9
        assert float(path.mid()) <= float(most.mid()) + 1e-9


@given(st.integers(1, 300), st.integers(1, 4), st.integers(2, 6), st.data())
def test_trees_leave_room_for_every_node_and_leaf(N, R, k, data):
    T = data.draw(st.integers(1, N))
    for j in counts.trees(N, R, k, T):
        inner = T * (k - j) + T * sum(R**depth for depth in range(j))
        assert inner + T * R ** (j - 1) <= N


def test_the_figures_of_the_theory():
    assert 31.9887 < multi_hop(256, 2, 2).lower_float < 31.9888
    assert 260_601 < multi_hop_untyped(2**16, 2, 14).lower_float < 260_602
    assert multi_hop_untyped(2**16, 2, 14).argument == "trees at T = 1"


@pytest.mark.parametrize("hops", [50, 300, 10**9])
def test_there_is_an_answer_for_any_number_of_hops(hops):
    typed, untyped = multi_hop(1000, 2, hops, digits=9), multi_hop_untyped(1000, 2, hops, digits=9)
    for floor in (typed, untyped):
        assert 0 < floor.lower <= floor.upper
    assert typed.lower_float > (hops - 12) * math.log2(math.factorial(1000)) / 1000
    assert untyped.upper_float <= 2 * math.log2(math.factorial(1000)) * (1 + 1e-12)
