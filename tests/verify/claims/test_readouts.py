"""Readouts are what the transformers read, and recall is decided as on their exact margins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import (
    best_linear_memory,
    dense_superposition,
    linear_associative_memory,
    random_feature_memory,
)
from georecall.verify.claims.readouts import READOUTS, Readouts, margins_read, n_wrong, split_margins
from georecall.verify.margins.margins import margins

BUILD = {
    "single-hop-dense": lambda facts, d, rng: dense_superposition(facts, length=d, rng=rng),
    "single-hop-dense-gaussian": lambda facts, d, rng: dense_superposition(
        facts, variant="gaussian", length=d, rng=rng
    ),
    "single-hop-dense-orthogonal": lambda facts, d, rng: dense_superposition(
        facts, variant="orthogonal", length=d, rng=rng
    ),
    "single-hop-dense-zero-forced": lambda facts, d, rng: dense_superposition(
        facts, embedding="zero-forced", length=d, rng=rng
    ),
    "single-hop-dense-optimised": lambda facts, d, rng: dense_superposition(
        facts, embedding="optimised", length=d, rng=rng
    ),
    "best-linear-memory": lambda facts, d, rng: best_linear_memory(facts, dimension=d, rng=rng),
    "linear-memory": lambda facts, d, rng: linear_associative_memory(facts, dimension=d, rng=rng),
    "random-feature-memory": lambda facts, d, rng: random_feature_memory(facts, dimension=d, rng=rng),
}
WHOLE = [name for name in READOUTS if "gaussian" not in name and "orthogonal" not in name]
SHAPES = {
    "seed": st.integers(0, 2**32 - 1),
    "N": st.integers(2, 12),
    "R": st.integers(1, 4),
    "d": st.integers(1, 24),
}


def test_every_construction_is_compared() -> None:
    assert set(BUILD) == set(READOUTS)


@given(**SHAPES, name=st.sampled_from(WHOLE))
def test_margins_are_the_transformers(random_table, seed, N, R, d, name):
    table = random_table(seed, N, R, N + 1)
    found = margins(BUILD[name](table, d, np.random.default_rng(seed)), table)
    drawn = READOUTS[name](table, d, np.random.default_rng(seed))
    read = margins_read(drawn, table)
    assert found.exact
    assert np.array_equal(found.lower, read)
    again = READOUTS[name](table, d, np.random.default_rng(seed))
    assert n_wrong(again, table, allowed=table.n_facts) == found.n_wrong


@given(**SHAPES, name=st.sampled_from(sorted(set(READOUTS) - set(WHOLE))))
def test_the_variants_margins_are_the_transformers_up_to_rounding(random_table, seed, N, R, d, name):
    table = random_table(seed, N, R, N)
    found = margins(BUILD[name](table, d, np.random.default_rng(seed)), table)
    drawn = READOUTS[name](table, d, np.random.default_rng(seed))
    assert np.allclose(found.lower, margins_read(drawn, table), atol=1e-9)
    again = READOUTS[name](table, d, np.random.default_rng(seed))
    assert n_wrong(again, table, allowed=table.n_facts) >= found.n_wrong  # what is open counts as wrong


@given(
    seed=st.integers(0, 2**32 - 1),
    large=st.lists(st.integers(2**24, 2**40), min_size=1, max_size=20),
    small=st.integers(-3, 3),
)
def test_single_precision_decides_nothing_that_it_cannot(random_table, seed, large, small):
    """Two words that differ in three coordinates, whose large readouts cancel but for a small number."""
    table = random_table(seed, len(large), 2, 2)
    u = np.random.default_rng(seed).choice([-1.0, 1.0], size=(2, 5))
    u[1] = u[0] * [-1, -1, -1, 1, 1]
    y = []
    for answers in table.answers:
        L = np.array(large, dtype=float)
        M = np.round(L / 3)
        y.append(u[answers] * np.stack([L - M, M, small - L, 0 * L, 0 * L], axis=1))
    wrong = n_wrong(Readouts(u, iter(y)), table, allowed=99)
    assert wrong == (table.n_facts if small <= 0 else 0)
    assert (margins_read(Readouts(u, iter(y)), table) == 2 * small).all()


def test_counting_stops_when_it_is_decided(random_table):
    table = random_table(0, 3, 5, 4)
    given_out = []

    def each():
        for r in range(5):
            given_out.append(r)
            yield np.zeros((3, 2))

    assert n_wrong(Readouts(np.ones((4, 2)), each()), table) > 0
    assert given_out == [0]


@pytest.mark.parametrize("name", WHOLE)
def test_signal_and_crosstalk_add_up_to_the_margin(random_table, name):
    table = random_table(3, 20, 3, 20)
    drawn, again = (READOUTS[name](table, 16, np.random.default_rng(3)) for _ in range(2))
    signal, crosstalk = split_margins(drawn, table)
    assert np.allclose(signal + crosstalk, margins_read(again, table))
    assert (signal >= 0).all()
