"""Transfer over all tables: what it is on average, and how bad it can get (C9, exact).

Under the superposition a subject's embedding, and with it every answer, depends on the subject's tuple of
attributes alone. For two relations all pairs are asked, c(a, b) of 2 answers being right. Over independent
uniform tables the expected transfer is the mean of c/2; the least over all tables is an assignment problem,
since two bijections are, up to the names of subjects, a perfect matching of attributes. Integer dual
potentials certify it. For more relations the worst table is an R-dimensional assignment (NP-hard): tuples are
sampled, and a table found by search bounds the worst from above; from below nothing honest is known.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.randomness import generator
from georecall.verify.learned.superposition import Superposition, superposition
from georecall.verify.learned.vectors import Parts
from georecall.verify.margins.filtered import Some, screened_signs
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Facts
from georecall.verify.verdict.intervals import clopper_pearson

_Counts = NDArray[np.int64]

SAMPLED = 4096  # tuples, where they are too many to ask
SWEEPS = 2  # of the search over all relations
_MOST = 1 << 30  # logits for all tuples: some minutes
_LARGEST_MATCHING = 2048
_FEW = 64  # answers of a block that are decided in rationals where floats cannot
_BLOCK = 1 << 16  # tuples at a time


@dataclass(frozen=True)
class AllTables:
    """Transfer over all tables with the old answer counts, as enclosures of shares.

    Args:
        expected: over independent uniform tables; where tuples were sampled, a Clopper-Pearson interval.
        worst: the least over all tables; the lower end is 0 where only a search was made.
        method: how.
        n_tuples: how many were asked for `expected`.
        undecided: of their answers, how many margins could not decide.
        table: answers of the worst table found, shape (R, subjects).
    """

    expected: tuple[Fraction, Fraction]
    worst: tuple[Fraction, Fraction]
    method: Literal["all tuples", "sampled tuples"]
    n_tuples: int
    undecided: int
    table: _Counts

    def described(self) -> dict[str, Any]:
        """In JSON's own types, the names as `learn` and `transfer` report them."""
        return {
            "expected_transfer": [float(end) for end in self.expected],
            "worst_transfer": [float(end) for end in self.worst],
            "over_all_tables": self.method,
            "tuples": self.n_tuples,
            "undecided": self.undecided,
        }


def over_all_tables(parts: Parts, facts: FactTable, *, seed: int = 0, error: float = 0.05) -> AllTables:
    """Expected and worst transfer of the superposition fitted to all subjects.

    Args:
        parts: of the trained model.
        facts: the old table; new ones have its answer counts, as bijections have.
        seed: of the sampled tuples and the search, for more than two relations.
        error: of the interval there.

    Raises:
        ValueError: the model cannot be asked (see `verify.margins.margins.check_fits`).
    """
    fitted, A = superposition(parts, facts), facts.n_attributes
    often = np.array([np.bincount(row, minlength=A) for row in facts.answers])
    often //= reduce(gcd, often.ravel().tolist())  # k times every count has the same shares
    table = np.array([np.repeat(np.arange(A), row) for row in often])  # relation by relation in order
    if len(table) == 2 and 2 * A**3 <= _MOST and table.shape[1] <= _LARGEST_MATCHING:
        return _every_pair(parts, fitted, often, table)
    rng = generator(seed, "all tables", facts.n_subjects, facts.n_relations)
    expected, undecided = _sampled(parts, fitted, table, A, rng, error)
    worst, found = _searched(parts, fitted, table, A, rng)
    return AllTables(expected, (Fraction(0), worst), "sampled tuples", SAMPLED, undecided, found)


def right_counts(
    parts: Parts, fitted: Superposition, answers: _Counts, relation: int, n_attributes: int
) -> tuple[_Counts, _Counts]:
    """How many answers, shape (R, N), are right if the relation's answer of s were b: shape (N, |A|).

    Certainly right, and not certainly wrong.
    """
    low, high = [], []
    step = max(1, _BLOCK // n_attributes)
    for start in range(0, answers.shape[1], step):
        tuples = np.repeat(answers[:, start : start + step], n_attributes, axis=1)
        tuples[relation] = np.tile(np.arange(n_attributes), tuples.shape[1] // n_attributes)
        signs = _signs(parts, fitted, tuples, n_attributes)
        low.append((signs > 0).sum(axis=0).reshape(-1, n_attributes))
        high.append((signs >= 0).sum(axis=0).reshape(-1, n_attributes))
    return np.concatenate(low), np.concatenate(high)


@dataclass(frozen=True)
class Matching:
    """A perfect matching of least cost, with its certificate.

    Args:
        total: its cost.
        columns: of every row.
        u: potentials of rows.
        v: of columns; u_i + v_j <= c_ij for all i and j, and their sum is `total`: no matching costs less.
    """

    total: int
    columns: _Counts
    u: _Counts
    v: _Counts

    def certifies(self, costs: _Counts) -> bool:
        """Whether the potentials prove, in whole numbers, that no perfect matching costs less."""
        taken = costs[np.arange(len(costs)), self.columns]
        perfect = np.array_equal(np.sort(self.columns), np.arange(len(costs)))
        fits = bool((self.u[:, None] + self.v <= costs).all())
        return perfect and fits and int(taken.sum()) == self.total == int(self.u.sum() + self.v.sum())


def least_matching(costs: _Counts) -> Matching:
    """The perfect matching of least cost of a square matrix of whole numbers.

    Potentials are shortest paths from column to column: to leave column j, its row takes another one.

    Raises:
        ArithmeticError: the solver's matching is not the least, which its certificate would show.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(costs)
    taken = costs[rows, columns]
    more, v = costs - taken[:, None], np.zeros(len(costs), dtype=np.int64)
    for _ in range(len(costs)):
        shorter = np.minimum(v, (v[columns][:, None] + more).min(axis=0))
        if np.array_equal(shorter, v):
            break
        v = shorter
    found = Matching(int(taken.sum()), np.asarray(columns), taken - v[columns], v)
    if not found.certifies(costs):
        raise ArithmeticError("the assignment is not certified by its potentials")
    return found


def _every_pair(parts: Parts, fitted: Superposition, often: _Counts, table: _Counts) -> AllTables:
    """Both quantities for two relations, all |A|^2 pairs asked."""
    A, n = often.shape[1], table.shape[1]
    both = right_counts(parts, fitted, np.tile(np.arange(A), (2, 1)), 1, A)
    weights = often[0][:, None] * often[1]
    low_mean, high_mean = (Fraction(int((weights * c).sum()), 2 * n * n) for c in both)
    low, high = (least_matching(c[table[0]][:, table[1]]) for c in both)
    worst = (Fraction(low.total, 2 * n), Fraction(high.total, 2 * n))
    found = np.stack([table[0], table[1][high.columns]])
    undecided = int((both[1] - both[0]).sum())
    return AllTables((low_mean, high_mean), worst, "all tuples", A * A, undecided, found)


def _sampled(
    parts: Parts, fitted: Superposition, table: _Counts, A: int, rng: np.random.Generator, error: float
) -> tuple[tuple[Fraction, Fraction], int]:
    """An interval for the expected transfer: independent tuples, each asked one relation at random."""
    R, n = table.shape
    tuples = np.array([row[rng.integers(n, size=SAMPLED)] for row in table])
    asked = rng.integers(R, size=SAMPLED)
    signs = _signs(parts, fitted, tuples, A)[asked, np.arange(SAMPLED)]
    low = clopper_pearson(int((signs > 0).sum()), SAMPLED, error)[0]
    high = clopper_pearson(int((signs >= 0).sum()), SAMPLED, error)[1]
    return (Fraction(low), Fraction(high)), int((signs == 0).sum())


def _searched(
    parts: Parts, fitted: Superposition, table: _Counts, A: int, rng: np.random.Generator
) -> tuple[Fraction, _Counts]:
    """The transfer of a bad table: one relation after the other is assigned anew, at the least."""
    R, n = table.shape
    answers = np.array([rng.permutation(row) for row in table])
    right = int((_signs(parts, fitted, answers, A) >= 0).sum())
    if n > _LARGEST_MATCHING or n * A * R * A > _MOST:
        return Fraction(right, R * n), answers
    for _ in range(SWEEPS):
        before = right
        for r in range(R):
            _, c = right_counts(parts, fitted, answers, r, A)
            found = least_matching(c[:, table[r]])
            answers[r], right = table[r][found.columns], found.total
        if right == before:
            break
    return Fraction(right, R * n), answers


def _signs(parts: Parts, fitted: Superposition, tuples: _Counts, n_attributes: int) -> NDArray[np.int8]:
    """Of every answer to some tuples: 1 certainly right, -1 certainly wrong, 0 undecided; shape (R, k)."""
    found = []
    for start in range(0, tuples.shape[1], _BLOCK):
        table = FactTable(tuples[:, start : start + _BLOCK], n_attributes=n_attributes)
        model = parts.with_subjects(fitted(table))
        signs = screened_signs(model, table)
        if 0 < len(open_ := np.flatnonzero(signs == 0)) <= _FEW:
            signs.ravel()[open_] = margins(model, Some(Facts(table), open_)).signs
        found.append(signs)
    return np.concatenate(found, axis=1)
