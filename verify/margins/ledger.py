"""The ledger of one question after another: bounds in floats, and rationals where those leave a doubt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import stored, times
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.blocks import blocks
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.codebook import Codebook
from georecall.verify.margins.found import Margins, Method
from georecall.verify.margins.lead import Witness, right_and_rival
from georecall.verify.margins.queries import Queries
from georecall.verify.margins.rationals import Rational, UndecidableError

_BLOCK = 1 << 22  # entries of one block of residuals or logits: 32 MiB of float64
_RATIONAL_BLOCK = 1 << 20  # entries of such a block in rationals, each an object of its own
_LARGEST = Fraction(float(np.finfo(np.float64).max))
_SAMPLE = 64  # facts from which a codebook guesses its weights
_RATIONAL_BUDGET = 5 * 10**7  # integer products spent on facts that are decided, but not known exactly


@dataclass
class Ledger:
    """What is known of each query so far, by number."""

    model: Transformer
    queries: Queries
    residuals: Floats | None = None  # known without error
    wants_codebook: bool = False
    codebook: Codebook | None = None
    rational: dict[int, Fraction] = field(default_factory=dict)  # margins found by rational arithmetic
    rivals: dict[int, int] = field(default_factory=dict)  # and the strongest wrong attributes

    def __post_init__(self) -> None:
        self.n_queries = prod(self.queries.shape)
        self.lower = np.full(self.n_queries, -np.inf)
        self.upper = np.full(self.n_queries, np.inf)
        self.signs = np.zeros(self.n_queries, dtype=np.int8)
        self.known = np.zeros(self.n_queries, dtype=bool)  # exactly
        self.by_codebook = np.zeros(self.n_queries, dtype=bool)
        self.floats = self.model.map(Ball.of)

    def blocks(self) -> Iterator[Numbers]:
        """Queries by number, as many at a time as fit the memory for one block of residuals."""
        return _chunks(np.arange(self.n_queries), _BLOCK // self._entries_per_query())

    def enter_floats(self, block: Numbers) -> None:
        """Bounds for one block of queries by certified floats; exact where nothing was rounded."""
        tokens, positions, answers = self.queries.prompts(block)
        known = self.residuals
        x = self.floats.residual(tokens, positions) if known is None else Ball.of(known[block])
        if self.wants_codebook and not block[0]:  # which settles most facts without logits
            self._take_codebook(x)
        settled = self._enter_settled(x, block, answers)
        for rows in _chunks(np.flatnonzero(~settled), _BLOCK // self.model.d_vocab_out):
            logits = times(x[rows], self.floats.W_U) + self.floats.b_U
            lower, upper = _bounds(logits, answers[rows])
            self._enter(block[rows], lower, upper)
            self.known[block[rows]] = lower == upper

    def _take_codebook(self, x: Ball) -> None:
        """The codebook, if the readout has one; guessed from the residuals of the first block of queries."""
        tokens, positions, answers = self.queries.prompts(np.arange(min(_SAMPLE, self.n_queries)))
        if x.shape[0] < len(answers) and self.residuals is None:
            x = self.floats.residual(tokens, positions)
        read, asked = x.mid[: len(answers)], self.queries.occurring()
        self.codebook = Codebook.of(self.model, read, answers[: len(read)], asked)

    def enter_rationals(self) -> None:
        """Decides what floats left open, and makes the rest exact where that is cheap."""
        undecided, inexact = np.flatnonzero(self.signs == 0), np.flatnonzero(~self.known & (self.signs != 0))
        if (len(undecided) + len(inexact)) * self._products_per_fact() > _RATIONAL_BUDGET:
            inexact = inexact[:0]
        if not len(undecided) + len(inexact):
            return
        model, size = self.model.map(Rational.of), _RATIONAL_BLOCK // self._entries_per_query()
        for block in _chunks(undecided, size):
            self._enter_block(model, block)
            spent = (int(np.searchsorted(undecided, block[-1])) + 1) * self._products_per_fact()
            if spent > _RATIONAL_BUDGET and (self.signs < 0).any():
                return  # refuted: what is left, perhaps ties by the thousand, would change no verdict
        for block in _chunks(inexact, size):
            if not self._enter_block(model, block):
                return  # a softmax is in the way of the others too

    def margins(self) -> Margins:
        """The ledger, closed."""
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise ValueError("the weights are so large that logits or margins overflow float64")
        by_float = np.ones(self.n_queries, dtype=bool)
        by_float[list(self.rational)] = False
        worst = int(self.upper.argmin() if (self.signs < 0).any() else self.lower.argmin())
        least = float(self.lower[worst])
        method: Method = "filtered"
        if self.known.all():
            method = "codebook" if self.by_codebook.all() else "exhaustive"
        return Margins(
            queries=self.queries,
            lower=self.lower.reshape(self.queries.shape),
            upper=self.upper.reshape(self.queries.shape),
            minimum=(self._least(self.lower, by_float), self._least(self.upper, by_float)),
            exact=bool(self.known.all()),
            method=method,
            show=showing(self.model, self.queries, worst, least, self.rivals.get(worst)),
            signs=self.signs.reshape(self.queries.shape),
        )

    def _enter_block(self, model: Transformer, block: Numbers) -> bool:
        """Decides some queries in rationals; of those it cannot nothing is said. Whether there was any."""
        while len(block):
            tokens, positions, answers = self.queries.prompts(block)
            try:
                x = model.residual(tokens, positions)
            except UndecidableError as error:
                block = block[error.rational]
                continue
            left = np.flatnonzero(~self._enter_settled(x, block, answers))
            for rows in _chunks(left, _RATIONAL_BLOCK // self.model.d_vocab_out):
                logits = times(x[rows], model.W_U) + model.b_U
                for i, row in enumerate(rows):
                    self._enter_rational(int(block[row]), logits[i], int(answers[row]))
            return True
        return False

    def _enter_settled(self, x: Ball | Rational, block: Numbers, answers: Numbers) -> NDArray[np.bool_]:
        """Enters the queries of a block that the codebook settles, and says which they are."""
        if self.codebook is None:
            return np.zeros(len(block), dtype=bool)
        settled = self.codebook.settles(x, answers)
        facts = block[settled]
        worth = self.codebook.margins[answers[settled]]
        self._enter(facts, worth, worth)
        self.known[facts] = self.by_codebook[facts] = True
        return settled

    def _enter(self, facts: Numbers, lower: Floats, upper: Floats) -> None:
        """Bounds of some margins; what is no number bounds nothing."""
        self.lower[facts] = np.where(np.isnan(lower), -np.inf, lower)
        self.upper[facts] = np.where(np.isnan(upper), np.inf, upper)
        self.signs[facts] = signs_of_bounds(self.lower[facts], self.upper[facts])

    def _enter_rational(self, fact: int, logits: Rational, answer: int) -> None:
        over = logits.numerators
        rival = max((a for a in range(len(over)) if a != answer), key=over.__getitem__)
        margin = Fraction(over[answer] - over[rival], logits.denominator)
        nearest = float(max(min(margin, _LARGEST), -_LARGEST))
        self.lower[fact] = nearest if nearest <= margin else np.nextafter(nearest, -np.inf)
        self.upper[fact] = nearest if nearest >= margin else np.nextafter(nearest, np.inf)
        self.signs[fact] = 1 if margin > 0 else -1
        self.rational[fact], self.rivals[fact], self.known[fact] = margin, rival, True

    def _entries_per_query(self) -> int:
        """How many numbers the residuals, or the neurons, of one prompt are."""
        if self.residuals is not None:
            return self.model.d_model
        length = int(self.queries.prompts(np.array([0])).tokens.shape[1])
        return length * max(self.model.d_model, self.model.d_mlp)

    def _products_per_fact(self) -> int:
        """How many integer products rational arithmetic takes for one fact."""
        weights = self.model.weights()
        layers = sum(_n_nonzero(weight) for name, weight in weights.items() if name.startswith("blocks"))
        readout = self.codebook.gather if self.codebook is not None else self.model.W_U
        return 2 * (layers + self.model.d_model) + _n_nonzero(readout)

    def _least(self, bounds: Floats, by_float: NDArray[np.bool_]) -> Fraction:
        candidates = list(self.rational.values())
        if by_float.any():
            candidates.append(Fraction(float(bounds[by_float].min())))
        return min(candidates)


@np.errstate(over="ignore", invalid="ignore")
def witness(
    model: Transformer, queries: Queries, number: int, margin: float, got: int | None = None
) -> Witness:
    """One query, by number, whose margin is known; the model's weights are Balls.

    Where the strongest wrong attribute is not given, it is the one with the largest lower bound: if bounds
    prove the query wrong, that one certainly is not below the right answer.
    """
    tokens, positions, answers = queries.prompts(np.array([number]))
    answer = int(answers[0])
    if got is None:
        logits = model.logits(tokens, positions)
        got = int(right_and_rival(logits.mid - logits.radius, answers)[2][0])
    return Witness.of(queries.facts, queries.query(number), answer, got, margin)


def showing(model: Transformer, *query: Any) -> Callable[[], Witness]:
    """The same of weights as they are, when it is asked for."""
    return lambda: witness(model.map(Ball.of), *query)


def signs_of_bounds(lower: Floats, upper: Floats) -> NDArray[np.int8]:
    """What bounds decide: 1 a positive margin, -1 none (a tie is an error), 0 nothing."""
    return (lower > 0).astype(np.int8) - (upper <= 0).astype(np.int8)


def _chunks(numbers: Numbers, size: int) -> Iterator[Numbers]:
    return (numbers[block] for block in blocks(len(numbers), size))


def _n_nonzero(weight: Any) -> int:
    return int(np.count_nonzero(stored(weight)))


def _bounds(logits: Ball, answers: Numbers) -> tuple[Floats, Floats]:
    """Lower and upper bounds of right logit minus best wrong one; equal where nothing is rounded."""
    rows = np.arange(len(answers))
    if logits.exact_differences:
        right, best, _ = right_and_rival(logits.mid, answers)
        return right - best, right - best
    _, high, _ = right_and_rival(logits.mid + logits.radius, answers)
    _, low, _ = right_and_rival(logits.mid - logits.radius, answers)
    right, radius = logits.mid[rows, answers], logits.radius[rows, answers]
    slack = 4 * np.finfo(np.float64).eps * (np.abs(right) + radius + np.abs(high) + np.abs(low))
    return right - radius - high - slack, right + radius - low + slack
