"""The codebook certificate: margins without logits, for readouts that are nearest-word decoders.

If W_U has groups of identical rows, x W_U = (x P) C, where P sums the coordinates of each group. Let c_a be
the columns of C and b_U[a] = const - |c_a|^2/2. Where y = x P equals c_a for the right answer a,

    logit(a) - logit(b) = <c_a, c_a - c_b> - (|c_a|^2 - |c_b|^2)/2 = |c_a - c_b|^2 / 2,

so the margin is half the squared distance from c_a to the nearest other column.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constructions.arithmetic import dense, times
from constructions.parts import placed
from constructions.transformer import Transformer
from theory.nearest import nearest_squared_distances
from verify.exactness import Ball, Floats, granule
from verify.rationals import Rational


@dataclass(frozen=True, eq=False)
class Codebook:
    """The columns of C, as integers x 2^step, and what a readout that equals one is worth.

    Args:
        gather: P, sparse, shape (d_model, m): the sum of each group of identical rows of W_U.
        words: shape (|A|, m): column a of C is words[a] x 2^step.
        step: see `words`.
        margins: shape (|A|,): half the squared distance to the nearest other column; nan for
            attributes that were not asked about.
    """

    gather: Any
    words: NDArray[np.int64]
    step: int
    margins: Floats

    @classmethod
    def of(cls, model: Transformer, answers: NDArray[np.int64]) -> "Codebook | None":
        """The codebook of a model's readout, with margins for some attributes; None if it has none."""
        rows = dense(model.W_U).astype(np.float64) + 0.0  # no negative zeros: rows are compared by bytes
        number: dict[bytes, int] = {}
        group = np.array([number.setdefault(row.tobytes(), len(number)) if row.any() else -1 for row in rows])
        if not number or rows.shape[1] < 2:
            return None
        first = [int(np.argmax(group == g)) for g in range(len(number))]
        columns = rows[first].T
        step = granule(columns)
        scaled = np.ldexp(columns, -step)
        if np.abs(scaled).max() >= 1 << 24:
            return None
        words = scaled.astype(np.int64)
        norms = np.einsum("aj,aj->a", words, words)
        bias = np.ldexp(dense(model.b_U).astype(np.float64), 1 - 2 * step)  # const - norms, if all is well
        if (
            norms.max() >= 1 << 50
            or np.abs(bias).max() >= 1 << 50
            or (bias + norms != bias[0] + norms[0]).any()
        ):
            return None
        used = np.flatnonzero(group >= 0)
        margins = np.full(len(words), np.nan)
        margins[answers] = np.ldexp(
            nearest_squared_distances(words, answers).astype(np.float64), 2 * step - 1
        )
        gather = placed((model.d_model, words.shape[1]), used, group[used], 1.0)
        return cls(gather, words, step, margins)

    def settles(self, x: Ball | Rational, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which residuals x the readout is exactly the answer's column: shape (batch,)."""
        if isinstance(x, Rational):
            readout = times(x, Rational.of(self.gather))
            return np.asarray(readout.equals(self.words[answers], self.step).all(axis=-1))
        ball = times(x, Ball.of(self.gather))
        if not ball.exact:
            return np.zeros(len(answers), dtype=bool)
        return np.asarray(
            (ball.mid == np.ldexp(self.words[answers].astype(np.float64), self.step)).all(axis=-1)
        )
