"""pytest-benchmark's view of the heart of the checker: `pytest tests/benchmarks --benchmark-only`."""

from itertools import count as count_from
from itertools import cycle

import numpy as np
import pytest

from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.codes.nearest import nearest_squared_distances
from georecall.theory.facts.fact_table import random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.theory.tools.fast import switched
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.partial_count import blas, count_piece, piece_size
from georecall.verify.margins.margins import margins

_OTHERS = ("single-hop-dense", "single-hop-split")
FAMILY = [name for name in CONSTRUCTIONS if name.startswith("single-hop") and name not in _OTHERS]


@pytest.mark.parametrize("name", FAMILY)
def test_a_million_facts_are_counted(benchmark, name):
    facts = random_bijections(1 << 16, 16, rng=np.random.default_rng(0))
    found = benchmark(count, CONSTRUCTIONS[name](facts), facts)
    assert found.n_recalled == 1 << 20


@pytest.fixture(params=["NumPy", "compiled"])
def way(request):
    if request.param == "compiled":
        pytest.importorskip("numba")
    with switched(on=request.param == "compiled"):
        yield


@pytest.mark.parametrize(
    ("table", "N", "R"), [("held", 1 << 20, 16), ("keyed", 1 << 20, 16), ("keyed", 1 << 18, 256)]
)
def test_a_piece_of_subjects_is_counted(benchmark, way, table, N, R):
    """Half a million facts, or as many as are counted together; others every time, so that none is kept."""
    held = table == "held"
    facts = random_bijections(N, R, rng=np.random.default_rng(0)) if held else KeyedBijections(N, R, seed=0)
    with blas().limit(limits=1):
        judge = ExactMargins.of(CONSTRUCTIONS["single-hop"](facts), facts)
        piece = min(piece_size(judge), (1 << 19) // R)
        starts = cycle(range(0, N - piece, piece))
        found = benchmark(lambda: count_piece(judge, start := next(starts), start + piece))
    assert found.n_settled == R * piece


def test_margins_one_by_one(benchmark):
    facts = random_bijections(1 << 12, 8, rng=np.random.default_rng(0))
    found = benchmark(margins, CONSTRUCTIONS["single-hop"](facts), facts)
    assert found.n_recalled == 1 << 15


def test_nearest_words_of_a_code(benchmark):
    words = np.random.default_rng(0).choice([-1, 1], size=(1 << 12, 48))
    assert benchmark(nearest_squared_distances, words).min() > 0


def test_keyed_answers(benchmark, way):
    facts = KeyedBijections(1 << 26, 16, seed=0)
    starts = count_from(0, 1 << 14)
    assert benchmark(lambda: facts.block(start := next(starts), start + (1 << 14))).shape == (16, 1 << 14)
