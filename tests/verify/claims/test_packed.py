"""Three subjects in a number and four relations in a product: the same count as of every logit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.constructions.dense import bound_sum, signs
from georecall.theory.facts.fact_table import random_functions
from georecall.verify.claims import packed
from georecall.verify.claims.packed import n_wrong_of_turns


def one_by_one(words, embeddings, turns, answers):
    """Wrong facts, from all logits in integers."""
    u, wrong = words.astype(int), 0
    for turn, right in zip(turns, answers, strict=True):
        logits = (embeddings * turn).astype(int) @ u.T
        for row, a in zip(logits, right, strict=True):
            wrong += row[a] <= np.delete(row, a).max()
    return wrong


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(2, 7), st.integers(1, 40)),
    at_a_time=st.sampled_from([(3, 1), (6, 4), (768, 256)]),
    scale=st.sampled_from([1.0, 0.25, 3.0]),
)
def test_facts_are_wrong_where_another_word_reads_as_much(seed, sizes, at_a_time, scale):
    """Short codes: many ties, and words that coincide."""
    N, R, A, m = sizes
    rng = np.random.default_rng(seed)
    facts = random_functions(N, R, A, rng=rng)
    u, D = signs(rng, A, m), signs(rng, R, m)
    x = bound_sum(facts, u, D)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "_SUBJECTS", at_a_time[0])
        patch.setattr(packed, "_WORDS", at_a_time[1])
        found = n_wrong_of_turns(u, scale * x, D, facts.answers, allowed=facts.n_facts)
        assert found == one_by_one(u, x, D, facts.answers)
        some = n_wrong_of_turns(u, x, D, facts.answers)
    assert (some > 0) == (found > 0)


def test_a_subject_fills_a_byte_and_no_more():
    """With 255 in all the largest logit is 255; one more, and its neighbours would be told what it has."""
    rng = np.random.default_rng(0)
    u, D, answers = signs(rng, 9, 255), signs(rng, 2, 255), rng.integers(0, 9, (2, 7))
    x = signs(rng, 7, 255)
    x[1], x[2] = D[0] * u[3], -D[1] * u[5]  # every coordinate of one sign
    assert n_wrong_of_turns(u, x, D, answers, allowed=99) == one_by_one(u, x, D, answers)
    x[3, 0] *= 2
    assert n_wrong_of_turns(u, x, D, answers) is None
    assert n_wrong_of_turns(u[:1], x, D, 0 * answers) is None  # no other word


def test_a_digit_that_overflows_would_be_miscounted(monkeypatch):
    """What the limit of a byte keeps out."""
    rng = np.random.default_rng(0)
    u, D, answers = signs(rng, 40, 300), signs(rng, 2, 300), rng.integers(0, 40, (2, 60))
    x = bound_sum(random_functions(60, 2, 40, rng=rng), u, D) + signs(rng, 60, 300)
    wanted = one_by_one(u, x, D, answers)
    right, best = packed._logits(
        (u > 0).astype(np.float32), x.astype(np.float32), D.astype(np.float32), answers
    )
    assert int((right <= best).sum()) != wanted
