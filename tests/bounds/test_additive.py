"""C11(a): additive models and the certificates that there is none, against linear programs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from georecall.bounds.additive import (
    Additive,
    AdditiveCertificate,
    additive,
    additive_cross_entropy,
    fewest_wrong,
)


def possible(answers: list[list[int]], n_attributes: int) -> bool:
    """Whether f and g exist with every margin at least 1, over all attributes, by one linear program."""
    R, N = len(answers), len(answers[0])
    rows = []
    for r, s in itertools.product(range(R), range(N)):
        for b in set(range(n_attributes)) - {answers[r][s]}:
            row = np.zeros((N + R, n_attributes))
            for sign, a in ((-1, answers[r][s]), (1, b)):
                row[s, a] += sign
                row[N + r, a] += sign
            rows.append(row.ravel())
    A = np.array(rows)
    return bool(linprog(np.zeros(A.shape[1]), A, -np.ones(len(A)), bounds=(None, None)).status == 0)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    R, N, A = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(2, 4))
    rows = st.lists(st.integers(0, A - 1), min_size=N, max_size=N)
    return draw(st.lists(rows, min_size=R, max_size=R)), A


@given(tables())
def test_a_table_has_an_additive_model_or_a_certificate_that_it_has_none(
    table: tuple[list[list[int]], int],
) -> None:
    answers, A = table
    found = additive(answers)
    if possible(answers, A):
        assert isinstance(found, Additive)
        facts = itertools.product(range(len(answers)), range(len(answers[0])))
        assert min(found.margin(answers, r, s, A) for r, s in facts) > 0
    else:
        assert isinstance(found, AdditiveCertificate)
        assert found.refutes(answers)


def test_two_bijections_are_refuted_by_weights_of_one_whatever_their_size() -> None:
    rng = np.random.default_rng(0)
    answers = [rng.permutation(200).tolist() for _ in range(2)]
    found = additive(answers)
    assert isinstance(found, AdditiveCertificate)
    assert found.argument == "equal counts"
    assert {weight for *_, weight in found.terms} == {1}
    assert found.refutes(answers)


def test_a_certificate_that_is_altered_refutes_nothing() -> None:
    answers = [[0, 1, 2], [1, 2, 0]]
    found = additive(answers)
    assert isinstance(found, AdditiveCertificate)
    r, s, b, weight = found.terms[0]
    for term in ((r, s, b, 2), (r, s, answers[r][s], weight), (r, s, b, -1), (1 - r, s, b, weight)):
        assert not AdditiveCertificate((term, *found.terms[1:]), "altered").refutes(answers)
    assert not AdditiveCertificate(found.terms[1:], "one left out").refutes(answers)
    assert not AdditiveCertificate((), "nothing").refutes(answers)
    assert not found.refutes([[0, 1, 2], [0, 1, 2]])  # of another table


def test_pairwise_possible_is_not_possible_together() -> None:
    answers = [[1, 2], [0, 1], [2, 0]]
    assert all(isinstance(additive([p, q]), Additive) for p, q in itertools.combinations(answers, 2))
    found = additive(answers)
    assert isinstance(found, AdditiveCertificate)
    assert found.argument == "linear program"
    assert found.refutes(answers)


@pytest.mark.parametrize("p", list(itertools.permutations(range(4))))
def test_the_fewest_wrong_facts_of_two_bijections_are_the_cycles(p: tuple[int, ...]) -> None:
    """Leaving out facts until an additive model recalls the rest, over all sets of facts to leave out."""
    q = (0, 1, 2, 3)
    differing = [s for s in range(4) if p[s] != q[s]]

    def rest_possible(lost: tuple[tuple[int, int], ...]) -> bool:
        rows = []
        for r, s in itertools.product(range(2), differing):
            if (r, s) not in lost:
                row = np.zeros((6, 4))
                for sign, a in ((-1, (p, q)[r][s]), (1, (p, q)[1 - r][s])):
                    row[s, a] += sign
                    row[4 + r, a] += sign
                rows.append(row.ravel())
        if not rows:
            return True
        A = np.array(rows)
        return bool(linprog(np.zeros(24), A, -np.ones(len(A)), bounds=(None, None)).status == 0)

    every = list(itertools.product(range(2), differing))
    least = next(
        n for n in range(len(every) + 1) if any(map(rest_possible, itertools.combinations(every, n)))
    )
    assert fewest_wrong(p, q) == least


def test_cross_entropy_of_additive_models_is_above_its_floor_and_comes_near() -> None:
    from scipy.optimize import minimize

    answers = np.array([[0, 1, 2, 3], [1, 0, 2, 3]])
    floor = additive_cross_entropy(answers.tolist())
    exact = math.log(2) - 4 * math.log(2) / 8  # two of four subjects have the same answer twice
    assert floor.lower_float <= exact <= floor.upper_float

    def loss(x: np.ndarray) -> float:
        f, g = x[:16].reshape(4, 4), x[16:].reshape(2, 4)
        logits = f[None] + g[:, None]
        right = np.take_along_axis(logits, answers[..., None], -1)[..., 0]
        return float((np.logaddexp.reduce(logits, axis=-1) - right).mean())

    rng = np.random.default_rng(0)
    assert all(loss(3 * rng.normal(size=24)) >= exact for _ in range(200))
    best = minimize(loss, np.zeros(24), method="L-BFGS-B").fun
    assert exact - 1e-9 <= best < exact + 1e-2
