"""The bound on Hebbian memories lies above what enumeration of all words finds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.numbers.memories import expected_failure, linear_noise, memory_dimension, memory_failure


def enumerated(kernel: np.ndarray, answers: np.ndarray, d: int) -> float:
    """The expected number of pairs that go wrong, over all words of d signs."""
    n_attributes = kernel.shape[1]
    wrong = total = 0
    for bits in product((-1, 1), repeat=n_attributes * d):
        u = np.array(bits).reshape(n_attributes, d)
        logits = (kernel @ u) @ u.T
        right = logits[np.arange(len(answers)), answers][:, None]
        wrong += int((logits >= right).sum()) - len(answers)  # the answer itself is no competitor
        total += 1
    return wrong / total


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(2, 1), (2, 4), (3, 1), (3, 2), (3, 3), (4, 2)]),
    strength=st.integers(0, 12),
)
def test_the_bound_is_above_enumeration(seed: int, shape: tuple[int, int], strength: int) -> None:
    n_attributes, d = shape
    rng = np.random.default_rng(seed)
    answers = rng.integers(n_attributes, size=3)
    kernel = rng.integers(-3, 4, size=(3, n_attributes)).astype(float)
    kernel[np.arange(3), answers] += strength
    assert enumerated(kernel, answers, d) <= memory_failure(kernel, answers, d)


def test_without_crosstalk_only_equal_words_fail() -> None:
    kernel, answers = np.eye(4) * 7, np.arange(4)
    assert memory_failure(kernel, answers, 10) == pytest.approx(12 / 2**10, rel=1e-5)


def test_without_a_lead_every_pair_may_fail() -> None:
    assert memory_failure(np.ones((3, 3)), np.arange(3), 5) == pytest.approx(6, rel=1e-5)


@given(st.integers(1, 2000), st.integers(1, 8))
def test_the_default_dimension_is_the_least_that_the_guide_allows(n: int, busiest: int) -> None:
    pairs = 10 * n

    def noise(d: int) -> float:
        return linear_noise(n, busiest, d)

    d = memory_dimension(pairs, 0.1, noise)
    assert expected_failure(pairs, d, noise(d)) <= 0.1
    assert d == 1 or expected_failure(pairs, d - 1, noise(d - 1)) > 0.1


def test_the_guide_is_c8s_law_for_many_facts() -> None:
    n = 10**6
    d = memory_dimension(n * n, 0.5, lambda d: linear_noise(n, 1, d))
    assert d**2 == pytest.approx(4 * n * np.log(n * n / 0.5), rel=0.01)
