"""C2's weights: what they read, coordinate by coordinate, and that they are whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import dense_superposition
from georecall.constructions.dense import MAPS, bound_sum, by_matrices, by_signs, signs
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.claims.dense import SINGLE_HOP_DENSE
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.margins.margins import margins
from georecall.verify.strategies import fact_tables, table_of

SEEDS, LENGTHS = st.integers(0, 2**32 - 1), st.integers(1, 6)


def tables(n_attributes):
    sizes = {"n_subjects": st.integers(1, 6), "n_relations": st.integers(1, 5)}
    return fact_tables(**sizes, n_attributes=n_attributes, kinds=("functions", "equal", "constant"))


def asked(model, table):
    """The residual stream at the last position for every fact, shape (R, N, d_model)."""
    relations, subjects = np.divmod(np.arange(table.n_facts), table.n_subjects)
    read = model.residual(subject_first(table.n_subjects, subjects, relations))
    return read.reshape(table.n_relations, table.n_subjects, -1)


@given(table=tables(4), seed=SEEDS, m=LENGTHS, eighths=st.integers(0, 40))
def test_c2_reads_the_absolute_value_at_any_gate(table, seed, m, eighths):
    R, rng = table.n_relations, np.random.default_rng(seed)
    u, D = signs(rng, 4, m), signs(rng, R, m)
    gate = eighths / 8
    unbound = bound_sum(table, u, D) * D[:, None, :]
    read = asked(by_signs(table, u, D, gate), table)
    assert np.array_equal(read, np.abs(unbound + 2 * gate) - 2 * gate)
    if gate >= R / 2:
        assert np.array_equal(read, unbound)


@given(table=tables(3), seed=SEEDS, m=LENGTHS)
def test_c2_is_the_plain_forward_pass_and_exact(plain, table, seed, m):
    model = dense_superposition(table, length=m, seed=seed)
    found = margins(model, table)
    assert found.exact
    assert found.lower.tolist() == plain(model).margins(table)


@given(seed=SEEDS, variant=st.sampled_from(["gaussian", "orthogonal"]))
def test_the_variants_selector_reads_through_the_transposed_matrix(seed, variant):
    table = table_of("functions", 4, 3, 4, seed=seed)
    model = dense_superposition(table, variant=variant, length=6, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    u, M = signs(rng, 4, 6), MAPS[variant](rng, 3, 6)
    total = bound_sum(table, u, M)
    read = asked(model, table)[..., :6]
    assert np.allclose(read, [total @ turn.T for turn in M], atol=1e-12)
    assert (model.d_model, model.d_mlp) == (6 + 3, 4 * 6)


def test_the_claim_states_every_variant():
    stated = SINGLE_HOP_DENSE.statement.lower()
    assert [variant for variant in MAPS if variant not in stated] == []


def test_orthogonal_maps_are_orthogonal():
    for Q in MAPS["orthogonal"](np.random.default_rng(0), 3, 9):
        assert np.allclose(Q @ Q.T, np.eye(9), atol=1e-12)


@pytest.mark.parametrize("variant", MAPS)
def test_a_table_is_recalled_at_the_default_length(variant):
    table = random_bijections(16, 3, rng=np.random.default_rng(1))
    assert margins(dense_superposition(table, variant=variant, length=120), table).n_wrong == 0


def test_a_draw_depends_on_the_seed_alone():
    table = FactTable([[0, 1, 2], [2, 1, 0]])
    first, again, other = (dense_superposition(table, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.W_E, again.W_E)
    assert not np.array_equal(first.W_E, other.W_E)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"variant": "square"}, "variant must be one of"),
        ({"length": 0}, "at least one coordinate"),
        ({"delta": 1.5}, "delta must lie between 0 and 1"),
        ({"variant": "gaussian", "gate": 2.0}, "takes no gate"),
    ],
)
def test_bad_arguments_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        dense_superposition(FactTable([[0, 1], [1, 0]]), **options)


def test_a_sum_that_cancels_to_0_is_built_without_a_warning():
    """In one dimension orthogonal maps are signs: two words may cancel in every subject's sum."""
    table = FactTable([[0], [0]], n_attributes=2)
    u, M = np.ones((2, 1)), np.array([[[1.0]], [[-1.0]]])
    assert not asked(by_matrices(table, u, M), table)[..., :1].any()
