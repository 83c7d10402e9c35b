"""The forward pass against one written in loops from the setting, and the shapes it insists on."""

import math
from dataclasses import replace

import numpy as np
import pytest
from cases import LAYERS
from hypothesis import given
from hypothesis import strategies as st
from reference import halves
from scipy.sparse import csc_array, csr_array

from georecall import MLP, Attention, Block, Storage, Transformer, block_superposition
from georecall.constructions.transformer.arithmetic import float64, stored, times
from georecall.theory.facts.fact_table import FactTable

SEEDS = st.integers(0, 2**32 - 1)


def normal(rng, shape):
    return rng.normal(size=shape)


@given(seed=SEEDS, shape=LAYERS, batch=st.integers(1, 3), T=st.integers(1, 4), sparse=st.booleans())
def test_the_forward_pass_is_that_of_the_theory(plain, random_model, seed, shape, batch, T, sparse):
    rng = np.random.default_rng(seed)
    model = random_model(seed, "halves", sparse=sparse, **shape)
    tokens = rng.integers(model.d_vocab, size=(batch, T))
    positions = rng.permuted(np.tile(np.arange(model.n_ctx), (batch, 1)), axis=1)[:, :T]
    reference = plain(model, float, math.exp)
    logits = model.logits(tokens, positions)
    assert logits.shape == (batch, model.d_vocab_out)
    for row, prompt, places in zip(logits, tokens.tolist(), positions.tolist(), strict=True):
        assert row == pytest.approx(reference.logits(prompt, places), rel=1e-12, abs=1e-9)


@given(seed=SEEDS, shape=LAYERS, T=st.integers(1, 4))
def test_positions_are_counted_from_0_unless_given(random_model, seed, shape, T):
    model = random_model(seed, normal, **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(2, T))
    want = model.logits(tokens)
    assert np.array_equal(model.logits(tokens, np.arange(T)), want)
    assert np.array_equal(model.logits(tokens, np.tile(np.arange(T), (2, 1))), want)


@given(seed=SEEDS, shape=LAYERS, T=st.integers(1, 4))
def test_every_prompt_of_a_batch_is_answered_alone(random_model, seed, shape, T):
    model = random_model(seed, "halves", **shape)
    tokens = np.random.default_rng(seed).integers(model.d_vocab, size=(4, T))
    alone = np.concatenate([model.logits(prompt[None]) for prompt in tokens])
    assert model.logits(tokens) == pytest.approx(alone, rel=1e-12, abs=1e-12)


@given(seed=SEEDS, shape=LAYERS, T=st.integers(1, 4), kind=st.sampled_from([csr_array, csc_array]))
def test_sparse_weights_compute_what_dense_ones_do(random_model, seed, shape, T, kind):
    sparse = random_model(seed, "halves", sparse=True, **shape)
    sparse = sparse.map(lambda W: kind(W) if hasattr(W, "indptr") else W)
    tokens = np.random.default_rng(seed).integers(sparse.d_vocab, size=(3, T))
    dense = sparse.dense()
    assert all(isinstance(weight, np.ndarray) for weight in dense.weights().values())
    assert sparse.logits(tokens) == pytest.approx(dense.logits(tokens), rel=1e-12, abs=1e-12)
    assert sparse.n_parameters == dense.n_parameters


@given(
    seed=SEEDS,
    batch=st.lists(st.integers(0, 3), min_size=1, max_size=2).map(tuple),
    n=st.integers(0, 40),
    k=st.integers(0, 5),
    density=st.sampled_from([0.0, 0.1, 1.0]),
    values=st.sampled_from([(1.0,), (1.0, -2.0, 0.5)]),
    kind=st.sampled_from([csr_array, csc_array]),
)
def test_a_product_with_a_sparse_matrix_is_that_with_the_dense_one(seed, batch, n, k, density, values, kind):
    """Few or many entries a column, none, or one for every row as in the identity; x is left alone."""
    rng = np.random.default_rng(seed)
    x = halves(rng, (*batch, n))
    W = rng.choice(values, size=(n, k)) * (rng.random((n, k)) < density)
    identity = np.eye(n)
    twice, below = np.concatenate([identity, 2 * identity], axis=1), identity + np.eye(n, k=-1)
    for matrix in (W, identity, identity[::-1], twice, below):
        before = x.copy()
        product = times(x, kind(matrix))
        assert product.shape == (*batch, matrix.shape[1])
        assert np.array_equal(product, before @ matrix)
        assert np.array_equal(x, before)


def test_no_position_sees_a_later_one(plain):
    """Two layers that add the mean of what is seen: position 0 sees itself, so its token counts more."""
    head = Attention(*(np.zeros((1, 1, 1)),) * 2, *(np.ones((1, 1, 1)),) * 2)
    W_E = np.array([[8.0], [0.0]])
    model = Transformer(W_E, np.zeros((2, 1)), (Block(head), Block(head)), np.ones((1, 1)), np.zeros(1))
    assert model.logits(np.array([[0, 1]])).tolist() == [[4.0 + (16.0 + 4.0) / 2]]
    assert plain(model).logits([0, 1]) == [14]


def test_hard_attention_is_uniform_over_the_largest_scores(plain):
    """Three tokens of which two tie: the head copies their mean."""
    W_E = np.array([[1.0, 0.0], [1.0, 4.0], [0.5, 9.0]])  # key, value; the query reads the key
    head = Attention(
        W_Q=np.array([[[1.0], [0.0]]]),
        W_K=np.array([[[1.0], [0.0]]]),
        W_V=np.array([[[0.0], [1.0]]]),
        W_O=np.array([[[0.0, 1.0]]]),
    )
    model = Transformer(
        W_E, np.zeros((3, 2)), (Block(head),), np.eye(2), np.zeros(2), attention="hard", attn_scale=0.25
    )
    assert model.logits(np.array([[0, 1, 2]])).tolist() == [[0.5, 9.0 + 2.0]]
    assert plain(model).logits([0, 1, 2]) == [0.5, 11]
    against = replace(model, attn_scale=-1.0)  # the least key is the largest score
    assert against.logits(np.array([[0, 1, 2]])).tolist() == [[0.5, 9.0 + 9.0]]


def test_soft_attention_weighs_by_the_exponential_of_scaled_scores():
    W_E = np.array([[0.0, 1.0], [1.0, 0.0]])
    head = Attention(
        W_Q=np.array([[[1.0], [0.0]]]),
        W_K=np.array([[[1.0], [0.0]]]),
        W_V=np.array([[[0.0], [1.0]]]),
        W_O=np.array([[[0.0, 1.0]]]),
    )
    model = Transformer(W_E, np.zeros((2, 2)), (Block(head),), np.eye(2), np.zeros(2), attn_scale=math.log(3))
    assert model.logits(np.array([[0, 1]]))[0, 1] == pytest.approx(1 / 4, rel=1e-15)  # weights 1 : 3


def test_large_scores_do_not_overflow_the_softmax(random_model):
    model = random_model(0, normal, attention="soft", attn_scale=1e6)
    assert np.isfinite(model.logits(np.array([[0, 1, 2, 3]]))).all()


def test_attention_and_mlp_may_be_absent(random_model):
    model = random_model(1, normal, attention="soft")
    bare = replace(model, blocks=(Block(),))
    tokens = np.array([[3, 1]])
    assert bare.logits(tokens)[0] == pytest.approx((model.W_E[1] + model.W_pos[1]) @ model.W_U + model.b_U)
    assert np.array_equal(replace(model, blocks=()).logits(tokens), bare.logits(tokens))
    assert (bare.d_mlp, bare.d_mlp_per_layer, bare.n_layers) == (0, [0], 1)
    assert replace(model, blocks=()).d_mlp == 0


def test_a_model_counts_its_dimensions_and_parameters(random_model):
    model = random_model(2, normal, n_layers=2, n_heads=3, d_model=4, d_head=2, d_mlp=5, d_vocab=7, d_out=6)
    assert (model.d_model, model.d_vocab, model.d_vocab_out, model.n_ctx) == (4, 7, 6, 4)
    assert (model.n_layers, model.d_mlp, model.d_mlp_per_layer) == (2, 5, [5, 5])
    per_layer = 3 * (3 * 4 * 2 + 2 * 4) + (4 * 5 + 5 + 5 * 4 + 4)
    assert model.n_parameters == 7 * 4 + 4 * 4 + 4 * 6 + 6 + 2 * per_layer


def test_the_widest_layer_is_the_width(random_model):
    narrow, wide = (random_model(3, normal, d_mlp=width).blocks[0] for width in (2, 5))
    model = replace(random_model(3, normal), blocks=(narrow, wide, Block(narrow.attention)))
    assert (model.d_mlp, model.d_mlp_per_layer) == (5, [2, 5, 0])


def test_weights_are_listed_by_the_names_of_the_export_format(random_model):
    model = random_model(4, normal, n_heads=2)
    block = model.blocks[0]
    weights = model.weights()
    assert list(weights) == [
        *("W_E", "W_pos", "W_U", "b_U"),
        *(f"blocks.0.attn.{name}.{h}" for name in ("W_Q", "W_K", "W_V", "W_O") for h in (0, 1)),
        *(f"blocks.0.mlp.{name}" for name in ("W_in", "b_in", "W_out", "b_out")),
    ]
    assert np.array_equal(weights["blocks.0.attn.W_V.1"], block.attention.W_V[1])
    assert weights["blocks.0.mlp.b_out"] is block.mlp.b_out


def test_map_reaches_every_weight_and_nothing_else(random_model):
    model = random_model(5, "halves", n_layers=2, n_heads=2, attention="hard", attn_scale=0.5)
    model = replace(model, storage=Storage(np.array([0]), 2))
    doubled = model.map(lambda W: 2 * W)
    for name, weight in doubled.weights().items():
        assert np.array_equal(weight, 2 * model.weights()[name]), name
    assert (doubled.attention, doubled.attn_scale, doubled.storage) == ("hard", 0.5, model.storage)
    assert isinstance(doubled, Transformer)


def test_a_models_fields_cannot_be_set(random_model):
    model = random_model(6, normal)
    with pytest.raises(AttributeError, match="cannot assign"):
        model.W_E = None


def changed(model, **weights):
    """The model with some weights of its only block, or outside it, replaced."""
    block = model.blocks[0]
    attention = {name: W for name, W in weights.items() if name in vars(block.attention)}
    mlp = {name: W for name, W in weights.items() if name in vars(block.mlp)}
    outer = {name: W for name, W in weights.items() if name not in attention | mlp}
    new = Block(replace(block.attention, **attention), replace(block.mlp, **mlp))
    return replace(model, blocks=(new,), **outer)


@pytest.mark.parametrize(
    ("weight", "shape", "message"),
    [
        ("W_pos", (4, 5), r"W_pos has shape \(4, 5\), want \(4, 4\)"),
        ("W_U", (5, 3), r"W_U has shape \(5, 3\), want \(4, 3\)"),
        ("W_U", (3, 4), r"W_U has shape \(3, 4\), want \(4, 4\); is it transposed\?"),
        ("W_E", (3,), r"W_E has shape \(3,\), want two axes"),
        ("W_pos", (3,), r"W_pos has shape \(3,\), want two axes"),
        ("W_U", (3,), r"W_U has shape \(3,\), want two axes"),
        ("b_U", (4,), r"b_U has shape \(4,\), want \(3,\)"),
        ("b_U", (1, 3), r"b_U has shape \(1, 3\), want \(3,\)"),
        ("W_Q", (1, 5, 2), r"blocks\.0\.attn\.W_Q\.0 has shape \(5, 2\), want \(4, 2\)"),
        ("W_K", (1, 4, 3), r"blocks\.0\.attn\.W_K\.0 has shape \(4, 3\), want \(4, 2\)"),
        ("W_K", (1, 5, 2), r"blocks\.0\.attn\.W_K\.0 has shape \(5, 2\), want \(4, 2\)"),
        ("W_V", (1, 3, 2), r"blocks\.0\.attn\.W_V\.0 has shape \(3, 2\), want \(4, 2\)"),
        ("W_O", (1, 3, 4), r"blocks\.0\.attn\.W_O\.0 has shape \(3, 4\), want \(2, 4\)"),
        ("W_O", (1, 2, 5), r"blocks\.0\.attn\.W_O\.0 has shape \(2, 5\), want \(2, 4\)"),
        ("W_in", (5, 3), r"blocks\.0\.mlp\.W_in has shape \(5, 3\), want \(4, 3\)"),
        ("b_in", (4,), r"blocks\.0\.mlp\.b_in has shape \(4,\), want \(3,\)"),
        ("W_out", (2, 4), r"blocks\.0\.mlp\.W_out has shape \(2, 4\), want \(3, 4\)"),
        ("W_out", (3, 5), r"blocks\.0\.mlp\.W_out has shape \(3, 5\), want \(3, 4\)"),
        ("b_out", (3,), r"blocks\.0\.mlp\.b_out has shape \(3,\), want \(4,\)"),
    ],
)
def test_a_weight_of_the_wrong_shape_is_named(random_model, weight, shape, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        changed(random_model(7, normal), **{weight: np.zeros(shape)})


def test_the_block_of_a_wrong_shape_is_named(random_model):
    model = random_model(8, normal, n_layers=2)
    broken = replace(model.blocks[1].mlp, b_in=np.zeros(9))
    with pytest.raises(ValueError, match=r"^blocks\.1\.mlp\.b_in has shape \(9,\)"):
        replace(model, blocks=(model.blocks[0], Block(model.blocks[1].attention, broken)))


@pytest.mark.parametrize("name", ["W_K", "W_V", "W_O"])
def test_a_matrix_with_another_number_of_heads_is_named(random_model, name):
    model = random_model(8, normal)
    heads = getattr(model.blocks[0].attention, name)
    with pytest.raises(ValueError, match=rf"blocks\.0\.attn\.{name}"):
        changed(model, **{name: np.concatenate([heads, heads])})


def test_attention_without_heads_is_refused(random_model):
    with pytest.raises(ValueError, match=r"blocks\.0\.attn\.W_Q"):
        changed(random_model(8, normal), **dict.fromkeys(("W_Q", "W_K", "W_V", "W_O"), ()))


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -float("inf")])
def test_a_scale_that_is_not_finite_is_refused(random_model, scale):
    with pytest.raises(ValueError, match="attn_scale must be a finite number"):
        random_model(8, normal, attn_scale=scale)


def test_a_prompt_longer_than_the_context_is_refused(random_model):
    model = random_model(8, normal, n_ctx=2)
    with pytest.raises(ValueError, match="W_pos has 2 rows"):
        model.logits(np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="W_pos has 2 rows"):
        model.logits(np.array([[0, 1]]), np.array([1, 2]))


def test_sparse_products_take_the_wider_type():
    half, tenth = (csr_array(np.array([[1.0], [w]])) for w in (0.5, 0.1))
    assert times(np.array([[1, 3]]), half).tolist() == [[2.5]]
    assert times(np.array([[1.0, 3.0]], dtype=np.float32), tenth).dtype == np.float64


def test_value_and_query_heads_may_differ_in_size(random_model):
    model = changed(random_model(9, normal), W_V=np.ones((1, 4, 7)), W_O=np.ones((1, 7, 4)))
    assert model.logits(np.array([[0, 1]])).shape == (1, 3)


def test_another_kind_of_attention_is_refused(random_model):
    with pytest.raises(ValueError, match="attention must be 'soft' or 'hard', got 'linear'"):
        random_model(10, normal, attention="linear")


def test_storage_counts_bits_from_values():
    assert Storage(np.arange(6), 2).subject_bits == 6
    assert Storage(np.arange(6), 16).subject_bits == 24
    assert Storage(np.arange(6), 17).subject_bits == 30
    assert Storage(np.arange(0), 2).subject_bits == 0
    assert MLP(*(np.zeros(1),) * 4).b_in.shape == (1,)


def test_a_model_is_shown_as_its_shapes_in_one_line() -> None:
    model = block_superposition(FactTable([[0, 1, 2], [1, 0, 2]]))
    assert repr(model) == (
        "<Transformer d_vocab=5, d_model=6, n_ctx=2, soft attention, "
        "layers [1 heads, 4 neurons], d_vocab_out=3>"
    )


def test_what_is_repeated_is_looked_at_once():
    """One bias for 2^40 attributes takes no terabytes."""
    biases = float64(np.broadcast_to(np.zeros(1), 1 << 40))
    assert biases.strides == (0,)
    assert stored(biases).tolist() == [0.0]
    assert stored(np.broadcast_to(np.array([[1.0], [np.inf]]), (2, 1 << 40))).tolist() == [1.0, np.inf]
    assert stored(np.broadcast_to(np.zeros((1, 3)), (0, 3))).size == 0
