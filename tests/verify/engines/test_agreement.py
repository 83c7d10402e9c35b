"""What counts as agreement: at the edge of the radius, at a tie, at no number; and what is compared."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import pytest

from georecall import block_superposition, sign_code_memory
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.engines import agreement as engines
from georecall.verify.engines.agreement import Agreement, Compared, agreement
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.filtered import Some
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Facts


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


def test_what_overflows_differs():
    assert compared([-1e308, 0], [1e308, 0]).different[0]


def test_the_output_that_differs_most_is_reported():
    queries = Facts(FactTable([[0]], n_attributes=3))
    found = compared([5, 5, -1], [5, 5, 2]).disagreement(queries, np.array([0]), np.array([0]))
    assert (found.output, found.proved, found.computed) == (2, -1, 2)


FACTS = FactTable([[0, 1, 2, 0], [1, 1, 0, 2]], n_attributes=3)
MODEL = block_superposition(FACTS)
QUERIES = Facts(FACTS)


def numpy_engine(**faults: float) -> Callable:
    """The model itself, but for what is added to the right logit of queries by number, as `q3=-9`."""

    def engine(tokens, positions):
        logits = np.asarray(MODEL.logits(tokens, positions)).copy()
        for row, (subject, relation) in enumerate(tokens):
            r = relation - FACTS.n_subjects
            logits[row, FACTS.answers[r, subject]] += faults.get(f"q{4 * r + subject}", 0)
        return logits

    return engine


def test_an_engine_that_computes_the_same_agrees_on_everything(monkeypatch):
    monkeypatch.setattr(engines, "_BLOCK", 12)  # one query at a time
    told = []
    found = agreement(MODEL, [QUERIES, QUERIES], numpy_engine(), progress=lambda *done: told.append(done))
    least = float(margins(MODEL, FACTS).minimum[0])
    assert found == Agreement(
        n_compared=16, n_all=16, n_exact=16, n_open=0, n_different=0, least=least, first=None
    )
    assert told == [(i, 16) for i in range(1, 17)]


def test_margins_that_rounding_leaves_open_are_counted():
    W_U = MODEL.W_U / 3
    W_U[:, 1] = W_U[:, 0] * (1 + 2.0**-52)  # attributes 0 and 1, six answers of eight, are nearly one
    close = replace(MODEL, W_U=W_U)
    found = agreement(close, [QUERIES], close.logits)
    assert (found.n_open, found.n_different) == (6, 0)


@pytest.mark.parametrize("at_a_time", [1, 2, 8])
@pytest.mark.parametrize(
    ("faults", "first"),
    [
        ({"q1": 0.5, "q2": 0.5}, 1),
        ({"q1": 0.5, "q3": -9, "q5": -20}, 3),
        ({"q1": -9, "q2": 0.5, "q4": -9}, 1),
        ({"q6": 0.5, "q7": -9}, 7),
    ],
)
def test_of_all_disagreements_the_first_that_turns_an_answer_is_reported(
    monkeypatch, at_a_time, faults, first
):
    monkeypatch.setattr(engines, "_BLOCK", 12 * at_a_time)
    found = agreement(MODEL, [QUERIES], numpy_engine(**faults))
    assert (found.n_different, found.n_exact) == (len(faults), 8 - len(faults))
    assert (4 * found.first.witness.relations[0] + found.first.witness.subject) == first
    assert found.first.turned == (faults[f"q{first}"] < -1)
    exact = margins(MODEL, FACTS).lower.ravel()
    assert found.least == min(exact[q] + faults.get(f"q{q}", 0) for q in range(8))


def test_beyond_the_budget_equal_parts_of_it_are_drawn(monkeypatch):
    """A query takes two tokens through 4 x 6 x 6 + 2 x 24 + 10 weights and 6 x 3 of the readout."""
    cost = 2 * (4 * 36 + 2 * 24 + 10) + 18

    def compared_of(kinds: int, most: int | None, more: int = 0) -> int:
        few = [Some(QUERIES, np.arange(more))] if more else []
        found = agreement(MODEL, [QUERIES] * kinds + few, numpy_engine(), most=most)
        assert found.n_all == 8 * kinds + more
        assert found.n_exact == found.n_compared
        return found.n_compared

    assert compared_of(1, 8 * cost) == 8
    assert 2 <= compared_of(1, 8 * cost - 1) < 8
    assert compared_of(2, 16 * cost) == 16
    assert 2 <= compared_of(2, 4 * cost) <= 4
    assert compared_of(1, 10 * cost, more=2) == 10  # all fit, if not in equal parts
    assert compared_of(2, 1) == 2  # of each kind one at least
    monkeypatch.setattr(engines, "_BUDGET", cost)
    assert compared_of(1, None) == 1


def test_what_is_drawn_is_some_of_the_queries():
    assert engines._some(9, 9).tolist() == list(range(9))
    for n in (1000, 10**30):
        some = engines._some(n, 50)
        assert 40 <= len(some) <= 50
        assert (np.diff(some) > 0).all()
        assert 0 <= some[0] <= some[-1] < n


def test_a_block_holds_as_many_queries_as_residuals_neurons_and_logits_let_it(monkeypatch):
    monkeypatch.setattr(engines, "_BLOCK", 840)
    many = FactTable([[0, 1, 2, 0], [1, 1, 0, 2]], n_attributes=60)
    for model, queries, widest in [
        (MODEL, QUERIES, 2 * 6),
        (block_superposition(many), Facts(many), 60),
        (sign_code_memory(FACTS), QUERIES, 2 * 8),
    ]:
        assert widest == max(2 * max(model.d_model, model.d_mlp), model.d_vocab_out)
        numbers = np.arange(8 * 1000) % prod(queries.shape)
        blocks = list(engines._blocks(model, queries, numbers))
        assert {len(block) for block in blocks[:-1]} == {840 // widest}
        assert np.concatenate(blocks).tolist() == numbers.tolist()
