"""What counts as agreement: at the edge of the radius, at a tie, at what is no number."""

from dataclasses import replace

import numpy as np
import pytest

from theory import FactTable
from verify.engines.agreement import Compared
from verify.exact.exactness import Ball
from verify.exact.queries import Facts


def compared(proved, computed, radius=None, answer=0):
    ball = Ball.of(np.array([proved], dtype=float))
    if radius is not None:
        ball = replace(ball, rad=np.full(ball.shape, radius))
    return Compared.of(ball, np.array([computed], dtype=float), np.array([answer]))


@pytest.mark.parametrize(
    ("computed", "different"),
    [(5.5, False), (4.5, False), (5.500001, True), (4.499999, True), (np.inf, True)],
)
def test_rounded_logits_may_be_two_radii_apart_and_no_more(computed, different):
    assert bool(compared([5, 1], [computed, 1], radius=0.25).different[0]) is different
    assert bool(compared([5, 1], [5, computed - 4], radius=0.25).different[0]) is different


def test_exact_logits_may_not_differ_at_all_but_in_the_sign_of_zero():
    assert compared([2, 1], [2, np.nextafter(1, 2)]).different[0]
    assert not compared([2, 0.0], [2, -0.0]).different[0]
    assert compared([2, 0.0], [2, -0.0]).same[0]


@pytest.mark.parametrize(
    ("computed", "turned"), [([3, 2], False), ([2, 2], True), ([1, 2], True), ([2, np.nan], True)]
)
def test_a_tie_and_what_is_no_number_are_wrong_answers(computed, turned):
    assert bool(compared([2, 1], computed).turned[0]) is turned
    assert bool(compared([2, 1], computed).different[0])


@pytest.mark.parametrize(("proved", "turned"), [([1, 1], True), ([1, 2], True)])
def test_a_right_answer_where_none_is_proved_is_seen(proved, turned):
    """A tie, too, is proved not to be right."""
    assert bool(compared(proved, [9, 0]).turned[0]) is turned


@pytest.mark.parametrize(("margin", "is_open"), [(0.99, True), (1.0, True), (1.01, False), (-1.01, False)])
def test_margins_that_rounding_may_turn_are_open(margin, is_open):
    found = compared([1 + margin, 1], [1 + margin, 1], radius=0.25)
    assert bool(found.open[0]) is is_open
    assert not found.turned[0]
    least = 1 + margin - (0.5 if margin > 0 else -0.5), 1 + (0.5 if margin > 0 else -0.5)
    assert not compared([1 + margin, 1], least, radius=0.25).different[0]
    assert not compared([1 + margin, 1], least, radius=0.25).turned[0]


def test_a_disagreement_says_what_was_proved_and_what_was_computed():
    queries = Facts(FactTable([[0, 0]], n_attributes=2))
    numbers, answers = np.array([1]), np.array([0])
    near = compared([5, 1], [9, 1], radius=0.25).disagreement(queries, numbers, answers)
    assert str(near) == "r0 of s1: logit 0 is 9, proved 5 +- 0.25"
    assert (near.witness.subject, near.witness.got, near.witness.margin, near.turned) == (1, 1, 8.0, False)
    exact = compared([2, 1], [2, 4]).disagreement(queries, numbers, answers)
    assert str(exact) == "r0 of s1: logit 1 is 4, proved 1"
    assert (exact.witness.margin, exact.turned) == (-2.0, True)
