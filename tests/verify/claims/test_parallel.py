"""C5(d) through `check`."""

from dataclasses import replace

import numpy as np
import pytest

from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims import parallel
from georecall.verify.claims.check import check


@pytest.mark.parametrize(
    "options",
    [
        {"subjects": 8, "relations": 2, "hops": 4},
        {"subjects": 8, "relations": 2, "hops": 3, "table": "functions"},
        {"subjects": 6, "relations": 2, "hops": 3, "typed": True},
        {"subjects": 5, "relations": 3, "hops": 1},
    ],
)
def test_every_predicted_quantity_is_the_measured_one(options):
    verdict = check("parallel-hops", **options)
    assert verdict.status == "holds", verdict.reason
    assert verdict.measured == verdict.predicted
    assert all(control.ok for control in verdict.controls)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["bijections", "functions"])
def test_the_must_show(table):
    verdict = check("parallel-hops", subjects=16, relations=2, hops=7, table=table)
    assert (verdict.status, verdict.measured["n_layers"], verdict.min_margin) == ("holds", 3, 2)


def test_a_model_that_fails_for_fewer_hops_alone_is_refuted(monkeypatch):
    """With the position of two hops scrambled, three hops pass and two do not."""
    build = parallel.parallel_hops

    def broken(facts, **options):
        model = build(facts, **options)
        W_pos = model.W_pos.copy()
        W_pos[2] = W_pos[1]  # position 2 reads as position 1 does, and is read as it is
        return replace(model, W_pos=W_pos)

    monkeypatch.setattr(parallel, "parallel_hops", broken)
    verdict = check("parallel-hops", subjects=6, relations=2, hops=3)
    assert verdict.status == "refuted"


def test_groups_of_tables_are_told():
    assert parallel.group(FactTable([[1, 2, 3, 0]])) == "order 4, solvable"
    assert (
        parallel.group(FactTable([[1, 2, 3, 4, 0], [1, 0, 2, 3, 4]])) == "order 120, symmetric: not solvable"
    )
    assert (
        parallel.group(FactTable([[1, 2, 0, 3, 4], [0, 1, 3, 4, 2]])) == "order 60, alternating: not solvable"
    )
    assert parallel.group(FactTable([[0, 0]], n_attributes=2)) is None
    assert parallel.group(random_bijections(100, 2, rng=np.random.default_rng(0))) is None


def test_queries_too_many_to_ask_are_certified_for_every_number_of_hops():
    verdict = check("parallel-hops", subjects=6, relations=2, hops=40)
    assert (verdict.status, verdict.method, verdict.n_queries) == ("holds", "windows", 6 * 2**40)
    assert verdict.measured["n_layers"] == 6


def test_one_wrong_fact_among_queries_too_many_to_ask_is_found(monkeypatch):
    build = parallel.parallel_hops

    def wrong(facts, **options):
        return build(facts.altered(1, 0, int(facts.answers[0, 1] + 1) % facts.n_subjects), **options)

    monkeypatch.setattr(parallel, "parallel_hops", wrong)
    verdict = check("parallel-hops", subjects=6, relations=2, hops=40, controls=False)
    assert (verdict.status, verdict.method) == ("refuted", "windows")
    assert len(verdict.witness.relations) == 40
