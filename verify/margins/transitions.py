"""The transition certificate of C5: layers whose last position forgets how it got there.

At the last position a memory leaves the embedding of the entity reached and nothing of the way to it. So
the N R^k queries come down to few distinct residuals there, layer by layer, and one query stands for all
that share a residual. That is followed on the weights, in arithmetic proved not to round, if

- attention is hard, and tokens and layers write to neither queries nor keys, so that scores depend on
  positions alone; at the last position every head reads one position;
- what a head reads after the first layer is written by tokens and positions alone: it is the token itself;
- positions are read once, in order, so that the residual depends on the letters read so far, the last
  token's own among them.

Two ways are merged only if the residual, the entity reached and the last token agree.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import dense, float64, hardmax, inner, times
from georecall.constructions.transformer.layers import Attention
from georecall.constructions.transformer.prompts import subject_first
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.blocks import blocks
from georecall.theory.tools.progress import Progress
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.found import Margins
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import check_fits, margins
from georecall.verify.margins.queries import Prompts, over_entities

_NEURONS = 1 << 22  # activations computed at a time: 32 MiB of float64
_LIMIT = 1 << 26  # entries of the residuals of all ways that are told apart


@dataclass(frozen=True, eq=False)
class Representatives:
    """Queries that stand for all, shape (queries,): subject, then relations, of each, and the answers."""

    facts: FactTable
    histories: Numbers
    answers: Numbers

    @property
    def shape(self) -> tuple[int, ...]:
        return self.answers.shape

    def occurring(self) -> Numbers:
        return np.unique(self.answers)

    def prompts(self, numbers: Numbers) -> Prompts:
        subjects, *relations = self.histories[numbers].T
        tokens = subject_first(self.facts.n_subjects, subjects, *relations)
        return Prompts(tokens, np.arange(tokens.shape[1]), self.answers[numbers])

    def query(self, number: int) -> tuple[int, ...]:
        return tuple(map(int, self.histories[number]))


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def transitions(
    model: Transformer, facts: FactTable, alphabet: Numbers, *, progress: Progress | None = None
) -> Margins:
    """Margins of queries that stand for all N R^k: any has the last residual and answer of one of them.

    Returns:
        Margins with method "transitions"; their shape is (representatives,).

    Raises:
        PremiseError: a premise fails, arithmetic rounds, or too many residuals are distinct.
        ValueError: the model does not fit the facts, or an answer is no entity.
    """
    facts = over_entities(facts)
    check_fits(model, facts)
    queries, residuals = representatives(model, facts, alphabet)
    found = margins(model, queries, residuals=residuals, progress=progress)
    return replace(found, method="transitions", path="transitions")


def representatives(
    model: Transformer, facts: FactTable, alphabet: Numbers
) -> tuple[Representatives, NDArray[np.float64]]:
    """One query for every distinct residual and answer, and these residuals; errors as of `transitions`."""
    hops, facts = len(alphabet), over_entities(facts)
    reads = _positions_read(model, hops)
    floats = model.map(Ball.of)
    N = facts.n_subjects
    ways = _Ways.start(facts, alphabet)
    x = floats.W_E[N + ways.histories[:, hops]] + floats.W_pos[np.full(ways.count, hops)]
    for block, positions in zip(floats.blocks, reads, strict=True):
        if block.attention is not None:
            x = ways.read(sorted(set(positions)), x, model.d_model)
            x = _attended(floats, block.attention, positions, ways, x, N)
        if block.mlp is not None:
            x = _moved(block.mlp, x)
        if not x.exact:
            raise PremiseError("the arithmetic of the layers must not round")
        x = ways.merge(x)
    if ways.n_read <= hops:
        raise PremiseError(f"every relation must be read; position {ways.n_read} is not")
    return Representatives(facts, ways.histories, ways.reached), x.mid


def _moved(mlp: Any, x: Ball) -> Ball:
    """The residuals after the MLP, some rows at a time: a memory has a neuron for every entity."""
    size = max(1, _NEURONS // mlp.b_in.shape[0])
    parts = [x[block] + mlp(x[block]) for block in blocks(len(x.mid), size)]
    inexact = next((part for part in parts if not part.exact), None)
    return inexact if inexact is not None else Ball.of(np.concatenate([part.mid for part in parts]))


@dataclass
class _Ways:
    """Ways through the layers so far: what was read, shape (ways, k + 1), and where that should lead.

    Of a history only the subject and relations that were read, and the last one, mean something.
    """

    facts: FactTable
    alphabet: Numbers
    histories: Numbers
    reached: Numbers
    n_read: int = 0

    @classmethod
    def start(cls, facts: FactTable, alphabet: Numbers) -> "_Ways":
        """One way for every subject and last token."""
        hops, R = alphabet.shape
        histories = np.zeros((facts.n_subjects * R, hops + 1), dtype=np.int64)
        histories[:, 0] = np.repeat(np.arange(facts.n_subjects), R)
        histories[:, hops] = np.tile(alphabet[-1], facts.n_subjects)
        return cls(facts, alphabet, histories, histories[:, 0])

    @property
    def count(self) -> int:
        """The number of ways."""
        return len(self.histories)

    def read(self, positions: list[int], x: Ball, d_model: int) -> Ball:
        """Splits every way by the letters at some positions, and goes on; the residuals, repeated."""
        hops, R = self.alphabet.shape
        if positions != list(range(self.n_read, self.n_read + len(positions))):
            raise PremiseError(
                f"positions must be read once and in order, not {positions} after {self.n_read}"
            )
        for t in positions:
            self.n_read += 1
            if t == 0:
                continue
            if t < hops:
                if self.count * R * d_model > _LIMIT:
                    raise PremiseError("the residuals are too many to be told apart")
                repeated = np.repeat(np.arange(self.count), R)
                self.histories, self.reached = self.histories[repeated], self.reached[repeated]
                self.histories[:, t] = np.tile(self.alphabet[t - 1], self.count // R)
                x = x[repeated]
            self.reached = self.facts.answers[self.histories[:, t], self.reached]
        return x

    def merge(self, x: Ball) -> Ball:
        """Keeps one way for every residual, entity reached and last token."""
        key = np.column_stack([x.mid + 0.0, self.reached, self.histories[:, -1]])  # no negative zeros
        rows = np.ascontiguousarray(key).view(np.dtype((np.void, key.dtype.itemsize * key.shape[1])))
        _, first = np.unique(rows.ravel(), return_index=True)
        first.sort()
        self.histories, self.reached = self.histories[first], self.reached[first]
        return Ball.of(x.mid[first])


def _attended(
    floats: Transformer, attention: Attention, positions: list[int], ways: _Ways, x: Ball, N: int
) -> Ball:
    """The residual at the last position after the heads, each of which reads one token."""
    for t, W_V, W_O in zip(positions, attention.W_V, attention.W_O, strict=True):
        tokens = ways.histories[:, t] + (N if t else 0)
        read, row = np.unique(tokens, return_inverse=True)
        values = times(times(floats.W_E[read] + floats.W_pos[np.full(len(read), t)], W_V), W_O)
        x = x + values[row]
    return x


def _positions_read(model: Transformer, hops: int) -> list[list[int]]:
    """For each layer the position that each head reads at the last one; checks the premises."""
    if not model.plain:
        raise PremiseError("the model must be plain: ReLU, no norms, no biases of attention, no first token")
    if model.attention != "hard":
        raise PremiseError("attention must be hard")
    if model.W_pos is None:
        raise PremiseError("without W_pos no position can be told from another")
    if model.n_ctx <= hops:
        raise PremiseError(f"{hops} hops need {hops + 1} positions, the model has {model.n_ctx}")
    check_unscored(model)
    written = np.zeros(model.d_model, dtype=bool)
    reads: list[list[int]] = []
    for number, block in enumerate(model.blocks):
        reads.append([])
        if block.attention is not None:
            if number and (written & np.any([_rows(W_V) for W_V in block.attention.W_V], axis=0)).any():
                raise PremiseError(f"the heads of layer {number} must read what tokens alone have written")
            heads = zip(block.attention.W_Q, block.attention.W_K, strict=True)
            reads[-1] = [position_read(model, W_Q, W_K, hops, number) for W_Q, W_K in heads]
            for W_O in block.attention.W_O:
                written |= _columns(W_O)
        if block.mlp is not None:
            written |= _columns(block.mlp.W_out) | (np.asarray(block.mlp.b_out) != 0)
    return reads


def check_unscored(model: Transformer) -> None:
    """Scores depend on positions alone: tokens and layers write to neither queries nor keys."""
    scored, written = np.zeros(model.d_model, dtype=bool), np.zeros(model.d_model, dtype=bool)
    for block in model.blocks:
        if block.attention is not None:
            for weight in (*block.attention.W_Q, *block.attention.W_K):
                scored |= _rows(weight)
            for W_O in block.attention.W_O:
                written |= _columns(W_O)
        if block.mlp is not None:
            written |= _columns(block.mlp.W_out) | (np.asarray(block.mlp.b_out) != 0)
    if (scored & _columns(model.W_E)).any():
        raise PremiseError("tokens must not write to queries or keys")
    if (scored & written).any():
        raise PremiseError("layers must not write to queries or keys")


def position_read(model: Transformer, W_Q: Any, W_K: Any, last: int, number: int) -> int:
    """The one position with the largest score at the last of 0..last."""
    positions = Ball.of(dense(model.W_pos)[: last + 1])
    queries = times(positions[last:], Ball.of(W_Q))
    scores = inner(queries, times(positions, Ball.of(W_K)), model.attn_scale)
    largest = hardmax(scores, np.zeros(scores.shape, dtype=bool))
    t = int(largest.mid[0].argmax())
    if largest.mid[0, t] != 1 or largest.radius[0, t] != 0:
        raise PremiseError(f"each head of layer {number} must read one position")
    return t


def _rows(weight: Any) -> NDArray[np.bool_]:
    """Which coordinates a weight reads."""
    return np.asarray(abs(float64(weight)).sum(axis=1)).ravel() > 0


def _columns(weight: Any) -> NDArray[np.bool_]:
    """Which coordinates a weight writes."""
    return np.asarray(dense(abs(float64(weight)).max(axis=0))).ravel() > 0
