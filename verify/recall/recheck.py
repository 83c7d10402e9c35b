"""Decides every margin of a model in whole numbers: `python3 recheck.py model.json`.

The standard library alone, and no line shared with georecall, which writes the model (`georecall export CLAIM
--out model.json`) and copies this file beside it. Weights are whole numbers over powers of two, exact.
Exit status: 0 every margin is positive, 1 some is not, 3 softmax of unequal scores, which this cannot decide.
"""

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import lcm
from typing import Any

Vector = list[int]


def _sum(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y, strict=True)]


def _read(named: Any) -> "dict[str, Stored]":
    return {name: Stored(weight) for name, weight in named.items()}


class Stored:
    """Whole numbers over 2^shift; a row is a list of pairs (column, number)."""

    def __init__(self, stored: Any) -> None:
        self.shift, self.columns, self.rows = stored["shift"], stored["columns"], stored["rows"]

    def times(self, x: Vector) -> Vector:
        """The product x W, times 2^shift."""
        out = [0] * self.columns
        for value, row in zip(x, self.rows, strict=True):
            for column, weight in row if value else ():
                out[column] += value * weight
        return out

    def row(self, number: int, shift: int) -> Vector:
        """A row, times 2^shift."""
        row = dict(self.rows[number])
        return [row.get(column, 0) << shift - self.shift for column in range(self.columns)]


class Model:
    """The weights of a file, and its forward pass."""

    def __init__(self, stored: Any) -> None:
        self.soft, self.sign = stored["attention"] == "soft", stored["sign_of_scale"]
        self.W_E, self.W_pos = Stored(stored["W_E"]), Stored(stored["W_pos"])
        self.W_U, self.b_U = Stored(stored["W_U"]), Stored(stored["b_U"])
        self.layers = [([_read(h) for h in at["heads"]], _read(at["mlp"])) for at in stored["layers"]]

    def logits(self, tokens: Any, positions: Any) -> tuple[Vector, int]:
        """Logits at the last position, and what they are to be divided by."""
        shift = max(self.W_E.shift, self.W_pos.shift)
        rows = zip(tokens, positions, strict=True)
        xs = [_sum(self.W_E.row(t, shift), self.W_pos.row(p, shift)) for t, p in rows]
        over = 1 << shift  # every residual is xs over this number
        for heads, mlp in self.layers:
            xs, over = self._attended(heads, xs, over)
            if mlp:
                xs, over = _applied(mlp, xs, over)
        scaled = [y << self.b_U.shift for y in self.W_U.times(xs[-1])]
        bias = [b * over << self.W_U.shift for b in self.b_U.row(0, self.b_U.shift)]
        return _sum(scaled, bias), over << self.W_U.shift + self.b_U.shift

    def _attended(self, heads: Any, xs: list[Vector], over: int) -> tuple[list[Vector], int]:
        """Each head adds, to every position, the mean of what it carries from the positions it looks at."""
        added: list[Any] = [[] for _ in xs]  # vectors, each with its denominator
        for head in heads:
            keys = [head["W_K"].times(x) for x in xs]
            for t, x in enumerate(xs):
                query = head["W_Q"].times(x)
                pairs = [zip(query, key, strict=True) for key in keys[: t + 1]]
                scores = [self.sign * sum(a * b for a, b in pair) for pair in pairs]
                best = [i for i, score in enumerate(scores) if score == max(scores)]
                if self.soft and len(best) <= t:
                    raise ArithmeticError
                mixed = [sum(column) for column in zip(*(xs[i] for i in best), strict=True)]
                out = head["W_O"].times(head["W_V"].times(mixed))
                added[t].append((out, len(best) << head["W_V"].shift + head["W_O"].shift))
        factor = lcm(*(denominator for at in added for _, denominator in at))
        after = [[value * factor for value in x] for x in xs]
        for x, at in zip(after, added, strict=True):
            for out, denominator in at:
                for c, value in enumerate(out):
                    x[c] += value * (factor // denominator)
        return after, over * factor


def _applied(mlp: Any, xs: list[Vector], over: int) -> tuple[list[Vector], int]:
    """Adds ReLU(x W_in + b_in) W_out + b_out to every x."""
    i, b, o, c = (mlp[name].shift for name in ("W_in", "b_in", "W_out", "b_out"))
    b_in = [value * over << i for value in mlp["b_in"].row(0, b)]
    b_out = [value * over << i + b + o for value in mlp["b_out"].row(0, c)]
    after = []
    for x in xs:
        hidden = [max(0, (y << b) + bias) for y, bias in zip(mlp["W_in"].times(x), b_in, strict=True)]
        out = [value << c for value in mlp["W_out"].times(hidden)]
        after.append(_sum([value << i + b + o + c for value in x], _sum(out, b_out)))
    return after, over << i + b + o + c


def every_prompt(stored: Any) -> Iterator[tuple[Any, Any, int]]:
    """Every prompt with its right answer: tokens, positions, answer."""
    answers, N, R, K = stored["answers"], stored["subjects"], len(stored["answers"]), stored["chains"]
    for k in stored["hops"]:
        share = R // k if stored["typed"] else 0  # the relations of one hop
        shares = [range(t * share, (t + 1) * share or R) for t in range(k)]
        for subject, *relations in product(range(N), *shares):
            asked, path = [N + relation for relation in relations], [subject]
            for relation in relations:
                path.append(answers[relation][path[-1]])
            if not K:
                yield [subject, *asked], range(k + 1), path[-1]
            for i in range(
                k if K else 0
            ):  # chain of thought: what has been answered so far, from position K on
                yield [*asked, *path[: i + 1]], [*range(k), *range(K, K + i + 1)], path[i + 1]


def every_margin(stored: Any) -> list[Fraction]:
    """Of every prompt the right logit less the best wrong one; ArithmeticError for a true softmax."""
    model, found = Model(stored), []
    for tokens, positions, answer in every_prompt(stored):
        logits, over = model.logits(tokens, positions)
        found.append(Fraction(logits.pop(answer) - max(logits), over))
    return found


def main(path: str) -> int:
    """Asks every prompt; prints how many are wrong, the first of them, and the least margin."""
    with open(path, encoding="utf-8") as file:
        stored = json.load(file)
    try:
        found = every_margin(stored)
    except ArithmeticError:
        print("undecided: softmax of unequal scores")
        return 3
    wrong = [prompt for prompt, margin in zip(every_prompt(stored), found, strict=True) if margin <= 0]
    print(f"{len(found)} prompts, {len(wrong)} wrong, least margin {min(found)}", *wrong[:1])
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
