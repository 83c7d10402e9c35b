"""pytest-benchmark's view of the heart of the checker: `pytest tests/benchmarks --benchmark-only`."""

import numpy as np
import pytest

from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.theory.facts.fact_table import random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.margins import margins

_OTHERS = ("single-hop-dense", "single-hop-split")
FAMILY = [name for name in CONSTRUCTIONS if name.startswith("single-hop") and name not in _OTHERS]


@pytest.mark.parametrize("name", FAMILY)
def test_a_million_facts_are_counted(benchmark, name):
    facts = random_bijections(1 << 16, 16, rng=np.random.default_rng(0))
    found = benchmark(count, CONSTRUCTIONS[name](facts), facts)
    assert found.n_recalled == 1 << 20


def test_a_block_of_subjects_is_judged(benchmark):
    facts = KeyedBijections(1 << 20, 16, seed=0)
    judge = ExactMargins.of(CONSTRUCTIONS["single-hop"](facts), facts)
    found, settled = benchmark(judge.margins, 0, 1 << 14)
    assert settled == found.size == 1 << 18


def test_margins_one_by_one(benchmark):
    facts = random_bijections(1 << 12, 8, rng=np.random.default_rng(0))
    found = benchmark(margins, CONSTRUCTIONS["single-hop"](facts), facts)
    assert found.n_recalled == 1 << 15


def test_nearest_words_of_a_code(benchmark):
    words = np.random.default_rng(0).choice([-1, 1], size=(1 << 12, 48))
    assert benchmark(nearest_squared_distances, words).min() > 0


def test_keyed_answers(benchmark):
    facts = KeyedBijections(1 << 26, 16, seed=0)
    assert benchmark(facts.block, 0, 1 << 14).shape == (16, 1 << 14)
