"""Torch modules, and tensors of every kind, under test as constructions or as models of given facts."""

import json
import sys

import numpy as np
import pytest

from georecall import block_superposition
from georecall.constructions.files.torch import from_torch
from georecall.constructions.files.weights import save_safetensors
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.cli import run
from georecall.verify.margins.queries import Facts, sample
from georecall.verify.recall.assert_recalls import assert_recalls, check_construction
from georecall.verify.recall.construction import load_construction
from georecall.verify.recall.floats import logits_of
from georecall.verify.recall.user_code import ConstructionError
from georecall.verify.recall.weights import check_recall

torch = pytest.importorskip("torch", reason="models of torch need torch")
nn = torch.nn
torch.set_num_threads(1)  # for models as small as these, threads only wait for each other

FACTS = FactTable([[1, 2, 0], [0, 0, 1]])


class Table(nn.Module):
    """Looks the answer up: logits for the whole vocabulary at every position, right at the last one."""

    def __init__(self, facts, width=None, dtype=torch.float32, wrong=False):
        super().__init__()
        N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
        one_hot = np.eye(width or A)[facts.answers.T].reshape(N * R, -1)
        self.N, self.R, self.dropout = N, R, nn.Dropout(0.5)
        self.logits = nn.Parameter(torch.tensor(-one_hot if wrong else one_hot, dtype=dtype))

    def forward(self, tokens):
        last = self.logits[tokens[:, 0] * self.R + tokens[:, 1] - self.N]
        return torch.stack([-last, self.dropout(last)], dim=1)


def test_a_module_is_a_construction_and_a_model():
    verdict = check_construction(Table, FACTS)
    assert (verdict.status, verdict.method, verdict.n_queries) == ("holds", "measured", 6)
    assert check_construction(Table(FACTS), FACTS).status == "holds"
    assert check_construction(lambda facts: Table(facts, wrong=True), FACTS).status == "refuted"
    assert check_construction(Table).status == "holds"  # on the battery
    assert_recalls(Table(FACTS), FACTS)
    with pytest.raises(AssertionError, match="6 of 6 facts wrong"):
        assert_recalls(Table(FACTS, wrong=True), FACTS)
    with pytest.raises(TypeError, match="weights are checked against facts"):
        assert_recalls(Table(FACTS))
    for model in (Table(FACTS), block_superposition(FACTS)):
        with pytest.raises(ConstructionError, match="a model of some facts, no construction: give the facts"):
            check_construction(model)


def test_logits_beyond_the_attributes_are_outputs_that_are_never_right():
    assert check_construction(lambda facts: Table(facts, width=9), FACTS).status == "holds"

    def louder(facts):
        wide = Table(facts, width=9)
        wide.logits.data[:, 8] = 5.0
        return wide

    verdict = check_construction(louder, FACTS)
    assert (verdict.status, verdict.witness.got_name) == ("refuted", "output 8")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_tensors_with_grad_of_any_format_are_logits(dtype):
    def build(facts):
        module = Table(facts, dtype=dtype)
        return lambda tokens: module.logits[
            torch.from_numpy(tokens) @ torch.tensor([facts.n_relations, 1]) - facts.n_subjects
        ]

    found = logits_of(build(FACTS), np.array([[0, 3], [1, 4]]), 3)
    assert found.dtype.itemsize == torch.finfo(dtype).bits // 8
    assert build(FACTS)(np.array([[0, 3]])).requires_grad
    verdict = check_construction(build, FACTS)
    noise = 2 * 256 * torch.finfo(dtype).eps
    assert float(verdict.min_margin) == pytest.approx(1 - noise / 2, abs=noise)
    assert verdict.status == ("inconclusive" if dtype == torch.bfloat16 else "holds")


def test_a_difference_within_the_noise_of_bfloat16_decides_nothing():
    """256 of its roundings are as much as the logits themselves: a lead of all of it is not more."""
    verdict = check_construction(lambda facts: Table(facts, dtype=torch.bfloat16), FACTS)
    assert verdict.status == "inconclusive"


@pytest.mark.parametrize("size", [1, 2, 4])
def test_functions_are_asked_no_more_prompts_at_a_time_than_they_can_take(size):
    asked = []

    def build(facts):
        module = Table(facts)
        module.register_forward_pre_hook(lambda _, given: asked.append(len(given[0])))
        return module

    assert check_construction(build, FACTS, batch_size=size).status == "holds"
    assert max(asked) == size
    asked.clear()
    check_construction(build, FACTS)
    assert max(asked) == 6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
def test_a_model_trained_in_torch_goes_to_a_verdict_and_through_files(tmp_path):
    """TransformerEncoderLayer, GELU, pre-norm, on random bijections, a token before every prompt."""
    N, R, D = 24, 2, 32
    facts = random_bijections(N, R, rng=np.random.default_rng(0))

    class Recall(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.places, self.head = (
                nn.Embedding(N + R + 1, D),
                nn.Embedding(3, D),
                nn.Linear(D, N),
            )
            layer = nn.TransformerEncoderLayer(
                D, 2, 64, batch_first=True, dropout=0.0, activation="gelu", norm_first=True
            )
            self.layers = nn.TransformerEncoder(layer, 1)

        def forward(self, tokens):
            x = self.embed(tokens) + self.places(torch.arange(tokens.shape[1]))
            mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=x.dtype)
            return self.head(self.layers(x, mask=mask))

    torch.manual_seed(0)
    module = Recall()
    optimiser = torch.optim.AdamW(module.parameters(), 5e-3)
    tokens = torch.tensor([[0, 1 + s, 1 + N + r] for r in range(R) for s in range(N)])  # token 0 is first
    answers = torch.tensor(facts.answers.ravel())
    for _ in range(200):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(tokens)[:, -1], answers).backward()
        optimiser.step()
    named = {"subjects": range(1, 1 + N), "relations": range(1 + N, 1 + N + R), "bos": 0}
    model = from_torch(module, **named)
    verdict = check_recall(model, facts)
    assert (verdict.status, verdict.method, [c.ok for c in verdict.controls]) == ("holds", "filtered", [True])
    wrong = facts.altered(3, 1, (int(facts.answers[1, 3]) + 1) % N)
    assert check_recall(model, wrong).reason == "1 of 48 facts wrong"
    path = tmp_path / "m.safetensors"
    save_safetensors(model, path, facts.answers, queries=[sample(Facts(facts), 0)])
    answers_path = str(path.with_suffix(".answers.npy"))
    assert run(["check", "--model", str(path), "--answers", answers_path, "--engine", "onnxruntime"]) == 0
    state = from_torch(
        module.state_dict(),
        n_heads=2,
        activation="gelu",
        norm_position="pre",
        positions="places.weight",
        **named,
    )
    assert np.array_equal(state.logits(np.array([[0, N]])), model.logits(np.array([[0, N]])))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package on the import path with a trained module, weights, and their answers."""
    (tmp_path / "mine" / "models").mkdir(parents=True)
    for folder in (tmp_path / "mine", tmp_path / "mine" / "models"):
        (folder / "__init__.py").write_text("")
    (tmp_path / "mine" / "models" / "final.py").write_text(
        "import numpy as np\nimport torch\nfrom georecall import FactTable, block_superposition\n"
        "class Best(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.w = torch.nn.Parameter(torch.eye(3)[torch.tensor([1, 0, 2, 0, 0, 1])])\n"
        "    def forward(self, tokens):\n"
        "        return self.w[tokens[:, 0] * 2 + tokens[:, 1] - 3]\n"
        "class Holder:\n    best = Best()\n"
        "    weights = block_superposition(FactTable([[1, 2, 0], [0, 0, 1]]))\n"
        "    number = 3\n"
    )
    np.save(tmp_path / "a.npy", FACTS.answers)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


@pytest.mark.parametrize(("name", "method"), [("best", "measured"), ("weights", "codebook")])
def test_a_model_of_any_package_is_judged_on_answers_in_numbers(package, capsys, name, method):
    spec = f"mine.models.final:Holder.{name}"
    options = ["--batch-size", "2"] if method == "measured" else []
    status = run(["check", "--construction", spec, "--answers", "a.npy", "--json", *options])
    verdict = json.loads(capsys.readouterr().out)
    assert (status, verdict["status"], verdict["method"]) == (0, "holds", method)
    assert run(["check", "--construction", spec]) == 2
    assert "give the facts" in capsys.readouterr().err


def test_what_is_neither_is_refused(package, capsys):
    with pytest.raises(ConstructionError, match="is an int, not a function from facts to a model"):
        load_construction("mine.models.final:Holder.number")
    assert run(["check", "single-hop", "--batch-size", "2"]) == 2
    assert "--batch-size goes with --construction" in capsys.readouterr().err
