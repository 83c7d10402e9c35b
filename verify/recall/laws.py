"""Metamorphic laws: what must happen to the margins when facts or weights change in a known way.

Each law takes a construction and a table, builds twice, and compares the margins of queries that correspond.
It returns None if it holds there, or what broke it. Certified margins are compared as intervals: a law is
broken if two that must agree cannot. Measured ones may differ within their noise.

The laws are theorems about constructions whose margins depend on the right answer's word alone, at codes that
keep every word equally far from its nearest neighbour, as the default codes do. So they hold exactly for the
C1 family, C3, C5 and the sign-code memory. Of the randomised ones, whose words and keys are redrawn when the
sizes change or belong to numbers that a renaming moves, only some hold: `renaming_subjects` for dense
superposition (subjects are told apart by their facts alone), `scaling_the_readout` for all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.randomness import generator
from georecall.verify.margins.found import Margins
from georecall.verify.recall.construction import Asking, Construction, build
from georecall.verify.recall.floats import logits_of, noise_of

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Broken:
    """One query, of the table that the law was asked of, on which it fails: what must be, and what is."""

    law: str
    subject: int
    relations: tuple[int, ...]
    says: str


Law = Callable[..., Broken | None]


def renaming_subjects(
    construction: Construction, facts: FactTable, *, asking: Asking | None = None, seed: int = 0
) -> Broken | None:
    """Subjects in another order: logits and margins are those of the same subjects.

    Hypothesis: a subject is known by its facts alone, not by its number. With several hops subjects are the
    entities, and only margins are compared: their words move with them.
    """
    asking = _of_single_steps(asking)
    order = generator(seed, "subjects", facts.n_subjects).permutation(facts.n_subjects)
    answers = facts.answers[:, order]
    if asking.entities:  # entity order[i] is now called i
        answers = np.argsort(order)[answers]
    renamed = FactTable(answers, n_attributes=facts.n_attributes)
    first, second = build(construction, facts), build(construction, renamed)
    before, after = asking(first, facts), asking(second, renamed)
    says = f"in the order {order.tolist()}"
    broken = _compared("renaming subjects", before, after, order, says)
    if broken is not None or asking.entities:
        return broken
    queries, numbers = asking.queries(facts), np.arange(facts.n_facts)
    again = numbers // facts.n_subjects * facts.n_subjects + np.argsort(order)[numbers % facts.n_subjects]
    A = facts.n_attributes
    return _same_logits(
        "renaming subjects",
        logits_of(first, queries.prompts(numbers).tokens, A),
        logits_of(second, asking.queries(renamed).prompts(again).tokens, A),
        facts,
    )


def renaming_attributes(
    construction: Construction,
    facts: FactTable,
    *,
    asking: Asking | None = None,
    seed: int = 0,
    renamed_along: Callable[[Ids], Construction] | None = None,
) -> Broken | None:
    """Attributes in another order: margins stay.

    Hypothesis: every word is equally far from its nearest other word. One hop only: with several, attributes
    are the subjects (see `renaming_subjects`).
    """
    asking = _of_single_steps(asking)
    place = generator(seed, "attributes", facts.n_attributes).permutation(facts.n_attributes)
    if asking.entities:
        return None
    renamed = FactTable(place[facts.answers], n_attributes=facts.n_attributes)
    other = construction if renamed_along is None else renamed_along(place)
    first, second = build(construction, facts), build(other, renamed)
    before, after = asking(first, facts), asking(second, renamed)
    everyone = np.arange(facts.n_subjects)
    says = f"with the attributes called {place.tolist()}"
    broken = _compared("renaming attributes", before, after, everyone, says)
    if broken is not None or renamed_along is None:
        return broken
    tokens = asking.queries(facts).prompts(np.arange(facts.n_facts)).tokens
    A = facts.n_attributes
    one, two = logits_of(first, tokens, A), logits_of(second, tokens, A)[:, place]
    return _same_logits("renaming attributes", one, two, facts)


def adding_a_relation(
    construction: Construction, facts: FactTable, *, asking: Asking | None = None, seed: int = 0
) -> Broken | None:
    """One relation more: the others' margins stay.

    Hypothesis: relations do not leak into each other, as they do below the gate that a claim asks for.
    """
    asking = _of_single_steps(asking)
    everyone = np.arange(facts.n_subjects)
    more = generator(seed, "relation", facts.n_subjects).integers(facts.n_attributes, size=len(everyone))
    larger = _with_relations(facts, more)
    before, after = _margins(construction, facts, asking), _margins(construction, larger, asking)
    says = f"with a further relation {more.tolist()}"
    return _compared("adding a relation", before, after, everyone, says)


def repeating_a_hop(
    construction: Construction, facts: FactTable, *, asking: Asking | None = None, seed: int = 0
) -> Broken | None:
    """Asking a relation twice is asking the relation composed with itself.

    Hypothesis: attributes are subjects (else there is no second hop, and the law says nothing). At one hop
    the composed relation's margin at s is the relation's margin at pi(s), the step that ends in the same
    answer; at k hops the string (r, r, ...) has the margins of (r after r, identity, ...).
    """
    asking = _of_single_steps(asking)
    if not facts.of_entities:
        return None
    r = int(generator(seed, "repeat", facts.n_relations).integers(facts.n_relations))
    R, everyone = facts.n_relations, np.arange(facts.n_subjects)
    twice = facts.compose([r, r])
    found = _margins(construction, _with_relations(facts, twice, everyone), asking)
    composed, identity = R, R + 1
    rest = (r,) * (asking.hops - 2)
    one, other = ((r, r, *rest), (composed, identity, *rest)) if asking.hops > 1 else ((r,), (composed,))
    once = facts.answers[r] if asking.hops == 1 else everyone
    for s in range(facts.n_subjects):
        here, there = (*one, int(once[s])), (*other, s)
        if _differ(found, here, found, there):
            says = f"r{r} twice has margin {_interval(found, here)}, composed {_interval(found, there)}"
            return Broken("repeating a hop", s, one, says)
    return None


def scaling_the_readout(
    construction: Construction, facts: FactTable, *, asking: Asking | None = None, seed: int = 0
) -> Broken | None:
    """W_U and b_U times c > 0: every margin times c.

    Hypothesis: the model is a Transformer (a function of tokens has no W_U, and the law says nothing); c is a
    power of two, so that nothing is rounded.
    """
    asking = _of_single_steps(asking)
    model = build(construction, facts)
    if not isinstance(model, Transformer):
        return None
    c = 2.0 ** int(generator(seed, "scale").integers(1, 5))
    before, after = asking(model, facts), asking(replace(model, W_U=model.W_U * c, b_U=model.b_U * c), facts)
    scaled = replace(before, lower=c * before.lower, upper=c * before.upper)
    everyone, says = np.arange(facts.n_subjects), f"with W_U times {c:g}"
    return _compared("scaling the readout", scaled, after, everyone, says)


def equal_relations(
    construction: Construction, facts: FactTable, *, asking: Asking | None = None, seed: int = 0
) -> Broken | None:
    """A relation that is there twice: both give the same answers, with the same margins.

    Hypothesis: relations are known by their facts alone, not by their number. (That the answers are the same
    follows from recall.)
    """
    asking = _of_single_steps(asking)
    r = int(generator(seed, "equal", facts.n_relations).integers(facts.n_relations))
    found = _margins(construction, _with_relations(facts, facts.answers[r]), asking)
    twin, rest = facts.n_relations, (0,) * (asking.hops - 1)
    for s in range(facts.n_subjects):
        here, there = (r, *rest, s), (twin, *rest, s)
        if _differ(found, here, found, there):
            says = f"r{r} has margin {_interval(found, here)}, its copy {_interval(found, there)}"
            return Broken("equal relations", s, (r, *rest), says)
    return None


def subset_of_subjects(
    construction: Construction, facts: FactTable, *, asking: Asking | None = None, seed: int = 0
) -> Broken | None:
    """Some of the subjects are a sub-table: their margins stay.

    Hypothesis: no subject is needed for another. With several hops a subset must be closed under all
    relations: the entities reachable from one.
    """
    asking = _of_single_steps(asking)
    rng = generator(seed, "subset", facts.n_subjects)
    if asking.entities:
        kept = _closure(facts, int(rng.integers(facts.n_subjects)))
        if len(kept) in (1, facts.n_subjects):
            return None
        place = np.searchsorted(kept, facts.answers[:, kept])
        smaller = FactTable(place, n_attributes=len(kept))
    else:
        size = int(rng.integers(1, facts.n_subjects + 1))
        kept = np.sort(rng.permutation(facts.n_subjects)[:size])
        smaller = FactTable(facts.answers[:, kept], n_attributes=facts.n_attributes)
    before, after = _margins(construction, facts, asking), _margins(construction, smaller, asking)
    says = f"of the subjects {kept.tolist()} alone"
    return _compared("subset of the subjects", before, after, kept, says)


LAWS: tuple[Law, ...] = (
    renaming_subjects,
    renaming_attributes,
    adding_a_relation,
    repeating_a_hop,
    scaling_the_readout,
    equal_relations,
    subset_of_subjects,
)


def _of_single_steps(asking: Asking | None) -> Asking:
    """How a law asks: a chain of thought by its steps, which are of one hop each, whoever answers them."""
    asking = asking or Asking()
    return Asking(chain_of_thought=True) if asking.chain_of_thought else asking


def _margins(construction: Construction, facts: FactTable, asking: Asking) -> Margins:
    return asking(build(construction, facts), facts)


def _with_relations(facts: FactTable, *more: Any) -> FactTable:
    return FactTable(np.vstack([facts.answers, *more]), n_attributes=facts.n_attributes)


def _closure(facts: FactTable, start: int) -> Ids:
    """All entities that some string of relations leads to from one, and itself."""
    reached = np.array([start])
    while True:
        more = np.union1d(reached, facts.answers[:, reached])
        if len(more) == len(reached):
            return reached
        reached = more


def _compared(law: str, before: Margins, after: Margins, subjects: Ids, how: str) -> Broken | None:
    """Whether the margin of (relations, subjects[i]) before is that of (relations, i) after, for all."""
    for there in np.ndindex(*before.lower.shape[:-1], len(subjects)):
        *relations, i = there
        s = int(subjects[i])
        here = (*relations, s)
        if _differ(before, here, after, there):
            says = f"margin {_interval(before, here)}, but {_interval(after, there)} {how}"
            return Broken(law, s, tuple(relations), says)
    return None


def _differ(one: Margins, here: tuple[int, ...], two: Margins, there: tuple[int, ...]) -> bool:
    """Whether two margins cannot be equal."""
    return bool(one.lower[here] > two.upper[there] or two.lower[there] > one.upper[here])


def _interval(found: Margins, index: tuple[int, ...]) -> str:
    low, high = float(found.lower[index]), float(found.upper[index])
    return f"{(low + high) / 2:g}" if high - low < 1e-6 else f"{low:g}..{high:g}"


def _same_logits(law: str, one: NDArray[Any], two: NDArray[Any], facts: FactTable) -> Broken | None:
    """Whether two arrays of logits, prompt by prompt, agree within the noise of their number format."""
    off = np.abs(one.astype(np.float64) - two).max(axis=1) > noise_of(one) + noise_of(two)
    if not off.any():
        return None
    relation, subject = divmod(int(off.argmax()), facts.n_subjects)
    return Broken(law, subject, (relation,), "the margins stay, but the logits are not permuted")
