"""C8, a fair baseline: a W that recalls, or the proof that there is none."""

import numpy as np
import pytest
from scipy.optimize import linprog

from georecall.bounds.linear_memory import no_linear_memory
from georecall.constructions.best_memory import LEVELS, best_linear_memory, keys, separated
from georecall.constructions.memories import frozen, linear_associative_memory
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.margins.margins import margins


def table(n_subjects: int, n_relations: int = 1, seed: int = 0) -> FactTable:
    return random_bijections(n_subjects, n_relations, rng=np.random.default_rng(seed))


def trained(facts: FactTable, d: int):
    e, D, u = frozen(facts, d)
    each, answers = keys(e, D), facts.answers.ravel()
    return each, answers, u, *separated(each, answers, u)


@pytest.mark.parametrize(("n", "d"), [(64, 16), (64, 24), (32, 16)])
def test_training_finds_a_memory_where_the_outer_product_fails_and_margins_prove_it(n: int, d: int) -> None:
    facts = table(n)
    found = margins(best_linear_memory(facts, dimension=d), facts)
    assert (found.n_wrong, found.exact) == (0, True)
    assert margins(linear_associative_memory(facts, dimension=d), facts).n_wrong > 0


@pytest.mark.parametrize(("n", "d"), [(64, 8), (64, 14), (32, 6)])
def test_where_training_fails_its_multipliers_prove_that_nothing_can(n: int, d: int) -> None:
    each, answers, u, W, multipliers = trained(table(n), d)
    assert margins(best_linear_memory(table(n), dimension=d), table(n)).n_wrong > 0
    assert no_linear_memory(each, answers, u, multipliers)
    assert np.abs(W).max() == LEVELS


def test_a_linear_program_agrees_with_both() -> None:
    facts = table(12)
    for d in (2, 3, 4, 5, 6):
        each, answers, u, W, multipliers = trained(facts, d)
        pairs = [(x, b) for x in range(12) for b in range(12) if b != answers[x]]
        rows = np.array([np.outer(each[x], u[answers[x]] - u[b]).ravel() for x, b in pairs])
        there = linprog(np.zeros(d * d), -rows, -np.ones(len(rows)), bounds=(None, None)).status == 0
        assert (rows @ W.ravel() > 0).all() == there
        if there:
            assert not no_linear_memory(each, answers, u, multipliers)


def test_multipliers_of_a_memory_that_exists_and_altered_ones_prove_nothing() -> None:
    each, answers, u, _, multipliers = trained(table(64), 14)
    assert no_linear_memory(each, answers, u, multipliers)
    rng = np.random.default_rng(0)
    assert not no_linear_memory(each, answers, u, rng.random(multipliers.shape))
    assert not no_linear_memory(each, answers, u, np.zeros_like(multipliers))
    with pytest.raises(ValueError, match="not be negative"):
        no_linear_memory(each, answers, u, -multipliers)
    with pytest.raises(ValueError, match="signs"):
        no_linear_memory(2 * each, answers, u, multipliers)
    each, answers, u, _, multipliers = trained(table(64), 20)
    assert not no_linear_memory(each, answers, u, multipliers)


def test_keys_and_words_are_those_of_the_outer_product() -> None:
    facts = table(8, 2)
    best, outer = best_linear_memory(facts, dimension=12), linear_associative_memory(facts, dimension=12)
    assert np.array_equal(best.W_E, outer.W_E)
    assert np.array_equal(best.W_U, outer.W_U)
    assert margins(best, facts).n_wrong == 0
