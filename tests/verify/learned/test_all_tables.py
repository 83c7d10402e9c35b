"""Expected and worst transfer over all tables, against enumeration and on models whose answer is known."""

from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from georecall import block_superposition, dense_superposition, sign_code_memory
from georecall.theory.facts.fact_table import FactTable, random_bijections, several_bijections
from georecall.verify.learned import Parts
from georecall.verify.learned import all_tables as module
from georecall.verify.learned.all_tables import least_matching, over_all_tables, right_counts
from georecall.verify.learned.superposition import superposition
from georecall.verify.margins.margins import margins


def parts_of(construct, table, **options):
    return Parts.of(construct(table, **options), table.n_subjects)


def recalled(parts, fitted, new):
    """How many facts of a new table are recalled, by margins of its own."""
    return margins(parts.with_subjects(fitted(new)), new).n_recalled


def uneven(N, R):
    """A table that a dense superposition of few dimensions recalls in part, and the model's parts."""
    rng = np.random.default_rng(1)
    table = random_bijections(N, R, rng=rng)
    return table, blurred(parts_of(dense_superposition, table, length=8), rng)


def blurred(parts, rng):
    """The parts of a model without ties."""
    W_U = parts.model.W_U
    noise = 0.1 * rng.standard_normal(W_U.shape) * (W_U != 0).any(axis=1, keepdims=True)
    b_U = parts.model.b_U + 0.01 * rng.standard_normal(W_U.shape[1])
    return Parts.of(replace(parts.model, W_U=W_U + noise, b_U=b_U), len(parts.subjects))


def test_a_superposition_by_hand_transfers_to_every_table():
    table = random_bijections(16, 2, rng=np.random.default_rng(0))
    found = over_all_tables(parts_of(block_superposition, table), table)
    assert found.expected == found.worst == (1, 1)
    assert (found.method, found.n_tuples, found.undecided) == ("all tuples", 256, 0)


def test_a_memory_over_frozen_embeddings_transfers_at_chance_on_average():
    table = random_bijections(32, 2, rng=np.random.default_rng(0))
    parts = parts_of(sign_code_memory, table)
    found = over_all_tables(blurred(parts, np.random.default_rng(0)), table)
    assert found.expected == found.worst == (Fraction(1, 32),) * 2  # one answer to everything
    tied = over_all_tables(parts, table)  # keys of no subject wake no neuron: floats cannot tell a tie
    assert (tied.expected, tied.undecided) == ((0, 1), 2 * 32 * 32)


def test_both_quantities_are_those_of_all_tables_enumerated():
    table, parts = uneven(4, 2)
    fitted = superposition(parts, table)
    shares = []
    for row in permutations(range(4)):
        new = FactTable([range(4), row], n_attributes=4)
        shares.append(Fraction(recalled(parts, fitted, new), 8))
    found = over_all_tables(parts, table)
    assert 0 < min(shares) < max(shares)
    assert found.expected == (sum(shares) / 24,) * 2
    assert found.worst == (min(shares),) * 2
    worst = FactTable(found.table, n_attributes=4)
    assert recalled(parts, fitted, worst) == 8 * min(shares)


def test_the_expected_transfer_is_the_mean_over_tables_that_are_sampled():
    table, parts = uneven(16, 2)
    fitted, rng = superposition(parts, table), np.random.default_rng(0)
    drawn = [random_bijections(16, 2, rng=rng) for _ in range(40)]
    shares = [recalled(parts, fitted, new) / new.n_facts for new in drawn]
    found = over_all_tables(parts, table)
    assert float(found.expected[0]) == pytest.approx(np.mean(shares), abs=5 * np.std(shares) / 40**0.5)
    assert found.worst[0] <= min(shares)


def test_answers_that_are_given_more_often_count_more_often():
    """Of functions, both quantities are over tables with the same answer counts."""
    table = FactTable([[0, 0, 0, 1], [0, 1, 2, 2]], n_attributes=3)
    parts = blurred(parts_of(dense_superposition, table, length=4, seed=1), np.random.default_rng(0))
    fitted = superposition(parts, table)
    shares = []
    for row in permutations(table.answers[1].tolist()):
        new = FactTable([[0, 0, 0, 1], row], n_attributes=3)
        shares.append(Fraction(recalled(parts, fitted, new), 8))
    found = over_all_tables(parts, table)
    assert min(shares) < max(shares)
    assert (found.expected, found.worst) == ((sum(shares) / 24,) * 2, (min(shares),) * 2)


def test_several_tables_side_by_side_have_the_shares_of_one():
    table = several_bijections(8, 2, 3, seed=0)
    found = over_all_tables(parts_of(dense_superposition, table, length=8), table)
    assert found.table.shape == (2, 8)


def test_an_answer_that_is_not_decided_makes_both_numbers_enclosures(monkeypatch):
    table, parts = uneven(4, 2)
    sound = module._signs

    def doubtful(*arguments):
        signs = sound(*arguments)
        signs[0, 0] = 0
        return signs

    certain = over_all_tables(parts, table)
    monkeypatch.setattr(module, "_signs", doubtful)
    found = over_all_tables(parts, table)
    assert found.undecided == 1
    assert found.expected[0] <= certain.expected[0] <= found.expected[1]
    assert found.expected[1] - found.expected[0] == Fraction(1, 32)
    assert found.worst[0] <= certain.worst[0] <= found.worst[1]


def test_for_more_relations_the_average_is_an_interval_and_the_worst_a_table_that_was_found():
    table, parts = uneven(6, 3)
    found = over_all_tables(parts, table, error=1e-6)
    fitted, rng = superposition(parts, table), np.random.default_rng(0)
    every = FactTable(np.indices((6, 6, 6)).reshape(3, -1), n_attributes=6)
    assert found.method == "sampled tuples"
    assert found.expected[0] < recalled(parts, fitted, every) / 648 < found.expected[1]
    assert found.expected[1] - found.expected[0] < 0.1
    assert found.worst[0] == 0
    worst = FactTable(found.table, n_attributes=6)
    assert worst.bijective
    drawn = [random_bijections(6, 3, rng=rng) for _ in range(20)]
    assert float(found.worst[1]) == recalled(parts, fitted, worst) / 18
    assert found.worst[1] < min(Fraction(recalled(parts, fitted, new), 18) for new in drawn)
    assert found.described() == over_all_tables(parts, table, error=1e-6).described()


def test_what_is_too_much_to_ask_is_sampled(monkeypatch):
    table, parts = uneven(16, 2)
    exact = over_all_tables(parts, table)
    monkeypatch.setattr(module, "_MOST", 100)
    found = over_all_tables(parts, table)
    assert found.method == "sampled tuples"
    assert found.expected[0] <= exact.expected[0] <= found.expected[1]
    assert found.worst[1] >= exact.worst[0]


def test_right_counts_are_those_of_a_table_with_that_answer():
    table, parts = uneven(5, 3)
    fitted = superposition(parts, table)
    low, high = right_counts(parts, fitted, table.answers, 1, 5)
    assert np.array_equal(low, high)
    for b in range(5):
        answers = table.answers.copy()
        answers[1] = b
        new = FactTable(answers, n_attributes=5)
        signs = margins(parts.with_subjects(fitted(new)), new).signs
        assert np.array_equal((signs > 0).sum(axis=0), low[:, b])


@pytest.mark.parametrize("seed", range(20))
def test_the_least_matching_is_certified_and_a_better_one_does_not_exist(seed):
    costs = np.random.default_rng(seed).integers(0, 3, size=(5, 5))
    found = least_matching(costs)
    assert found.certifies(costs)
    least = min(int(costs[np.arange(5), list(p)].sum()) for p in permutations(range(5)))
    assert found.total == least


def test_a_matching_that_is_not_the_least_is_not_certified(monkeypatch):
    import scipy.optimize

    costs = np.array([[0, 1], [1, 2]])
    assert least_matching(costs).total == 2
    assert not least_matching(costs).certifies(costs - np.eye(2, dtype=int))
    unequal = np.array([[0, 2], [2, 0]])
    rows = np.arange(2)
    monkeypatch.setattr(scipy.optimize, "linear_sum_assignment", lambda costs: (rows, rows[::-1]))
    with pytest.raises(ArithmeticError, match="not certified"):
        least_matching(unequal)


@pytest.mark.slow
def test_a_selector_trained_on_eight_tables_answers_every_pair_of_bijections():
    """Proved of these weights, tuple by tuple; one table in its place leaves a bad pair."""
    from georecall.constructions.gradient_descent import trained
    from georecall.verify.learned.run import PRESETS

    preset = PRESETS["every-table"]
    facts = preset.facts(0)
    found = over_all_tables(Parts.of(trained(facts, preset.recipe(0)), facts.n_subjects), facts)
    assert (found.worst, found.undecided) == ((1, 1), 0)
    one = replace(preset, tables=1)
    facts = one.facts(0)
    found = over_all_tables(Parts.of(trained(facts, one.recipe(0)), facts.n_subjects), facts)
    assert found.worst[1] < 0.6 < found.expected[0]
