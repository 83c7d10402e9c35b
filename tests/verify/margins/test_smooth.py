"""Trained models: every logit in 40 digits lies within its proved bounds; what they leave open stays open."""

from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp, mpf
from reference import trained_model

from georecall import Attention, Block, block_superposition
from georecall.constructions.transformer.arithmetic import gelu, normalised
from georecall.constructions.transformer.layers import Norm
from georecall.constructions.transformer.trained import ACTIVATIONS, BiasedAttention, NormedBlock
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.decide import decide_recall
from georecall.verify.margins.induction import PremiseError, induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.transitions import transitions
from georecall.verify.recall.weights import check_recall

mp.dps = 40
FACTS = FactTable([[1, 2, 0], [0, 0, 1]])
EXACT_GELU = {
    "gelu": lambda x: x * mp.ncdf(x),
    "gelu_new": lambda x: x * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3))) / 2,
}


def contained(ball, exact):
    """Whether all numbers lie within the radii, which are not idle."""
    pairs = zip(np.ravel(ball.mid), np.ravel(ball.radius), np.ravel(exact), strict=True)
    return all(abs(mpf(float(mid)) - number) <= mpf(float(radius)) for mid, radius, number in pairs)


@pytest.mark.parametrize("form", EXACT_GELU)
def test_gelu_lies_within_its_bounds(form):
    rng = np.random.default_rng(0)
    nodes = np.arange(-150, 151) / 16
    x = np.concatenate([nodes, nodes + 1 / 32, np.nextafter(nodes + 1 / 32, 9), rng.normal(size=200) * 4])
    x = np.concatenate([x, [0.0, -0.0, 1e-300, -1e-300, 40.0, -40.0, 1e9, -1e9, 9.0, -9.0]])
    ball = gelu(Ball.of(x[None]), form)
    assert contained(ball, [EXACT_GELU[form](mpf(float(each))) for each in x])
    assert (ball.radius[0] <= 20 * 2.0**-53 * abs(x) + 2.0**-58).all()
    assert np.allclose(gelu(x, form), ball.mid[0], rtol=1e-13, atol=1e-15)
    wide = replace(Ball.of(x[None]), rad=np.full((1, len(x)), 0.25))
    moved = gelu(wide, form)
    for shift in (-0.25, 0.1, 0.25):
        assert contained(moved, [EXACT_GELU[form](mpf(float(each)) + shift) for each in x])


def exact_norm(x, eps, centred):
    mean = sum(x) / len(x) if centred else mpf(0)
    c = [entry - mean for entry in x]
    root = mp.sqrt(sum(entry**2 for entry in c) / len(x) + mpf(eps))
    return [entry / root for entry in c]


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("eps", [1e-5, 0.0, 2.0])
def test_norms_lie_within_their_bounds(centred, eps):
    rng = np.random.default_rng(1)
    for size, shift in ((1.0, 0.0), (1e-3, 100.0), (1e6, -1e6), (1e-140, 0.0)):
        x = rng.normal(size=(6, 7)) * size + shift
        exact = [exact_norm([mpf(float(e)) for e in row], eps, centred) for row in x]
        assert contained(normalised(Ball.of(x), eps, centred), exact)
        radius = abs(rng.normal(size=x.shape)) * 1e-3 * size
        moved = x + radius * rng.uniform(-1, 1, size=x.shape) * (1 - 1e-9)
        exact = [exact_norm([mpf(float(e)) for e in row], eps, centred) for row in moved]
        assert contained(normalised(replace(Ball.of(x), rad=radius), eps, centred), exact)


def test_a_norm_of_what_does_not_vary_bounds_nothing():
    with np.errstate(all="ignore"):
        assert not np.isfinite(normalised(Ball.of(np.ones((1, 3))), 0.0, True).radius).any()


def exactly(model, activation, tokens, positions):
    """The last logits of one prompt in 40 digits, in loops."""

    def matrix(W):
        return [[mpf(float(entry)) for entry in row] for row in np.atleast_2d(np.asarray(W))]

    def product(x, W, b=None):
        columns = [
            sum(e * w for e, w in zip(x, column, strict=True)) for column in zip(*matrix(W), strict=True)
        ]
        return columns if b is None else [c + mpf(float(e)) for c, e in zip(columns, b, strict=True)]

    def plus(a, b):
        return [p + q for p, q in zip(a, b, strict=True)]

    def norm(ln, x):
        if ln is None:
            return x
        y = exact_norm(x, ln.eps, ln.centred)
        return [e * mpf(float(w)) + mpf(float(b)) for e, w, b in zip(y, ln.w, ln.b, strict=True)]

    def attend(a, xs):
        out = [[mpf(float(e)) for e in a.b_O] for _ in xs]
        for h in range(len(a.W_Q)):
            q, k, v = (
                [product(x, W[h], b[h]) for x in xs]
                for W, b in ((a.W_Q, a.b_Q), (a.W_K, a.b_K), (a.W_V, a.b_V))
            )
            for t in range(len(xs)):
                scores = [
                    mpf(model.attn_scale) * sum(p * r for p, r in zip(q[t], k[i], strict=True))
                    for i in range(t + 1)
                ]
                exps = [mp.exp(score) for score in scores]
                mixed = [sum(e * v[i][c] for i, e in enumerate(exps)) / sum(exps) for c in range(len(v[0]))]
                out[t] = plus(out[t], product(mixed, a.W_O[h]))
        return out

    if model.bos is not None:
        tokens, positions = [model.bos, *tokens], [0, *(p + 1 for p in positions)]
    xs = [
        plus(matrix(model.W_E[t])[0], matrix(model.W_pos[p])[0])
        for t, p in zip(tokens, positions, strict=True)
    ]
    act = EXACT_GELU.get(activation, lambda x: max(x, mpf(0)))
    for block in model.blocks:
        added = attend(block.attention, xs if block.post else [norm(block.ln1, x) for x in xs])
        xs = [plus(x, a) for x, a in zip(xs, added, strict=True)]
        xs = [norm(block.ln1, x) for x in xs] if block.post else xs
        m = block.mlp
        read = xs if block.post else [norm(block.ln2, x) for x in xs]
        added = [product([act(z) for z in product(y, m.W_in, m.b_in)], m.W_out, m.b_out) for y in read]
        xs = [plus(x, a) for x, a in zip(xs, added, strict=True)]
        xs = [norm(block.ln2, x) for x in xs] if block.post else xs
    return product(norm(model.ln_final, xs[-1]), model.W_U, model.b_U)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"norm": "RMS"},
        {"post": True},
        {"norm": None, "activation": "gelu_new"},
        {"activation": "relu", "bos": True},
        {"activation": "gelu_new", "bos": True, "post": True, "norm": "RMS"},
    ],
    ids=str,
)
def test_every_logit_of_a_trained_model_lies_within_its_bounds(shape):
    model = trained_model(3, scale=0.5, **shape)
    activation = shape.get("activation", "gelu")
    tokens, positions = np.array([[0, 3, 1], [2, 4, 0]]), np.array([0, 2, 1])
    proved = model.map(Ball.of).logits(tokens, positions)
    exact = [exactly(model, activation, row, positions.tolist()) for row in tokens.tolist()]
    assert contained(proved, exact)
    assert proved.radius.max() < 1e-6
    assert np.abs(model.logits(tokens, positions) - proved.mid).max() < 1e-13
    turned = replace(model, attn_scale=-model.attn_scale).map(Ball.of).logits(tokens, positions)
    assert not contained(turned, exact)  # the control


def test_margins_of_trained_models_are_certified_and_ties_stay_open():
    model = trained_model(4, scale=0.5)
    found = margins(model, FACTS)
    for (r, s), low, high in zip(np.ndindex(2, 3), found.lower.ravel(), found.upper.ravel(), strict=True):
        logits = exactly(model, "gelu", [s, 3 + r], [0, 1])
        answer = FACTS.answers[r, s]
        margin = logits[answer] - max(logit for a, logit in enumerate(logits) if a != answer)
        assert mpf(float(low)) <= margin <= mpf(float(high))
    assert (found.method, found.exact) == ("filtered", False)
    same = replace(model, W_U=np.repeat(model.W_U[:, :1], 3, axis=1), b_U=np.zeros(3))
    verdict = check_recall(same, FACTS)
    assert (verdict.status, verdict.reason) == ("inconclusive", "the sign of 6 margins is not decided")


def test_certificates_that_are_about_plain_models_do_not_apply():
    """Each would read weights that mean something else, or pass over some."""
    plain = block_superposition(FACTS)
    block = plain.blocks[0]
    d, heads = plain.d_model, vars(block.attention)
    zeros = [np.zeros((1, W.shape[-1])) for W in (heads["W_Q"][0], heads["W_K"][0], heads["W_V"][0])]
    ones = Norm(np.ones(d), np.zeros(d))
    others = {
        "biases": Block(BiasedAttention(*heads.values(), *zeros, np.full(d, -9.0)), block.mlp),
        "gelu": Block(block.attention, ACTIVATIONS["gelu"](*vars(block.mlp).values())),
        "norm": NormedBlock(block.attention, block.mlp, ln2=ones),
    }
    models = {name: replace(plain, blocks=(other,)) for name, other in others.items()}
    models["final"] = replace(plain, ln_final=ones)
    models["bos"] = replace(plain, W_E=np.vstack([plain.dense().W_E, np.ones(d)]), bos=5, W_pos=None)
    assert count(plain, FACTS) is not None
    assert plain.plain
    for model in models.values():
        assert not model.plain
        assert count(model, FACTS) is None
        one_by_one = margins(model, FACTS)
        certified = decide_recall(model, FACTS, lambda one_by_one=one_by_one: one_by_one)
        assert certified is one_by_one
        for certificate in (
            lambda model: induction(model, FACTS, max_hops=1),
            lambda model: transitions(model, FACTS, letters(FACTS, 2)),
        ):
            with pytest.raises(PremiseError, match="must be plain"):
                certificate(model)


def test_shapes_of_what_trained_models_have_are_insisted_on():
    model = trained_model(5, scale=0.5)
    block = model.blocks[0]
    wrong = {
        "b_Q": "blocks.0.attn.b_Q.0",
        "b_V": "blocks.0.attn.b_V.0",
    }
    for name, said in wrong.items():
        attention = replace(block.attention, **{name: np.zeros((2, 1))})
        with pytest.raises(ValueError, match=f"{said} has shape"):
            replace(model, blocks=(replace(block, attention=attention), block))
    with pytest.raises(ValueError, match=r"blocks\.0\.ln1\.w has shape \(2,\), want \(6,\)"):
        replace(model, blocks=(replace(block, ln1=replace(block.ln1, w=np.zeros(2))), block))
    with pytest.raises(ValueError, match=r"ln_final\.b has shape"):
        replace(model, ln_final=replace(model.ln_final, b=np.zeros(2)))
    with pytest.raises(ValueError, match="bos must be the last token, 4, got 0"):
        replace(model, bos=0)
    with pytest.raises(ValueError, match="eps must be a finite number"):
        Norm(np.ones(2), np.ones(2), eps=-1.0)
    assert isinstance(model.blocks[0].attention, Attention)
