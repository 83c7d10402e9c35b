"""Binary formats: what each can hold without rounding, against NumPy's own description of them."""

from fractions import Fraction

import numpy as np
import pytest

from georecall.verify.margins.balls import gamma
from georecall.verify.margins.number_formats import FORMATS, Format


@pytest.mark.parametrize("name", ["float64", "float32", "float16"])
def test_a_format_is_that_of_numpy(name):
    info = np.finfo(name)
    assert FORMATS[name] == Format(
        digits=info.nmant + 1, low=int(np.log2(float(info.smallest_subnormal))), high=info.maxexp - 1
    )


def test_a_format_represents_what_needs_no_more_digits_nothing_finer_and_nothing_larger():
    half = FORMATS["float16"]
    assert half.represents(half)
    assert half.represents(Format(11, -24, 15))
    assert not half.represents(Format(12, -24, 15))
    assert not half.represents(Format(2, -25, 0))
    assert not half.represents(Format(2, 10, 16))
    assert FORMATS["float32"].represents(half)
    assert not half.represents(FORMATS["float32"])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 100, 1 << 20])
def test_rounding_is_charged_at_highams_gamma_and_one_rounding_more(n):
    u = Fraction(1, 1 << 53)
    assert Fraction(gamma(n)) > (n + 1) * u / (1 - (n + 1) * u)
    assert Fraction(gamma(n)) < (n + 1) * u * Fraction(1001, 1000)


def test_formats_join_to_the_least_that_represents_all():
    assert Format(3, -2, 5).joined(Format(7, 0, 1), Format(1, -9, 2)) == Format(7, -9, 5)
    assert Format(3, -2, 5).joined() == Format(3, -2, 5)
