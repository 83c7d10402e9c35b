"""The search for a threshold, on success probabilities that are known."""

from fractions import Fraction
from math import exp

import numpy as np
import pytest

from georecall.theory.numbers.dense import closed_form_length
from georecall.verify.sweep import capacity
from georecall.verify.sweep.capacity import MAX_EVALUATIONS, draw_succeeds, success, threshold


def planted(monkeypatch: pytest.MonkeyPatch, probability, seed: int = 0) -> None:
    def draw(construction, N, R, dimension, trial, *, seed=seed, share=Fraction(1)):
        return bool(np.random.default_rng([seed, dimension, trial]).random() < probability(dimension))

    monkeypatch.setattr(capacity, "draw_succeeds", draw)


def logistic(centre: float, scale: float):
    return lambda dimension: 1 / (1 + exp(-(dimension - centre) / scale))


@pytest.mark.parametrize("centre", [60.0, 95.0, 150.0])
def test_the_crossing_lies_in_the_interval(monkeypatch: pytest.MonkeyPatch, centre: float) -> None:
    missed = 0
    for seed in range(12):
        planted(monkeypatch, logistic(centre, 4.0), seed)
        found = threshold("single-hop-dense", 64, 4, seed=seed)
        assert found.monotone
        assert len(found.tried) <= MAX_EVALUATIONS
        assert abs(found.estimate - centre) < 8
        missed += not found.lower <= centre <= found.upper
    assert missed <= 1  # an error of 0.05 in 12


def test_the_error_is_split_over_the_dimensions_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def recorded(trial, level, *, trials, error):
        given.append(error)
        return capacity.Estimate(1, 2, 0.0, 1.0, error, "below" if len(given) % 2 else "above")

    monkeypatch.setattr(capacity, "sequential_test", recorded)
    threshold("single-hop-dense", 64, 4, error=0.08)
    assert set(given) == {0.08 / MAX_EVALUATIONS}
    assert len(given) <= MAX_EVALUATIONS


def test_a_crossing_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, lambda dimension: float(70 <= dimension < 90 or dimension > 110))
    found = threshold("single-hop-dense", 64, 4)
    assert found.lower < found.upper
    above = [d for d, e in found.tried.items() if e.side == "above"]
    below = [d for d, e in found.tried.items() if e.side == "below"]
    assert found.monotone == (max(below) < min(above))


@pytest.mark.parametrize(("rate", "says"), [(0.0, "succeed often enough"), (1.0, "fail often enough")])
def test_a_probability_that_never_crosses_is_said(
    monkeypatch: pytest.MonkeyPatch, rate: float, says: str
) -> None:
    planted(monkeypatch, lambda dimension: rate)
    with pytest.raises(ValueError, match=says):
        threshold("single-hop-dense", 64, 4)


def test_measured_thresholds_lie_below_the_bounds() -> None:
    for N, R in ((16, 2), (32, 4)):
        found = threshold("single-hop-dense", N, R, trials=100)
        assert found.upper <= closed_form_length(N, N, R, 0.5) * 1.05
        assert found.lower > closed_form_length(N, N, R, 0.5) / 2


def test_a_draw_depends_on_its_own_parameters_alone() -> None:
    first = [draw_succeeds("single-hop-dense", 16, 4, 60, i) for i in range(30)]
    again = [draw_succeeds("single-hop-dense", 16, 4, 60, i) for i in reversed(range(30))]
    assert first == again[::-1]
    assert 0 < sum(first) < 30
    assert success("single-hop-dense", 16, 4, 60, trials=30).successes == sum(first)


def test_a_share_of_the_facts_is_easier_than_all() -> None:
    hard = success("linear-memory", 64, 1, 40, trials=40)
    easy = success("linear-memory", 64, 1, 40, trials=40, share=Fraction(9, 10))
    assert hard.successes < easy.successes


def test_an_unknown_construction_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity is measured of"):
        draw_succeeds("nonesuch", 4, 2, 8, 0)
