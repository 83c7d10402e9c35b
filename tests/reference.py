"""The reference: a forward pass that shares no line with the package, and the models it is tried on.

`Plain` is the textbook in loops over numbers of one type; `BruteForce` the same for every query at once, in
arrays of integers over one denominator. The suite also runs from a copy of this folder, against the installed
wheel: pytest's `pythonpath` finds this module there too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import permutations, product
from math import lcm
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from georecall import MLP, Attention, Block, Transformer
from georecall.constructions.transformer.layers import Norm
from georecall.constructions.transformer.trained import ACTIVATIONS, BiasedAttention, NormedBlock
from georecall.theory.facts.fact_table import FactTable


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


def halves(rng: np.random.Generator, shape: Shape) -> Any:
    """Multiples of 1/2 from -2 to 2: sums are exact, and hard attention has ties."""
    return rng.integers(-4, 5, size=shape) / 2


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


ENTRIES = {draw.__name__: draw for draw in (small, halves, wild, cancelling, border, denormal, extreme, tied)}


def random_model(
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


def trained_model(
    seed: int,
    *,
    norm: str | None = "LN",
    post: bool = False,
    activation: str = "gelu",
    bos: bool = False,
    scale: float = 1.0,
) -> Transformer:
    """A random model with everything that trained ones have: biases, norms, an activation, a first token."""
    rng, d_model = np.random.default_rng(seed), 6

    def draw(*shape: int) -> Any:
        return rng.normal(size=shape) * scale

    def normed() -> Norm | None:
        return None if norm is None else Norm(1 + draw(d_model), draw(d_model), 1e-3, norm == "LN")

    def block() -> NormedBlock:
        heads = [draw(2, d_model, 3), draw(2, d_model, 3), draw(2, d_model, 3), draw(2, 3, d_model)]
        attend = BiasedAttention(*heads, draw(2, 3), draw(2, 3), draw(2, 3), draw(d_model))
        mlp = ACTIVATIONS[activation](draw(d_model, 8), draw(8), draw(8, d_model), draw(d_model))
        return NormedBlock(attend, mlp, normed(), normed(), post)

    d_vocab = 5 + bos
    return Transformer(
        W_E=draw(d_vocab, d_model),
        W_pos=draw(4, d_model),
        blocks=(block(), block()),
        W_U=draw(d_model, 3),
        b_U=draw(3),
        attn_scale=3**-0.5,
        ln_final=normed(),
        bos=d_vocab - 1 if bos else None,
    )


def every_array(N: int, R: int, k: int, T: int, *, typed: bool) -> Any:
    """What the k-hop queries of T subjects answer in every table of bijections: (tables, R^k T)."""
    bijections = np.array(list(permutations(range(N))))
    n = R * k if typed else R
    which = np.indices((len(bijections),) * n).reshape(n, -1)
    tables, every = [bijections[row] for row in which], np.arange(which.shape[1])
    columns = []
    for word in product(range(R), repeat=k):
        for subject in range(T):
            at = np.full(len(every), subject)
            for hop, relation in enumerate(word):
                at = tables[hop * R + relation if typed else relation][every, at]
            columns.append(at.astype(np.int8))
    return np.stack(columns, axis=1)


DIGITS = Context(prec=150)  # softmax of unequal scores is not rational: so many digits of it

Number = tuple[Any, int]  # integers, over one denominator


def whole(weight: Any) -> Number:
    """A stored weight, dense or sparse, exactly."""
    stored = weight.toarray() if hasattr(weight, "toarray") else np.asarray(weight)
    entries = [Fraction(entry) for entry in stored.ravel().tolist()]
    common = lcm(*(entry.denominator for entry in entries))
    integers = np.array([entry.numerator * (common // entry.denominator) for entry in entries], dtype=object)
    return integers.reshape(stored.shape), common


def add(*terms: Number) -> Number:
    common = lcm(*(denominator for _, denominator in terms))
    return sum(integers * (common // denominator) for integers, denominator in terms), common


def times(x: Number, W: Number) -> Number:
    read = W[0].any(axis=1)
    return x[0][..., read] @ W[0][read], x[1] * W[1]


def averages(scores: Number, hard: bool) -> tuple[Number, bool]:
    """The causal attention pattern, shape (batch, T, T), and whether it is exact."""
    integers, denominator = scores
    T = integers.shape[-1]
    pattern, exact = np.zeros(integers.shape, dtype=object), True
    common = lcm(*range(1, T + 1))
    shares = {}
    for index in np.ndindex(integers.shape[:-1]):
        seen = tuple(integers[index][: index[-1] + 1])
        if seen not in shares:
            largest = max(seen)
            if hard or min(seen) == largest:
                winners = [score == largest for score in seen]
                shares[seen] = [Fraction(winner, sum(winners)) for winner in winners]
            else:
                gaps = [DIGITS.divide(Decimal(score - largest), Decimal(denominator)) for score in seen]
                exps = [Fraction(DIGITS.exp(gap)) for gap in gaps]
                shares[seen] = [each / sum(exps) for each in exps]
        exact &= all(common % share.denominator == 0 for share in shares[seen])
        pattern[index][: len(seen)] = shares[seen]
    scale = common if exact else 1 << 500
    return (np.frompyfunc(lambda share: int(share * scale), 1, 1)(pattern), scale), exact


class Prompts(NamedTuple):
    tokens: Any
    positions: Any
    answers: list[int]
    facts: list[tuple[int, ...]]  # what each prompt decides: (subject, relation, ...)


@dataclass
class BruteForce:
    """A model as integers, and every query about some facts."""

    model: Transformer
    facts: FactTable
    hops: int
    thinks: bool
    typed: bool

    def __post_init__(self) -> None:
        self.weights = {name: whole(weight) for name, weight in self.model.weights().items()}
        self.prompts = list(self.steps() if self.thinks else self.single_pass())

    def with_weight(self, name: str, weight: Any) -> dict[str, Number]:
        """All weights, one of them replaced."""
        return self.weights | {name: whole(weight)}

    def strings(self, hops: int) -> Iterator[tuple[int, ...]]:
        R = self.facts.n_relations
        rows = [range(t * R // hops, (t + 1) * R // hops) if self.typed else range(R) for t in range(hops)]
        return product(*rows)

    def path(self, subject: int, relations: tuple[int, ...]) -> list[int]:
        entities = [subject]
        for relation in relations:
            entities.append(int(self.facts.answers[relation, entities[-1]]))
        return entities

    def single_pass(self) -> Iterator[Prompts]:
        N = self.facts.n_subjects
        asked = [(s, *relations) for relations in self.strings(self.hops) for s in range(N)]
        tokens = [[s, *(N + r for r in relations)] for s, *relations in asked]
        answers = [self.path(s, tuple(relations))[-1] for s, *relations in asked]
        yield Prompts(np.array(tokens), np.arange(self.hops + 1), answers, asked)

    def steps(self) -> Iterator[Prompts]:
        N, K = self.facts.n_subjects, self.hops
        for k in range(1, K + 1):
            asked = [(self.path(s, relations), relations) for relations in self.strings(k) for s in range(N)]
            for i in range(1, k + 1):
                yield Prompts(
                    np.array([[N + r for r in relations] + path[:i] for path, relations in asked]),
                    np.array([*range(k), *range(K, K + i)]),
                    [path[i] for path, _ in asked],
                    [(path[i - 1], relations[i - 1]) for path, relations in asked],
                )

    def logits(self, w: dict[str, Number], tokens: Any, positions: Any) -> tuple[Number, bool]:
        (W_E, e), (W_pos, p), exact = w["W_E"], w["W_pos"], True
        x = add((W_E[tokens], e), (W_pos[positions], p))
        scale = Fraction(self.model.attn_scale)
        for block in range(self.model.n_layers):
            heads = []
            for h in range(sum(name.startswith(f"blocks.{block}.attn.W_Q.") for name in w)):
                W_Q, W_K, W_V, W_O = (w[f"blocks.{block}.attn.{W}.{h}"] for W in ("W_Q", "W_K", "W_V", "W_O"))
                (q, c), (k, d) = times(x, W_Q), times(x, W_K)
                scores = q @ k.swapaxes(-1, -2) * scale.numerator, c * d * scale.denominator
                (pattern, f), here = averages(scores, self.model.attention == "hard")
                values, v = times(x, W_V)
                heads.append(times((pattern @ values, f * v), W_O))
                exact &= here
            x = add(x, *heads)
            mlp = f"blocks.{block}.mlp."
            if mlp + "W_in" in w:
                before, d = add(times(x, w[mlp + "W_in"]), w[mlp + "b_in"])
                x = add(x, times((np.maximum(before, 0), d), w[mlp + "W_out"]), w[mlp + "b_out"])
        return add(times((x[0][:, -1], x[1]), w["W_U"]), w["b_U"]), exact

    def margins(self, w: dict[str, Number]) -> tuple[dict[tuple[int, ...], Fraction], bool]:
        """The least margin of every fact (query) in any prompt that decides it; whether all are exact."""
        least: dict[tuple[int, ...], Fraction] = {}
        exact = True
        for tokens, positions, answers, facts in self.prompts:
            (logits, denominator), here = self.logits(w, tokens, positions)
            exact &= here
            for row, answer, fact in zip(logits, answers, facts, strict=True):
                margin = Fraction(row[answer] - max(np.delete(row, answer)), denominator)
                least[fact] = min(margin, least.get(fact, margin))
        return least, exact

    def generates(self, w: dict[str, Number]) -> bool:
        """Whether all chains come out right, entity by entity, where the model reads its own answers back."""
        N, K = self.facts.n_subjects, self.hops
        for k in range(1, K + 1):
            asked = [(s, relations) for relations in self.strings(k) for s in range(N)]
            said = [[s] for s, _ in asked]
            for i in range(1, k + 1):
                prompts = [
                    [N + r for r in relations] + so_far
                    for (_, relations), so_far in zip(asked, said, strict=True)
                ]
                (logits, _), _ = self.logits(w, np.array(prompts), np.array([*range(k), *range(K, K + i)]))
                said = [[*so_far, int(np.argmax(row))] for so_far, row in zip(said, logits, strict=True)]
            if said != [self.path(s, relations) for s, relations in asked]:
                return False
        return True

    def premise_fails(self, w: dict[str, Number]) -> bool:
        """Whether a premise of C3's induction certificate fails: see theory/pages/c3.md, C3."""

        def meet(rows: str, *weights: str) -> bool:
            return any((w[rows][0].any(axis=0) & w[name][0].any(axis=1)).any() for name in weights)

        attention = "blocks.0.attn."
        W_Q, W_K = attention + "W_Q.0", attention + "W_K.0"
        if meet("W_E", W_Q, W_K):
            return True
        if self.model.attention == "soft":
            return meet("W_pos", attention + "W_V.0", "blocks.0.mlp.W_in", "W_U")
        places = w["W_pos"][0]
        scores = (places[self.hops :] @ w[W_Q][0]) @ (places @ w[W_K][0]).T
        return any(row[i] <= max(np.delete(row, i)) for i, row in enumerate(scores))
