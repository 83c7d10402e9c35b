"""Random draws depend on the seed and on what is drawn, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.tools.randomness import generator

KEYS = st.lists(st.integers(-5, 5) | st.sampled_from(["table", "trial", 0.5]), max_size=4).map(tuple)


@given(seed=st.integers(0, 2**70), key=KEYS)
def test_the_same_work_gets_the_same_stream_whatever_was_drawn_before(seed, key):
    first = generator(seed, *key).integers(2**63, size=3).tolist()
    generator(seed + 1, "other").random(10)
    np.random.default_rng(0).random(10)
    assert generator(seed, *key).integers(2**63, size=3).tolist() == first


def test_other_seeds_and_other_keys_get_other_streams():
    keys = [(), (0,), (1,), ("0",), (0, 1), (1, 0), ("01",), ((0, 1),), (0.0,), (None,)]
    draws = [int(generator(seed, *key).integers(2**63)) for seed in (0, 1, 2**40) for key in keys]
    assert len(set(draws)) == len(draws)


def test_the_streams_are_pinned():
    raw = generator(0, "table", 8, 2).bit_generator.random_raw(3)
    assert raw.tolist() == [7370075605268920410, 15377500061969822131, 5259514740416611716]


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match=r"negative|non-negative"):
        generator(-1)
