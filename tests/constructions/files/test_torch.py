"""Torch's own models, and TransformerLens' formulas: all their logits lie within the proved bounds."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from georecall.constructions.files.torch import from_torch
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins import margins  # noqa: F401 (norms of balls)
from georecall.verify.margins.balls import Ball
from georecall.verify.recall.weights import check_recall

torch = pytest.importorskip("torch", reason="models of torch need torch")
nn = torch.nn
torch.set_num_threads(1)  # for models as small as these, threads only wait for each other
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")

V, D = 7, 8


class Stack(nn.Module):
    """A decoder of torch.nn's layers, as anyone writes it."""

    def __init__(self, layers=2, positions=True, final=True, causal=True, scale=1.0, dropout=0.1, **layer):
        super().__init__()
        self.embed = nn.Embedding(V, D)
        self.places = nn.Embedding(6, D) if positions else None
        one = nn.TransformerEncoderLayer(D, 2, 16, batch_first=True, dropout=dropout, **layer)
        self.layers = nn.TransformerEncoder(one, layers, norm=nn.LayerNorm(D) if final else None)
        self.head = nn.Linear(D, V)
        self.causal, self.scale = causal, scale
        shaken(self)

    def forward(self, tokens):
        x = self.embed(tokens)
        if self.places is not None:
            x = x + self.places(torch.arange(tokens.shape[1]))
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=x.dtype)
        return self.head(self.layers(x, mask=mask if self.causal else None)) * self.scale


class Masked(Stack):
    """One that nobody can ask without its mask."""

    def forward(self, tokens, mask):
        return super().forward(tokens)


class Custom(nn.Module):
    """Layers of one's own: attention and an MLP, with a bare parameter for positions."""

    class Layer(nn.Module):
        def __init__(self, norm, act, bias):
            super().__init__()
            self.norm1, self.norm2 = norm(D), norm(D)
            self.attend = nn.MultiheadAttention(D, 4, batch_first=True, bias=bias)
            self.mlp = nn.Sequential(nn.Linear(D, 12), act, nn.Linear(12, D, bias=bias))

        def forward(self, x, mask):
            y = self.norm1(x)
            x = x + self.attend(y, y, y, attn_mask=mask, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))

    def __init__(self, norm=nn.LayerNorm, act=None, bias=True, last=True):
        super().__init__()
        self.embed, self.positions = nn.Embedding(V, D), nn.Parameter(torch.zeros(1, 5, D))
        self.layers = nn.ModuleList([self.Layer(norm, act or nn.ReLU(), bias)])
        self.head, self.last = nn.Linear(D, V, bias=False), last
        shaken(self)

    def forward(self, tokens):
        x = self.embed(tokens) + self.positions[:, : tokens.shape[1]]
        mask = torch.ones(2 * tokens.shape[1:], dtype=torch.bool).triu(1)
        for layer in self.layers:
            x = layer(x, mask)
        x = self.head(x)
        return x[:, -1] if self.last else x


class Decoder(nn.Module):
    """TransformerDecoderLayers whose memory is zeros, or not."""

    def __init__(self, memory=0.0, **layer):
        super().__init__()
        self.embed, self.memory = nn.Embedding(V, D), memory
        one = nn.TransformerDecoderLayer(D, 2, 16, batch_first=True, **layer)
        self.layers = nn.TransformerDecoder(one, 2)
        self.head = nn.Linear(D, V)
        shaken(self)

    def forward(self, tokens):
        x = self.embed(tokens)
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=x.dtype)
        return self.head(self.layers(x, torch.full_like(x, self.memory), tgt_mask=mask))


def shaken(module):
    """Every parameter random, also those that torch starts at zero or one."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data = parameter.data + 0.3 * torch.randn(parameter.shape, generator=generator)
    module.double()


def assert_within_bounds(module, model, length=3):
    tokens = np.random.default_rng(1).integers(V, size=(30, length))
    module.eval()
    with torch.no_grad():
        found = module(torch.from_numpy(tokens)).numpy()
    found = found[:, -1] if found.ndim == 3 else found
    proved = model.map(Ball.of).logits(tokens)
    assert (np.abs(found - proved.mid) <= 2 * proved.radius).all()
    assert proved.radius.max() < 1e-4


MODULES = {
    "post-norm, relu": lambda: Stack(),
    "pre-norm, gelu": lambda: Stack(norm_first=True, activation="gelu"),
    "no positions, no last norm": lambda: Stack(positions=False, final=False, layers=1),
    "no biases": lambda: Stack(bias=False),
    "custom, last logits": lambda: Custom(),
    "custom, gelu by tanh, RMSNorm": lambda: Custom(nn.RMSNorm, nn.GELU("tanh")),
    "custom, no biases of attention": lambda: Custom(bias=False, last=False),
    "decoder layers": lambda: Decoder(),
    "decoder layers, pre-norm": lambda: Decoder(norm_first=True, activation="gelu"),
}


@pytest.mark.parametrize("name", MODULES)
def test_all_logits_of_torch_lie_within_the_proved_bounds(name):
    module = MODULES[name]()
    module.train()
    model = from_torch(module)
    assert module.training  # as it was
    assert_within_bounds(module, model)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (
            lambda: Stack(),
            {"n_heads": 2, "activation": "relu", "norm_position": "post", "positions": "places.weight"},
        ),
        (
            lambda: Custom(nn.RMSNorm, nn.GELU("tanh")),
            {"n_heads": 4, "activation": "gelu_new", "norm_position": "pre", "norm": "RMS", "eps": 2.0**-52},
        ),
    ],
)
def test_a_state_dict_needs_what_it_does_not_say(module, said):
    module = module()
    state = module.state_dict()
    assert_within_bounds(module, from_torch(state, **said))
    for name in set(said) - {"eps"}:
        with pytest.raises(ValueError, match=f"(give|perhaps) {name}="):
            from_torch(state, **{key: value for key, value in said.items() if key != name})


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (lambda: Stack(scale=2.0), "computes something else than its layers say"),
        (lambda: Stack(causal=False), "computes something else than its layers say"),
        (lambda: Decoder(memory=1.0), "computes something else than its layers say"),
        (lambda: Stack(activation=nn.functional.silu), "the activation silu is none of"),
        (lambda: nn.Linear(3, 3), "want one embedding and one Linear"),
        (dict, "want a torch module or a state dict"),
        (lambda: Custom(act=nn.PReLU()), "must have two Linears and at most two norms"),
    ],
)
def test_modules_that_do_something_else_are_refused(module, says):
    with pytest.raises(ValueError, match=says):
        from_torch(module())


def test_a_tensor_that_is_not_understood_is_refused_by_name():
    module = Stack()
    module.register_parameter("temperature", nn.Parameter(torch.ones(1)))
    with pytest.raises(ValueError, match="temperature: not understood in a plain decoder"):
        from_torch(module)
    with pytest.raises(ValueError, match="cannot be asked for logits of tokens"):
        from_torch(Masked())
    masked, stack = Masked(), Stack()
    stack.load_state_dict(masked.state_dict())
    assert_within_bounds(stack, from_torch(masked, ask=False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_of_any_dtype_with_grad_come_as_they_are(dtype):
    module = Custom().to(dtype)
    model = from_torch(module)
    assert (module.embed.weight.dtype, type(model.blocks[0]).__name__) == (dtype, "NormedBlock")
    assert not model.blocks[0].post
    assert np.array_equal(model.W_E, module.embed.weight.detach().double().numpy())


def test_tokens_and_logits_come_in_the_order_asked_for():
    module = Stack(layers=1)
    model = from_torch(module, subjects=[6, 2, 4], relations=[0, 5], outputs=[4, 1, 3], bos=1)
    facts = FactTable(np.zeros((2, 3), dtype=int), n_attributes=3)
    assert check_recall(model, facts).n_queries == 6
    tokens = np.array([[1, 6, 5], [1, 4, 0]])  # bos, a subject, a relation
    with torch.no_grad():
        found = module.eval()(torch.from_numpy(tokens))[:, -1].numpy()
    proved = model.map(Ball.of).logits(np.array([[0, 4], [2, 3]]))
    assert (np.abs(found[:, [4, 1, 3, 0, 2, 5, 6]] - proved.mid) <= 2 * proved.radius).all()
    for wrong in ({"subjects": [0]}, {"subjects": [0, 0], "relations": [1]}, {"outputs": [9]}):
        with pytest.raises(ValueError, match=r"given together|each at most once"):
            from_torch(module, **wrong)


class Lens(nn.Module):
    """TransformerLens' formulas, with its names: einsums over heads, norms by the root of the mean square."""

    def __init__(self, norm="LN", act="gelu_new"):
        super().__init__()
        self.norm, self.act = norm, act
        shapes = {"embed.W_E": (V, D), "pos_embed.W_pos": (5, D), "unembed.W_U": (D, V), "unembed.b_U": (V,)}
        for layer in range(2):
            at = f"blocks.{layer}."
            shapes |= {f"{at}attn.W_{x}": (2, D, 4) for x in "QKV"} | {f"{at}attn.W_O": (2, 4, D)}
            shapes |= {f"{at}attn.b_{x}": (2, 4) for x in "QKV"} | {f"{at}attn.b_O": (D,)}
            shapes |= {
                f"{at}mlp.W_in": (D, 12),
                f"{at}mlp.b_in": (12,),
                f"{at}mlp.W_out": (12, D),
                f"{at}mlp.b_out": (D,),
            }
            if norm == "LN":
                shapes |= {f"{at}{ln}.{w}": (D,) for ln in ("ln1", "ln2") for w in "wb"}
        if norm == "LN":
            shapes |= {"ln_final.w": (D,), "ln_final.b": (D,)}
        generator = torch.Generator().manual_seed(3)
        self.tensors = {
            n: 0.6 * torch.randn(s, generator=generator, dtype=torch.float64) for n, s in shapes.items()
        }
        for layer in range(2):
            self.tensors[f"blocks.{layer}.attn.mask"] = torch.ones(5, 5, dtype=torch.bool).tril()
            self.tensors[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-torch.inf)

    def ln(self, x, name):
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return x * self.tensors[f"{name}.w"] + self.tensors[f"{name}.b"] if self.norm == "LN" else x

    def forward(self, tokens):
        w = self.tensors
        x = w["embed.W_E"][tokens] + w["pos_embed.W_pos"][: tokens.shape[1]]
        for layer in range(2):
            at = f"blocks.{layer}."
            y = self.ln(x, f"{at}ln1")
            q, k, v = (
                torch.einsum("bpm,hmd->bphd", y, w[f"{at}attn.W_{n}"]) + w[f"{at}attn.b_{n}"] for n in "QKV"
            )
            scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(4)
            mask = w[f"{at}attn.mask"][: tokens.shape[1], : tokens.shape[1]]
            pattern = torch.where(mask, scores, w[f"{at}attn.IGNORE"]).softmax(-1)
            z = torch.einsum("bhqk,bkhd->bqhd", pattern, v)
            x = x + torch.einsum("bqhd,hdm->bqm", z, w[f"{at}attn.W_O"]) + w[f"{at}attn.b_O"]
            pre = self.ln(x, f"{at}ln2") @ w[f"{at}mlp.W_in"] + w[f"{at}mlp.b_in"]
            post = nn.functional.gelu(pre, approximate="tanh" if self.act == "gelu_new" else "none")
            x = x + post @ w[f"{at}mlp.W_out"] + w[f"{at}mlp.b_out"]
        return self.ln(x, "ln_final") @ w["unembed.W_U"] + w["unembed.b_U"]


@pytest.mark.parametrize("norm", ["LN", "LNPre"])
@pytest.mark.parametrize("act", ["gelu", "gelu_new"])
def test_all_logits_by_the_formulas_of_transformer_lens_lie_within_the_proved_bounds(norm, act):
    lens = Lens(norm, act)
    model = from_torch(lens.tensors, norm=norm, activation=act)
    assert_within_bounds(lens, model)
    with pytest.raises(ValueError, match="give activation="):
        from_torch(lens.tensors, norm=norm)
    with pytest.raises(ValueError, match=r"W_gate' is not understood"):
        from_torch(lens.tensors | {"blocks.0.mlp.W_gate": torch.ones(2)}, norm=norm, activation=act)
    with pytest.raises(ValueError, match="mask is not causal"):
        from_torch(lens.tensors | {"blocks.0.attn.mask": torch.ones(5, 5)}, norm=norm, activation=act)


class Hooked(Lens):
    """The same with a configuration, as TransformerLens' modules have it."""

    def __init__(self, **cfg):
        super().__init__()
        said = {"act_fn": "gelu_new", "normalization_type": "LN", "eps": 1e-5, "attn_only": False}
        self.cfg = SimpleNamespace(**said | {"use_attn_scale": True, "attn_scale": np.sqrt(4)} | cfg)
        self.double()

    def state_dict(self):
        return self.tensors


def test_the_configuration_of_transformer_lens_is_read_and_the_module_asked():
    assert_within_bounds(Hooked(), from_torch(Hooked()))
    with pytest.raises(ValueError, match="computes something else than its names say"):
        from_torch(Hooked(use_attn_scale=False))
    for other in (
        {"positional_embedding_type": "rotary"},
        {"parallel_attn_mlp": True},
        {"output_logits_soft_cap": 30.0},
    ):
        with pytest.raises(ValueError, match=f"cfg.{next(iter(other))} is "):
            from_torch(Hooked(**other))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(
    "about",
    [
        {"normalization_type": "LN", "act_fn": "gelu"},
        {"normalization_type": "LNPre", "act_fn": "gelu_new"},
        {"normalization_type": "RMS", "act_fn": "relu"},
        {"normalization_type": None, "attn_only": True},
    ],
    ids=["LN", "LNPre", "RMS", "attention only"],
)
def test_all_logits_of_transformer_lens_itself_lie_within_the_proved_bounds(about, folded):
    """HookedTransformer, where it is installed: as a module, and as a state dict that is told the rest.

    Run with transformer-lens 3.9.0, torch 2.14.1 and transformers 5.18.0; from 4.0 on there is no such class.
    """
    pytest.importorskip("transformer_lens.HookedTransformer", reason="needs TransformerLens before 4.0")
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    sizes = {"n_layers": 2, "d_model": D, "n_ctx": 5, "d_head": 4, "n_heads": 2, "d_mlp": 12, "d_vocab": V}
    said = sizes | about | {"dtype": torch.float64, "device": "cpu", "seed": 0}
    module = HookedTransformer(HookedTransformerConfig(**said))
    shaken(module)
    if folded:
        module.process_weights_(fold_ln=True, center_writing_weights=False, center_unembed=False)
    model = from_torch(module)
    assert_within_bounds(module, model)
    said = {"norm": module.cfg.normalization_type, "activation": module.cfg.act_fn, "eps": module.cfg.eps}
    assert_within_bounds(module, from_torch(module.state_dict(), **said))
    with torch.no_grad():
        module.blocks[0].attn.W_V[0, 0, 0] += 1
    with pytest.raises(AssertionError):
        assert_within_bounds(module, model)


def test_the_same_model_in_both_names_is_the_same():
    """torch.nn's names against TransformerLens': weights are the same numbers, turned."""
    module = Custom()
    model = from_torch(module)
    names = {"W_E": "embed.W_E", "W_pos": "pos_embed.W_pos", "W_U": "unembed.W_U", "b_U": "unembed.b_U"}
    block = model.blocks[0]
    lens = {names.get(n, n): w for n, w in model.weights().items() if ".attn." not in n}
    lens |= {f"blocks.0.attn.{n}": np.asarray(w) for n, w in vars(block.attention).items()}
    again = from_torch(lens, norm="LN", activation="relu")
    tokens = np.array([[0, 1], [5, 6]])
    assert np.array_equal(again.logits(tokens), model.logits(tokens))
