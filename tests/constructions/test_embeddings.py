"""C2 halved: zero-forced and optimised embeddings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from georecall.constructions.dense import dense_superposition, signs
from georecall.constructions.embeddings import EMBEDDINGS, GRAIN, optimised, plain, zero_forced
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.verify.claims.readouts import dense_by, margins_read
from georecall.verify.margins.margins import margins


def drawn(n: int, relations: int, m: int, seed: int = 0) -> tuple[FactTable, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return random_bijections(n, relations, rng=rng), signs(rng, n, m), signs(rng, relations, m)


def test_zero_forced_embeddings_hold_each_of_their_own_vectors_with_weight_m() -> None:
    facts, u, D = drawn(20, 4, 40)
    W, before = zero_forced(facts, u, D), plain(facts, u, D)
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

    assert lost(optimised(facts, u, D)) < lost(zero_forced(facts, u, D)) < lost(plain(facts, u, D))


def test_where_no_embedding_recalls_a_subject_a_linear_program_says_so_too() -> None:
    facts, u, D = drawn(12, 3, 8, seed=3)
    W = optimised(facts, u, D)
    agreed = 0
    for s in range(12):
        rows = np.array(
            [D[r] * (u[facts.answers[r, s]] - u[b]) for r in range(3) for b in range(12)
             if b != facts.answers[r, s]]
        )  # fmt: skip
        there = linprog(np.zeros(8), -rows, -np.ones(len(rows)), bounds=(None, None)).status == 0
        agreed += there == bool((rows @ W[s] > 0).all())
    assert agreed == 12


def test_embeddings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="embedding must be one of"):
        dense_superposition(FactTable([[0, 1]]), embedding="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="with signs"):
        dense_superposition(FactTable([[0, 1]]), variant="gaussian", embedding="zero-forced")
