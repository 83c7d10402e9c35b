"""The codebook certificate: margins without logits, for readouts that are nearest-word decoders.

Logits are x W_U + b_U, x W_U = (x P) C (see `verify.margins.unembedding`). Let c_a be the columns of C,
<., .>_k the inner product with a positive integer weight k_j for each row j of C, and
b_U[a] = const - <c_a, c_a>_k / 2. Where y = x P is (k_j c_aj)_j for the right answer a,

    logit(a) - logit(b) = <c_a, c_a - c_b>_k - (<c_a, c_a>_k - <c_b, c_b>_k) / 2 = |c_a - c_b|_k^2 / 2,

so the margin is half the squared distance from c_a to the nearest other column, each coordinate counted k_j
times. (k_j = 1 but for codes that say the same thing in several coordinates.) The weights are guessed from a
few facts; what is guessed wrong does not pass the exact test of y.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.nearest import nearest_in_columns
from georecall.constructions.transformer.arithmetic import stored, times
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.blocks import Fold, fold
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.number_formats import granule
from georecall.verify.margins.rationals import Rational
from georecall.verify.margins.unembedding import Unembedding

_MAX_WEIGHT = 1 << 12  # what all weights together may come to
_BLOCK = 1 << 14  # attributes looked at together


@dataclass(frozen=True, eq=False)
class Codebook:
    """The columns of C, as integers x 2^step, and what a readout that equals one is worth.

    Args:
        read: P and C.
        weights: k, shape (m,).
        asked: the attributes whose margins are wanted, in increasing order; None: all.
        squares: for each of them the squared distance to the nearest other column, in units of C.
    """

    read: Unembedding
    weights: NDArray[np.int64]
    asked: NDArray[np.int64] | None
    squares: NDArray[Any]

    @classmethod
    def of(
        cls,
        model: Transformer,
        residuals: Floats,
        answers: NDArray[np.int64],
        asked: NDArray[np.int64],
    ) -> "Codebook | None":
        """The codebook of a model's readout; None if it has none.

        The weights k are guessed from residuals of some prompts, shape (batch, d_model), and their answers.
        """
        read = Unembedding.of(model.W_U)
        if read is None:
            return None
        return cls.behind(read, model.b_U, times(residuals, read.gather), answers, asked=asked)

    @classmethod
    def behind(
        cls,
        read: Unembedding,
        b_U: Any,
        readouts: Floats,
        answers: NDArray[np.integer],
        *,
        asked: NDArray[np.int64] | None,
        fold: Fold = fold,
    ) -> "Codebook | None":
        """The codebook of an unembedding and biases, for attributes asked (None: all); None if they are none.

        The weights k are guessed from the readouts x P of some prompts, shape (batch, m), and their answers.
        """
        if read.n_words < 2 or not -1073 <= 2 * read.step <= 900:
            return None  # there is nothing to compare, or margins would be no floats
        weights = _guessed(np.ldexp(readouts, -read.step), read.columns(answers).T)
        if float(read.largest) ** 2 * weights.sum() >= 1 << 50 or not _nearest_word(b_U, read, weights, fold):
            return None
        squares = nearest_in_columns(
            read.columns, read.n_words, read.length, of=asked, weights=weights, fold=fold
        )
        return cls(read, weights, asked, squares)

    @property
    def gather(self) -> Any:
        """P, sparse, shape (d_model, m)."""
        return self.read.gather

    @cached_property
    def _gather(self) -> Ball:
        return Ball.of(self.gather)

    @property
    def step(self) -> int:
        """Column a of C is words[a] x 2^step."""
        return self.read.step

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """All columns of C in units, shape (|A|, m)."""
        return np.ascontiguousarray(self.read.columns(np.arange(self.read.n_words)).T.astype(np.int64))

    @cached_property
    def margins(self) -> Floats:
        """Half the squared distance to the nearest other column, shape (|A|,); nan where nobody asked."""
        margins = np.full(self.read.n_words, np.nan)
        margins[slice(None) if self.asked is None else self.asked] = self.worth(self.squares)
        return margins

    def worth(self, squares: NDArray[Any]) -> Floats:
        """The margins that squared distances, in units of C, come to."""
        return np.ldexp(squares.astype(np.float64), 2 * self.step - 1)

    def settles(self, x: Ball | Rational, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which residuals x the readout is exactly the answer's column, weighted: shape (batch,)."""
        wanted = self.read.columns(answers).T.astype(np.int64) * self.weights
        if isinstance(x, Rational):
            readout = times(x, Rational.of(self.gather))
            return np.asarray(readout.equals(wanted, self.step).all(axis=-1))
        ball = times(x, self._gather)
        if not ball.exact:
            return np.zeros(len(answers), dtype=bool)
        return np.asarray((ball.mid == np.ldexp(wanted.astype(np.float64), self.step)).all(axis=-1))


def _nearest_word(b_U: Any, read: Unembedding, weights: NDArray[np.int64], fold: Fold) -> bool:
    """Whether biases are const - <c_a, c_a>_k / 2 exactly; of words whose squares come to less than 2^50."""
    kind: Any = np.float32 if read.largest**2 * int(weights.sum()) < 1 << 24 else np.float64
    factors = weights.astype(kind)

    def step(first: Any, block: slice) -> Any:
        if first is False:
            return False
        words = read.columns(block).astype(kind)
        words *= words
        norms = (factors @ words).astype(np.int64)
        biases = stored(np.asarray(b_U[block], dtype=np.float64))
        found = _constant(biases, norms, 2 * read.step - 1)
        if found is None or (first is not None and not _equal(first, found)):
            return False
        return first or found

    def merge(ours: Any, theirs: Any) -> Any:
        if ours is None or theirs is None:
            return ours or theirs
        return ours if ours is not False and theirs is not False and _equal(ours, theirs) else False

    return fold("biases", read.n_words, _BLOCK, step, None, merge) is not False


def _constant(biases: Floats, norms: NDArray[np.int64], step: int) -> tuple[int, int] | None:
    """What all biases + norms x 2^step are, as an integer and log2 of its unit; None if they differ.

    Decided in integers of 64 bits; also None if they do not fit.
    """
    unit = min(step, granule(biases)) if biases.any() else step
    if step - unit > 60 or np.abs(biases).max() >= math.ldexp(1.0, 60 + unit):
        return None
    if int(norms.max()) << (step - unit) >= 1 << 60:
        return None
    total = np.ldexp(biases, -unit).astype(np.int64) + (norms << (step - unit))
    return (int(total[0]), unit) if (total == total[0]).all() else None


def _equal(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two numbers, each an integer times a power of two, are the same."""
    unit = min(a[1], b[1])
    return a[0] << (a[1] - unit) == b[0] << (b[1] - unit)


def _guessed(readouts: Floats, columns: NDArray[Any]) -> NDArray[np.int64]:
    """k_j: by what the readouts exceed the columns, coordinate by coordinate; 1 where nothing shows."""
    largest = np.abs(columns.astype(np.float64)).max(axis=0)
    ratio = np.abs(readouts).max(axis=0) / np.where(largest > 0, largest, np.inf)
    ratio = np.nan_to_num(ratio, nan=1.0)  # readouts that overflow are decided elsewhere
    guess = np.rint(np.clip(ratio, 1, _MAX_WEIGHT)).astype(np.int64)
    return guess if guess.sum() <= _MAX_WEIGHT else np.ones_like(guess)
