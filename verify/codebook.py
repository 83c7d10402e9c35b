"""The codebook certificate: margins without logits, for readouts that are nearest-word decoders.

If W_U has groups of identical rows, x W_U = (x P) C, where P sums the coordinates of each group. Let c_a be
the columns of C, <., .>_k the inner product with a positive integer weight k_j for each row j of C, and
b_U[a] = const - <c_a, c_a>_k / 2. Where y = x P is (k_j c_aj)_j for the right answer a,

    logit(a) - logit(b) = <c_a, c_a - c_b>_k - (<c_a, c_a>_k - <c_b, c_b>_k) / 2 = |c_a - c_b|_k^2 / 2,

so the margin is half the squared distance from c_a to the nearest other column, each coordinate counted k_j
times. (k_j = 1 but for codes that say the same thing in several coordinates.) The weights are guessed from a
few facts; what is guessed wrong does not pass the exact test of y.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constructions.arithmetic import dense, float64, times
from constructions.parts import placed
from constructions.transformer import Transformer
from theory.nearest import nearest_squared_distances
from verify.exactness import Ball, Floats, granule
from verify.rationals import Rational

_MAX_WEIGHT = 1 << 12  # coordinates are repeated k_j times for the distances: keep their number small


@dataclass(frozen=True, eq=False)
class Codebook:
    """The columns of C, as integers x 2^step, and what a readout that equals one is worth.

    Args:
        gather: P, sparse, shape (d_model, m): the sum of each group of identical rows of W_U.
        words: shape (|A|, m): column a of C is words[a] x 2^step.
        step: see `words`.
        weights: k, shape (m,).
        margins: shape (|A|,): half the squared distance to the nearest other column; nan for
            attributes that were not asked about.
    """

    gather: Any
    words: NDArray[np.int64]
    step: int
    weights: NDArray[np.int64]
    margins: Floats

    @classmethod
    def of(
        cls,
        model: Transformer,
        tokens: NDArray[np.int64],
        answers: NDArray[np.int64],
        positions: NDArray[np.int64] | None = None,
    ) -> "Codebook | None":
        """The codebook of a model's readout; None if it has none.

        Args:
            model: the weights.
            tokens: some prompts, from which the weights k are guessed, shape (batch, T).
            answers: the attributes whose margins are wanted; the first `batch` are the prompts' answers.
            positions: of the tokens, shape (T,); default 0..T-1.
        """
        rows = dense(float64(model.W_U)) + 0.0  # no negative zeros: rows are compared by bytes
        number: dict[bytes, int] = {}
        group = np.array([number.setdefault(row.tobytes(), len(number)) if row.any() else -1 for row in rows])
        if not number or rows.shape[1] < 2:
            return None
        first = [int(np.argmax(group == g)) for g in range(len(number))]
        step = granule(rows[first])
        scaled = np.ldexp(rows[first].T, -step)
        if np.abs(scaled).max() >= 1 << 24:
            return None
        words = scaled.astype(np.int64)
        used = np.flatnonzero(group >= 0)
        gather = placed((model.d_model, words.shape[1]), used, group[used], 1.0)
        readouts = np.ldexp(times(model.residual(tokens, positions), gather), -step)
        weights = _guessed(readouts, scaled[answers[: len(tokens)]])
        if float(np.abs(words).max()) ** 2 * weights.sum() >= 1 << 50:
            return None
        if not -1073 <= 2 * step <= 900:
            return None  # margins would be no floats
        norms = (words**2) @ weights
        if not _nearest_word(float64(model.b_U), norms, 2 * step - 1):
            return None
        asked = np.unique(answers)
        squared = nearest_squared_distances(np.repeat(words, weights, axis=1), asked)
        margins = np.full(len(words), np.nan)
        margins[asked] = np.ldexp(squared.astype(np.float64), 2 * step - 1)
        return cls(gather, words, step, weights, margins)

    def settles(self, x: Ball | Rational, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which residuals x the readout is exactly the answer's column, weighted: shape (batch,)."""
        wanted = self.words[answers] * self.weights
        if isinstance(x, Rational):
            readout = times(x, Rational.of(self.gather))
            return np.asarray(readout.equals(wanted, self.step).all(axis=-1))
        ball = times(x, Ball.of(self.gather))
        if not ball.exact:
            return np.zeros(len(answers), dtype=bool)
        return np.asarray((ball.mid == np.ldexp(wanted.astype(np.float64), self.step)).all(axis=-1))


def _nearest_word(biases: Floats, norms: NDArray[np.int64], step: int) -> bool:
    """Whether biases are const - norms x 2^step exactly, decided in integers."""
    unit = min(step, granule(biases)) if biases.any() else step
    if step - unit > 60 or np.abs(biases).max() >= math.ldexp(1.0, 60 + unit):
        return False
    if int(norms.max()) << (step - unit) >= 1 << 60:
        return False
    total = np.ldexp(biases, -unit).astype(np.int64) + (norms << (step - unit))
    return bool((total == total[0]).all())


def _guessed(readouts: Floats, columns: Floats) -> NDArray[np.int64]:
    """k_j: by what the readouts exceed the columns, coordinate by coordinate; 1 where nothing shows."""
    largest = np.abs(columns).max(axis=0)
    ratio = np.abs(readouts).max(axis=0) / np.where(largest > 0, largest, np.inf)
    ratio = np.nan_to_num(ratio, nan=1.0)  # readouts that overflow are decided elsewhere
    guess = np.rint(np.clip(ratio, 1, _MAX_WEIGHT)).astype(np.int64)
    return guess if guess.sum() <= _MAX_WEIGHT else np.ones_like(guess)
