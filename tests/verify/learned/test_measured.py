"""The measurements of C9 on models whose structure is known: built by hand, or none at all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from georecall import (
    block_superposition,
    dense_superposition,
    in_place_superposition,
    linear_associative_memory,
    sign_code_memory,
)
from georecall.constructions.gradient_descent import trained
from georecall.constructions.training.recipe import Recipe
from georecall.constructions.transformer.layers import Block
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.learned import MEASURES, Parts, structure, transfers
from georecall.verify.learned.measured import Structure
from georecall.verify.learned.selection import alignment, gating, swapped, swaps
from georecall.verify.learned.superposition import (
    PENALTIES,
    Linear,
    fit_fails,
    matched,
    probes,
    r_squared,
    ridge,
    superposition,
    superposition_r2,
)
from georecall.verify.learned.transfer import discriminates, transfer, transferred
from georecall.verify.learned.vectors import folds, one_each, right, shuffled

TABLE = random_bijections(128, 3, rng=np.random.default_rng(0))
BY_HAND = {"separate": block_superposition, "in place": in_place_superposition}


def parts_of(construct, table=TABLE, **options):
    return Parts.of(construct(table, **options), table.n_subjects)


@pytest.fixture(scope="module", params=BY_HAND)
def built(request):
    return parts_of(BY_HAND[request.param])


def test_superposition_and_probes_are_perfect_where_the_embedding_is_a_superposition(built):
    found = superposition_r2(built, TABLE) | probes(built, TABLE)
    assert found["r2"] == pytest.approx(1.0, abs=1e-9)
    assert found["probe"] == 1.0
    assert max(found["r2_shuffled"], found["r2_random"], found["probe_shuffled"]) <= 0.05


def test_a_swap_changes_exactly_that_answer(built):
    found = swaps(built, TABLE)
    assert found["swap"] == found["swap_followed"] == found["swap_kept"] == 1.0
    assert found["swap_random"] <= 0.1  # a random step may happen to flip the right signs
    assert found["swap_untrained"] <= 0.1


def test_new_bijections_are_answered_by_their_superposition(built):
    found = transfer(built, TABLE, "superposition", tables=2)
    assert found["transfer"] == 1.0
    assert max(found["untrained"], found["shuffled"], found["random"]) <= 0.05
    assert discriminates(found)


def test_blocks_are_orthogonal_and_neurons_serve_one_relation():
    parts = parts_of(block_superposition)
    found = alignment(parts, TABLE)
    assert found["overlap"] == pytest.approx(0, abs=1e-12)
    assert found["angle"] == pytest.approx(90)
    assert found["rank"] == 7  # m = log2 128, all singular values equal
    assert np.allclose(found["singular_values"], 1)
    neurons = gating(parts, TABLE)
    assert neurons["exclusive"] == 1.0 > neurons["exclusive_untrained"] + 0.2


def test_turned_copies_share_the_whole_space_and_differ_as_maps():
    table = random_bijections(200, 2, rng=np.random.default_rng(1))
    parts = parts_of(dense_superposition, table, length=56)
    found = alignment(parts, table)
    assert found["overlap"] > 0.9
    assert found["cosine"] < 0.4  # |sum of 56 signs| / 56
    assert superposition_r2(parts, table)["r2"] == pytest.approx(1.0, abs=1e-9)
    assert probes(parts, table)["probe"] > 0.95


def test_a_memory_over_frozen_embeddings_has_none_of_it():
    parts = parts_of(sign_code_memory)
    assert right(parts.model, TABLE).all()
    found = superposition_r2(parts, TABLE) | probes(parts, TABLE) | swaps(parts, TABLE)
    assert max(found["r2"], found["probe"], found["swap_followed"]) <= 0.1
    assert transfer(parts, TABLE, "superposition")["transfer"] <= 0.05


def test_a_linear_memory_of_many_dimensions_neither_has_the_structure_nor_transfers():
    """R d > N: with a penalty chosen amiss the fit would copy old keys, which the memory answers."""
    table = random_bijections(64, 3, rng=np.random.default_rng(0))
    parts = parts_of(linear_associative_memory, table)
    assert transfer(parts, table, "superposition")["transfer"] <= 0.05
    found = superposition_r2(parts, table)
    assert -0.2 < found["r2"] < 0.05
    assert fit_fails(found) == []


def test_answers_are_counted_only_where_they_lead():
    parts = parts_of(block_superposition)
    assert right(parts.model, TABLE).all()
    answer = (int(TABLE.answers[2, 5]) + 1) % 128
    wrong = right(parts.model, TABLE.altered(5, 2, answer))
    assert not wrong[2, 5]
    assert wrong.sum() == wrong.size - 1
    same = Parts.of(parts.model, 128).with_subjects(np.zeros_like(parts.subjects))
    assert not right(same, TABLE).any()  # ties


def test_a_swap_that_harms_another_relation_is_not_exact():
    parts = parts_of(in_place_superposition)
    twisted = parts.subjects.copy()
    twisted[:, :7] = parts.subjects[:, 7:14]  # two blocks of the same relation: both follow the second
    both = FactTable(np.stack([TABLE.answers[1], TABLE.answers[1], TABLE.answers[2]]), n_attributes=128)
    found = swapped(Parts.of(parts.with_subjects(twisted), 128), both)
    assert not found.exact[:2].any()
    assert found.exact[2].all()


def test_ridge_finds_a_linear_map_and_no_map_in_noise():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((10, 4))
    x, new = rng.standard_normal((80, 10)), rng.standard_normal((50, 10))
    fitted = ridge(x, Linear(W, np.ones(4))(x))
    assert r_squared(new @ W + 1, fitted(new)) == pytest.approx(1.0, abs=1e-9)
    noise = rng.standard_normal((80, 4))
    assert abs(r_squared(rng.standard_normal((50, 4)), ridge(x, noise)(new))) < 0.15


def test_more_regressors_than_subjects_are_held_in_check():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, 200)), rng.standard_normal((40, 5))
    new, other = rng.standard_normal((200, 200)), rng.standard_normal((200, 5))
    assert r_squared(other, ridge(x, y)(new)) > -0.5


def by_leaving_out(x, y, penalty):
    """The fit of a penalty in absolute units, and its squared error on every point left out of it."""

    def fitted(rows):
        a, b = x[rows] - x[rows].mean(axis=0), y[rows] - y[rows].mean(axis=0)
        W = np.linalg.solve(a.T @ a + penalty * np.eye(x.shape[1]), a.T @ b)
        return Linear(W, y[rows].mean(axis=0) - x[rows].mean(axis=0) @ W)

    everyone = np.arange(len(x))
    left_out = [y[i] - fitted(np.delete(everyone, i))(x[i : i + 1])[0] for i in everyone]
    return fitted(everyone), float((np.array(left_out) ** 2).sum())


@pytest.mark.parametrize("n_in", [6, 19, 20, 21, 60])  # 20 points: from 19 on the least penalty interpolates
@pytest.mark.parametrize("noise", [0.0, 0.3, 1000.0])
def test_the_penalty_is_the_one_with_the_least_error_where_each_point_is_left_out(n_in, noise):
    rng = np.random.default_rng(n_in)
    x = rng.standard_normal((20, n_in))
    y = x @ rng.standard_normal((n_in, 3)) + noise * rng.standard_normal((20, 3))
    scale = (np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[: min(19, n_in)] ** 2).mean()
    fits = [by_leaving_out(x, y, penalty * scale) for penalty in PENALTIES]
    best, _ = min(fits, key=lambda fit: fit[1])
    np.testing.assert_allclose(ridge(x, y).W, best.W, rtol=1e-4, atol=1e-6 * abs(best.W).max())


def test_a_fit_that_interpolates_noise_is_penalised_and_says_nothing():
    """The error of a fit through all points must not come out as 0: each is then left out of nothing."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((51, 64)), rng.standard_normal((51, 4))
    new, other = rng.standard_normal((400, 64)), rng.standard_normal((400, 4))
    assert r_squared(other, ridge(x, y)(new)) > -0.1
    _, error = by_leaving_out(x, y, 1e-9)
    assert error > 2 * (y**2).sum()


def test_a_control_far_below_zero_says_that_the_fit_fails():
    assert fit_fails({"r2": 0.8, "r2_shuffled": -0.1, "r2_random": -1.0}) == []
    assert fit_fails({"r2": -3.0, "r2_shuffled": -1.2, "r2_random": float("nan")}) == [
        *("r2", "r2_shuffled", "r2_random")
    ]


def test_what_never_varies_is_its_mean():
    fitted = ridge(np.ones((5, 3)), np.arange(10.0).reshape(5, 2))
    np.testing.assert_array_equal(fitted(np.zeros((1, 3))), [[4.0, 5.0]])


def test_every_subject_is_held_out_once():
    splits = folds(13, seed=0)
    assert len(splits) == 5
    assert sorted(np.concatenate([judge for _, judge in splits]).tolist()) == list(range(13))
    assert all(set(fit.tolist()).isdisjoint(judge.tolist()) for fit, judge in splits)
    with pytest.raises(ValueError, match="at least two"):
        folds(1, seed=0)


def test_one_relation_is_asked_of_every_subject():
    found = np.array([[True, False, False, True], [False, False, True, True]])
    assert one_each(found) == (2, 4)  # (0, s0), (1, s1), (0, s2), (1, s3)


def test_random_embeddings_have_the_mean_and_covariance_of_the_old_ones():
    rng = np.random.default_rng(0)
    old = rng.standard_normal((200, 3)) @ np.diag([1, 2, 5]) + [3, 0, 0]
    new = matched(old, 4000, rng)
    assert np.allclose(new.mean(axis=0), old.mean(axis=0), atol=0.3)
    assert np.allclose(np.cov(new.T), np.cov(old.T), atol=2.0)


def test_shuffling_keeps_the_answers_of_every_relation_and_moves_them():
    new = shuffled(TABLE, np.random.default_rng(0))
    assert new.bijective
    assert (new.answers != TABLE.answers).mean() > 0.9


def test_the_superposition_of_the_old_table_is_the_old_embedding(built):
    np.testing.assert_allclose(superposition(built, TABLE)(TABLE), built.subjects, atol=1e-9)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="all subjects have one embedding"):
        Parts.of(parts_of(block_superposition).with_subjects(np.zeros((128, 21))), 128)
    with pytest.raises(ValueError, match="a procedure is one of superposition, inverse, training"):
        transferred(parts_of(block_superposition), TABLE, "magic")
    with pytest.raises(ValueError, match="128 subjects and 2 relations need 130"):
        structure(block_superposition(TABLE), FactTable(TABLE.answers[:2], n_attributes=128))


def disjoint(R=2, N=16):
    """Relations with attributes of their own, and a sum without an MLP that learned them."""
    rng = np.random.default_rng(0)
    table = FactTable([N * r + rng.permutation(N) for r in range(R)], n_attributes=R * N)
    by_sum = Recipe(dimension=16, width=1, mlp="none", noise=0.0, weight_decay=0.0, steps=500)
    return trained(table, by_sum), table


def test_without_an_mlp_what_asks_for_one_is_named_with_the_reason():
    model, table = disjoint()
    found = structure(model, table)
    assert found["recall"] == 1.0
    assert found["not_applicable"] == {
        "gating": "neurons are asked of one layer that has an MLP",
        "selector": "there is no MLP: nothing selects, attributes must be disjoint",
    }
    assert "swap_untrained" not in found
    assert found["swap_random"] < 0.5
    moved = transfers(model, table, procedures=("superposition", "inverse"))
    assert "discriminates" not in moved["superposition"]
    assert "one layer of attention and ReLU MLP" in moved["inverse"]["not_applicable"]


def test_a_model_of_several_layers_is_measured_where_that_means_something():
    table = random_bijections(16, 2, rng=np.random.default_rng(0))
    model = block_superposition(table)
    twice = replace(model, blocks=(*model.blocks, Block(None, None)))
    found = structure(twice, table)
    assert (found["recall"], found["transfer"]) == (1.0, 1.0)
    assert found["not_applicable"].keys() == {"gating", "selector"}


def test_a_torch_module_and_its_state_dict_are_measured_as_they_are():
    torch = pytest.importorskip("torch", reason="models of torch need torch")
    from torch import nn

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 8)
            self.layers = nn.TransformerEncoder(
                nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0, norm_first=True),
                1,
                enable_nested_tensor=False,
            )
            self.head = nn.Linear(8, 8)

        def forward(self, tokens):
            mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
            return self.head(self.layers(self.embed(tokens), mask=mask))

    torch.manual_seed(0)
    table = random_bijections(8, 2, rng=np.random.default_rng(0))
    found = structure(Decoder().eval(), table)
    assert found["recall"] < 0.5
    assert found["not_applicable"] == {
        "selector": "attention depends on the tokens: it may select, without a neuron"
    }
    assert "gated_untrained" in found


def test_what_was_found_prints_as_a_table_with_its_legend_and_what_was_not_measured():
    table = random_bijections(16, 2, rng=np.random.default_rng(0))
    found = structure(block_superposition(table), table)
    lines = str(found).splitlines()
    assert lines[0].split("  ")[0] == "measure"
    assert [line.split()[0] for line in lines[1:-1]] == [name for name in MEASURES if name in found]
    assert lines[1].split()[1] == "1.000"
    assert "controls are what is there" in lines[-1]
    alone = Structure(found, not_applicable={"swaps": "vectors answer nothing"})
    assert str(alone).splitlines()[-1] == "not measured: swaps (vectors answer nothing)"
    assert "<td>recall</td><td>1.000</td>" in found._repr_html_()
    assert json.loads(json.dumps(found)) == found
    failed = Structure(found, fit_fails=["r2"], r2=-20.0)
    assert "r2 is -20: the regression fails" in str(failed)


def test_vectors_alone_have_superposition_and_probes_and_nothing_else():
    parts = parts_of(block_superposition)
    found = structure(parts.subjects, TABLE, attributes=parts.attributes)
    assert found["r2"] == pytest.approx(1.0, abs=1e-9)
    assert found["probe"] == 1.0
    assert found["not_applicable"].keys() == {"recall", "swaps", "gating", "transfer", "selector"}
    assert found["not_applicable"]["swaps"] == "vectors answer nothing: this needs a model"
    random = structure(
        np.random.default_rng(0).standard_normal((128, 21)), TABLE, attributes=parts.attributes
    )
    assert max(random["r2"], random["probe"]) < 0.1


def test_without_attributes_vectors_of_theirs_each_is_a_direction_if_it_occurs_often_enough():
    rng = np.random.default_rng(0)
    table = FactTable(rng.integers(4, size=(2, 80)), n_attributes=4)
    vectors = sum(rng.standard_normal((4, 10))[row] for row in table.answers)
    found = structure(vectors, table)
    assert found["r2"] == pytest.approx(1.0, abs=1e-6)
    assert found["probe"] == 1.0
    with pytest.raises(ValueError, match="every attribute occurs once in a relation"):
        structure(np.eye(128), TABLE)


@pytest.mark.parametrize(
    ("vectors", "attributes", "what"),
    [
        (np.ones((128, 4)), np.eye(128), "all subjects have one vector"),
        (np.eye(5), np.eye(128), r"vectors of 128 subjects have shape \(128, d\), not \(5, 5\)"),
        (np.eye(128), np.eye(5), r"vectors of 128 attributes have shape"),
        (np.full((128, 2), np.nan), np.eye(128), "the vectors of subjects hold a number that is not finite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors, attributes, what):
    with pytest.raises(ValueError, match=what):
        structure(vectors, TABLE, attributes=attributes)


def test_all_measurements_are_json_and_the_same_for_the_same_seed():
    found = structure(block_superposition(TABLE), TABLE)
    assert found == structure(block_superposition(TABLE), TABLE)
    assert found != structure(block_superposition(TABLE), TABLE, seed=1)
    assert json.loads(json.dumps(found)) == found
