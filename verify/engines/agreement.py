"""Logits that an engine computes beside those that are proved, query by query.

- Where the audit proves that nothing rounds, both must be the same number (zeros of either sign alike).
- Else each is within the proved radius of the exact number, in whatever order it adds, and so they are
  within two radii of each other. Of the engine's exponential the same is assumed as of NumPy's (see
  `verify.margins.balls`).

A disagreement may turn an answer. Margins that lie within those distances are open: no engine is held to
them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.lead import Witness, right_and_rival
from georecall.verify.margins.queries import Queries

Engine = Callable[[Numbers, Numbers], Floats]  # tokens and positions, shape (batch, T), to logits

_BLOCK = 1 << 22  # entries of one block of residuals or logits
_BUDGET = 1 << 38  # products spent on comparing: about a minute in the engine, and as much here
_SLACK = 1.0 + 2.0**-20  # the radii around one engine's numbers against those around the other's


@dataclass(frozen=True)
class Disagreement:
    """A query of which an engine says something else than is proved.

    Args:
        witness: the query; `got` and `margin` are the engine's.
        output: the output with the largest difference, by number.
        proved: its logit, to within `radius`.
        computed: what the engine has.
        radius: 0 where the logit is known exactly.
        turned: whether the engine's answer is wrong where the right one is proved, or the other way round.
    """

    witness: Witness
    output: int
    proved: float
    computed: float
    radius: float
    turned: bool

    def __str__(self) -> str:
        """In words."""
        known = f"{self.proved:.17g}" + (f" +- {self.radius:.2g}" if self.radius else "")
        return f"{self.witness.question}: logit {self.output} is {self.computed:.17g}, proved {known}"


@dataclass(frozen=True)
class Agreement:
    """What comparing an engine with the proof came to.

    Args:
        n_compared: the queries (for a chain of thought: steps) compared.
        n_all: of how many.
        n_exact: those of which every logit was the same number.
        n_open: those whose margin rounding leaves open, so that either answer may agree.
        n_different: those that disagree.
        least: the engine's least margin.
        first: the first disagreement, one with another answer before all others.
    """

    n_compared: int
    n_all: int
    n_exact: int
    n_open: int
    n_different: int
    least: float
    first: Disagreement | None


@dataclass(frozen=True, eq=False)
class Compared:
    """An engine's logits beside the proved ones, shape (batch, outputs), and what follows: shape (batch,)."""

    proved: Ball
    computed: Floats
    margins: Floats
    turned: NDArray[np.bool_]
    open: NDArray[np.bool_]
    same: NDArray[np.bool_]
    different: NDArray[np.bool_]

    @classmethod
    def of(cls, proved: Ball, computed: Floats, answers: Numbers) -> "Compared":
        """Compares the logits of some queries, whose answers are these."""
        right, best, _ = right_and_rival(computed.astype(np.float64), answers)
        known = _answered(proved, answers)
        turned = known == np.where(right > best, -1, 1)
        with np.errstate(invalid="ignore", over="ignore"):  # nothing is within a radius of what is no number
            off = np.abs(computed - proved.mid)
            within = (off <= 2 * proved.radius * _SLACK).all(axis=1)
            margins = right - best
        same = (computed == proved.mid).all(axis=1)
        return cls(proved, computed, margins, turned, known == 0, same, ~within)

    def disagreement(self, queries: Queries, block: Numbers, answers: Numbers) -> Disagreement:
        """The first query of the block that disagrees, one whose answer is turned before all others."""
        row = int((self.turned if self.turned.any() else self.different).argmax())
        answer, query = int(answers[row]), queries.query(int(block[row]))
        output = int(np.nan_to_num(np.abs(self.computed[row] - self.proved.mid[row]), nan=np.inf).argmax())
        computed = np.nan_to_num(self.computed[row : row + 1].astype(np.float64), nan=-np.inf)
        got = int(right_and_rival(computed, answers[row : row + 1])[2][0])
        witness = Witness.of(queries.facts, query, answer, got, float(self.margins[row]))
        return Disagreement(
            witness,
            output,
            proved=float(self.proved.mid[row, output]),
            computed=float(self.computed[row, output]),
            radius=float(self.proved.radius[row, output]),
            turned=bool(self.turned[row]),
        )


def agreement(
    model: Transformer,
    asked: Sequence[Queries],
    engine: Engine,
    *,
    most: int | None = None,
    progress: Progress | None = None,
) -> Agreement:
    """Compares an engine with what is proved of a model's logits, query by query.

    Args:
        model: the weights.
        asked: the queries.
        engine: what runs the same weights.
        most: products spent, by default what takes minutes. Beyond it, as many queries of each kind as an
            equal part of that allows, drawn at random.
        progress: called with the number of queries done and of all that are compared.
    """
    floats = model.map(Ball.of)
    most = _BUDGET if most is None else most
    each = [_products(model, queries) for queries in asked]
    sizes = [prod(queries.shape) for queries in asked]
    if sum(size * cost for size, cost in zip(sizes, each, strict=True)) <= most:
        numbers = [np.arange(size) for size in sizes]
    else:
        parts = (most // (len(asked) * cost) for cost in each)
        numbers = [_some(size, max(1, part)) for size, part in zip(sizes, parts, strict=True)]
    total, done = sum(map(len, numbers)), 0
    n_exact = n_open = n_different = 0
    least, first = np.inf, None
    for queries, chosen in zip(asked, numbers, strict=True):
        for block in _blocks(model, queries, chosen):
            tokens, positions, answers = queries.prompts(block)
            found = Compared.of(floats.logits(tokens, positions), engine(tokens, positions), answers)
            n_exact += int(found.same.sum())
            n_open += int(found.open.sum())
            n_different += int(found.different.sum())
            least = min(least, float(found.margins.min()))
            if found.different.any() and (first is None or (found.turned.any() and not first.turned)):
                first = found.disagreement(queries, block, answers)
            done += len(block)
            if progress is not None:
                progress(done, total)
    return Agreement(total, sum(sizes), n_exact, n_open, n_different, least, first)


def _answered(proved: Ball, answers: Numbers) -> NDArray[np.int8]:
    """1 where an engine within two radii must answer rightly, -1 where it cannot, 0 where it is open."""
    low = high = proved.mid
    if proved.rad is not None:
        reach = 2 * proved.rad * _SLACK
        low, high = np.nextafter(proved.mid - reach, -np.inf), np.nextafter(proved.mid + reach, np.inf)
    right_low, best_low, _ = right_and_rival(low, answers)
    right_high, best_high, _ = right_and_rival(high, answers)
    return (right_low > best_high).astype(np.int8) - (right_high <= best_low).astype(np.int8)


def _products(model: Transformer, queries: Queries) -> int:
    """How many products one query takes in an engine, which has no sparse weights."""
    length = queries.prompts(np.array([0])).tokens.shape[1]
    layers = sum(prod(w.shape) for name, w in model.weights().items() if name.startswith("blocks"))
    return int(length * layers + model.d_model * model.d_vocab_out)


def _some(n: int, most: int) -> Numbers:
    """All of n numbers, or about `most` of them at random."""
    if n <= most:
        return np.arange(n)
    n = min(n, 1 << 62)
    return np.unique(generator(0, "engine", n, most).integers(n, size=most))


def _blocks(model: Transformer, queries: Queries, numbers: Numbers) -> Iterator[Numbers]:
    """Queries by number, as many at a time as fit the memory for one block."""
    length = queries.prompts(np.array([0])).tokens.shape[1]
    widest = max(length * max(model.d_model, model.d_mlp), model.d_vocab_out)
    size = max(1, _BLOCK // widest)
    return (numbers[start : start + size] for start in range(0, len(numbers), size))
