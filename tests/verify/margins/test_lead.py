"""The lead of the right logit: against a plain loop, ties and all, and without changing what is asked."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.lead import Witness, right_and_rival


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 10**6), st.sampled_from([np.float32, np.float64]))
def test_the_lead_is_that_of_a_plain_loop(batch, outputs, seed, kind):
    rng = np.random.default_rng(seed)
    logits, answers = rng.integers(-2, 3, (batch, outputs)).astype(kind), rng.integers(outputs, size=batch)
    before = logits.copy()
    right, best, rival = right_and_rival(logits, answers)
    assert np.array_equal(logits, before)
    for row, answer in enumerate(answers):
        others = {a: before[row, a] for a in range(outputs) if a != answer}
        assert (right[row], best[row]) == (before[row, answer], max(others.values()))
        assert rival[row] == max(others, key=others.__getitem__)


def test_what_is_no_number_stays_so():
    right, best, _ = right_and_rival(np.array([[np.nan, 1.0, 2.0], [1.0, np.nan, 2.0]]), np.array([0, 0]))
    assert np.isnan(right[0])
    assert np.isnan(best[1])


def test_a_witness_names_the_query_and_both_answers():
    facts = FactTable([[1, 0]], subjects=["x", "y"], relations=["boss"], attributes=["Ann", "Ben"])
    found = Witness.of(facts, (1, 0), 0, 1, -0.5)
    assert str(found) == "boss of y: right Ann, got Ben, margin -0.5"
    assert (found.subject, found.relations) == (1, (0,))
    assert Witness.of(facts, (1, 0), 0, 7, -0.5).got_name == "output 7"
