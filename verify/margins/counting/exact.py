"""Exact margins of ranges of subjects, at a cost linear in the facts wherever readouts are words.

The separated form of the weights gives every readout in integers. Where it is exactly its answer's word, the
codebook knows the margin; all other facts get all logits, in the same integers. Nothing is rounded, so that
the margins are those of the plain forward pass to the last bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import stored
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.protocol import Table
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.blocks import Fold, fold
from georecall.theory.tools.fast import is_fast
from georecall.verify.margins.codebook import Codebook
from georecall.verify.margins.counting.compiled import Compiled
from georecall.verify.margins.counting.linear_map import Integers, NotExactError, largest_magnitude
from georecall.verify.margins.counting.separated import Separated
from georecall.verify.margins.number_formats import granule
from georecall.verify.margins.unembedding import Unembedding

Separate = Callable[[Transformer, int, Any], Separated | None]

_SAMPLE = 64  # subjects from which the codebook guesses its weights
_LOGITS = 1 << 22  # logits computed at a time


@dataclass(frozen=True, eq=False)
class ExactMargins:
    """What margins of a one-layer model's facts follow from.

    Args:
        model: the weights.
        facts: what it should recall.
        read: W_U, identical rows put together.
        separated: the readout as a function of subject and relation.
        codebook: what a readout that is its answer's word is worth; None if that proves nothing.
        compiled: tells pieces of words alone; None where NumPy does.
    """

    model: Transformer
    facts: Table
    read: Unembedding
    separated: Separated
    codebook: Codebook | None
    compiled: Compiled | None = None

    @classmethod
    def of(
        cls, model: Transformer, facts: Table, fold: Fold = fold, separate: Separate = Separated.of
    ) -> "ExactMargins | None":
        """The judge of a model; None if its forward pass is not separated, or not exact in integers.

        Args:
            model: over N subjects, then R relations, with |A| outputs; it fits the facts.
            facts: asked as `[s, r]`.
            fold: goes through all attributes.
            separate: as `Separated.of`; for those who know what it gives.
        """
        read = Unembedding.of(model.W_U, fold)
        if read is None:
            return None
        separated = separate(model, facts.n_subjects, read.gather)
        if separated is None:
            return None
        some = min(_SAMPLE, facts.n_subjects)
        try:
            y = next(separated.readouts(separated.subjects(model.W_E, 0, some)))
        except NotExactError:
            return None
        readouts, answers = np.ldexp(y.T.astype(np.float64), separated.step), facts.block(0, some)[0]
        asked = None if facts.onto else np.asarray(facts.occurring(), dtype=np.int64)
        book = Codebook.behind(read, model.b_U, readouts, answers, asked=asked, fold=fold)
        judge = cls(model, facts, read, separated, book)
        return replace(judge, compiled=judge._compiled(some)) if book and is_fast(facts.n_facts) else judge

    def margins(self, start: int, stop: int) -> tuple[Floats, int]:
        """The margins of all facts about subjects start..stop - 1, and how many of them the codebook settled.

        Returns:
            Shape (R, stop - start), exact.

        Raises:
            NotExactError: integers or floats do not hold a number on the way.
        """
        found, settled = np.empty((self.facts.n_relations, stop - start)), 0
        for r, (margins, known) in enumerate(self.by_relation(start, stop)):
            found[r], settled = margins, settled + known
        return found, settled

    def by_relation(self, start: int, stop: int) -> Iterator[tuple[Floats | float, int]]:
        """For each relation in turn the margins, and how many of them the codebook settled.

        Returns:
            Margins of shape (stop - start,), or the one number that all are.

        Raises:
            NotExactError: as above.
        """
        answers = self.facts.block(start, stop)
        if self.compiled is not None and self.compiled.all_words(start, stop, answers):
            yield from ((self._worth(answered), stop - start) for answered in answers)
            return
        x = self.separated.subjects(self.model.W_E, start, stop)
        for answered, y in zip(answers, self.separated.readouts(x), strict=True):
            left = np.arange(stop - start)
            found: Any = np.empty(stop - start)
            if self.codebook is not None:
                same = self._as_words(y) == self._words(answered)
                if same.all():
                    yield self._worth(answered), stop - start
                    continue
                there = same.all(axis=0)
                found[there], left = self._worth(answered[there]), np.flatnonzero(~there)
            found[left], _ = self.by_logits(y[:, left], answered[left])
            yield found, stop - start - len(left)

    def _compiled(self, some: int) -> Compiled | None:
        """The compiled loop, if it applies and sees one altered answer, as NumPy does: its control."""
        assert self.codebook is not None
        found = Compiled.of(self.model.W_E, self.facts, self.separated, self.codebook)
        if found is None:
            return None
        answers, x = self.facts.block(0, some), self.separated.subjects(self.model.W_E, 0, some)
        altered = answers.copy()
        altered[-1, -1] = (altered[-1, -1] + 1) % self.facts.n_attributes
        for asked in (answers, altered):
            pairs = zip(self.separated.readouts(x), asked, strict=True)
            if found.all_words(0, some, asked) != all((y == self._words(a)).all() for y, a in pairs):
                return None
        return found

    def rival(self, subject: int, relation: int) -> int:
        """The attribute with the largest logit among those that are not the answer."""
        x = self.separated.subjects(self.model.W_E, subject, subject + 1)
        y = list(self.separated.readouts(x))[relation]
        _, rivals = self.by_logits(y, self.facts.block(subject, subject + 1)[relation])
        return int(rivals[0])

    def by_logits(self, y: Integers, answers: NDArray[np.integer]) -> tuple[Floats, NDArray[np.int64]]:
        """Margins from all logits, and for each the strongest wrong attribute.

        Args:
            y: readouts in units, shape (m, batch).
            answers: shape (batch,).

        Raises:
            NotExactError: floats would round a logit.
        """
        unit, factor, bias = self._units
        bound = factor * self.read.largest * float(np.abs(y.astype(np.float64)).sum(axis=0).max()) + bias
        if bound >= 1 << 52:
            raise NotExactError("float64 would round a logit")
        kind: Any = np.float32 if bound < 1 << 23 else np.float64
        scaled = y.T.astype(kind) * kind(factor)
        words = self.read.columns(answers).astype(kind)
        right = np.einsum("bj,jb->b", scaled, words) + self._biases(answers).astype(kind)
        best, rivals = np.full(len(answers), -np.inf, dtype=kind), np.zeros(len(answers), dtype=np.int64)
        for block in self.read.blocks(_LOGITS // len(answers)):
            logits = scaled @ self.read.columns(block).astype(kind) + self._biases(block).astype(kind)
            own = np.asarray(answers, dtype=np.int64) - block.start
            inside = np.flatnonzero((own >= 0) & (own < logits.shape[1]))
            logits[inside, own[inside]] = -np.inf
            here = logits.max(axis=1)
            better = here > best
            best[better], rivals[better] = here[better], block.start + logits[better].argmax(axis=1)
        return np.ldexp((right - best).astype(np.float64), unit), rivals

    @cached_property
    def _units(self) -> tuple[int, float, float]:
        """Of logits: log2 of the unit, the factor on <y, c>, and the largest bias in units."""
        step = self.separated.step + self.read.step
        blocks = [np.asarray(self.model.b_U[block], dtype=np.float64) for block in self.read.blocks(1 << 16)]
        unit = min([step, *(granule(biases) for biases in blocks if biases.any())])
        if not -1000 < unit < 900 or step - unit > 60:
            raise NotExactError("logits of too many digits")
        bias = max(float(np.abs(biases).max()) for biases in blocks)
        return unit, 2.0 ** (step - unit), float(np.ldexp(bias, -unit))

    def _biases(self, attributes: Any) -> Floats:
        return np.ldexp(np.asarray(self.model.b_U[attributes], dtype=np.float64), -self._units[0])

    def _worth(self, answers: NDArray[np.integer]) -> Any:
        """Margins of readouts that are words; one number where all words are worth the same."""
        assert self.codebook is not None
        return self._only if self._only is not None else self.codebook.margins[answers]

    @cached_property
    def _only(self) -> float | None:
        squares = stored(self.codebook.squares) if self.codebook is not None else np.zeros(0)
        if not len(squares) or squares.min() != squares.max():
            return None
        return float(self.codebook.worth(squares[:1])[0]) if self.codebook is not None else None

    def _words(self, answers: NDArray[np.integer]) -> NDArray[Any]:
        """What is read where the answers' words are, in the smaller of the two units."""
        assert self.codebook is not None
        words, k = self.read.columns(answers), self.codebook.weights
        shift = max(0, self.read.step - self.separated.step)
        if shift == 0 and (k == 1).all():
            return words
        if largest_magnitude(k) * self.read.largest >= 1 << max(0, 62 - shift):
            raise NotExactError("words beyond 2^62 units")
        return words.astype(np.int64) * k[:, None] << shift

    def _as_words(self, y: Integers) -> Integers:
        shift = max(0, self.separated.step - self.read.step)
        if shift and largest_magnitude(y) >= 1 << max(0, 62 - shift):
            raise NotExactError("readouts beyond 2^62 units")
        return y.astype(np.int64) << shift if shift else y
