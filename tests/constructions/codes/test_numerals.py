"""Numerals: words, norms, distances and groups without a table, against the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import Code
from georecall.constructions.codes.code import Numerals, code_length, quantized_code, sign_code


@st.composite
def numerals(draw):
    n, bits = draw(st.integers(1, 300)), draw(st.integers(1, 9))
    length = draw(st.integers(1, code_length(n, bits) + 2))
    kind = draw(st.sampled_from(["signs", "values", "packed"]))
    if kind == "values":
        return quantized_code(n, bits=bits, length=length)
    signs = sign_code(n, length=draw(st.integers(1, code_length(n) + 2)))
    return signs if kind == "signs" else signs.packed(bits)


@given(code=numerals())
def test_what_is_computed_is_what_the_table_of_words_has(code):
    table = Code(code.words, code.lo, code.hi)
    assert (code.n_words, code.length, code.spread) == (table.n_words, table.length, table.spread)
    assert code.n_distinct == table.n_distinct
    assert code.squared_norms.tolist() == table.squared_norms.tolist() == (code.words**2).sum(axis=1).tolist()
    numbers = np.arange(code.n_words)[::-2]
    for kind in (np.int64, np.int32, np.uint16):
        assert code.columns(numbers.astype(kind)).tolist() == table.columns(numbers).tolist()
    if code.n_words > 1:
        assert code.nearest_squared_distance() == table.nearest_squared_distance()
        assert code.nearest_squared_distance(numbers) == table.nearest_squared_distance(numbers)


@given(n=st.integers(1, 300), bits=st.integers(1, 12), extra=st.integers(0, 3))
def test_packed_signs_are_packed_words(n, bits, extra):
    signs = sign_code(n, length=code_length(n) + extra)
    packed, table = signs.packed(bits), Code(signs.words).packed(bits)
    assert isinstance(packed, Numerals)
    assert (packed.words == table.words).all()
    assert (packed.lo, packed.hi) == (table.lo, table.hi)


def test_a_code_of_2_to_the_60_words_takes_no_memory():
    code = sign_code(2**60)
    assert (code.n_distinct, code.nearest_squared_distance(), code.length) == (2**60, 4, 60)
    number = 2**59 + 2**31 + 5
    word = code.columns(np.array([number]))[:, 0]
    assert sum(int(bit > 0) << j for j, bit in enumerate(word)) == number


@pytest.mark.parametrize("widths", [(), (0,), (17,), (1, 0)])
def test_digits_of_no_or_too_many_bits_are_refused(widths):
    with pytest.raises(ValueError, match="1 to 16 bits"):
        Numerals(4, widths=widths, offsets=(0,) * len(widths))


def test_numbers_longer_than_the_digits_collide():
    code = sign_code(5, length=2)
    assert (code.n_distinct, code.nearest_squared_distance()) == (4, 0)
    assert code.words[0].tolist() == code.words[4].tolist()
