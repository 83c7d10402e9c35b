import importlib
import itertools
import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall.bounds import Enclosure, approximate_counting, bits_per_subject, counting

counting_file = importlib.import_module("georecall.bounds.counting")
TINY = [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 1)]


def bijection_tables(N: int, R: int) -> list[tuple[int, ...]]:
    """Every table as its N R answers."""
    one = list(itertools.permutations(range(N)))
    return [sum(table, ()) for table in itertools.product(one, repeat=R)]


def reference(N: int, R: int) -> Fraction:
    """R log2(N!) to 60 digits, by mpmath."""
    with mpmath.workdps(80):
        text = mpmath.nstr(R * mpmath.loggamma(N + 1) / mpmath.log(2), 60, min_fixed=-1000, max_fixed=1000)
    return Fraction(text)


@pytest.mark.parametrize(("N", "R"), TINY)
def test_c4_counts_the_tables(N, R):
    tables = len(set(bijection_tables(N, R)))
    floor = counting(N, R)
    assert 2**floor.lower_float <= tables * (1 + 1e-12)
    assert 2**floor.upper_float >= tables * (1 - 1e-12)


@pytest.mark.parametrize("N", [2, 3, 10, 256, 2**16, 10**6, 10**9, 10**12])
def test_log2_of_factorials_to_30_digits(N):
    for R in (1, 8):
        floor, value = counting(N, R), reference(N, R)
        slack = value / 10**55  # of the reference
        assert floor.lower <= value + slack
        assert floor.upper >= value - slack
        assert floor.width <= value / 10**30


@given(st.integers(2, 10**12), st.integers(1, 100), st.integers(1, 60))
def test_enclosures_are_as_narrow_as_asked_and_nested(N, R, digits):
    wide, narrow = counting(N, R, digits=digits), counting(N, R, digits=digits + 20)
    assert wide.narrower_than(digits)
    assert wide.lower <= narrow.upper
    assert narrow.lower <= wide.upper


def test_the_unit_is_bits_not_nats():
    assert counting(2, 1).contains(1)
    assert counting(2, 1).unit == "bits"
    assert counting(4, 3).below(3 * 5) is True  # log2(24) = 4.58 bits; in nats it would be 3.18
    assert counting(4, 3).below(3 * 4) is False


@given(st.integers(1, 200), st.integers(1, 6))
def test_c4_is_monotone(N, R):
    assert counting(N, R).below(counting(N + 1, R)) is True
    assert N == 1 or counting(N, R).below(counting(N, R + 1)) is True


def test_in_place_superposition_stands_9_9_percent_above_the_floor_at_2_16():
    floor = bits_per_subject(2**16, 8)
    ratio = Fraction(8 * 16) / floor.lower
    assert Fraction("1.0985") < ratio < Fraction("1.0995")


@given(st.integers(2, 10**6), st.integers(1, 8))
def test_c4_is_tight_within_log2_e_per_relation(N, R):
    floor = bits_per_subject(N, R, digits=12)
    assert floor.below(R * math.ceil(math.log2(N))) is not False  # the construction stands above it
    gap = R * (math.log2(math.e) + 1e-9)
    assert Fraction(R * math.log2(N)) - floor.upper <= Fraction(gap)


def test_one_subject_has_nothing_to_be_told():
    assert counting(1, 3) == Enclosure.exactly(0, "bits")
    assert bits_per_subject(1, 3) == Enclosure.exactly(0, "bits per subject")
    assert approximate_counting(1, 3, 2).contains(0)


def test_dimension_floor_at_b_bits_a_coordinate():
    assert bits_per_subject(1000, 4).unit == "bits per subject"
    bits, dimensions = bits_per_subject(1000, 4), bits_per_subject(1000, 4, bits=3)
    assert dimensions.unit == "dimensions"
    assert dimensions.lower * 3 <= bits.upper
    assert dimensions.upper * 3 >= bits.lower
    assert (
        bits_per_subject(2, 6, bits=1).ceiling().contains(3)
    )  # 6 log2(2!) / 2, which Arb cannot know to be 3


def most_served(N: int, R: int, e: int) -> int:
    """The most tables that any list of N R answers serves with at most e errors, by trying them all."""
    tables = bijection_tables(N, R)
    return max(
        sum(sum(x != y for x, y in zip(table, answers, strict=True)) <= e for table in tables)
        for answers in itertools.product(range(N), repeat=N * R)
    )


@pytest.mark.parametrize(("N", "R"), [(2, 1), (2, 2), (3, 1), (2, 3), (4, 1)])
def test_c4_with_errors_is_below_the_exact_covering_bound(N, R):
    tables = math.factorial(N) ** R
    for e in range(N * R + 1):
        exact = math.log2(tables / most_served(N, R, e))
        floor = approximate_counting(N, R, e)
        assert floor.lower_float <= exact + 1e-12, e
        if e == 0:
            assert floor.upper_float >= exact - 1e-12


@pytest.mark.slow
def test_c4_with_errors_for_two_relations_of_three():
    for e in range(7):
        exact = math.log2(36 / most_served(3, 2, e))
        assert approximate_counting(3, 2, e).lower_float <= exact + 1e-12


@pytest.mark.parametrize(("N", "R", "e"), [(3, 1, 1), (4, 2, 3), (4, 2, 5), (5, 3, 11)])
def test_c4_with_errors_is_its_formula(N, R, e):
    shares = (share for share in itertools.product(range(N + 1), repeat=R) if sum(share) == e)
    served = sum(math.prod(math.perm(N, n) for n in share) for share in shares)
    value = max(0.0, math.log2(math.factorial(N) ** R / served))
    floor = approximate_counting(N, R, e)
    assert floor.lower_float == pytest.approx(value, abs=1e-9)
    assert floor.upper_float == pytest.approx(value, abs=1e-9)


@given(st.integers(1, 40), st.integers(1, 5), st.data())
def test_c4_with_errors_stands_above_its_closed_form_and_that_above_the_first_one(N, R, data):
    e = data.draw(st.integers(0, N * R))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting_file, "_AFFORDABLE", 0)
        closed = approximate_counting(N, R, e)
    assert closed.argument == "closed form"
    assert closed.lower <= approximate_counting(N, R, e).upper
    q, rest = divmod(e, N)
    first = math.comb(N * R, e) * math.factorial(N) ** q * math.factorial(rest)  # positions, then values
    before = R * math.lgamma(N + 1) / math.log(2) - math.log2(first)
    assert approximate_counting(N, R, e).upper_float >= before - 1e-9


def test_c4_with_errors_at_thirty_per_cent():
    floor = approximate_counting(256, 8, error_rate=Fraction(3, 10))
    assert 8672 < floor.lower_float < 8673
    assert floor == approximate_counting(256, 8, 614)
    with pytest.raises(ValueError, match="one of n_errors and error_rate"):
        approximate_counting(256, 8, 614, error_rate=Fraction(3, 10))


@given(st.integers(1, 30), st.integers(1, 5), st.data())
@settings(max_examples=2 * settings.default.max_examples // 3)
def test_c4_with_errors_starts_at_the_exact_floor_and_never_exceeds_it(N, R, data):
    e = data.draw(st.integers(0, N * R))
    floor = approximate_counting(N, R, e)
    assert floor.lower >= 0
    assert floor.lower <= counting(N, R).upper
    assert approximate_counting(N, R, 0).lower <= counting(N, R).upper
    assert approximate_counting(N, R, N * R).contains(0)
