"""C1 and its variants recall every table, with the margins and dimensions that the theory names.

Gates are dyadic and codes small, so that float64 rounds nothing: margins are compared exactly. One fact of
every instance is asked again of the forward pass in fractions.
"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import (
    Code,
    block_superposition,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    quantized_code,
    quantized_superposition,
    sign_code,
)
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.verify.strategies import codes, fact_tables, gates, table_of

FAMILY = {
    "single-hop": block_superposition,
    "single-hop-in-place": in_place_superposition,
    "single-hop-narrow": narrow_superposition,
    "single-hop-quantized": quantized_superposition,
    "single-hop-packed": packed_superposition,
}
TABLES = fact_tables(n_relations=st.integers(1, 5))
EIGHTHS = st.integers(0, 24)  # how far the gate lies above the least one


@st.composite
def coded_tables(draw, **options):
    """A table and a code of its attributes."""
    table = draw(TABLES)
    return table, draw(codes(n_words=table.n_attributes, **options))


def sizes(table):
    """R, N and |A|."""
    return table.n_relations, table.n_subjects, table.n_attributes


def measured(model, table):
    """Margins of all facts from the logits, shape (R, N)."""
    R, N = table.answers.shape
    relations, subjects = np.divmod(np.arange(R * N), N)
    answers = table.answers[relations, subjects]
    logits = np.array(model.logits(subject_first(N, subjects, relations)))
    right = logits[np.arange(R * N), answers]
    logits[np.arange(R * N), answers] = -np.inf
    return (right - logits.max(axis=1)).reshape(R, N)


def predicted(table, words):
    """Half the squared distance from each answer's word to the nearest other word, shape (R, N)."""
    rows = words.tolist()
    halves = [
        min(sum((x - y) ** 2 for x, y in zip(v, w, strict=True)) for b, w in enumerate(rows) if b != a) / 2
        for a, v in enumerate(rows)
    ]
    return np.array(halves)[table.answers]


def assert_recalls(model, table, words, plain):
    margins = predicted(table, words)
    assert margins.min() > 0
    assert np.array_equal(measured(model, table), margins)
    R, N = table.answers.shape
    logits = plain(model).logits([N - 1, N + R - 1])
    answer = int(table.answers[-1, -1])
    assert logits.pop(answer) - max(logits) == margins[-1, -1]


@given(coded=coded_tables(), above=EIGHTHS)
def test_c1_recalls_every_table_with_margin_half_the_nearest_squared_distance(plain, coded, above):
    (table, code), R = coded, coded[0].n_relations
    model = block_superposition(table, code=code, gate=code.spread / 2 + above / 8)
    assert_recalls(model, table, code.words, plain)
    assert (model.d_model, model.d_mlp) == ((R + 1) * code.length, R * code.length)


@given(coded=coded_tables(), above=EIGHTHS)
def test_c1_in_place_recalls_every_table_with_margin_half_the_nearest_squared_distance(plain, coded, above):
    (table, code), R = coded, coded[0].n_relations
    model = in_place_superposition(table, code=code, gate=code.spread / 2 + above / 8)
    assert_recalls(model, table, code.words, plain)
    assert (model.d_model, model.d_mlp) == (R * code.length, R * code.length)


@given(coded=coded_tables(), above=EIGHTHS)
def test_c1_narrow_recalls_every_table_with_margin_half_the_nearest_squared_distance(plain, coded, above):
    (table, code), R = coded, coded[0].n_relations
    model = narrow_superposition(table, code=code, gate=code.spread + above / 8)
    assert_recalls(model, table, code.words, plain)
    assert (model.d_model, model.d_mlp) == (R * code.length, (R - 1) * code.length)


@given(table=TABLES, bits=st.integers(1, 16), above=EIGHTHS)
def test_c1_p_recalls_every_table_with_ceil_log2_a_over_p_coordinates_a_relation(plain, table, bits, above):
    R, _, A = sizes(table)
    m = -(-(A - 1).bit_length() // bits)
    model = quantized_superposition(table, bits=bits, gate=(2**bits - 1) / 2 + above / 8)
    words = np.array([[a >> (bits * j) & (2**bits - 1) for j in range(m)] for a in range(A)])
    assert_recalls(model, table, words, plain)
    assert measured(model, table).min() >= 1 / 2
    assert (model.d_model, model.d_mlp) == (R * m, R * m)


@given(
    coded=coded_tables(lengths=st.integers(1, 6), lowest=0, spreads=1),
    lo=st.integers(-5, 5),
    V=st.integers(1, 6),
    bits=st.integers(1, 7),
    above=EIGHTHS,
)
def test_c1_w_recalls_every_table_with_one_neuron_for_p_two_valued_coordinates(
    plain, coded, lo, V, bits, above
):
    table, flags = coded
    code, R = Code(lo + V * flags.words, lo=lo, hi=lo + V), table.n_relations
    model = packed_superposition(table, bits=bits, code=code, gate=V / 2 + above / 8)
    starts = range(0, code.length, bits)
    packed = [
        [sum(u << j for j, u in enumerate(word[start : start + bits])) for start in starts]
        for word in code.words.tolist()
    ]
    assert_recalls(model, table, np.array(packed), plain)
    groups = len(starts)
    assert (model.d_model, model.d_mlp) == (R * code.length + groups, R * groups)


@given(table=TABLES, name=st.sampled_from(sorted(FAMILY)))
def test_defaults_recall_every_table(plain, table, name):
    """Without a code or gate: the shortest sign code (numerals of 4 bits for C1-p) and the least gate."""
    A = table.n_attributes
    code = quantized_code(A, bits=4) if name == "single-hop-quantized" else sign_code(A)
    words = code.packed(4).words if name == "single-hop-packed" else code.words
    assert_recalls(FAMILY[name](table), table, words, plain)
    least = code.spread * (1 if name == "single-hop-narrow" else 1 / 2)
    same = FAMILY[name](table, code=code, gate=least).dense().weights()
    assert {key: W.tolist() for key, W in FAMILY[name](table).dense().weights().items()} == {
        key: W.tolist() for key, W in same.items()
    }


@pytest.mark.parametrize(
    ("name", "options", "d_model", "d_mlp", "margin"),
    [
        ("single-hop", {}, 90, 80, 2),
        ("single-hop-in-place", {}, 80, 80, 2),
        ("single-hop-narrow", {}, 80, 70, 2),
        ("single-hop-quantized", {"bits": 4}, 24, 24, 0.5),
        ("single-hop-packed", {"bits": 5}, 82, 16, 2),
    ],
)
def test_a_thousand_subjects_and_eight_relations(name, options, d_model, d_mlp, margin):
    table = random_bijections(1000, 8, rng=np.random.default_rng(0))
    model = FAMILY[name](table, **options)
    assert (model.d_model, model.d_mlp, model.n_layers) == (d_model, d_mlp, 1)
    assert measured(model, table).min() == margin


BITES = {
    "two subjects, one relation": FactTable([[0, 1]]),
    "one subject": FactTable([[1], [0]], n_attributes=2),
    "not a power of two": FactTable([[4, 2, 0, 1, 3], [0, 1, 2, 3, 4]]),
    "more attributes than subjects": FactTable([[6, 0], [3, 3]], n_attributes=9),
    "fewer attributes than subjects": FactTable([[0, 1, 2, 1, 0, 2, 2]]),
    "two attributes": FactTable([[0, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]),
    "equal relations": FactTable([[2, 0, 1]] * 4),
    "constant relations": FactTable([[2, 2, 2], [0, 0, 0], [2, 2, 2]]),
    "an attribute that never occurs": FactTable([[3, 0], [3, 0]]),
}


@pytest.mark.parametrize("case", BITES)
@pytest.mark.parametrize("name", sorted(FAMILY))
def test_sizes_that_bite(plain, name, case):
    table = BITES[case]
    model = FAMILY[name](table)
    margins = [[float(margin) for margin in row] for row in plain(model).margins(table)]
    code = quantized_code if name == "single-hop-quantized" else sign_code
    options = {"bits": 4} if name == "single-hop-quantized" else {}
    words = code(table.n_attributes, **options)
    words = words.packed(4).words if name == "single-hop-packed" else words.words
    assert margins == predicted(table, words).tolist()


def test_one_attribute_can_be_built_though_it_has_no_margin():
    for construct in FAMILY.values():
        assert construct(FactTable([[0], [0]])).d_vocab_out == 1


def test_the_margin_is_the_least_over_the_attributes_that_occur():
    """Words 0 and 1 are one step apart, but no fact is answered by either."""
    code = Code([[0], [1], [5], [9]], lo=0, hi=9)
    table = FactTable([[2, 3], [3, 2]], n_attributes=4)
    for construct in (block_superposition, in_place_superposition, narrow_superposition):
        assert measured(construct(table, code=code), table).tolist() == [[8.0, 8.0], [8.0, 8.0]]


@given(table=TABLES, gate=gates(below=1) | st.just(1.0))
def test_c1_up_to_gate_1_every_margin_is_that_of_the_predicted_leak(table, gate):
    """The readout is u_j + (2 - 2 gate) x #{blocks not asked for with +1 at j}."""
    (R, N, _), words = sizes(table), sign_code(table.n_attributes).words
    found = measured(block_superposition(table, gate=gate), table)
    for r in range(R):
        for s in range(N):
            leaks = sum((words[table.answers[other, s]] == 1).astype(int) for other in range(R) if other != r)
            logits = words @ (words[table.answers[r, s]] + (2 - 2 * gate) * leaks)
            right = logits[table.answers[r, s]]
            assert found[r, s] == right - np.delete(logits, table.answers[r, s]).max()


@pytest.mark.parametrize("R", [2, 3, 5, 9])  # dyadic thresholds
def test_c1_recalls_every_table_iff_the_gate_passes_the_sharp_threshold(R):
    """Above 1 - 1/(2 (R - 1)) all, at it a tie. The worst table answers all others with one sign more."""
    threshold = 1 - 1 / (2 * (R - 1))
    worst = FactTable([[0]] + [[1]] * (R - 1))  # words -1 and +1
    for step, sign in ((-(2.0**-20), -1), (0.0, 0), (2.0**-20, 1)):
        assert np.sign(measured(block_superposition(worst, gate=threshold + step), worst)[0, 0]) == sign


@given(table=fact_tables(n_relations=st.integers(2, 6)))
def test_c1_recalls_every_table_just_above_the_threshold(table):
    threshold = 1 - 1 / (2 * (table.n_relations - 1))
    assert measured(block_superposition(table, gate=threshold + 2.0**-20), table).min() > 0


@pytest.mark.parametrize("R", [2, 3, 5])
def test_c1_in_place_and_narrow_recall_until_the_floor_passes_the_middle(R):
    """In place -1 reads as max(-1, 1 - 2 gate), narrow as max(-1, 3 - 2 gate) beside +1: wrong from 0 on."""
    table = FactTable([[0]] * (R - 1) + [[1]])
    for construct, threshold in ((in_place_superposition, 0.5), (narrow_superposition, 1.5)):
        for step, sign in ((-(2.0**-20), -1), (0.0, 0), (2.0**-20, 1)):
            assert np.sign(measured(construct(table, gate=threshold + step), table)[0, 0]) == sign


def test_tables_of_equal_relations_never_notice_a_weak_gate():
    table = FactTable([[3, 0, 2, 1]] * 4)
    assert measured(block_superposition(table, gate=0.5), table).min() >= 2


@given(one=TABLES, seed=st.integers(0, 99), name=st.sampled_from(sorted(FAMILY)))
def test_the_facts_are_kept_in_the_subjects_embeddings_alone(one, seed, name):
    R, N, A = sizes(one)
    other = table_of("functions", N, R, A, seed=seed)
    weights, against = (FAMILY[name](table).dense().weights() for table in (one, other))
    for key, weight in weights.items():
        if key == "W_E":
            assert np.array_equal(weight[N:], against[key][N:])
            assert np.array_equal(weight[:N], against[key][:N]) == np.array_equal(one.answers, other.answers)
        else:
            assert np.array_equal(weight, against[key]), key


@pytest.mark.parametrize("name", sorted(FAMILY))
@pytest.mark.parametrize(("R", "A"), [(1, 2), (3, 8), (4, 6), (2, 20)])
def test_the_storage_declared_is_the_storage_found(name, R, A):
    """Over many tables: the coordinates that vary, and how many values they take."""
    rng = np.random.default_rng(0)
    rows, declared = [], None
    for _ in range(40):
        model = FAMILY[name](random_functions(8, R, A, rng=rng))
        rows.append(model.W_E[:8])
        declared = model.storage
    embeddings = np.concatenate(rows)
    varying = np.flatnonzero((embeddings != embeddings[0]).any(axis=0))
    assert varying.tolist() == sorted(declared.coordinates.tolist())
    assert declared.n_levels >= len(np.unique(embeddings[:, varying]))
    assert declared.other_bits == 0
    m = (A - 1).bit_length()
    bits = 4 * -(-m // 4) if name == "single-hop-quantized" else m
    assert declared.subject_bits == R * bits


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_a_code_with_more_words_than_attributes_is_cut(name):
    table, code = FactTable([[0, 2, 1]]), sign_code(16)
    cut = Code(code.words[:3], code.lo, code.hi)
    weights, against = (FAMILY[name](table, code=c).dense().weights() for c in (code, cut))
    assert weights["W_U"].shape[1] == 3
    assert all(np.array_equal(weight, against[key]) for key, weight in weights.items())


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_a_code_with_too_few_words_is_refused(name):
    with pytest.raises(ValueError, match="the code has 2 words for 3 attributes"):
        FAMILY[name](FactTable([[0, 2, 1]]), code=sign_code(2))


def test_bits_out_of_range_are_refused():
    table = FactTable([[0, 2, 1]])
    with pytest.raises(ValueError, match="bits must be at least 1, got 0"):
        packed_superposition(table, bits=0)
    for bits in (0, 17):
        with pytest.raises(ValueError, match=f"bits must be from 1 to 16, got {bits}"):
            quantized_superposition(table, bits=bits)


def test_equal_words_give_the_margin_0_that_pigeonhole_predicts():
    table = random_bijections(8, 2, rng=np.random.default_rng(1))
    code = sign_code(8, length=2)
    shares = Counter(map(tuple, code.words.tolist()))
    assert set(shares.values()) == {2}
    for construct in (block_superposition, in_place_superposition, narrow_superposition):
        assert not measured(construct(table, code=code), table).any()


def test_the_public_list_has_every_construction_under_its_claims_name():
    for name, construct in FAMILY.items():
        assert CONSTRUCTIONS[name] is construct
