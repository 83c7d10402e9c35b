"""What all tests share: Hypothesis profiles, and a forward pass that owes nothing to the package.

Fixtures rather than a module of helpers: the suite also runs from a copy of this folder, against the
installed wheel, where no test module can import another.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from scipy.sparse import csr_array

from georecall.constructions import MLP, Attention, Block, Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.strategies import table_of

_ALWAYS = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, max_examples=60, **_ALWAYS)
settings.register_profile("deep", max_examples=2000, **_ALWAYS)
settings.register_profile("fuzz", derandomize=True, max_examples=1200, **_ALWAYS)
settings.load_profile("ci")
# `--hypothesis-profile` takes its place before test modules are imported: a test that wants few examples asks
# for `settings.default.max_examples // 3`, and follows the profile too.


class Plain:
    """The setting's forward pass, in loops over numbers of one type.

    With `Fraction` it is exact wherever the result is rational; with mpmath's numbers and exponential it
    is right to their precision; with `float` it is the textbook computation.

    Args:
        model: read for its weights only.
        number: makes a number of a stored weight.
        exp: the exponential of such a number; soft attention needs it.
    """

    def __init__(
        self,
        model: Transformer,
        number: Callable[[Any], Any] = Fraction,
        exp: Callable[[Any], Any] | None = None,
    ) -> None:
        def numbers(weight: Any) -> Any:
            dense = weight.toarray() if hasattr(weight, "toarray") else np.asarray(weight)
            if dense.ndim == 1:
                return [number(entry) for entry in dense.tolist()]
            return [[number(entry) for entry in row] for row in dense.tolist()]

        def entries(weight: Any) -> Any:
            rows = numbers(weight)
            n_columns = len(rows[0]) if rows else weight.shape[1]
            return n_columns, [[(c, w) for c, w in enumerate(row) if w != 0] for row in rows]

        self.exp, self.hard, self.scale = exp, model.attention == "hard", number(model.attn_scale)
        self.zero, self.one = number(0), number(1)
        self.W_E, self.W_pos = numbers(model.W_E), numbers(model.W_pos)
        self.W_U, self.b_U = entries(model.W_U), numbers(model.b_U)
        self.blocks = []
        for block in model.blocks:
            heads, mlp = [], None
            if block.attention is not None:
                attention = block.attention
                for h in range(len(attention.W_Q)):
                    parts = (attention.W_Q, attention.W_K, attention.W_V, attention.W_O)
                    heads.append([entries(part[h]) for part in parts])
            if block.mlp is not None:
                W_in, W_out = entries(block.mlp.W_in), entries(block.mlp.W_out)
                mlp = [W_in, numbers(block.mlp.b_in), W_out, numbers(block.mlp.b_out)]
            self.blocks.append((heads, mlp))

    def logits(self, tokens: Sequence[int], positions: Sequence[int] | None = None) -> list[Any]:
        """The logits at the last position of one prompt."""
        places = range(len(tokens)) if positions is None else positions
        x = [self._plus(self.W_E[t], self.W_pos[i]) for t, i in zip(tokens, places, strict=True)]
        for heads, mlp in self.blocks:
            added = [[self._head(x, t, *head) for head in heads] for t in range(len(x))]
            for t, outputs in enumerate(added):
                for output in outputs:
                    x[t] = self._plus(x[t], output)
            if mlp is not None:
                W_in, b_in, W_out, b_out = mlp
                for t in range(len(x)):
                    hidden = [max(z, self.zero) for z in self._plus(self._times(x[t], W_in), b_in)]
                    x[t] = self._plus(x[t], self._plus(self._times(hidden, W_out), b_out))
        return self._plus(self._times(x[-1], self.W_U), self.b_U)

    def margins(self, facts: FactTable) -> list[list[Any]]:
        """For each relation and subject: right logit minus the best wrong one."""
        N, R = facts.n_subjects, facts.n_relations
        return [[self._margin(s, N + r, int(facts.answers[r, s])) for s in range(N)] for r in range(R)]

    def _margin(self, subject: int, relation: int, answer: int) -> Any:
        logits = self.logits([subject, relation])
        return logits[answer] - max(logit for a, logit in enumerate(logits) if a != answer)

    def _head(self, x: list[Any], t: int, W_Q: Any, W_K: Any, W_V: Any, W_O: Any) -> list[Any]:
        query = self._times(x[t], W_Q)
        scores = []
        for i in range(t + 1):  # no position sees a later one
            key = self._times(x[i], W_K)
            scores.append(self.scale * sum((q * k for q, k in zip(query, key, strict=True)), self.zero))
        weights = self._weights(scores)
        values = [self._times(x[i], W_V) for i in range(t + 1)]
        mixed = [
            sum((w * v[c] for w, v in zip(weights, values, strict=True)), self.zero)
            for c in range(len(values[0]))
        ]
        return self._times(mixed, W_O)

    def _weights(self, scores: list[Any]) -> list[Any]:
        largest = max(scores)
        if self.hard or min(scores) == largest:
            winners = [self.one if score == largest else self.zero for score in scores]
        else:
            assert self.exp is not None, "softmax of unequal scores is not rational"
            winners = [self.exp(score - largest) for score in scores]
        total = sum(winners, self.zero)
        return [w / total for w in winners]

    def _plus(self, a: list[Any], b: list[Any]) -> list[Any]:
        return [p + q for p, q in zip(a, b, strict=True)]

    def _times(self, x: list[Any], W: Any) -> list[Any]:
        n_columns, rows = W
        out = [self.zero] * n_columns
        for entry, row in zip(x, rows, strict=True):
            if entry != 0:
                for c, w in row:
                    out[c] = out[c] + entry * w
        return out


Shape = tuple[int, ...]


def small(rng: np.random.Generator, shape: Shape) -> Any:
    """Multiples of 1/4 from -2 to 2: nothing rounds in one layer."""
    return rng.integers(-8, 9, size=shape) / 4


def wild(rng: np.random.Generator, shape: Shape) -> Any:
    """Ill-conditioned: normal numbers times powers of two from 2^-60 to 2^60, some zeros."""
    return rng.normal(size=shape) * 2.0 ** rng.integers(-60, 61, size=shape) * (rng.random(shape) < 0.8)


def cancelling(rng: np.random.Generator, shape: Shape) -> Any:
    """Large numbers that cancel, and small ones that are left."""
    return rng.choice([2.0**40, -(2.0**40), 2.0**40 + 1, 0.1, -0.1, 2.0**-30, 1.0], size=shape)


def border(rng: np.random.Generator, shape: Shape) -> Any:
    """Integers whose products and sums lie just below and just above 2^53."""
    return rng.choice([2.0**26, -(2.0**26), 2.0**26 - 1, 2.0**27 + 1, 1.0, -1.0, 3.0], size=shape)


def denormal(rng: np.random.Generator, shape: Shape) -> Any:
    """Numbers whose products underflow, beside ordinary ones."""
    return np.ldexp(rng.integers(-3, 4, size=shape) / 2, rng.choice([0, -500, -540, -1073], size=shape))


def extreme(rng: np.random.Generator, shape: Shape) -> Any:
    """Entries from the least denormal to nearly the largest float."""
    return np.ldexp(rng.integers(-3, 4, size=shape) / 2, rng.integers(-1073, 1000, size=shape))


def tied(rng: np.random.Generator, shape: Shape) -> Any:
    """Few values, whose sums tie in fractions but not in floats, or the other way round."""
    return rng.choice([0.1, 0.2, 0.3, 0.4, -0.1, 0.7, 1.0], size=shape)


ENTRIES = {draw.__name__: draw for draw in (small, wild, cancelling, border, denormal, extreme, tied)}


def _random_model(
    seed: int,
    entries: str | Callable[[np.random.Generator, Shape], Any],
    *,
    d_vocab: int = 5,
    d_out: int = 3,
    d_model: int = 4,
    n_ctx: int = 4,
    n_layers: int = 1,
    n_heads: int = 1,
    d_head: int = 2,
    d_mlp: int = 3,
    attention: str = "hard",
    attn_scale: float = 1.0,
    uniform: bool = False,
    sparse: bool = False,
    drop: bool = False,
) -> Transformer:
    """A model of random weights, drawn by `entries(rng, shape)`; a name is one of `ENTRIES`.

    Args:
        uniform: W_Q = 0, so that all scores are equal.
        sparse: about half of the entries of attention and MLP are zero, and these weights are sparse.
        drop: each attention and each MLP is absent with probability 1/3.
    """
    rng = np.random.default_rng(seed)
    draw = ENTRIES[entries] if isinstance(entries, str) else entries

    def matrix(*shape: int) -> Any:
        W = draw(rng, shape)
        return csr_array(np.where(rng.random(shape) < 0.5, W, 0)) if sparse else W

    def heads(*shape: int, zero: bool = False) -> Any:
        drawn = [matrix(*shape) * (0 if zero else 1) for _ in range(n_heads)]
        return tuple(drawn) if sparse else np.stack(drawn)

    def block() -> Block:
        attend = Attention(
            W_Q=heads(d_model, d_head, zero=uniform),
            W_K=heads(d_model, d_head),
            W_V=heads(d_model, d_head),
            W_O=heads(d_head, d_model),
        )
        select = MLP(
            W_in=matrix(d_model, d_mlp),
            b_in=draw(rng, (d_mlp,)),
            W_out=matrix(d_mlp, d_model),
            b_out=draw(rng, (d_model,)),
        )
        no_attention, no_mlp = (rng.random(2) < 1 / 3) & drop
        return Block(None if no_attention else attend, None if no_mlp else select)

    return Transformer(
        W_E=draw(rng, (d_vocab, d_model)),
        W_pos=draw(rng, (n_ctx, d_model)),
        blocks=tuple(block() for _ in range(n_layers)),
        W_U=draw(rng, (d_model, d_out)),
        b_U=draw(rng, (d_out,)),
        attention=attention,
        attn_scale=attn_scale,
    )


@pytest.fixture(scope="session")
def plain() -> type[Plain]:
    return Plain


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Transformer]:
    return _random_model


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Any]:
    """Numbers of a shape, by one of `ENTRIES`."""
    return lambda entries, rng, shape: ENTRIES[entries](rng, shape)


@pytest.fixture(scope="session")
def random_table() -> Callable[..., FactTable]:
    """The table of one seed, N, R and |A|; kind "functions", or another of `verify.strategies.KINDS`."""
    return lambda seed, N, R, A, kind="functions": table_of(kind, N, R, A, seed=seed)
