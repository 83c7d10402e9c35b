"""JAX as an engine: on which device, in which arithmetic, whatever its environment says."""

import numpy as np
import pytest
from cases import built
from device import on_gpu

from georecall.verify.claims.check import check
from georecall.verify.cli import run
from georecall.verify.engines import in_jax
from georecall.verify.engines.agreement import agreement
from georecall.verify.engines.in_jax import jax_engine, jitted

jax = pytest.importorskip("jax")

SMALL = {"subjects": 12, "relations": 3}


def test_logits_are_float64_whatever_jax_is_told_and_it_is_left_as_it_was():
    strange = {"jax_enable_x64": False, "jax_numpy_dtype_promotion": "strict", "jax_debug_infs": True}
    before = {name: getattr(jax.config, name) for name in strange}
    _, model, asked = built("composed-hops")
    try:
        for name, value in strange.items():
            jax.config.update(name, value)
        engine = jax_engine(model)
        found = agreement(model, asked, engine)
        assert {name: getattr(jax.config, name) for name in strange} == strange
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
    assert found.n_exact == found.n_all > 0
    tokens, positions, _ = asked[0].prompts(np.array([0]))
    assert engine(tokens, positions).dtype == np.float64
    assert jitted(model, dtype="float32")(tokens, positions).dtype == np.float32


@pytest.mark.parametrize("weight", ["W_E", "W_U", "blocks.0.mlp.W_in"])
def test_a_weight_that_is_changed_is_seen_wherever_the_proof_sees_it(weight):
    """JAX, given a model with one entry that is read moved by one, disagrees where proved logits differ."""
    _, model, asked = built("single-hop")
    model = model.dense()
    target = model.weights()[weight]
    moved = target.copy()
    moved[tuple(np.argwhere(target)[0])] += 1
    changed = model.map(lambda W: moved if W is target else W)
    prompts = asked[0].prompts(np.arange(36))
    before, after = (m.logits(prompts.tokens, prompts.positions) for m in (model, changed))
    different = int((before != after).any(axis=1).sum())
    engine = jax_engine(changed)
    assert agreement(model, asked, engine).n_different == different > 0
    assert agreement(changed, asked, engine).n_different == 0


def test_positions_beyond_the_weights_are_refused_as_numpy_refuses_them():
    _, model, asked = built("single-hop")
    tokens, positions, _ = asked[0].prompts(np.array([0]))
    with pytest.raises(ValueError, match="W_pos has 2 rows; there is no position 2"):
        jax_engine(model)(tokens, positions + 1)


def test_what_does_not_fit_the_device_is_inconclusive_and_said(monkeypatch):
    monkeypatch.setattr(in_jax, "_room", lambda _: 1 << 10)
    verdict = check("single-hop", **SMALL, engine="jax")
    assert verdict.status == "inconclusive"
    assert verdict.reason.startswith("jax was not asked: the dense weights would take")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("Unknown backend: 'abacus'"), "Unknown backend"),
        (AssertionError(), "JAX_PLATFORMS=cuda"),
    ],
)
def test_a_device_that_there_is_not_is_one_line(monkeypatch, capsys, error, says):
    def refuse():
        raise error

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")  # of which JAX 0.10 says no more than AssertionError
    monkeypatch.setattr(jax, "devices", refuse)
    assert run(["check", "single-hop", "--subjects", "12", "--engine", "jax"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert f"JAX does not start as its environment variables ask: {says}" in err


ASKS = """
from georecall import check

verdicts = [check(claim, subjects=64, relations=3, engine="jax") for claim in ("single-hop", "composed-hops")]
print(jax.default_backend(), *(verdict.status for verdict in verdicts))
"""


def test_a_gpu_agrees_on_the_very_logits():
    backend, *statuses = on_gpu(ASKS)
    assert backend in ("gpu", "cuda", "rocm")
    assert statuses == ["holds", "holds"]
