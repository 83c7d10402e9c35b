"""The battery: everything that a construction is put through, table by table, the smallest first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.sparse import issparse

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.theory.tools.randomness import generator
from georecall.verify.margins.found import Margins
from georecall.verify.recall.construction import Asking, Construction, UndecidedError, build
from georecall.verify.recall.counterexample import Counterexample, shrunk
from georecall.verify.recall.floats import Logits
from georecall.verify.recall.laws import Law
from georecall.verify.recall.user_code import ConstructionError

_Model = Transformer | Logits
Passed = tuple[_Model, Margins]  # what was built for a table, and its margins

Claimed = float | Fraction | Callable[[FactTable], float | Fraction]

RECALL, UNDECIDED, UNUSABLE = "every fact is recalled", "every margin is decided", "the construction works"
STEADY, MARGIN = "the same facts give the same model", "the margin claimed"
_STRINGS = 64  # R^k in one table of hops


@dataclass(frozen=True)
class Battery:
    """What is asked of a construction; what it claims is a number, or a function of the facts."""

    construction: Construction
    asking: Asking
    laws: Sequence[Law] = ()
    min_margin: Claimed | None = None
    dimensions: dict[str, Claimed] | None = None
    bijective: bool = False

    def run(
        self, tables: Iterable[FactTable], *, vary: bool = False
    ) -> tuple[Counterexample | None, list[Passed]]:
        """The shrunken counterexample, if a table or a variant has one, and what passed before it."""
        passed: list[Passed] = []
        for facts in tables:
            found, again = self.first(facts, passed), self.first
            for other in _variants(facts, self.asking, self.bijective) if vary and found is None else ():
                found, again = self.recalls(other, passed), self.recalls
                if found is not None:
                    break
            if found is not None:
                small = shrunk(found, again, bijective=self.bijective, entities=self.asking.entities)
                return self.told(small), passed
        return None, passed

    def recalls(self, facts: FactTable, passed: list[Passed] | None = None) -> Counterexample | None:
        """What is wrong with the answers, the margin and the dimensions on one table; None if nothing is.

        All that is said is about one build.
        """
        try:
            model = build(self.construction, facts)
            found = self.asking(model, facts)
            broken = self._recalled(found, facts) or self._claimed(model, found, facts)
            if broken is not None:
                return replace(broken, built=(model, found))
        except ConstructionError as error:
            return _unjudged(error, facts)
        if passed is not None:
            passed.append((model, found))
        return None

    def first(self, facts: FactTable, passed: list[Passed] | None = None) -> Counterexample | None:
        """What is wrong with the construction on one table, the most basic first; None if nothing is."""
        passed = [] if passed is None else passed
        broken = self.recalls(facts, passed)
        if broken is not None:
            return broken
        model, found = passed[-1]
        try:
            if not self._steady(model, facts):
                says = "building twice from these facts gives two models"
                return Counterexample(STEADY, facts, says, built=(model, found))
            for law in self.laws:
                fails = law(self.construction, facts, asking=self.asking, seed=facts.n_facts)
                if fails is not None:
                    says = f"{facts.question(fails.subject, *fails.relations)}: {fails.says}"
                    asked = (fails.subject, fails.relations)
                    return Counterexample(f"law of {fails.law}", facts, says, *asked, built=(model, found))
        except ConstructionError as error:
            return _unjudged(error, facts)
        return None

    def told(self, found: Counterexample) -> Counterexample:
        """The counterexample, which also says where another build is another model."""
        if found.built is None or found.law == STEADY:
            return found
        try:
            steady = self._steady(found.built[0], found.facts)
        except ConstructionError as error:
            return replace(found, says=f"{found.says}; building again: {error}")
        return found if steady else replace(found, says=f"{found.says}; building again gives another model")

    def _recalled(self, found: Margins, facts: FactTable) -> Counterexample | None:
        if found.n_recalled == found.n_facts:
            return None
        worst = found.worst
        if found.n_wrong:
            says = f"{found.how_many_wrong}; {worst}"
            return Counterexample(RECALL, facts, says, worst.subject, worst.relations, worst)
        says = f"the sign of {found.n_facts - found.n_recalled} margins is not decided; {worst}"
        return Counterexample(UNDECIDED, facts, says, worst.subject, worst.relations, worst, certain=False)

    def _claimed(self, model: Any, found: Margins, facts: FactTable) -> Counterexample | None:
        """The dimensions and the margin, against what is claimed."""
        for name, claimed in (self.dimensions or {}).items():
            if not isinstance(model, Transformer):
                raise ConstructionError(f"{name} is claimed, but a function from tokens to logits has none")
            is_, want = getattr(model, name), _at(claimed, facts)
            if is_ != want:
                return Counterexample(f"the {name} claimed", facts, f"{name} is {is_}, claimed {want:g}")
        if self.min_margin is None or found.minimum[0] >= (want := Fraction(_at(self.min_margin, facts))):
            return None
        worst, certain = found.worst, found.minimum[1] < want
        says = f"{worst.question} has margin {worst.margin:g}, claimed at least {float(want):g}"
        says += "" if certain else " (not decided within the error of the margin)"
        return Counterexample(MARGIN, facts, says, worst.subject, worst.relations, worst, certain=certain)

    def _steady(self, model: _Model, facts: FactTable) -> bool:
        """Whether building again gives the same weights, or the same margins up to noise."""
        again = build(self.construction, facts)
        if isinstance(model, Transformer) and isinstance(again, Transformer):
            one, two = model.weights(), again.weights()
            return model is again or (one.keys() == two.keys() and all(_same(one[n], two[n]) for n in one))
        first, second = self.asking(model, facts), self.asking(again, facts)
        return bool(((first.lower <= second.upper) & (second.lower <= first.upper)).all())


def tables(asking: Asking, *, bijective: bool = False, seed: int = 0) -> Iterator[FactTable]:
    """Tables on which mistakes show, the smallest first; one in each kind of degenerate case."""
    entities, largest = asking.entities, 16 if asking.hops > 1 else 64
    most = max(1, int(_STRINGS ** (1 / asking.hops)))  # relations
    degenerate = [
        FactTable([[0]], n_attributes=2),  # one subject, one relation
        FactTable([[0, 1]]),  # one relation
        FactTable([[0, 1], [1, 0]]),
        FactTable([[0, 0, 1]]),  # |A| < N
        FactTable([[0, 1], [0, 1]]),  # identities
        FactTable([[1, 0, 2], [1, 0, 2], [1, 0, 2]]),  # equal relations, N no power of two
        FactTable([[1, 1, 1], [0, 1, 2]]),  # a constant relation; a subject with two equal attributes
        FactTable([[2, 0], [1, 2], [2, 2]], n_attributes=5),  # |A| > N, attributes that never occur
        FactTable([[0, 1, 2, 3]] * 2),
    ]
    for table in degenerate:
        if entities and table.n_attributes <= table.n_subjects > 1:
            table = FactTable(table.answers, n_attributes=table.n_subjects)
        elif entities:
            continue
        if table.n_relations <= most and (table.bijective or not bijective):
            yield table
    for N, R in ((3, 2), (4, 1), (5, 3), (8, 4), (13, 3), (64, 8)):
        N, R = min(N, largest), min(R, most)
        rng = generator(seed, "assert_recalls", N, R)
        yield random_bijections(N, R, rng=rng)
        if not bijective:
            yield random_functions(N, R, N if entities else 2 * N, rng=rng)
            yield random_functions(N, R, N if entities else max(2, N // 2), rng=rng)


def _variants(facts: FactTable, asking: Asking, bijective: bool) -> Iterator[FactTable]:
    """What a table becomes under the metamorphic laws; whoever recalls every table recalls these too."""
    answers, A, N = facts.answers, facts.n_attributes, facts.n_subjects
    renamed = (A - 1 - answers)[:, ::-1] if asking.entities else answers[:, ::-1]
    yield FactTable(renamed, n_attributes=A)
    yield FactTable(np.vstack([answers, answers[:1]]), n_attributes=A)  # a relation twice
    if not asking.entities:
        yield FactTable(A - 1 - answers, n_attributes=A)  # attributes renamed
        if N > 2 and not bijective:
            yield FactTable(answers[:, : N // 2], n_attributes=A)  # some subjects


def _unjudged(error: ConstructionError, facts: FactTable) -> Counterexample:
    undecided = isinstance(error, UndecidedError)
    return Counterexample(UNDECIDED if undecided else UNUSABLE, facts, str(error), certain=not undecided)


def _same(one: Any, two: Any) -> bool:
    """Whether two weights hold the same numbers, sparse ones without making them dense."""
    if one.shape != two.shape:
        return False
    if issparse(one) and issparse(two):
        different: Any = one != two
        return bool(different.nnz == 0)
    return np.array_equal(dense(one), dense(two))


def _at(claimed: Claimed, facts: FactTable) -> float | Fraction:
    if not callable(claimed):
        return claimed
    try:
        return claimed(facts)
    except Exception as error:
        raise ConstructionError(f"the function that claims a quantity raises {error!r}") from error
