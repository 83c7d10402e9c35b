"""The codebook certificate: it settles what the logits would say, and refuses everything else."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from georecall import Code, Transformer, block_superposition, in_place_superposition, sign_code
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.codebook import Codebook
from georecall.verify.margins.margins import margins
from georecall.verify.margins.rationals import Rational

SEEDS = st.integers(0, 2**32 - 1)


def reader(columns, biases, readouts=None):
    """A model without layers whose last token is read out as it is; one subject, a relation per readout."""
    columns = np.asarray(columns)
    readouts = columns if readouts is None else np.asarray(readouts, dtype=float)
    W_E = np.concatenate([np.zeros((1, columns.shape[1])), readouts])
    return Transformer(W_E, np.zeros((2, columns.shape[1])), (), columns.T, np.asarray(biases))


def codebook(model, answers=None):
    """The codebook of a reader whose relation r is read out as word r."""
    answers = np.arange(model.d_vocab_out) if answers is None else np.array(answers)
    prompts = np.stack([np.zeros_like(answers), 1 + answers], axis=1)
    return Codebook.of(model, model.residual(prompts), answers, np.unique(answers))


def biases_of(columns, const=0.0):
    return const - (np.asarray(columns, dtype=float) ** 2).sum(axis=1) / 2


WORDS = [[0, 0], [3, 0], [0, 4], [5, 5]]


def test_the_margin_of_a_word_is_half_the_squared_distance_to_the_nearest_other():
    book = codebook(reader(WORDS, biases_of(WORDS)), [0, 2, 3])
    assert book.margins.tolist()[:1] == [4.5]
    assert np.isnan(book.margins[1])
    assert book.margins.tolist()[2:] == [8.0, 13.0]
    assert (book.words * 2.0**book.step).tolist() == WORDS


@pytest.mark.parametrize("const", [0.0, 7.25, -1000.0])
def test_a_constant_on_all_biases_does_not_matter(const):
    book = codebook(reader(WORDS, biases_of(WORDS, const)), [0])
    assert book.margins[0] == 4.5


@pytest.mark.parametrize("spoilt", range(4))
@pytest.mark.parametrize("by", [0.5, -0.5, 2.0**-30, -1000.0])
def test_a_bias_that_is_not_half_the_square_is_refused(spoilt, by):
    biases = biases_of(WORDS)
    biases[spoilt] += by
    model = reader(WORDS, biases)
    assert codebook(model) is None


@pytest.mark.parametrize("size", [1.0, 2.0**500])
def test_a_bias_far_below_the_norms_is_not_rounded_away(plain, size):
    """Equal words, and a bias of 2^-60 (or 2^-100 beside words of 2^500) that decides between them."""
    small = 2.0**-60 if size == 1.0 else 2.0**-100
    model = reader([[size], [size]], [0.0, small], [[size], [size]])
    table = FactTable([[1], [1]], n_attributes=2)
    found = margins(model, table)
    assert found.minimum == margins(model, table, method="exhaustive").minimum == (small, small)
    assert found.n_recalled == 2
    apart = reader([[size], [-size]], [0.0, small])
    both = FactTable([[0], [1]])
    want = min(row[0] for row in plain(apart).margins(both))
    assert margins(apart, both).minimum == (want, want)
    assert want == 2 * Fraction(size) ** 2 - Fraction(small)


def test_margins_that_underflow_are_left_to_fractions():
    tiny = 2.0**-540
    found = margins(reader([[-tiny], [tiny]], [0.0, 0.0]), FactTable([[0], [1]]))
    assert found.minimum == (2 * Fraction(tiny) ** 2,) * 2
    assert (found.n_wrong, found.n_recalled) == (0, 2)


def test_needless_biases_may_be_left_out_where_all_words_are_equally_long():
    columns = sign_code(4).words
    model = reader(columns, np.zeros(4))
    assert codebook(model).margins.tolist() == [2.0] * 4
    assert codebook(reader(WORDS, np.zeros(4))) is None


def test_words_that_coincide_have_margin_0():
    columns = [[1, 1], [1, 1], [-1, 1]]
    table = FactTable([[0], [1], [2]], n_attributes=3)
    model = reader(columns, np.zeros(3))
    assert codebook(model).margins.tolist() == [0.0, 0.0, 2.0]
    found = margins(model, table, method="codebook")
    assert found.wrong == [(0, 0), (0, 1)]
    assert found.minimum == (0, 0)


def test_rows_that_are_identical_are_read_as_their_sum():
    """The readout of C1': R copies of each row; zeros of either sign are the same row, and none at all."""
    columns = np.array([[1, -1], [-1, -1], [1, 0], [-1, 1]], dtype=float)
    wide = np.concatenate([columns, -np.zeros((4, 1)), columns, np.zeros((4, 1))], axis=1)
    wide[2, 4] = -0.0
    halves = np.concatenate([columns / 2, [[9]] * 4, columns / 2, [[-7]] * 4], axis=1)
    book = codebook(reader(wide, biases_of(columns), halves))
    assert book.words.shape == (4, 2)
    assert book.gather.tolist() == [[1, 0], [0, 1], [0, 0], [1, 0], [0, 1], [0, 0]]
    assert book.settles(Ball.of(halves), np.arange(4)).all()
    halves[1, 0] += 0.25
    assert book.settles(Ball.of(halves), np.arange(4)).tolist() == [True, False, True, True]


def test_coordinates_that_are_read_k_times_count_k_times(plain):
    """Readouts (2 c_0, c_1) with biases -(2 c_0^2 + c_1^2)/2: steps along c_0 count twice."""
    words = np.array([[0, 0], [1, 0], [0, 5], [3, 3]], dtype=float)
    repeated = np.concatenate([words, words[:, :1]], axis=1)
    model = reader(repeated, biases_of(repeated))
    book = codebook(model)
    assert book.margins.tolist() == [1.0, 1.0, 11.0, 8.5]
    assert book.settles(Ball.of(repeated), np.arange(4)).all()
    table = FactTable(np.arange(4)[:, None])
    assert margins(model, table, method="codebook").lower.tolist() == plain(model).margins(table)


@given(
    seed=SEEDS,
    A=st.integers(2, 6),
    m=st.integers(1, 3),
    copies=st.integers(1, 3),
    scale=st.sampled_from([1.0, 0.5, 2.0**20, 2.0**-300]),
    moved=st.sampled_from([0.0, 0.0, 1.0, 0.1]),
)
def test_whatever_the_codebook_settles_the_logits_confirm(plain, seed, A, m, copies, scale, moved):
    """Random words that may coincide, biases right or not, readouts that may miss their word."""
    rng = np.random.default_rng(seed)
    words = rng.integers(-2, 3, size=(A, m)) * scale
    biases = biases_of(words) + rng.choice([0.0, 0.0, 0.5 * scale * scale], size=A)
    columns = np.tile(words, (1, copies))[:, rng.permutation(copies * m)]
    readouts = columns / 4 if copies == 3 else columns / copies
    readouts = readouts + moved * scale * (rng.random(readouts.shape) < 0.2)
    model = reader(columns, biases, readouts)
    table = FactTable(np.arange(A)[:, None], n_attributes=A)
    found = margins(model, table)
    assert found.exact
    truth = plain(model).margins(table)
    assert [[float(low)] for low in found.lower[:, 0]] == truth or found.method == "exhaustive"
    assert found.minimum[0] == min(row[0] for row in truth)
    assert (found.lower > 0).tolist() == [[row[0] > 0] for row in truth]
    for low, high, row in zip(found.lower[:, 0], found.upper[:, 0], truth, strict=True):
        assert low <= row[0] <= high


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (np.zeros((3, 2)), "no row that is not zero"),
        ([[1.0, 2.0]], "one attribute"),
        ([[0.1, 1.0], [1.0, 0.0]], "words of more than 24 bits"),
        ([[2.0**24, 0.0], [1.0, 0.0]], "words of more than 24 bits"),
    ],
)
def test_an_unembedding_that_is_no_codebook_is_refused(columns, why):
    model = reader(columns, biases_of(columns))
    assert codebook(model) is None, why


def test_words_too_long_for_exact_norms_are_refused():
    columns = 2.0**23 + np.arange(60).reshape(2, 30)  # 30 squares of 2^46
    model = reader(columns, biases_of(columns))
    assert codebook(model) is None


def test_a_sparse_unembedding_is_a_codebook_too():
    model = reader(WORDS, biases_of(WORDS))
    sparse = replace(model, W_U=csr_array(np.asarray(WORDS, dtype=float).T))
    assert codebook(sparse).margins.tolist() == [4.5, 4.5, 8.0, 13.0]
    table = FactTable(np.arange(4)[:, None])
    assert margins(sparse, table).lower.tolist() == margins(model, table, method="exhaustive").lower.tolist()


def test_a_readout_is_settled_only_where_it_is_exactly_the_word():
    model = reader(WORDS, biases_of(WORDS))
    book = codebook(model)
    x = np.array(WORDS, dtype=float)
    x[2, 1] = np.nextafter(4.0, 5.0)
    assert book.settles(Ball.of(x), np.arange(4)).tolist() == [True, True, False, True]
    assert book.settles(Ball.of(x), np.array([1, 1, 2, 3])).tolist() == [False, True, False, True]
    as_rationals = Rational.of(x)[...]
    assert book.settles(as_rationals, np.arange(4)).tolist() == [True, True, False, True]


def test_a_readout_known_to_within_a_radius_is_not_settled():
    model = reader(WORDS, biases_of(WORDS))
    x = Ball.of(np.array(WORDS, dtype=float))
    near = replace(x, rad=np.full(x.shape, 2.0**-1000))
    assert not codebook(model).settles(near, np.arange(4)).any()


def test_a_rational_readout_may_be_settled_where_floats_are_not():
    """Gate 1.3 rounds in floats, but the readout is the word all the same."""
    table = random_bijections(6, 3, rng=np.random.default_rng(0))
    model = block_superposition(table, gate=1.3)
    found = margins(model, table)
    assert (found.exact, found.method, found.minimum) == (True, "codebook", (2, 2))


def test_value_codes_take_the_certificate_with_their_biases():
    table = random_bijections(5, 2, rng=np.random.default_rng(0))
    code = Code([[0, 7], [2, 2], [5, 0], [7, 7], [1, 0]], lo=0, hi=7)
    model = in_place_superposition(table, code=code)
    found = margins(model, table)
    assert found.method == "codebook"
    assert found.minimum == (2.5, 2.5)  # (2, 2) and (1, 0)
    without = replace(model, b_U=np.zeros(5))
    assert margins(without, table).method == "exhaustive"
    assert margins(without, table).n_wrong > 0
