"""C11: what no model without a selector can do, decided exactly for the table at hand.

Without an MLP, and with attention weights that do not depend on the tokens, the logit of attribute a is
f(s, a) + g(r, a). A table has such an *additive* model that recalls it, or a certificate that it has none:
margins whose sum with positive whole weights is 0, whatever f and g, so that one of them is not positive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import lcm
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.enclosure import Enclosure

_Table = Sequence[Sequence[int]]  # answers[r][s], Python's own integers
LARGEST_PROGRAM = 20_000  # margins of a linear program, beyond which it is not tried


@dataclass(frozen=True)
class AdditiveCertificate:
    """Margins that add up to 0."""

    terms: tuple[tuple[int, int, int, int], ...]  # relation, subject, competitor, weight > 0 of the margin
    argument: str  # "equal counts", "cycle" or "linear program"

    def refutes(self, answers: _Table) -> bool:
        """Whether the weights are positive, the competitors wrong, and f and g cancel: in whole numbers."""
        sums: Counter[tuple[str, int, int]] = Counter()
        for r, s, b, weight in self.terms:
            a = answers[r][s]
            if weight <= 0 or a == b:
                return False
            for sign, attribute in ((weight, a), (-weight, b)):
                sums["f", s, attribute] += sign
                sums["g", r, attribute] += sign
        return bool(self.terms) and not any(sums.values())


@dataclass(frozen=True)
class Additive:
    """Logits f(s, a) + g(r, a); attributes that are no answer about s have f(s, a) = low."""

    f: dict[tuple[int, int], int]  # by subject and attribute, whole numbers
    g: dict[tuple[int, int], int]  # by relation and attribute
    low: int  # below every other logit by more than g can make up for

    def margin(self, answers: _Table, r: int, s: int, n_attributes: int) -> int:
        """The least margin of a fact, over all other attributes."""

        def logit(a: int) -> int:
            return self.f.get((s, a), self.low) + self.g.get((r, a), 0)

        right = answers[r][s]
        return min(logit(right) - logit(b) for b in range(n_attributes) if b != right)

    def arrays(self, n_subjects: int, n_relations: int, n_attributes: int) -> tuple[Any, Any]:
        """The same, f of shape (N, |A|) and g of shape (R, |A|)."""
        import numpy as np

        f = np.full((n_subjects, n_attributes), float(self.low))
        g = np.zeros((n_relations, n_attributes))
        for into, values in ((f, self.f), (g, self.g)):
            for place, value in values.items():
                into[place] = value
        return f, g


def additive(answers: _Table) -> AdditiveCertificate | Additive | None:
    """An additive model of a table, or the certificate that it has none; None: not decided.

    Two relations with the same answer counts need no search: every s with p(s) != q(s) gives the margin of
    (p, s) over q(s) and that of (q, s) over p(s). Two relations of any kind have a model iff the graph with
    an edge p(s) -> q(s) for every s (loops dropped) has no directed cycle. Else a linear program finds
    weights or a model in floats, which are made whole numbers and checked as such.

    Source: theory/pages/c11.md, C11(a) (derived there).

    >>> additive([[0, 1, 2], [1, 2, 0]]).argument
    'equal counts'
    >>> type(additive([[0, 1], [1, 2]])).__name__, additive([[1, 2], [0, 1], [2, 0]]).argument
    ('Additive', 'linear program')
    """
    answers = [[int(a) for a in row] for row in answers]
    pairs = list(combinations(range(len(answers)), 2))
    for p, q in pairs:
        if answers[p] != answers[q] and Counter(answers[p]) == Counter(answers[q]):
            return _swap(answers, p, q, range(len(answers[p])), "equal counts")
    for p, q in pairs:
        cycle = _cycle(answers[p], answers[q])
        if cycle:
            return _swap(answers, p, q, cycle, "cycle")
    if len(answers) <= 2:
        return _along_the_edges(answers)
    return _program(answers)


def fewest_wrong(p: Sequence[int], q: Sequence[int]) -> int:
    """The fewest wrong facts of an additive model of two bijections: the cycles of p^-1 q of length >= 2.

    Every such cycle's margins add up to 0, and cycles share no fact; with one subject of each left out, no
    cycle is left, and that subject's two facts need not both be lost.

    >>> fewest_wrong([0, 1, 2, 3], [1, 0, 3, 2]), fewest_wrong([0, 1, 2], [0, 1, 2])
    (2, 0)
    """
    follows, seen, cycles = dict(zip(p, q, strict=True)), set(), 0
    for start in follows:
        length = 0
        while start not in seen:
            seen.add(start)
            start, length = follows[start], length + 1
        cycles += length >= 2
    return cycles


def additive_cross_entropy(answers: _Table, *, digits: int = 12) -> Enclosure:
    """C11(a): the least cross-entropy of an additive model on bijections, ln R - mean ln mult(r, s), in nats.

    Statement. mult(r, s) relations have the same answer at s as r. The mean over all facts of the negative
    logarithm of the softmax of f(s, a) + g(r, a) at the right answer is at least that.
    Proof. theory/pages/c11.md (Jensen over the answers about s).

    Raises:
        MissingExtraError: python-flint is not installed.

    >>> print(additive_cross_entropy([[0, 1], [1, 0]], digits=6))
    0.693147..0.693148 nats
    """
    R, N = len(answers), len(answers[0])
    alike = Counter(
        multiplicity
        for s in range(N)
        for multiplicity in Counter(row[s] for row in answers).values()
        for _ in range(multiplicity)
    )

    def least() -> Any:
        arb = balls.flint().arb
        return arb(R).log() - sum(arb(mult).log() * count for mult, count in alike.items()) / (N * R)

    return balls.refine(least, digits=digits, unit="nats")


def _swap(answers: _Table, p: int, q: int, subjects: Iterable[int], argument: str) -> AdditiveCertificate:
    """Both margins of every subject at which p and q differ."""
    differing = [s for s in subjects if answers[p][s] != answers[q][s]]
    terms = [(r, s, answers[other][s], 1) for s in differing for r, other in ((p, q), (q, p))]
    return AdditiveCertificate(tuple(terms), argument)


def _cycle(p: Sequence[int], q: Sequence[int]) -> list[int]:
    """Subjects along a directed cycle of edges p(s) -> q(s); empty if there is none."""
    out: dict[int, list[int]] = {}
    for s, (a, b) in enumerate(zip(p, q, strict=True)):
        if a != b:
            out.setdefault(a, []).append(s)
    done: set[int] = set()
    for root in out:
        path: list[int] = []  # subjects of the edges from the root to here
        at: dict[int, int] = {root: 0}  # attribute -> its place on the path
        stack = [iter(out[root])] if root not in done else []
        while stack:
            s = next(stack[-1], -1)
            if s < 0:
                stack.pop()
                last = path.pop() if path else None
                leaving = root if last is None else q[last]
                at.pop(leaving, None)
                done.add(leaving)
            elif q[s] in at:
                return [*path[at[q[s]] :], s]
            elif q[s] not in done:
                path.append(s)
                at[q[s]] = len(path)
                stack.append(iter(out.get(q[s], ())))
    return []


def _along_the_edges(answers: _Table) -> Additive:
    """The model of at most two relations whose graph has no cycle: attributes numbered along the edges."""
    from graphlib import TopologicalSorter

    p, q = answers[0], answers[-1]
    graph: dict[int, set[int]] = {a: set() for a in (*p, *q)}
    for a, b in zip(p, q, strict=True):
        if a != b:
            graph[b].add(a)
    H = {a: height for height, a in enumerate(TopologicalSorter(graph).static_order())}
    g = {(r, a): sign * height for r, sign in enumerate((-1, 1)[: len(answers)]) for a, height in H.items()}
    f = {(s, a): 0 for s, pair in enumerate(zip(p, q, strict=True)) for a in pair}
    return Additive(f, g, -2 * len(H) - 1)


def _program(answers: _Table) -> AdditiveCertificate | Additive | None:
    """Largest t with every margin between answers of one subject >= t: its model, or its multipliers."""
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    margins = sorted(
        {(r, s, other[s]) for other in answers for r, row in enumerate(answers) for s in range(len(row))
         if other[s] != row[s]}
    )  # fmt: skip
    if not margins or len(margins) > LARGEST_PROGRAM:
        return None if margins else _along_the_edges(answers[:2])
    names: dict[tuple[str, int, int], int] = {}
    entries: list[tuple[int, int, int]] = []
    for i, (r, s, b) in enumerate(margins):
        for sign, a in ((-1, answers[r][s]), (1, b)):
            for name in (("f", s, a), ("g", r, a)):
                entries.append((i, names.setdefault(name, len(names)), sign))
    n = len(names)
    rows, columns, signs = zip(*entries, *((i, n, 1) for i in range(len(margins))), strict=True)
    A: Any = coo_array((signs, (rows, columns)), shape=(len(margins), n + 1)).tocsr()
    cost = np.zeros(n + 1)
    cost[n] = -1
    box: Any = [(-1e4, 1e4)] * n + [(0.0, 1.0)]
    found: Any = linprog(cost, A_ub=A, b_ub=np.zeros(len(margins)), bounds=box)
    if found.status != 0:
        return None
    if found.x[n] > 0.5:
        whole = {name: round(4096 * found.x[i]) for name, i in names.items()}
        f = {(s, a): value for (kind, s, a), value in whole.items() if kind == "f"}
        f |= {(s, a): 0 for row in answers for s, a in enumerate(row) if (s, a) not in f}
        g = {(r, a): value for (kind, r, a), value in whole.items() if kind == "g"}
        spread = 2 * max(map(abs, whole.values()), default=0) + 1
        model = Additive(f, g, -2 * spread)
        lead = (f[s, answers[r][s]] + g[r, answers[r][s]] - f[s, b] - g[r, b] for r, s, b in margins)
        return model if all(value > 0 for value in lead) else None
    weights = [Fraction(-float(w)).limit_denominator(10**6) for w in found.ineqlin.marginals]
    scale = lcm(*(w.denominator for w in weights))
    terms = tuple((*margin, int(w * scale)) for margin, w in zip(margins, weights, strict=True) if w > 0)
    certificate = AdditiveCertificate(terms, "linear program")
    return certificate if certificate.refutes(answers) else None
