"""The judge: margins from words and from all logits, in whatever units and types hold them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import MLP, Attention, Block, Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.counting import exact as exact_module
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.linear_map import NotExactError
from georecall.verify.margins.margins import margins

SEEDS = st.integers(0, 2**32 - 1)


def reader(subjects, W_U, b_U, relation=0.0, times=1.0):
    """A subject is read out `times` itself; the relation, embedded as (relation, ...), as nothing."""
    subjects, d = np.asarray(subjects, dtype=float), np.shape(subjects)[1]
    zero, one, none = np.zeros((1, d, 1)), np.eye(d), np.zeros((d, 1))
    asked = np.full((1, d), float(relation))
    attention = Attention(zero, zero, 2 * times * one[None], one[None])
    return Transformer(
        W_E=np.concatenate([subjects, asked]),
        W_pos=np.zeros((2, d)),
        blocks=(Block(attention, MLP(none, np.zeros(1), none.T, -(1 + times) * asked[0])),),
        W_U=np.asarray(W_U, dtype=float),
        b_U=np.asarray(b_U, dtype=float),
    )


@given(
    seed=SEEDS,
    A=st.integers(2, 6),
    bits=st.sampled_from([2, 9, 10, 11, 20, 23]),
    unit=st.sampled_from([1.0, 0.25, 2.0**-20]),
    logits=st.integers(1, 20),
)
def test_margins_and_rivals_from_logits_are_those_of_whole_numbers(seed, A, bits, unit, logits):
    """In float32, in float64, or refused; however few attributes are looked at together; ties go first."""
    rng, high = np.random.default_rng(seed), 1 << bits
    subjects, W_U = rng.integers(-high, high, (4, 3)), rng.integers(-high, high, (3, A))
    W_U[0, 0] = high - 1  # odd
    W_U[:, -1] = W_U[:, 0]
    b_U = rng.integers(-4, 5, A) * unit
    facts = FactTable(rng.integers(A, size=(1, 4)), n_attributes=A)
    judge = ExactMargins.of(reader(subjects, W_U, b_U), facts)
    y = next(judge.separated.readouts(judge.separated.subjects(judge.model.W_E, 0, 4)))
    truth = [
        [
            sum(int(x) * int(w) for x, w in zip(s, c, strict=True)) + Fraction(b)
            for c, b in zip(W_U.T, b_U, strict=True)
        ]
        for s in subjects
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_module, "_LOGITS", logits)
        try:
            found, rivals = judge.by_logits(y, facts.answers[0])
        except NotExactError:
            assert 3 * high**2 / min(unit, 1.0) >= 2**51
            return
    for row, answer, margin, rival in zip(truth, facts.answers[0], found, rivals, strict=True):
        others = [a for a in range(A) if a != answer]
        assert rival == max(others, key=row.__getitem__)
        assert margin == row[answer] - row[rival]


def test_logits_are_refused_from_2_to_the_52_units():
    """2^29 (2^23 - 1) + 2^29 - 1 is less, and one more is not."""
    facts = FactTable([[0]], n_attributes=2)
    for size, word, bias, told in [(2**29, 2**23 - 1, 2**29 - 1, True), (2**29, 2**23 - 1, 2**29, False)]:
        judge = ExactMargins.of(reader([[size]], [[word, 0]], [bias, 0]), facts)
        y = np.array([[size // 2**judge.separated.step]])
        if told:
            assert judge.by_logits(y, np.array([0]))[0] == size * word + bias
        else:
            with pytest.raises(NotExactError, match="round a logit"):
                judge.by_logits(y, np.array([0]))


WORDS = np.array([[8, 0], [0, 16], [-8, 8], [24, 8]])


@pytest.mark.parametrize("times", [1.0, 2.0])
@pytest.mark.parametrize(
    ("relation", "stranger"),
    [(0.0, [32, 32]), (1.0, [32, 32]), (0.0, [33, 32]), (0.125, [32, 32]), (0.0, [32.5, 32])],
)
def test_words_are_recognised_whichever_unit_is_the_finer(times, relation, stranger):
    """Readouts finer than words, as the relation's embedding is; or words finer than readouts."""
    words = np.array([*WORDS, stranger])
    b_U = -times * (words**2).sum(axis=1) / 2
    subjects = WORDS.astype(float)
    subjects[2, 0] += 8  # no word
    facts = FactTable([[0, 1, 2, 3]], n_attributes=5)
    model = reader(subjects, words.T, b_U, relation=relation, times=times)
    found, settled = ExactMargins.of(model, facts).margins(0, 4)
    truth = margins(model, facts, method="exhaustive")
    assert found.tolist() == truth.lower.tolist()
    assert settled == 3
    alone, settled = ExactMargins.of(model, facts).margins(2, 3)
    assert (alone.tolist(), settled) == (truth.lower[:, 2:3].tolist(), 0)
    counted = count(model, facts)
    assert (counted.tally.n_settled, counted.minimum) == (3, truth.minimum)


@pytest.mark.parametrize(
    ("subjects", "W_U", "b_U", "relation", "counted"),
    [
        ([[1.0], [-1.0]], [[1.0, -1.0]], [0.5, 0], 0, True),
        ([[1.0], [-1.0]], [[1.0, -1.0]], [2.0**-20, 0], 0, True),
        ([[1.0], [-1.0]], [[1.0, -1.0]], [2.0**-70, 0], 0, False),
        ([[0.0], [0.0]], [[1.0, -1.0]], [2.0**-200, 0], 0, False),  # a factor of 2^200 on nothing
        (
            [[2.0**-600], [3 * 2.0**-600]],
            [[2.0**-500, 3 * 2.0**-500]],
            [0, 0],
            0,
            False,
        ),  # margins are no floats
        ([[0.0], [0.0]], [[1.0, -1.0]], [0, 0], 2.0**-70, False),  # words of 2^70 units, wrapped, are 0
    ],
)
def test_numbers_of_too_many_digits_are_left_to_margins(subjects, W_U, b_U, relation, counted):
    model, facts = reader(subjects, W_U, b_U, relation=relation), FactTable([[0, 1]], n_attributes=2)
    found = count(model, facts)
    assert (found is not None) == counted
    if found is not None:
        assert found.minimum == margins(model, facts, method="exhaustive").minimum


@pytest.mark.parametrize("stored", [np.float16, np.int8])
def test_biases_of_any_type_are_taken_in_the_unit_of_the_logits(stored):
    """100 and 99, in units of 2^-20: float16 holds neither."""
    model = reader([[2.0**-20], [-(2.0**-20)]], [[1.0, -1.0]], [100, 99])
    facts = FactTable([[0, 0]], n_attributes=2)
    want = margins(model, facts, method="exhaustive")
    found = count(replace(model, b_U=model.b_U.astype(stored)), facts)
    assert (found.minimum, found.n_recalled) == (want.minimum, 2)


def test_an_unembedding_of_zeros_is_not_judged():
    assert ExactMargins.of(reader([[1.0]], [[0.0, 0.0]], [1, 0]), FactTable([[0]], n_attributes=2)) is None
