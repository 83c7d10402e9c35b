"""How much of a trained model's recall proofs of different sizes certify, with their arithmetic counted.

The question of compact proofs (arXiv 2406.11779): brute force certifies all that is true and takes the most
operations; what does an argument through the model's structure certify, and at what cost? Here the structure
is C9's: x_s = o + sum_r u(pi_r(s)) M_r + e_s, with e_s measured. Of a tuple of attributes, asked for relation
q, an MLP sees z = b_q + sum_r p_r(a_r), p_r(a) = u_a M_r W.

- *Intervals.* Over a block of other attributes z_j lies between two ends, so does ReLU(z_j), and the lead
  of a over b is at least c (V_a - V_b) - h |V_a - V_b|, c and h the middle and half width of ReLU(z). With
  one block of all attributes this is the selector's own statement: whatever else a subject is, it answers a.
- *Residual norm.* The MLP is Lipschitz: e_s costs the lead at most |e_s| |W| |V_a - V_b|.
- *Norm.* The same for everything but the answer's own vector: the cheapest.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.verify.learned.counted import Operations
from georecall.verify.learned.one_layer import Labels, OneLayer
from georecall.verify.learned.superposition import Superposition, superposition
from georecall.verify.learned.vectors import Parts

Mask = NDArray[np.bool_]
Hull = Callable[[int, int], tuple[Floats, Floats]]  # of relation and answer: the ends of z, block by block

About = Literal["tuples", "facts"]
Method = Literal["brute force", "intervals", "residual norm", "norm"]

MOST = 1 << 24  # answers to all tuples


@dataclass(frozen=True)
class SizedProof:
    """What one argument certifies.

    Args:
        about: all "tuples" of attributes under the fitted superposition, each asked every relation; or the
            "facts" of the table, under the weights as they are.
        method: "brute force", "intervals", "residual norm" or "norm".
        groups: into how many blocks each relation's attributes are divided.
        certified: answers proved right.
        asked: answers.
        operations: multiply-adds of products, and entries of all else, as they were carried out.
        seconds: wall time of the same.
        room: the largest residual that some block has room for, in units of the median one; below 1 the
            argument is vacuous for half of the subjects at least. 0 where it is not about residuals.
    """

    about: About
    method: Method
    groups: int
    certified: int
    asked: int
    operations: int
    seconds: float
    room: float = 0.0


def proof_sizes(model: Transformer, facts: FactTable) -> list[SizedProof]:
    """All proofs about one model: brute force, norms, and intervals over 1, 2, 4, ... blocks to a relation.

    How attributes are divided is found, not proved: any division is sound, and the search is not counted.

    Args:
        model: one layer as C9 trains it.
        facts: what it was trained on.

    Raises:
        ValueError: another kind of model (see `OneLayer.of`), or more than `MOST` answers to all tuples.
        ArithmeticError: a proof certifies what brute force refutes.

    Source: theory/pages/c9.md, Proof size.
    """
    return [proof for proof, _ in certified_answers(model, facts)]


def certified_answers(model: Transformer, facts: FactTable) -> list[tuple[SizedProof, Mask]]:
    """The same with what each proves: by relation and subject, or relation, its answer and the others'."""
    if facts.n_relations * facts.n_attributes**facts.n_relations > MOST:
        raise ValueError(f"brute force over all tuples is for at most {MOST} answers")
    parts = Parts.of(model, facts.n_subjects)
    fitted = superposition(parts, facts)
    layer = OneLayer.of(parts, facts.n_relations, fitted)
    about = _Questions(layer, fitted, facts, parts.subjects)
    found, possible = about.brute_force()
    found += about.by_norm()
    for power in range((facts.n_attributes - 1).bit_length()):
        labels = layer.divided(fitted, 2**power)
        found += [*about.by_intervals(labels), about.by_subjects(labels)]
    for proof, mask in found:
        if (mask & ~possible[proof.about]).any():
            raise ArithmeticError(f"{proof.method} certifies {proof.about} that brute force refutes")
    return found


@dataclass(frozen=True, eq=False)
class _Questions:
    """What is asked of one model: all tuples, and the facts."""

    layer: OneLayer
    fitted: Superposition
    facts: FactTable
    subjects: Floats

    def brute_force(self) -> tuple[list[tuple[SizedProof, Mask]], dict[str, Mask]]:
        """Every answer; and what is not refuted, by question."""
        A, R = self.facts.n_attributes, self.facts.n_relations
        count = Operations()
        hull = self._tuples(np.tile(np.arange(A), (R, 1)), count)
        found = np.array([lead for _, _, lead, _ in self._leads(hull, count)])
        tuples = np.moveaxis(found.reshape((A, R) + (A,) * (R - 1)), 1, 0)
        proofs = [self._proof("tuples", "brute force", A, tuples > 0, count)]
        count = Operations()
        z = count.times(self.subjects, self.layer.W)
        facts = np.empty(self.facts.answers.shape)
        for q, answers in enumerate(self.facts.answers):
            logits = self.layer.read(count.each(np.maximum(count.each(z + self.layer.base[q]), 0)), q, count)
            rows = np.arange(len(answers))
            right = logits[rows, answers].copy()
            logits[rows, answers] = -np.inf
            facts[q] = right - count.each(logits).max(axis=1) - self.layer.slack
        proofs.append(self._proof("facts", "brute force", self.facts.n_subjects, facts > 0, count))
        never = 2 * self.layer.slack  # a lead below minus that is negative, however it was rounded
        return proofs, {"tuples": tuples > -never, "facts": facts > -never}

    def by_intervals(self, labels: Labels) -> list[tuple[SizedProof, Mask]]:
        """All tuples block by block; and the facts, as far as the residual's norm leaves of it."""
        A, R, size = self.facts.n_attributes, self.facts.n_relations, int(labels.max()) + 1
        shape, count = (A, R) + (size,) * (R - 1), Operations()
        found = list(self._leads(self._tuples(labels, count), count))
        lead = np.array([lead for _, _, lead, _ in found]).reshape(shape)
        room = np.array([room for _, _, _, room in found]).reshape(shape)
        blocks = [np.ix_(range(A), *(labels[r] for r in self._others(q))) for q in range(R)]
        tuples = np.array([lead[:, q][blocks[q]] > 0 for q in range(R)])
        proofs = [self._proof("tuples", "intervals", size, tuples, count)]
        norms, at = self._residuals(count), self.facts.answers
        of_facts = [(at[q], q, *(labels[r, at[r]] for r in self._others(q))) for q in range(R)]
        held = np.array([room[block] > norms for block in of_facts])
        most = _share(room.max(), norms)
        return [*proofs, self._proof("facts", "residual norm", size, held, count, most)]

    def by_subjects(self, labels: Labels) -> tuple[SizedProof, Mask]:
        """The facts, in blocks of subjects that share the answer and the blocks of the others."""
        count, size = Operations(), int(labels.max()) + 1
        z = count.times(self.subjects, self.layer.W)
        certified = np.zeros(self.facts.answers.shape, dtype=bool)
        blocks = defaultdict[tuple[int, int], list[tuple[Labels, Floats, Floats]]](list)
        for q, answers in enumerate(self.facts.answers):
            key = answers.copy()
            for r in self._others(q):
                key = key * size + labels[r, self.facts.answers[r]]
            order = np.argsort(key, kind="stable")
            starts = np.flatnonzero(np.diff(key[order], prepend=-1))
            z_q = count.each(z[order] + self.layer.base[q])
            low, high = count.ends(z_q, starts)
            for block, of_it in enumerate(np.split(order, starts[1:])):
                blocks[q, int(answers[of_it[0]])].append((of_it, low[block], high[block]))

        def hull(q: int, a: int) -> tuple[Floats, Floats]:
            ends = np.array([both for _, *both in blocks[q, a]]).reshape(-1, 2, z.shape[1])
            return ends[:, 0], ends[:, 1]

        for a, q, lead, _ in self._leads(hull, count):
            for (of_it, *_), leads in zip(blocks[q, a], lead, strict=True):
                certified[q, of_it] = leads > 0
        return self._proof("facts", "intervals", size, certified, count)

    def by_norm(self) -> list[tuple[SizedProof, Mask]]:
        """Everything but the answer's own vector is only known to be so long."""
        A, R, count = self.facts.n_attributes, self.facts.n_relations, Operations()
        turned = [count.times(self.fitted.attributes, M) for M in self.fitted.maps]
        means = [count.each(c).mean(axis=0) for c in turned]
        apart = (count.each(c - mean) for c, mean in zip(turned, means, strict=True))
        away = [float(np.sqrt(count.each(c**2).sum(axis=1)).max()) for c in apart]

        def hull(q: int, a: int) -> tuple[Floats, Floats]:
            at = self.fitted.offset + turned[q][a] + sum(means[r] for r in self._others(q))
            z = count.times(count.each(at)[None], self.layer.W) + self.layer.base[q]
            return z, z

        room = np.empty((R, A))
        for a, q, _, left in self._leads(hull, count):
            room[q, a] = left[0]
        radius = np.array([sum(away[r] for r in self._others(q)) for q in range(R)]) * (1 + 1e-9)
        radius += self._rounding()
        fine = (room > radius[:, None]).reshape((R, A) + (1,) * (R - 1))
        tuples = np.broadcast_to(fine, (R,) + (A,) * R)
        proofs = [self._proof("tuples", "norm", 1, tuples, count)]
        norms = self._residuals(count)
        held = np.array([room[q, self.facts.answers[q]] > radius[q] + norms for q in range(R)])
        most = _share((room - radius[:, None]).max(), norms)
        return [*proofs, self._proof("facts", "norm", 1, held, count, most)]

    def _tuples(self, labels: Labels, count: Operations) -> Hull:
        """The ends of z over blocks of the other relations' attributes."""
        pieces = [count.times(count.times(self.fitted.attributes, M), self.layer.W) for M in self.fitted.maps]
        start = count.times(self.fitted.offset[None], self.layer.W)[0]
        size = int(labels.max()) + 1
        alone = size == self.facts.n_attributes

        def ends(r: int) -> tuple[Floats, Floats]:
            order = np.argsort(labels[r], kind="stable")
            if alone:
                return pieces[r][order], pieces[r][order]
            return count.ends(pieces[r][order], np.flatnonzero(np.diff(labels[r][order], prepend=-1)))

        whole = {}
        for q in range(len(pieces)):
            low = high = count.each(start + self.layer.base[q])[None]
            for r in self._others(q):
                low, high = (
                    count.each((x[:, None] + y[None]).reshape(-1, len(start)))
                    for x, y in zip((low, high), ends(r), strict=True)
                )
            whole[q] = (low, low if alone else high)

        def hull(q: int, a: int) -> tuple[Floats, Floats]:
            low, high = whole[q]
            first = count.each(low + pieces[q][a])
            return (first, first) if alone else (first, count.each(high + pieces[q][a]))

        return hull

    def _leads(self, hull: Hull, count: Operations) -> Iterator[tuple[int, int, Floats, Floats]]:
        """For every answer, relation and block: a bound on the lead, and the residual's norm it has room for.

        In the order of answers, then relations; blocks as `hull` has them.
        """
        V, norm = count.times(self.layer.W_out, self.layer.W_U), self.layer.lipschitz(count)
        for a in range(V.shape[1]):
            gap = count.each(np.abs(count.each(V[:, [a]] - V)))
            steep = norm * (np.sqrt(count.each(gap * gap).sum(axis=0)) * (1 + 1e-9) + self.layer.blur)
            for q in range(len(self.layer.base)):
                low, high = hull(q, a)
                middle = count.each(np.maximum(low, 0))
                if high is not low:
                    half = count.each(count.each(count.each(np.maximum(high, 0)) - middle) / 2)
                    middle = count.each(middle + half)
                logits = self.layer.read(middle, q, count)
                lead = count.each(logits[:, [a]] - logits) - self.layer.slack
                if high is not low:
                    lead -= count.times(half, gap)
                lead[:, a] = np.inf
                with np.errstate(divide="ignore", invalid="ignore"):
                    room = np.where(lead > 0, count.each(lead / steep), -np.inf)
                room[:, a] = np.inf
                yield a, q, count.each(lead).min(axis=1), count.each(room).min(axis=1) * (1 - 1e-9)

    def _residuals(self, count: Operations) -> Floats:
        """Upper bounds of |e_s|."""
        e = count.each(self.subjects - self.fitted.offset)
        for M, answers in zip(self.fitted.maps, self.facts.answers, strict=True):
            e = count.each(e - count.times(self.fitted.attributes, M)[answers])
        return np.asarray(np.sqrt(count.each(e * e).sum(axis=1)) * (1 + 1e-9) + self._rounding())

    def _rounding(self) -> float:
        """More than float64 rounds of an embedding, in Euclidean norm."""
        R, m, d = self.fitted.maps.shape
        turned = (abs(self.fitted.attributes) @ abs(M) for M in self.fitted.maps)
        sizes = sum(np.abs(x).max() for x in (self.subjects, self.fitted.offset, *turned))
        return float((2 * R + m + 8) * 2.0**-52 * np.sqrt(d) * sizes)

    def _others(self, q: int) -> list[int]:
        return [r for r in range(self.facts.n_relations) if r != q]

    def _proof(
        self, about: About, method: Method, groups: int, mask: Mask, count: Operations, room: float = 0.0
    ) -> tuple[SizedProof, Mask]:
        certified, spent = int(mask.sum()), (count.operations, count.seconds)
        return SizedProof(about, method, groups, certified, prod(mask.shape), *spent, room), mask


def _share(room: float, norms: Floats) -> float:
    """The room there is, none at least, in units of the median residual."""
    return round(float(max(room, 0.0) / max(1e-300, np.median(norms))), 4)
