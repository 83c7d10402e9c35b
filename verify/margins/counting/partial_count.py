"""What is counted of some subjects, in pieces that do not depend on who counts."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from georecall.verify.margins.counting.exact import ExactMargins

_PIECE_BYTES = 16 << 20  # of residuals judged together; smaller pieces lose to calls, larger ones to memory
_PIECES = 8  # of a table at least, the same for any number of threads ...
_WORTH_A_THREAD = 1 << 21  # ... unless they get smaller than this, done before a second thread has begun


@dataclass(frozen=True)
class PartialCount:
    """What has been counted of subjects 0..n_subjects - 1.

    Args:
        n_subjects: how many are done.
        n_facts: how many facts these have.
        n_recalled: facts whose margin is positive.
        n_settled: facts whose margin the codebook knew.
        least: the least margin, exact; None before the first fact.
        worst: relation and subject of the first fact that has it.
    """

    n_subjects: int = 0
    n_facts: int = 0
    n_recalled: int = 0
    n_settled: int = 0
    least: float | None = None
    worst: tuple[int, int] = (0, 0)

    @property
    def n_wrong(self) -> int:
        """Facts that are not recalled; a tie is an error."""
        return self.n_facts - self.n_recalled

    def __str__(self) -> str:
        """In words, as after 'of 100 facts'."""
        if self.least is None:
            return "none were counted yet"
        wrong = f"{self.n_wrong} of them wrong" if self.n_wrong else "all recalled"
        return f"{self.n_facts} were counted, {wrong}, least margin {self.least:g}"

    def plus(self, other: "PartialCount") -> "PartialCount":
        """Both, `other` being about the subjects that come next."""
        first = other.least is None or (self.least is not None and self.least <= other.least)
        return PartialCount(
            self.n_subjects + other.n_subjects,
            self.n_facts + other.n_facts,
            self.n_recalled + other.n_recalled,
            self.n_settled + other.n_settled,
            *((self.least, self.worst) if first else (other.least, other.worst)),
        )


def count_piece(judge: ExactMargins, start: int, stop: int) -> PartialCount:
    """What is counted of subjects start..stop - 1."""
    n, n_recalled, n_settled = stop - start, 0, 0
    least, worst = math.inf, (0, start)
    for relation, (margins, settled) in enumerate(judge.by_relation(start, stop)):
        place = 0 if isinstance(margins, float) else int(margins.argmin())
        lowest = margins if isinstance(margins, float) else float(margins[place])
        n_recalled += n if lowest > 0 else int(np.count_nonzero(np.asarray(margins) > 0))
        n_settled += settled
        if lowest < least:
            least, worst = lowest, (relation, start + place)
    return PartialCount(n, n * judge.facts.n_relations, n_recalled, n_settled, least, worst)


def piece_size(judge: ExactMargins) -> int:
    """Subjects of a piece; it does not depend on who counts."""
    N, width = judge.facts.n_subjects, max(1, len(judge.separated.rows))
    piece = min(_PIECE_BYTES // width, max(_WORTH_A_THREAD // width, N // _PIECES))
    return max(256, piece // 256 * 256)


@cache
def blas() -> ThreadpoolController:
    """The libraries whose own threads would be in the way; finding them takes longer than small tables do."""
    return ThreadpoolController()
