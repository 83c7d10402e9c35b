"""Facts, draws and trainings are shared by the workers of an executor: the verdict is that of one process."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from georecall import sign_code_memory
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.claims.check import check
from georecall.verify.claims.promise import Promise, draws_by_workers, put_to_test
from georecall.verify.executors import working
from georecall.verify.margins import ledger
from georecall.verify.margins.counting.elsewhere import Elsewhere
from georecall.verify.margins.margins import margins
from georecall.verify.usage import UsageError


def lasting(verdict):
    return {key: value for key, value in verdict.to_json().items() if key != "seconds"}


class Unordered(ThreadPoolExecutor):
    """Workers of very different speed."""

    def submit(self, fn, /, *args):
        delay = random.Random(repr(args[1:])).random() / 50
        return super().submit(lambda: (time.sleep(delay), fn(*args))[1])


@pytest.mark.parametrize(
    ("claim", "asked"),
    [
        ("sign-code-memory", {"subjects": 60, "relations": 3}),
        ("disjoint-attributes", {"subjects": 60, "relations": 3}),
        ("linear-memory", {"subjects": 12, "relations": 2, "trials": 64}),
        ("single-hop-dense", {"subjects": 8, "relations": 2, "trials": 64}),
    ],
)
def test_the_verdict_is_the_same_whoever_works(monkeypatch, claim, asked):
    monkeypatch.setattr(ledger, "_BLOCK", 1 << 12)  # several blocks
    here = lasting(check(claim, controls=False, **asked))
    with Unordered(3) as executor:
        assert lasting(check(claim, controls=False, executor=executor, **asked)) == here
    assert here["status"] in ("holds", "inconclusive")  # of 64 draws


def _memory(facts, asked):
    return sign_code_memory(facts), asked


def test_a_wrong_fact_in_a_block_that_a_worker_holds_is_found(monkeypatch):
    """Only the workers are asked for it."""
    monkeypatch.setattr(ledger, "_BLOCK", 1 << 12)
    facts = random_bijections(50, 3, rng=np.random.default_rng(0))
    altered = facts.altered(31, 1, int(facts.answers[1, 32]))
    with Unordered(2) as executor:
        elsewhere = Elsewhere(executor, partial(_memory, facts, altered))
        assert margins(sign_code_memory(facts), facts, elsewhere=elsewhere).wrong == [(31, 1)]
        with pytest.raises(ChildProcessError, match="other weights"):
            margins(sign_code_memory(altered), facts, elsewhere=elsewhere)


def _promise(outcome):
    return Promise(Fraction(9, 10), lambda i: outcome)


@pytest.mark.parametrize("outcome", [True, False])
def test_draws_are_the_workers_but_for_the_first(outcome):
    mine = []

    def trial(i):
        mine.append(i)
        return True

    promise = Promise(Fraction(9, 10), trial)
    with Unordered(3) as executor:
        found = put_to_test(promise, each=draws_by_workers(executor, partial(_promise, outcome)))
    assert mine == [0]
    assert (found.side, found.successes) == (("above", 73) if outcome else ("below", 1))


@pytest.mark.parametrize("claim", ["sequential-hops", "chain-of-thought", "best-linear-memory"])
def test_what_cannot_be_shared_is_refused_by_name(claim):
    with ThreadPoolExecutor(1) as executor, pytest.raises(UsageError) as refused:
        check(claim, executor=executor)
    assert f"{claim} has no option workers; the single-hop claims of C1 have, those of memories" in str(
        refused.value
    )


@pytest.mark.slow
def test_trainings_are_the_same_in_processes():
    asked = {"subjects": 32, "relations": 2, "trials": 2}
    with working(2, None) as executor:
        assert lasting(check("gradient-descent", executor=executor, **asked)) == lasting(
            check("gradient-descent", **asked)
        )
