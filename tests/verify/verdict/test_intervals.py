"""Intervals against SciPy, and sequential tests against the error that they promise."""

import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import special, stats

from georecall.verify.verdict import intervals
from georecall.verify.verdict.intervals import (
    Estimate,
    clopper_pearson,
    falls_short,
    looks,
    looks_for,
    reaches,
    sequential_test,
    upper_tail,
)

betaincinv = special.betaincinv
COUNTS = st.integers(1, 120).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
ERRORS = st.sampled_from([0.01, 0.05, 0.2, 0.003125])


@given(COUNTS, ERRORS)
@example((2, 4), 0.05)  # 1 - the lower end for failures rounds down
@example((4, 4), 0.05)
def test_the_interval_is_scipys_rounded_outward(counts: tuple[int, int], error: float) -> None:
    k, n = counts
    lower, upper = clopper_pearson(k, n, error)
    wanted = stats.binomtest(k, n).proportion_ci(1 - error, method="exact")
    assert lower == pytest.approx(wanted.low, abs=1e-9)
    assert upper == pytest.approx(wanted.high, abs=1e-9)
    assert 0 <= lower <= upper <= 1
    failures = clopper_pearson(n - k, n, error)[0]
    assert np.nextafter(upper, 0) < 1 - Fraction(failures) <= upper  # no more than the next float
    if k:
        assert upper_tail(k, n, Fraction(lower)) <= Fraction(str(error)) / 2
    if k < n:
        assert upper_tail(n - k, n, 1 - Fraction(upper)) <= Fraction(str(error)) / 2


def test_an_interval_of_ten_thousand_draws_is_a_matter_of_a_second() -> None:
    start = time.process_time()
    lower, upper = clopper_pearson(9500, 10000)
    wanted = stats.binomtest(9500, 10000).proportion_ci(0.95, method="exact")
    assert (lower, upper) == (pytest.approx(wanted.low, abs=1e-9), pytest.approx(wanted.high, abs=1e-9))
    assert time.process_time() - start < 5


def test_looks_that_go_on_double_to_a_cap_and_the_first_decides_if_all_succeed() -> None:
    for level in (Fraction(9, 10), Fraction(1, 2), Fraction(987, 1000), Fraction(999, 1000)):
        planned = looks_for(level, 0.01)
        assert all(later == 2 * earlier for earlier, later in pairwise(planned))
        assert reaches(planned[0], planned[0], level, Fraction(1, 100) / len(planned))
        assert planned[-1] <= max(16384, 4 * planned[0])
    assert looks_for(1 - Fraction(1, 10**6), 0.01) == ()
    told = sequential_test(lambda i: i % 10 != 9, Fraction(9, 10), trials=(10, 20), error=0.1)
    assert told == Estimate(18, 20, *clopper_pearson(18, 20, 0.05), error=0.1, side=None)


@pytest.mark.parametrize("off", [1e-11, 1.2e-9, 0.3])
def test_an_end_that_scipy_gets_wrong_is_moved_until_it_is_right_and_at_most_twice_as_far(
    off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = clopper_pearson(30, 40)[0]
    monkeypatch.setattr(special, "betaincinv", lambda *asked: betaincinv(*asked) + off)
    lower = clopper_pearson(30, 40)[0]
    assert upper_tail(30, 40, Fraction(lower)) <= Fraction(1, 40)
    assert right - off - 2e-12 <= lower <= right + 1e-12


@given(COUNTS, st.fractions(0, 1, max_denominator=50))
def test_tails_are_scipys(counts: tuple[int, int], p: Fraction) -> None:
    k, n = counts
    assert float(upper_tail(k, n, p)) == pytest.approx(stats.binom.sf(k - 1, n, float(p)), abs=1e-11)


@given(COUNTS, st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=50), ERRORS)
def test_a_side_is_taken_exactly_where_the_interval_lies_there(
    counts: tuple[int, int], level: Fraction, error: float
) -> None:
    k, n = counts
    lower, upper = clopper_pearson(k, n, error)
    exact = Fraction(str(error))
    if abs(lower - level) > 1e-9:
        assert reaches(k, n, level, exact) == (lower > level)
    if abs(upper - level) > 1e-9:
        assert falls_short(k, n, level, exact) == (upper < level)


def test_an_interval_that_ends_at_the_level_counts_as_beside_it() -> None:
    assert reaches(1, 1, Fraction(1, 40), Fraction(1, 20))  # P(Bin(1, 1/40) >= 1) = 1/40 = e/2
    assert not reaches(1, 1, Fraction(1, 40) + Fraction(1, 10**30), Fraction(1, 20))


def decided(p: float, level: Fraction, trials: int, error: float, runs: int) -> dict[str | None, int]:
    rng = np.random.default_rng(7)
    sides: dict[str | None, int] = {"above": 0, "below": 0, None: 0}
    for _ in range(runs):
        drawn = rng.random(trials) < p
        sides[sequential_test(lambda i, drawn=drawn: drawn[i], level, trials=trials, error=error).side] += 1
    return sides


@pytest.mark.parametrize("p", [0.85, 0.5, 0.9])
def test_early_looks_do_not_spoil_the_error(p: float) -> None:
    runs, error = 600, 0.1
    sides = decided(p, Fraction(str(p)), 64, error, runs)  # the truth is the level: any side is an error
    assert reaches(
        runs - sides["above"] - sides["below"], runs, Fraction(9, 10) - Fraction(3, 100), Fraction(1, 50)
    )


def test_clear_cases_are_decided_early() -> None:
    assert decided(1.0, Fraction(9, 10), 512, 0.01, 3)["above"] == 3
    found = sequential_test(lambda i: True, Fraction(9, 10), trials=512, error=0.01)
    assert (found.trials, found.side) == (64, "above")
    assert sequential_test(lambda i: False, Fraction(9, 10), trials=512, error=0.01).side == "below"


def test_every_draw_is_made_once_and_told_and_the_last_interval_has_an_equal_share_of_the_error() -> None:
    drawn: list[int] = []
    told: list[tuple[int, int]] = []
    found = sequential_test(
        lambda i: drawn.append(i) is None and i != 3,
        Fraction(9, 10),
        trials=16,
        error=0.1,
        progress=lambda *done: told.append(done),
    )
    assert drawn == list(range(16))
    assert told == [(i, next(look for look in (2, 4, 8, 16) if i <= look)) for i in range(1, 17)]
    assert found == Estimate(15, 16, *clopper_pearson(15, 16, 0.1 / 4), error=0.1, side=None)
    assert found.share == 15 / 16


def test_an_estimate_reads_as_a_sentence() -> None:
    assert str(Estimate(3, 4, 0.19412, 0.99369, 0.05)) == "3 of 4, in [0.194, 0.994]"


def test_peeking_without_paying_would_be_seen() -> None:
    """The planted fault: the same looks, each with the whole error, err more often than they may."""
    rng, runs, wrong = np.random.default_rng(3), 400, 0
    for _ in range(runs):
        drawn = np.cumsum(rng.random(512) < 0.5)
        ends = range(8, 512, 8)
        wrong += any(
            reaches(int(drawn[n - 1]), n, Fraction(1, 2), Fraction(1, 10))
            or falls_short(int(drawn[n - 1]), n, Fraction(1, 2), Fraction(1, 10))
            for n in ends
        )
    assert reaches(wrong, runs, Fraction(1, 10), Fraction(1, 1000))


def test_looks_are_fixed_beforehand() -> None:
    assert looks(512) == (64, 128, 256, 512)
    assert looks(1) == (1,)
    with pytest.raises(ValueError, match="at least 1"):
        looks(0)
    with pytest.raises(ValueError, match="successes must lie between 0 and"):
        clopper_pearson(4, 3)


@given(COUNTS, st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=60))
def test_rounded_tails_are_as_near_as_they_say(counts: tuple[int, int], p: Fraction) -> None:
    k, n = counts
    tail, off = intervals._rounded_tail(k, n, p)
    assert abs(Fraction(tail) - upper_tail(k, n, p)) <= off < Fraction(1, 10**50)


def test_a_tail_that_is_half_the_error_is_decided_exactly() -> None:
    assert reaches(2, 2, Fraction(1, 2), Fraction(1, 2))
    assert not reaches(2, 2, Fraction(1, 2), Fraction(1, 2) - Fraction(1, 10**80))


def test_ten_thousand_trials_need_no_exact_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "upper_tail", None)
    lower, upper = clopper_pearson(9000, 10_000)
    wanted = stats.binomtest(9000, 10_000).proportion_ci(0.95, method="exact")
    assert (lower, upper) == (pytest.approx(wanted.low), pytest.approx(wanted.high))


def test_a_level_that_floats_take_for_one_is_decided_by_no_number_of_draws() -> None:
    assert intervals.looks_for(1 - Fraction(1, 10**300), 0.01) == ()
