"""C8's memories: what they read, exactly, and that their embeddings know no facts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import Code, linear_associative_memory, random_feature_memory, sign_code, sign_code_memory
from georecall.constructions.dense import signs
from georecall.constructions.memories import features, mean_of_feature
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.margins import margins
from georecall.verify.strategies import fact_tables, table_of

SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("functions", "equal", "constant")
TABLES = fact_tables(n_subjects=st.integers(1, 5), n_attributes=3, kinds=KINDS)
DRAWN = {"table": TABLES, "seed": SEEDS, "d": st.integers(1, 7)}
MEMORIES = (linear_associative_memory, random_feature_memory, sign_code_memory)


def asked(model, table):
    relations, subjects = np.divmod(np.arange(table.n_facts), table.n_subjects)
    return model.residual(subject_first(table.n_subjects, subjects, relations))


@given(**DRAWN)
def test_the_linear_memory_reads_the_key_times_w(table, seed, d):
    (R, N), rng = table.answers.shape, np.random.default_rng(seed)
    e, D, u = signs(rng, N, d), signs(rng, R, d), signs(rng, 3, d)
    keys = np.concatenate([e * turn for turn in D])
    W = sum(np.outer(key, u[a]) for key, a in zip(keys, table.answers.ravel(), strict=True))
    model = linear_associative_memory(table, dimension=d, rng=np.random.default_rng(seed))
    assert np.array_equal(asked(model, table), keys @ W)


@given(**DRAWN)
def test_the_feature_memory_reads_the_features_times_w(table, seed, d):
    (R, N), rng = table.answers.shape, np.random.default_rng(seed)
    e, D, w, u = signs(rng, N, d), signs(rng, R, d), signs(rng, 4, d), signs(rng, 3, d)
    phi = np.concatenate([features(e * turn, w) for turn in D])
    W = sum(np.outer(f, u[a]) for f, a in zip(phi, table.answers.ravel(), strict=True))
    model = random_feature_memory(table, dimension=d, width=8, rng=np.random.default_rng(seed))
    assert np.array_equal(asked(model, table)[:, d:], phi @ W)


@given(**{**DRAWN, "d": st.integers(1, 5)}, which=st.sampled_from(MEMORIES[:2]))
def test_hebbian_memories_are_the_plain_forward_pass_and_exact(plain, table, seed, d, which):
    model = which(table, dimension=d, seed=seed)
    found = margins(model, table)
    assert found.exact
    assert found.lower.tolist() == plain(model).margins(table)


@given(table=fact_tables(n_subjects=st.integers(1, 7), n_attributes=5, kinds=KINDS))
def test_the_sign_code_memory_recalls_every_table(plain, table):
    model = sign_code_memory(table)
    found = margins(model, table)
    nearest = sign_code(5).nearest_squared_distance() / 2
    assert (found.exact, found.n_wrong, float(found.minimum[0]) >= nearest) == (True, 0, True)
    assert found.lower.tolist() == plain(model).margins(table)


@given(table=TABLES, seed=SEEDS, which=st.sampled_from(MEMORIES))
def test_embeddings_know_no_facts(table, seed, which):
    R, N = table.answers.shape
    other = table_of("functions", N, R, 3, seed=seed)
    options = {} if which is sign_code_memory else {"dimension": 6}
    assert np.array_equal(which(table, **options).W_E, which(other, **options).W_E)
    assert which(table, **options).storage.frozen


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 10, 11])
def test_the_centre_of_a_feature_is_its_mean(d):
    sums = np.abs(np.array(np.meshgrid(*[[-1, 1]] * d)).reshape(d, -1).sum(axis=0))
    assert mean_of_feature(d) == pytest.approx(sums.mean(), abs=1 / 2048)
    assert (mean_of_feature(d) * 1024).is_integer()


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda facts: linear_associative_memory(facts, dimension=0), "at least one dimension"),
        (lambda facts: linear_associative_memory(facts, delta=0.0), "delta must lie between 0 and 1"),
        (lambda facts: linear_associative_memory(facts, dimension=3, code=sign_code(2)), "of length 3"),
        (
            lambda facts: linear_associative_memory(facts, dimension=1, code=Code([[0], [1]], 0, 1)),
            "of signs",
        ),
        (lambda facts: random_feature_memory(facts, dimension=3, width=3), "width must be even"),
        (lambda facts: sign_code_memory(facts, names=sign_code(1)), "1 words for 2 subjects"),
    ],
)
def test_bad_arguments_are_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build(FactTable([[0, 1], [1, 0]]))
