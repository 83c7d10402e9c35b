"""Brute force for the tests of the checker: the forward pass in integers, for every query.

Shares no line with the package. A number is an array of integers over one denominator.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import product
from math import lcm
from typing import Any, NamedTuple

import numpy as np
import pytest

from georecall.constructions import Transformer
from georecall.theory.facts.fact_table import FactTable

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


@pytest.fixture(scope="session")
def brute_force() -> type[BruteForce]:
    return BruteForce
