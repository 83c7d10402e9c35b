"""Keyed bijections: bijective at every small N, and by sampling at large ones; the same in any block."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.keyed import KeyedBijections
from georecall.theory.tools.fast import SWITCH


@pytest.mark.parametrize("N", [*range(1, 40), 63, 64, 65, 1000, 4095, 4096, 4097, 70000])
def test_every_relation_is_a_bijection_and_its_inverse_undoes_it(N):
    facts = KeyedBijections(N, 3, seed=0)
    answers = facts.block(0, N)
    assert (np.sort(answers, axis=1) == np.arange(N)).all()
    for r in range(3):
        assert (facts.subject_of(r, answers[r]) == np.arange(N)).all()


@pytest.mark.parametrize(
    "N",
    [
        *range(1, 9),
        63,
        1000,
        4097,
        2**20,
        2**26 - 5,
        3 << 24,
        2**30,
        2**31,
        2**31 + 1,
        2**34,
        2**62 - 3,
        2**62,
    ],
)
def test_compiled_answers_are_those_of_numpy(monkeypatch, N):
    """In the same type; many, and walks of several steps, are among them; no other key gives them."""
    pytest.importorskip("numba")
    monkeypatch.setenv(SWITCH, "always")
    for start in {0, N // 3, max(0, N - 500)}:
        stop = min(N, start + 500)
        found, numbers = KeyedBijections(N, 2, seed=1).block(start, stop), np.arange(start, stop)
        want = KeyedBijections(N, 2, seed=1).answers_of(numbers.astype(np.int32 if N <= 2**31 else np.int64))
        assert found.dtype == want.dtype
        assert found.tolist() == want.tolist()
        assert not found.flags.writeable
    assert N < 9 or found.tolist() != KeyedBijections(N, 2, seed=2).answers_of(numbers).tolist()


def test_blocks_of_a_few_subjects_of_many_load_no_compiler(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    facts, asked = KeyedBijections(2**40, 2, seed=0), []
    monkeypatch.setattr(KeyedBijections, "_compiled", lambda self, *block: asked.append(block) or np.zeros(1))
    facts.block(0, 64)
    KeyedBijections(2**24, 2, seed=0).block(0, 5000)
    assert asked == []
    pytest.importorskip("numba")
    facts.block(0, 5000)
    assert asked == [(0, 5000)]


@given(
    bits=st.integers(20, 62),
    seed=st.integers(0, 2**32),
    start=st.integers(0, 2**62),
    below=st.integers(0, 99),
)
def test_at_large_n_the_inverse_undoes_it_and_nothing_leaves_the_range(bits, seed, start, below):
    N = 2**bits - below
    facts = KeyedBijections(N, 2, seed=seed)
    subjects = np.unique((start + np.arange(500) * 7919) % N)
    answers = facts.answers_of(subjects)
    assert answers.min() >= 0
    assert answers.max() < N
    for r in range(2):
        assert len(np.unique(answers[r])) == len(subjects)
        assert (facts.subject_of(r, answers[r]) == subjects).all()


@given(seed=st.integers(0, 99), N=st.integers(1, 500), cut=st.integers(0, 500))
def test_blocks_and_single_subjects_give_the_same_answers(seed, N, cut):
    facts = KeyedBijections(N, 3, seed=seed)
    whole, cut = facts.block(0, N), min(cut, N)
    assert np.array_equal(np.concatenate([facts.block(0, cut), facts.block(cut, N)], axis=1), whole)
    some = np.arange(N)[::-1][: N // 2]
    assert np.array_equal(facts.answers_of(some), whole[:, some])


def test_relations_sizes_and_seeds_have_unrelated_bijections():
    seen = {
        tuple(KeyedBijections(N, R, seed=seed).attribute_of(r, np.arange(90)).tolist())
        for N, R, seed in [(100, 2, 0), (100, 2, 1), (101, 2, 0), (100, 3, 0)]
        for r in range(R)
    }
    assert len(seen) == 2 + 2 + 2 + 3
    assert KeyedBijections(100, 2, seed=0).digest != KeyedBijections(100, 2, seed=1).digest


def test_differences_of_neighbours_and_fixed_points_are_as_of_random_permutations():
    facts = KeyedBijections(5000, 40, seed=3)
    answers = facts.block(0, 5000)
    steps = np.bincount(((np.diff(answers, axis=1) % 5000) // 50).ravel(), minlength=100)
    assert ((steps - steps.mean()) ** 2 / steps.mean()).sum() < 160  # 99 degrees of freedom: p = 1e-4
    assert 0.3 < (answers == np.arange(5000)).sum(axis=1).mean() < 2.0  # 1 expected


def test_they_say_what_a_table_says():
    facts = KeyedBijections(50, 2, seed=0)
    table = FactTable(facts.block(0, 50))
    for name in ("n_subjects", "n_relations", "n_attributes", "n_facts", "onto", "bijective"):
        assert getattr(facts, name) == getattr(table, name)
    assert np.array_equal(facts.occurring(), table.occurring())
    assert facts.question(3, 0, 1) == table.question(3, 0, 1)
    assert facts.attribute_name(7) == table.attribute_name(7)


@pytest.mark.parametrize(("N", "R"), [(0, 1), (-1, 1), (2**62 + 1, 1), (5, 0)])
def test_counts_out_of_range_are_refused(N, R):
    with pytest.raises(ValueError, match=r"1\.\.2"):
        KeyedBijections(N, R, seed=0)


def test_blocks_that_are_kept_cannot_be_changed_and_are_left_out_of_pickles():
    facts = KeyedBijections(1000, 2, seed=0)
    kept = facts.block(0, 1000)
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1
    again = pickle.dumps(facts)
    assert len(again) < 1000
    assert np.array_equal(pickle.loads(again).block(0, 1000), kept)
    assert pickle.loads(again).digest == facts.digest
