"""Codes, gates and hop strings: what is drawn is what was asked for."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from georecall.verify.strategies import codes, gates, hop_strings

QUIET = settings(derandomize=True, database=None)


@given(code=codes())
def test_codes_are_injective(code):
    assert code.n_distinct == code.n_words
    assert code.lo <= code.words.min() <= code.words.max() <= code.hi


@given(code=codes(injective=False))
def test_codes_that_are_not_injective_have_two_equal_words(code):
    assert code.n_distinct < code.n_words


@given(data=st.data(), A=st.integers(1, 40), m=st.integers(1, 9), V=st.integers(1, 30))
def test_codes_have_the_sizes_asked_for_and_grow_only_as_they_must(data, A, m, V):
    code = data.draw(codes(n_words=A, lengths=m, lowest=-3, spreads=V))
    assert (code.n_words, code.lo, code.hi) == (A, -3, V - 3)
    assert code.length == m if (V + 1) ** m >= A else (V + 1) ** (code.length - 1) < A


def test_codes_vary():
    first, second = (
        find(codes(n_words=6, lengths=4, spreads=3, seeds=seed), lambda _: True) for seed in (1, 2)
    )
    assert not np.array_equal(first.words, second.words)


@given(data=st.data(), threshold=st.fractions(-2, 9), grain=st.sampled_from([1, 2, 8, 64]))
def test_gates_lie_on_their_side_of_the_threshold_and_on_the_grain(data, threshold, grain):
    above = data.draw(gates(at_least=threshold, grain=grain))
    assert threshold <= Fraction(above) <= threshold + 3 + Fraction(1, grain)
    assert (above * grain).is_integer()
    if threshold > 0:
        low = data.draw(gates(below=threshold, grain=grain))
        assert 0 <= Fraction(low) < threshold
        assert (low * grain).is_integer()


def test_the_threshold_itself_is_drawn_at_least_and_never_below():
    assert find(gates(at_least=1.5), lambda gate: True, settings=QUIET) == 1.5
    assert find(gates(below=1.5, grain=2), lambda gate: gate >= 1, settings=QUIET) == 1.0


@given(data=st.data(), R=st.integers(1, 5), hops=st.integers(1, 6))
def test_hop_strings_are_as_long_as_asked_and_of_known_relations(data, R, hops):
    string = data.draw(hop_strings(n_relations=R, hops=hops))
    assert len(string) == hops
    assert all(0 <= relation < R for relation in string)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: codes(n_words=0), "n_words must be at least 1"),
        (lambda: codes(n_words=1, injective=False), "n_words must be at least 2"),
        (lambda: codes(lengths=0), "lengths must be at least 1"),
        (lambda: codes(spreads=0), "spreads must be from 1"),
        (lambda: codes(lowest="low"), "lowest must be a whole number"),
        (lambda: gates(), "give one of the two"),
        (lambda: gates(at_least=1, below=2), "give one of the two"),
        (lambda: gates(at_least=float("nan")), "a threshold must be finite"),
        (lambda: gates(at_least=float("inf")), "a threshold must be finite"),
        (lambda: gates(at_least="1"), "a threshold must be a number"),
        (lambda: gates(below=0), "no gate from 0 lies below 0"),
        (lambda: gates(at_least=1, grain=3), "grain must be a power of two"),
        (lambda: gates(at_least=1, grain=0), "grain must be a power of two"),
        (lambda: hop_strings(hops=0), "hops must be at least 1"),
        (lambda: hop_strings(n_relations=0), "n_relations must be at least 1"),
    ],
)
def test_bad_arguments_are_refused_at_once(made, says):
    with pytest.raises(InvalidArgument, match=says):
        made()
