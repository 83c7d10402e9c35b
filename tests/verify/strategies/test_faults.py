"""Planted faults: the margins find exactly the facts that the fault's own argument says are wrong."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins.margins import margins
from georecall.verify.recall.weights import check_recall
from georecall.verify.strategies import FAULTS, fact_tables, faulty_transformers
from georecall.verify.strategies.faults import SINGLE_HOP

QUIET = settings(derandomize=True, database=None)


@given(faulty=faulty_transformers())
def test_exactly_the_facts_that_a_fault_breaks_are_found_wrong(faulty):
    found = margins(faulty.model, faulty.facts)
    assert found.exact
    assert np.array_equal(found.signs < 0, faulty.wrong)
    assert check_recall(faulty.model, faulty.facts).status == ("refuted" if faulty.wrong.any() else "holds")


@given(
    faulty=faulty_transformers(
        tables=fact_tables(n_subjects=st.integers(1, 3), n_relations=st.integers(1, 2))
    )
)
def test_the_plain_forward_pass_finds_the_same_facts(plain, faulty):
    found = np.array(plain(faulty.model).margins(faulty.facts)) <= 0
    assert np.array_equal(found, faulty.wrong)


@pytest.mark.parametrize(
    ("fault", "construction"),
    [
        pytest.param(fault, name, marks=[] if (i + j) % len(SINGLE_HOP) == 0 else pytest.mark.slow)
        for i, fault in enumerate(FAULTS)  # every fault in one construction, in turn; slowly in all
        for j, name in enumerate(SINGLE_HOP)
    ],
)
def test_every_fault_breaks_every_construction_and_shrinks(fault, construction):
    strategy = faulty_transformers(constructions=construction, faults=fault)
    found = find(strategy, lambda faulty: faulty.wrong.any(), settings=QUIET)
    assert (found.construction, found.fault) == (construction, fault)
    assert found.facts.n_facts <= 4
    assert found.says


@pytest.mark.parametrize(
    "fault", ["subjects swapped", "relations swapped", "outputs swapped", "outputs tied"]
)
def test_some_faults_may_leave_every_fact_right(fault):
    assert not find(
        faulty_transformers(faults=fault), lambda f: not f.wrong.any(), settings=QUIET
    ).wrong.any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"faults": "bad luck"}, "faults must be one of one fact altered, .*, got 'bad luck'"),
        ({"constructions": "linear-memory"}, "constructions must be one of single-hop, "),
        ({"tables": FactTable([[0, 1]])}, "tables must be a strategy, got FactTable"),
        ({"seeds": "one"}, "seeds must be a whole number"),
    ],
)
def test_bad_arguments_are_refused_at_once(options, says):
    with pytest.raises(InvalidArgument, match=says):
        faulty_transformers(**options)


def test_one_attribute_is_refused():
    @settings(database=None)
    @given(faulty_transformers(tables=st.just(FactTable([[0, 0]]))))
    def draws(faulty):
        pass

    with pytest.raises(InvalidArgument, match="at least two attributes"):
        draws()
