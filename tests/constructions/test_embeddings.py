"""C2 halved: zero-forced and optimised embeddings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from georecall.constructions.dense import dense_superposition, signs
from georecall.constructions.embeddings import (
    EMBEDDINGS,
    GRAIN,
    bound_sum,
    optimised,
    separating,
    zero_forced,
)
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.verify.claims.readouts import dense_by, margins_read
from georecall.verify.margins.margins import margins


def drawn(n: int, relations: int, m: int, seed: int = 0) -> tuple[FactTable, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return random_bijections(n, relations, rng=rng), signs(rng, n, m), signs(rng, relations, m)


def test_zero_forced_embeddings_hold_each_of_their_own_vectors_with_weight_m() -> None:
    facts, u, D = drawn(20, 4, 40)
    W, before = zero_forced(facts, u, D), bound_sum(facts, u, D)
    X = D[:, None] * u[facts.answers]
    own = np.einsum("rsj,sj->rs", X, W)
    assert np.abs(own - 40).max() < 40 * 4 * GRAIN
    assert np.abs(np.einsum("rsj,sj->rs", X, before) - 40).max() > 1  # the plain sum's are disturbed
    assert not (W / GRAIN % 1).any()


@pytest.mark.parametrize("kind", EMBEDDINGS)
@given(seed=st.integers(0, 99))
def test_weights_and_readouts_of_every_embedding_have_the_same_exact_margins(kind: str, seed: int) -> None:
    facts = random_functions(6, 2, 7, rng=np.random.default_rng(seed))
    read = margins_read(dense_by(kind)(facts, 24, np.random.default_rng(seed)), facts)
    model = dense_superposition(facts, length=24, embedding=kind, rng=np.random.default_rng(seed))
    found = margins(model, facts)
    assert found.exact
    assert (found.lower == read).all()


def test_optimised_embeddings_recall_what_zero_forced_ones_do_and_more() -> None:
    facts, u, D = drawn(64, 4, 30)

    def lost(W: np.ndarray) -> int:
        wrong = 0
        for answers, turn in zip(facts.answers, D, strict=True):
            logits = (W * turn) @ u.T
            right = logits[np.arange(64), answers].copy()
            logits[np.arange(64), answers] = -np.inf
            wrong += int((right <= logits.max(axis=1)).sum())
        return wrong

    assert lost(optimised(facts, u, D)) < lost(zero_forced(facts, u, D)) < lost(bound_sum(facts, u, D))


def leads(facts: FactTable, u: np.ndarray, D: np.ndarray, s: int) -> np.ndarray:
    """The constraints on one subject's embedding, one a row."""
    return np.concatenate(
        [D[r] * (u[a] - np.delete(u, a, axis=0)) for r, a in enumerate(facts.answers[:, s])]
    )


@pytest.mark.parametrize(("n", "relations", "m"), [(12, 3, 8), (40, 4, 17), (24, 8, 26)])
def test_an_embedding_is_found_just_where_a_linear_program_finds_one(n: int, relations: int, m: int) -> None:
    facts, u, D = drawn(n, relations, m, seed=3)
    W, before = optimised(facts, u, D), zero_forced(facts, u, D)
    there, found, already = (np.zeros(n, dtype=bool) for _ in range(3))
    for s in range(n):
        rows = leads(facts, u, D, s)
        there[s] = linprog(np.zeros(m), -rows, -np.ones(len(rows)), bounds=(None, None)).status == 0
        found[s], already[s] = (rows @ W[s] > 0).all(), (rows @ before[s] > 0).all()
    assert (there == found).all()
    assert 0 < there.sum() < n  # both happen
    assert found.sum() > already.sum()


def test_what_leads_lack_at_the_end_is_a_certificate_where_there_is_no_embedding() -> None:
    facts, u, D = drawn(12, 3, 8, seed=3)
    lost = 0
    for s in range(12):
        rows = leads(facts, u, D, s)
        w = separating(facts.answers[:, s], u, D, np.zeros(8))
        if (rows @ w > 0).all():
            continue
        lack = np.maximum(1 - rows @ w, 0)
        assert np.abs(lack @ rows).max() < 1e-4 * lack.sum()  # Gordan: some nonnegative sum of them is 0
        lost += 1
    assert lost


def test_embeddings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="embedding must be one of"):
        dense_superposition(FactTable([[0, 1]]), embedding="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="with signs"):
        dense_superposition(FactTable([[0, 1]]), variant="gaussian", embedding="zero-forced")
