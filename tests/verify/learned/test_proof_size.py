"""Proofs of different sizes: none certifies what is wrong, cheaper ones certify less, operations add up."""

from dataclasses import replace

import numpy as np
import pytest

from georecall.constructions.dense import dense_superposition
from georecall.constructions.selector import selecting_heads
from georecall.constructions.single_hop import block_superposition
from georecall.constructions.transformer.transformer import Block, Transformer
from georecall.theory.facts.fact_table import FactTable, random_bijections, several_bijections
from georecall.verify.learned import Parts
from georecall.verify.learned import proof_size as module
from georecall.verify.learned.counted import Operations
from georecall.verify.learned.one_layer import OneLayer
from georecall.verify.learned.proof_size import certified_answers, proof_sizes
from georecall.verify.learned.superposition import superposition
from georecall.verify.margins.margins import margins

FACTS = several_bijections(8, 2, 4, seed=0)  # 32 subjects, 8 attributes


def perturbed(size: float, seed: int = 0, facts: FactTable = FACTS) -> Transformer:
    """C1 with noise on what selects and what is embedded, as training leaves it."""
    model, rng = block_superposition(facts).dense(), np.random.default_rng(seed)
    block = model.blocks[0]
    assert block.mlp is not None
    W_in = block.mlp.W_in + size * rng.standard_normal(block.mlp.W_in.shape) * (block.mlp.W_in != 0).any(
        axis=1, keepdims=True
    )
    W_E = np.array(model.W_E)
    W_E[: facts.n_subjects] += (
        size
        * rng.standard_normal((facts.n_subjects, model.d_model))
        * (W_E[: facts.n_subjects] != 0).any(axis=0)
    )
    return replace(model, W_E=W_E, blocks=(Block(block.attention, replace(block.mlp, W_in=W_in)),))


def refuted(model: Transformer, facts: FactTable) -> dict[str, np.ndarray]:
    """What is wrong, by margins of the forward pass: of all tuples, and of the facts."""
    parts, A = Parts.of(model, facts.n_subjects), facts.n_attributes
    tuples = FactTable(
        np.array(np.meshgrid(range(A), range(A), indexing="ij")).reshape(2, -1), n_attributes=A
    )
    found = margins(parts.with_subjects(superposition(parts, facts)(tuples)), tuples).signs < 0
    each = found.reshape(2, A, A)
    return {"tuples": np.stack([each[0], each[1].T]), "facts": margins(model, facts).signs < 0}


@pytest.mark.parametrize("facts", [FACTS, random_bijections(16, 3, rng=np.random.default_rng(0))])
def test_of_c1_one_block_of_all_attributes_proves_every_tuple_and_every_fact(facts: FactTable) -> None:
    proofs = proof_sizes(block_superposition(facts), facts)
    for proof in proofs:
        if proof.method != "norm":
            assert proof.certified == proof.asked, proof
    (brute,) = (p for p in proofs if p.method == "brute force" and p.about == "tuples")
    (one,) = (p for p in proofs if p.method == "intervals" and p.about == "tuples" and p.groups == 1)
    assert brute.asked == one.asked == facts.n_relations * facts.n_attributes**facts.n_relations
    assert one.operations < brute.operations


@pytest.mark.parametrize("size", [0.02, 0.2, 0.5, 1.0])
def test_no_proof_certifies_what_the_forward_pass_refutes(size: float) -> None:
    some = 0
    for seed in range(3):
        model = perturbed(size, seed)
        wrong = refuted(model, FACTS)
        found = certified_answers(model, FACTS)
        most = {p.about: p.certified for p, _ in found if p.method == "brute force"}
        for proof, mask in found:
            assert not (mask & wrong[proof.about]).any(), proof
            assert proof.certified == mask.sum() <= most[proof.about]
        assert all(most[about] == wrong[about].size - wrong[about].sum() for about in most)
        some += sum(w.sum() for w in wrong.values())
    assert (some > 0) == (size >= 0.2)  # there was something to refute


def test_a_finer_division_never_certifies_less_of_all_tuples() -> None:
    proofs = proof_sizes(perturbed(0.3), FACTS)
    by_blocks = [p.certified for p in proofs if (p.about, p.method) == ("tuples", "intervals")]
    assert by_blocks == sorted(by_blocks)
    assert by_blocks[0] < by_blocks[-1]


def test_an_altered_answer_is_certified_by_no_proof() -> None:
    answers = FACTS.answers.copy()
    answers[1, 5] = (answers[1, 5] + 1) % 8
    altered = FactTable(answers, n_attributes=8)
    for proof, mask in certified_answers(block_superposition(FACTS), altered):
        if proof.about == "facts":
            assert not mask[1, 5], proof
            assert proof.certified < proof.asked


def test_a_lead_that_rounding_could_have_made_is_certified_by_no_proof() -> None:
    model = perturbed(0.02)
    logits = model.logits(np.array([[7, 32]]))[0]
    answer = int(FACTS.answers[0, 7])
    lead = logits[answer] - np.delete(logits, answer).max()
    b_U = np.array(model.b_U)
    b_U[answer] -= lead * (1 - 1e-13)  # what is left is far below the largest logit's last digits
    found = certified_answers(replace(model, b_U=b_U), FACTS)
    assert any(proof.certified for proof, _ in found if proof.about == "facts")
    assert not any(mask[0, 7] for proof, mask in found if proof.about == "facts")


def test_a_residual_that_is_understated_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model = block_superposition(FACTS)
    W_E = np.array(model.dense().W_E)
    W_E[3] = W_E[4]  # subject 3 gives the answers of subject 4
    moved = replace(model, W_E=W_E)
    held = {
        p.method: mask for p, mask in certified_answers(moved, FACTS) if p.about == "facts" and p.groups <= 1
    }
    assert not held["residual norm"][:, 3].all()
    monkeypatch.setattr(module._Questions, "_residuals", lambda self, _: np.zeros(len(self.subjects)))
    with pytest.raises(ArithmeticError, match="residual norm certifies facts that brute force refutes"):
        certified_answers(moved, FACTS)


def test_blocks_narrower_than_their_members_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def middle(self, rows, starts):
        low, high = np.minimum.reduceat(rows, starts), np.maximum.reduceat(rows, starts)
        return (low + high) / 2, (low + high) / 2

    model = perturbed(1.0)
    certified_answers(model, FACTS)
    monkeypatch.setattr(Operations, "ends", middle)
    with pytest.raises(ArithmeticError, match="that brute force refutes"):
        certified_answers(model, FACTS)


def test_operations_are_those_carried_out() -> None:
    model = block_superposition(FACTS)
    parts = Parts.of(model, 32)
    layer = OneLayer.of(parts, 2, superposition(parts, FACTS))
    (d, w), k, A, N, R = layer.W.shape, len(layer.W_U), 8, 32, 2
    (brute,) = (p for p in proof_sizes(model, FACTS) if (p.about, p.method) == ("facts", "brute force"))
    assert brute.operations == N * d * w + R * (2 * N * w + N * w * k + N * k * A + 2 * N * A)
    count = Operations()
    count.times(np.ones((3, 4)), np.ones((4, 5)))
    count.each(np.ones((2, 3)))
    count.ends(np.ones((6, 2)), np.array([0, 3]))
    assert count.operations == 3 * 4 * 5 + 2 * 3 + 2 * 6 * 2


def test_the_layer_computes_the_logits_of_the_forward_pass_within_its_slack() -> None:
    model = perturbed(0.5)
    parts = Parts.of(model, 32)
    layer = OneLayer.of(parts, 2, superposition(parts, FACTS))
    for q in range(2):
        z = parts.subjects @ layer.W + layer.base[q]
        logits = layer.read(np.maximum(z, 0), q, Operations())
        expected = model.logits(np.column_stack([np.arange(32), np.full(32, 32 + q)]))
        assert np.abs(logits - expected).max() < layer.slack
    assert layer.slack < 1e-9


def test_the_bound_on_the_norm_is_one_and_is_near() -> None:
    rng = np.random.default_rng(0)
    for shape in ((5, 3), (3, 7), (20, 30)):
        W = rng.standard_normal(shape)
        layer = OneLayer(W, W, W, W, W, 0.0)
        norm = np.linalg.norm(W, 2)
        assert norm <= layer.lipschitz(Operations()) <= 1.03 * norm


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (selecting_heads(FACTS), "attention depends on the tokens"),
        (dense_superposition(FACTS, length=20), "past the MLP"),
    ],
)
def test_models_that_select_otherwise_are_refused(model: Transformer, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        proof_sizes(model, FACTS)


def test_more_tuples_than_brute_force_can_ask_are_refused() -> None:
    facts = random_bijections(64, 5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="at most 16777216 answers"):
        proof_sizes(block_superposition(facts), facts)
