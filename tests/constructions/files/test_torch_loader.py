"""The torch module that constructions/README.md shows, run on every construction's export.

Torch is not installed with the tests: without it these are skipped, and say so.
"""

import re
from math import prod
from pathlib import Path

import numpy as np
import pytest
from cases import built
from hypothesis import given
from hypothesis import strategies as st

from georecall import constructions
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.files.loading import load_safetensors
from georecall.constructions.files.weights import save_safetensors
from georecall.verify.claims.options import prepare

torch = pytest.importorskip("torch", reason="the torch loader of constructions/README.md needs torch")
torch.set_num_threads(1)  # for models as small as these, threads only wait for each other

MOST = 500  # prompts of one kind
README = Path(str(constructions.__file__)).parent / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def loader():
    """The class that the first snippet defines."""
    names = {}
    exec(SNIPPETS[0], names)
    return names["Transformer"]


def logits(module, tokens, positions):
    wide = np.broadcast_to(positions, tokens.shape).copy()
    with torch.no_grad():
        return module(torch.from_numpy(tokens), torch.from_numpy(wide)).numpy()


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_torch_has_the_very_logits_of_every_construction(loader, tmp_path, name):
    prepared, model, asked = built(name)
    path = tmp_path / "model.safetensors"
    save_safetensors(model, path, prepared.facts.answers, queries=prepared.instance.samples())
    module, rng = loader(path), np.random.default_rng(0)
    for queries in asked:
        size = prod(queries.shape)
        some = np.arange(size) if size <= MOST else np.unique(rng.integers(size, size=MOST))
        tokens, positions, answers = queries.prompts(some)
        computed, proved = logits(module, tokens, positions), model.logits(tokens, positions)
        if name == "gradient-descent":  # trained weights round
            assert computed == pytest.approx(proved, rel=1e-12, abs=1e-12)
            continue
        assert np.array_equal(computed, proved)
        assert np.array_equal(computed.argmax(axis=1), answers)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_layers=st.integers(0, 3),
    n_heads=st.integers(1, 3),
    attention=st.sampled_from(["soft", "hard"]),
    attn_scale=st.sampled_from([1.0, -2.0]),
    T=st.integers(1, 4),
)
def test_torch_agrees_on_any_model(loader, tmp_path_factory, random_model, seed, T, **shape):
    model = random_model(seed, lambda rng, at: rng.integers(-4, 5, size=at) / 2, **shape)
    path = tmp_path_factory.mktemp("torch") / "model.safetensors"
    save_safetensors(model, path, np.zeros((1, 1), dtype=np.int64), queries=[])
    rng = np.random.default_rng(seed)
    tokens, positions = rng.integers(model.d_vocab, size=(3, T)), rng.permutation(model.n_ctx)[:T]
    computed = logits(loader(path), tokens, positions)
    assert computed == pytest.approx(model.logits(tokens, positions), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("dtype", "arithmetic"),
    [("bfloat16", "bfloat16"), ("float16", "float16"), ("float32", "float32"), ("int8", "float32")],
)
def test_torch_computes_exports_in_their_own_arithmetic(loader, tmp_path, dtype, arithmetic):
    prepared = prepare("chain-of-thought", subjects=16, relations=2, hops=2)
    model, path = prepared.instance.build(), tmp_path / "model.safetensors"
    save_safetensors(model, path, prepared.facts.answers, queries=prepared.instance.samples(), dtype=dtype)
    module = loader(path, dtype=getattr(torch, arithmetic))
    for query in module.queries:
        prompt = np.array([query["tokens"]]), np.array([query["positions"]])
        with torch.no_grad():
            computed = module(*map(torch.from_numpy, prompt))
        assert computed.dtype == getattr(torch, arithmetic)
        assert np.array_equal(computed.double().numpy(), load_safetensors(path).logits(*prompt))
        assert int(computed.argmax()) == query["answer"]


def test_the_lines_that_use_the_loader_run(loader, tmp_path, monkeypatch, capsys):
    prepared = prepare("composed-hops", subjects=6, relations=2)
    save_safetensors(
        prepared.instance.build(),
        tmp_path / "model.safetensors",
        prepared.facts.answers,
        queries=prepared.instance.samples(),
    )
    monkeypatch.chdir(tmp_path)
    exec(SNIPPETS[1], {"Transformer": loader, "torch": torch})
    said = capsys.readouterr().out.split()
    assert said[-1] == said[-4]


def test_a_fault_in_the_loader_is_seen(random_model, tmp_path):
    """Without the mask positions see later ones, which two layers notice."""
    names = {}
    exec(SNIPPETS[0].replace(".triu(1)", ".triu(9)"), names)
    model = random_model(0, lambda rng, at: rng.normal(size=at), n_layers=2, attention="soft")
    path = tmp_path / "model.safetensors"
    save_safetensors(model, path, np.zeros((1, 1), dtype=np.int64), queries=[])
    tokens, positions = np.array([[0, 1, 2]]), np.arange(3)
    computed = logits(names["Transformer"](path), tokens, positions)
    assert computed != pytest.approx(model.logits(tokens, positions), rel=1e-3)
