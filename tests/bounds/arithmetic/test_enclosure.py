import math
from fractions import Fraction

import flint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.bounds import Enclosure, counting

rationals = st.fractions(min_value=-1000, max_value=1000)


@st.composite
def enclosures(draw: st.DrawFn) -> Enclosure:
    low, high = sorted((draw(rationals), draw(rationals)))
    return Enclosure(low, high, "bits")


def test_overlapping_enclosures_are_undecided():
    low, high = Enclosure(Fraction(1), Fraction(3), "bits"), Enclosure(Fraction(2), Fraction(4), "bits")
    assert low.compare(high) is None
    assert low.below(high) is None
    assert low.at_most(high) is None
    assert (high.compare(low), high.below(low), high.at_most(low)) == (None, None, None)
    assert low.compare(2) is None
    assert counting(5, 3, digits=1).compare(counting(5, 3, digits=1)) is None  # equal, but nothing decides it


def test_separated_enclosures_are_decided():
    low, high = Enclosure(Fraction(1), Fraction(2), "bits"), Enclosure(Fraction(3), Fraction(4), "bits")
    assert (low.compare(high), high.compare(low)) == (-1, 1)
    assert low.below(high) is True
    assert high.below(low) is False
    assert high.at_most(low) is False


def test_touching_enclosures_decide_at_most_but_not_below():
    low, high = Enclosure(Fraction(1), Fraction(2), "bits"), Enclosure(Fraction(2), Fraction(3), "bits")
    assert low.at_most(high) is True
    assert low.below(high) is None
    assert high.below(low) is False
    assert high.at_most(low) is None
    assert low.compare(high) is None


def test_exact_values_can_be_equal():
    two = Enclosure.exactly(2, "bits")
    assert two.compare(2) == 0
    assert two.compare(Enclosure(Fraction(2), Fraction(3), "bits")) is None
    assert two.compare(Enclosure(Fraction(1), Fraction(2), "bits")) is None
    assert two.below(2) is False
    assert two.at_most(2) is True


@given(enclosures(), enclosures(), st.fractions(0, 1), st.fractions(0, 1))
def test_a_decision_holds_for_every_pair_of_values_inside(a, b, s, t):
    x, y = a.lower + s * a.width, b.lower + t * b.width
    decided = a.compare(b)
    assert decided is None or decided == (x > y) - (x < y)
    assert a.below(b) in (None, x < y)
    assert a.at_most(b) in (None, x <= y)


def test_an_unbounded_enclosure_is_never_below_anything():
    floor = Enclosure(Fraction(3), None, "bits")
    assert floor.compare(2) == 1
    assert floor.below(10**9) is None
    assert floor.contains(10**9)
    assert not floor.contains(2)
    assert floor.width is None
    assert floor.upper_float == math.inf
    assert floor.ceiling().upper is None
    assert floor.positive_part().upper is None
    assert str(floor) == "3..inf bits"
    for other in (Enclosure(Fraction(5), Fraction(6), "bits"), floor):
        assert (other.compare(floor), other.below(floor), other.at_most(floor)) == (None, None, None)
    assert Enclosure.exactly(2, "bits").compare(floor) == -1


def test_an_enclosure_contains_what_lies_within_its_ends_and_they_belong_to_it():
    one_to_three = Enclosure(Fraction(1), Fraction(3), "bits")
    assert one_to_three.contains(one_to_three)
    assert one_to_three.contains(1)
    assert one_to_three.contains(3)
    assert not one_to_three.contains(Enclosure(Fraction(2), Fraction(4), "bits"))
    assert not one_to_three.contains(Enclosure(Fraction(0), Fraction(2), "bits"))
    assert not one_to_three.contains(Enclosure(Fraction(2), None, "bits"))
    assert Enclosure(Fraction(1), None, "bits").contains(Enclosure(Fraction(2), None, "bits"))


def test_narrow_means_a_width_of_at_most_so_many_digits_of_a_large_lower_end():
    hundredth = Enclosure(Fraction(0), Fraction(1, 100), "1")
    assert hundredth.narrower_than(2)
    assert not hundredth.narrower_than(3)
    assert not Enclosure(Fraction(0), Fraction(3, 200), "1").narrower_than(2)
    for sign in (1, -1):
        large = Enclosure(Fraction(1000 * sign), Fraction(1000 * sign + 1), "1")
        assert large.narrower_than(3)
        assert not large.narrower_than(4)
    assert not Enclosure(Fraction(0), None, "1").narrower_than(1)


def test_the_positive_part_moves_only_ends_below_0():
    def part(low: Fraction | int, high: Fraction | int) -> tuple[Fraction, Fraction | None]:
        enclosure = Enclosure(Fraction(low), Fraction(high), "bits").positive_part()
        return enclosure.lower, enclosure.upper

    assert part(-2, -1) == (0, 0)
    assert part(-1, Fraction(1, 2)) == (0, Fraction(1, 2))
    assert part(Fraction(1, 4), Fraction(1, 2)) == (Fraction(1, 4), Fraction(1, 2))


def test_units_do_not_mix():
    with pytest.raises(ValueError, match=r"bits cannot be compared with one in neurons"):
        Enclosure.exactly(1, "bits").compare(Enclosure.exactly(1, "neurons"))


@pytest.mark.parametrize("ends", [(Fraction(2), Fraction(1)), (0.5, Fraction(1)), (Fraction(0), 1.0)])
def test_bad_ends_are_refused(ends):
    with pytest.raises(ValueError, match=r"upper must be at least|must be Fractions"):
        Enclosure(*ends, "bits")


def test_ends_that_cross_are_named():
    with pytest.raises(ValueError, match="at least lower = 2, not 1"):
        Enclosure(Fraction(2), Fraction(1), "bits")


@given(rationals, rationals)
def test_floats_and_decimals_never_cross_to_the_other_side(a, b):
    low, high = sorted((a, b))
    enclosure = Enclosure(low, high, "1")
    assert Fraction(enclosure.lower_float) <= low
    assert Fraction(enclosure.upper_float) >= high
    assert math.nextafter(enclosure.lower_float, math.inf) > low  # and are the nearest that do not
    for digits in (0, 1, 3):
        down, up = enclosure.decimals(digits)
        assert Fraction(down) <= low <= high <= Fraction(up)
        assert low - Fraction(down) < Fraction(1, 10**digits)


def test_floats_at_the_ends_of_their_range():
    huge = Enclosure.exactly(10**400, "1")
    assert huge.lower_float == math.nextafter(math.inf, 0)
    assert huge.upper_float == math.inf
    assert Enclosure.exactly(-(10**400), "1").lower_float == -math.inf
    assert Enclosure.exactly(-(10**400), "1").upper_float == -math.nextafter(math.inf, 0)
    tiny = Enclosure.exactly(Fraction(-1, 10**400), "1")
    assert tiny.lower_float < 0
    assert tiny.upper_float == 0


def test_from_ball_is_exact():
    flint_third = flint.arb(1) / 3
    enclosure = Enclosure.from_ball(flint_third, "1")
    assert enclosure.contains(Fraction(1, 3))
    assert enclosure.upper - enclosure.lower > 0
    assert Enclosure.from_ball(flint.arb(0.1), "1").lower == Fraction(0.1)
    with pytest.raises(ArithmeticError, match="not finite"):
        Enclosure.from_ball(flint.arb.nan(), "1")


def test_ceiling_is_exact_once_the_ends_agree():
    assert Enclosure(Fraction(5, 2), Fraction(14, 5), "dimensions").ceiling() == Enclosure.exactly(
        3, "dimensions"
    )
    assert Enclosure(Fraction(5, 2), Fraction(7, 2), "dimensions").ceiling().compare(3) is None


def test_text_shows_no_more_digits_than_are_known():
    assert str(Enclosure(Fraction(1, 3), Fraction(1, 3), "1")) == "0.333333..0.333334 1"
    assert str(Enclosure(Fraction(10, 3), Fraction(11, 3), "bits")) == "3.33..3.67 bits"
    assert str(Enclosure.exactly(7, "codewords")) == "7 codewords"
    assert str(Enclosure(Fraction(1), Fraction(3), "bits")) == "1..3 bits"
    assert str(Enclosure(Fraction(7, 2), None, "bits")) == "3.500000..inf bits"
    assert Enclosure.exactly(Fraction(1, 3), "1").decimals() == ("0.333333", "0.333334")
    assert str(Enclosure(Fraction(-1, 3), Fraction(-1, 3), "1")) == "-0.333334..-0.333333 1"
    assert str(Enclosure(Fraction(0), Fraction(1, 10**6), "1")) == "0.000000..0.000001 1"
    assert str(Enclosure(Fraction(0), Fraction(15, 10**5), "1")) == "0.000..0.001 1"  # 1.5e-4: not four
    assert Enclosure(Fraction(0), Fraction(1, 4), "1").decimals(1) == ("0.0", "0.3")
    assert Enclosure(Fraction(5, 2), Fraction(5, 2), "1").decimals(0) == ("2", "3")


def test_an_enclosure_is_shown_in_one_line() -> None:
    assert repr(Enclosure(Fraction(1, 3), Fraction(2, 3), "bits")) == "<Enclosure 0.33..0.67 bits>"
