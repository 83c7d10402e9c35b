"""The tables that `fact_tables` draws: each kind is what it says, sizes are as asked, failures shrink."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from georecall.theory.facts.fact_table import UNKNOWN
from georecall.verify.strategies import KINDS, fact_tables, table_of

SIZES = {
    "N": st.integers(1, 9),
    "R": st.integers(1, 4),
    "A": st.integers(2, 12),
    "seed": st.integers(0, 10**6),
}


@given(**SIZES)
def test_every_kind_is_what_it_says(N, R, A, seed):
    tables = {kind: table_of(kind, N, R, A, seed=seed) for kind in KINDS}
    for kind, table in tables.items():
        assert table.answers.shape == (R, N)
        assert table.n_attributes == {
            "bijections": max(N, 2),
            "identity": max(N, 2),
            "partial": A + 1,
        }.get(kind, A)
    assert all(len(set(row)) == N for row in tables["bijections"].answers.tolist())
    assert tables["bijections"].bijective == (N > 1)
    assert (tables["identity"].answers == np.arange(N)).all()
    assert (tables["equal"].answers == tables["equal"].answers[0]).all()
    assert (tables["constant"].answers == tables["constant"].answers[:, :1]).all()
    assert tables["partial"].attribute_name(A) == UNKNOWN
    apart = table_of("disjoint", N, R, A, seed=seed)
    assert apart.n_attributes == R * A
    assert (apart.answers // A == np.arange(R)[:, None]).all()


@given(**{**SIZES, "N": st.integers(2, 9)}, kind=st.sampled_from(KINDS))
def test_entities_compose_and_the_unknown_one_stays_unknown(N, R, A, seed, kind):
    table = table_of(kind, N, R, A, seed=seed, entities=True)
    assert table.of_entities
    if kind == "partial":
        assert table.subject_name(N) == UNKNOWN
        assert (table.answers[:, N] == N).all()


@given(**SIZES, kind=st.sampled_from(KINDS))
def test_a_smaller_table_keeps_the_facts_of_a_larger_one(N, R, A, seed, kind):
    small, large = table_of(kind, N, R, A, seed=seed), table_of(kind, N + 3, R + 2, A, seed=seed)
    kept = large.answers[:R, :N]
    if kind == "bijections":  # their order
        assert (np.argsort(small.answers) == np.argsort(kept)).all()
    else:
        assert (small.answers == kept).all()


def test_every_kind_is_drawn_and_a_quarter_of_the_cells_is_missing():
    seen = {kind: table_of(kind, 200, 2, 9, seed=3) for kind in KINDS}
    assert 0.15 < (seen["partial"].answers == 9).mean() < 0.35
    for one in ("bijections", "functions", "partial"):
        assert (seen[one].answers[0] != seen[one].answers[1]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_failures_shrink_to_few_facts(kind):
    strategy = fact_tables(kinds=kind, n_subjects=st.integers(1, 60), n_relations=st.integers(1, 20))
    found = find(
        strategy, lambda table: table.n_subjects >= 3, settings=settings(derandomize=True, database=None)
    )
    assert (found.n_subjects, found.n_relations) == (3, 1)


@given(st.data())
def test_arguments_may_be_numbers_or_strategies(data):
    table = data.draw(
        fact_tables(n_subjects=4, n_relations=st.just(2), n_attributes=6, kinds="functions", seeds=1)
    )
    assert (table.n_subjects, table.n_relations, table.n_attributes) == (4, 2, 6)
    assert table == table_of("functions", 4, 2, 6, seed=1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_subjects": 0}, "n_subjects must be at least 1, got 0"),
        ({"n_subjects": 1, "entities": True}, "n_subjects must be at least 2, got 1"),
        ({"n_subjects": 2.5}, "n_subjects must be a whole number or a strategy of them, got 2.5"),
        ({"n_subjects": True}, "n_subjects must be a whole number"),
        ({"n_relations": -1}, "n_relations must be at least 1, got -1"),
        ({"n_attributes": 1}, "n_attributes must be at least 2, got 1"),
        ({"kinds": "random"}, "kinds must be one of bijections, .*, got 'random'"),
        ({"kinds": ()}, "kinds must name at least one"),
        ({"kinds": 3}, "kinds must name at least one"),
        ({"seeds": -1}, "seeds must be at least 0"),
    ],
)
def test_bad_arguments_are_refused_at_once(options, says):
    with pytest.raises(InvalidArgument, match=says):
        fact_tables(**options)


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        fact_tables(3)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"n_relations": st.just(0)}, "at least 1, got 0"), ({"kinds": st.just("x")}, "got 'x'")],
)
def test_what_a_given_strategy_draws_is_examined(options, says):
    @settings(database=None)
    @given(fact_tables(**options))
    def draws(table):
        pass

    with pytest.raises(InvalidArgument, match=says):
        draws()
