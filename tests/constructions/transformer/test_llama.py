"""Llama's forward pass against torch's own functions, and against transformers where it is installed."""

from dataclasses import replace

import numpy as np
import pytest

from georecall.constructions.transformer.llama import Llama, LlamaLayer, turned

D, HEADS, SHARED, WIDTH, VOCAB, LAYERS = 24, 6, 2, 40, 30, 3
PROMPTS = np.random.default_rng(1).integers(VOCAB, size=(4, 7))


def drawn(dtype=np.float64, seed=0):
    rng, d_head = np.random.default_rng(seed), D // HEADS

    def matrix(*shape):
        return (rng.standard_normal(shape) * np.sqrt(2 / shape[0])).astype(dtype)

    def layer():
        keys = (D, SHARED * d_head)
        attention = matrix(D), matrix(D, D), matrix(*keys), matrix(*keys), matrix(D, D)
        return LlamaLayer(*attention, matrix(D), matrix(D, WIDTH), matrix(D, WIDTH), matrix(WIDTH, D))

    layers = tuple(layer() for _ in range(LAYERS))
    return Llama(matrix(VOCAB, D), layers, matrix(D), matrix(D, VOCAB), d_head, 1e-5, 1e4)


def logits(model, tokens=PROMPTS):
    *_, last = model.residuals(tokens)
    return model.logits(last)


def halves(W, d_head):
    """From pairs of neighbours to a head's two halves, as transformers keeps queries and keys."""
    order = np.r_[np.arange(0, d_head, 2), np.arange(1, d_head, 2)]
    return W.reshape(len(W), -1, d_head)[:, :, order].reshape(W.shape)


def by_torch(model, tokens):
    """The same from torch's norms, attention and activation; positions turn the halves of a head."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    def t(array):
        return torch.from_numpy(np.ascontiguousarray(array))

    def rotary(x):
        angles = torch.arange(x.shape[2])[:, None] * model.base ** (
            -torch.arange(0, model.d_head, 2, dtype=torch.float64) / model.d_head
        )
        cos, sin = (torch.cat([f(angles)] * 2, dim=-1) for f in (torch.cos, torch.sin))
        first, second = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-second, first], dim=-1) * sin

    x = t(model.W_E)[t(tokens)]
    for layer in model.layers:
        h = F.rms_norm(x, (D,), t(layer.ln1), model.eps)
        Q, K, V = halves(layer.W_Q, model.d_head), halves(layer.W_K, model.d_head), layer.W_V
        q, k, v = ((h @ t(W)).unflatten(2, (-1, model.d_head)).transpose(1, 2) for W in (Q, K, V))
        mixed = F.scaled_dot_product_attention(rotary(q), rotary(k), v, is_causal=True, enable_gqa=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ t(layer.W_O)
        h = F.rms_norm(x, (D,), t(layer.ln2), model.eps)
        x = x + (F.silu(h @ t(layer.W_gate)) * (h @ t(layer.W_in))) @ t(layer.W_out)
    return (F.rms_norm(x, (D,), t(model.ln_final), model.eps) @ t(model.W_U)).numpy()


def test_logits_are_those_of_torch():
    model = drawn()
    np.testing.assert_allclose(logits(model), by_torch(model, PROMPTS), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "broken",
    [
        lambda model: replace(model, base=2e4),
        lambda model: replace(model, eps=1e-3),
        lambda model: replace(model, layers=model.layers[::-1]),
        lambda model: replace(
            model, layers=(replace(model.layers[0], W_gate=model.layers[0].W_in), *model.layers[1:])
        ),
        lambda model: replace(
            model, layers=(replace(model.layers[0], W_K=model.layers[0].W_V), *model.layers[1:])
        ),
    ],
    ids=["angles", "eps", "layers swapped", "gate", "keys"],
)
def test_whatever_is_changed_changes_the_logits(broken):
    assert np.abs(logits(broken(drawn())) - logits(drawn())).max() > 1e-4


def test_logits_are_those_of_transformers():
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model = drawn()
    config = transformers.LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=D,
        intermediate_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=SHARED,
        rms_norm_eps=model.eps,
        rope_theta=model.base,
        tie_word_embeddings=False,
    )
    theirs = transformers.LlamaForCausalLM(config).double().eval()
    named = {"model.embed_tokens": model.W_E, "model.norm": model.ln_final, "lm_head": model.W_U.T}
    for i, layer in enumerate(model.layers):
        at = f"model.layers.{i}"
        named |= {
            f"{at}.input_layernorm": layer.ln1,
            f"{at}.self_attn.q_proj": halves(layer.W_Q, model.d_head).T,
            f"{at}.self_attn.k_proj": halves(layer.W_K, model.d_head).T,
            f"{at}.self_attn.v_proj": layer.W_V.T,
            f"{at}.self_attn.o_proj": layer.W_O.T,
            f"{at}.post_attention_layernorm": layer.ln2,
            f"{at}.mlp.gate_proj": layer.W_gate.T,
            f"{at}.mlp.up_proj": layer.W_in.T,
            f"{at}.mlp.down_proj": layer.W_out.T,
        }
    state = {f"{name}.weight": torch.from_numpy(np.ascontiguousarray(W)) for name, W in named.items()}
    theirs.load_state_dict(state)
    with torch.no_grad():
        found = theirs(torch.from_numpy(PROMPTS)).logits.numpy()
    np.testing.assert_allclose(logits(model), found, rtol=1e-5, atol=1e-5)  # angles are single there


def test_what_stands_after_a_prompt_changes_nothing_in_it():
    model, longer = drawn(), np.hstack([PROMPTS, PROMPTS[:, ::-1]])
    for short, long in zip(model.residuals(PROMPTS), model.residuals(longer), strict=True):
        np.testing.assert_allclose(short, long[:, : PROMPTS.shape[1]], rtol=1e-12, atol=1e-12)


def test_the_residuals_are_the_embeddings_and_one_more_after_each_layer():
    model = drawn(np.float32)
    found = list(model.residuals(PROMPTS))
    assert len(found) == LAYERS + 1
    assert (found[0] == model.W_E[PROMPTS]).all()
    assert {x.dtype for x in found} == {np.dtype(np.float32)}


def test_turning_keeps_lengths_and_sees_only_how_far_apart_two_positions_are():
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 1, 8))
    angles = np.arange(12)[:, None] * 100.0 ** (-np.arange(0, 8, 2) / 8)
    at = [(turned(q, angles[t : t + 1]), turned(k, angles[t + 3 : t + 4])) for t in range(9)]
    np.testing.assert_allclose(
        [float((a @ b.T).item()) for a, b in at], float((at[0][0] @ at[0][1].T).item())
    )
    assert (
        abs(float((q @ k.T).item()) - float((at[0][0] @ at[0][1].T).item())) > 0.1
    )  # the control: they do turn
