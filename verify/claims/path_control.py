"""The control of the way that decided: what is wrong must be found wrong by it.

Margins are counted, filtered, computed one by one, or follow from steps or transitions. Whatever way a
verdict took (`Margins.path`), a companion takes it too: weights that recall their facts are asked for others,
one of which is altered. Exactly the queries whose answer that changes must come out wrong.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from georecall.theory.claims.claim import Control
from georecall.theory.facts.fact_table import FactTable, random_bijections, random_functions
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import result
from georecall.verify.claims.instance import Instance
from georecall.verify.margins.decide import Found, decide_recall_by
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Facts, Queries, SingleSteps, UpTo, sample
from georecall.verify.verdict.verdict import ControlResult

WRONG_ANSWER = Control(
    "one answer altered, decided the same way", "exactly the queries whose answer that changes are wrong"
)
_SUBJECTS, _RELATIONS = 8, 2  # of a companion, at most

_Again = Callable[[FactTable, str], Found | None]


def small_table(facts: FactTable, n_relations: int = _RELATIONS) -> FactTable:
    """A random table of the same kind, no larger than the facts: bijections where its sizes allow them."""
    n, a = min(_SUBJECTS, facts.n_subjects), min(_SUBJECTS, facts.n_attributes)
    rng = generator(0, "controls", "path", n, n_relations, a)
    return (
        random_bijections(n, n_relations, rng=rng) if n == a else random_functions(n, n_relations, a, rng=rng)
    )


def of_facts(facts: FactTable, companion: Callable[[FactTable], Instance] | None = None) -> dict[str, Any]:
    """What instances share whose queries are the facts; `companion`: the same at another, small table."""
    return {
        "facts": facts,
        "n_queries": facts.n_facts,
        "margins": lambda model, progress: margins(model, facts, progress=progress),
        "samples": lambda: [sample(Facts(facts), r * facts.n_subjects) for r in range(facts.n_relations)],
        "again": lambda model, facts, path: decide_recall_by(path, model, facts),
        "by_facts": True,
        "companion": (lambda: companion(small_table(facts))) if companion is not None else None,
    }


def path_control(instance: Instance, path: str) -> ControlResult | None:
    """The control on the companion of an instance, decided that way; None where it has none."""
    if instance.companion is None:
        return None
    small = instance.companion()
    decided, model = small.again, small.build()
    assert decided is not None
    hops = f", hops {small.parameters['hops']}" if "hops" in small.parameters else ""
    return wrong_answer(small.facts, path, lambda facts, path: decided(model, facts, path), hops)


def wrong_answer(facts: FactTable, path: str, again: _Again, at: str = "") -> ControlResult:
    """One answer altered of facts that the weights recall, or most of them, decided by the same way again."""
    how = f"{path} at subjects {facts.n_subjects}, relations {facts.n_relations}{at}"
    sound = again(facts, path)
    if sound is None:
        return result(WRONG_ANSWER, f"{how} does not apply", ok=False)
    before = set(sound.wrong) if isinstance(sound, Margins) else set()
    for altered, fact in _altered(facts):
        if fact in before:
            continue
        if not isinstance(sound, Margins):  # counted: how many, and one of them
            found = again(altered, path)
            if found is None:  # so wrong that it is not counted, but left to margins: nothing is said
                continue
            seen = found.n_wrong == sound.n_wrong + 1
            if seen and not sound.n_wrong:
                worst = found.worst
                seen = worst is not None and (worst.subject, *worst.relations) == fact
            got = f"{how}: {found.n_wrong} wrong, {sound.n_wrong + 1} predicted"
            return result(WRONG_ANSWER, got, ok=seen)
        found = again(altered, path)
        if not isinstance(found, Margins):
            return result(WRONG_ANSWER, f"{how} does not apply", ok=False)
        asked = found.queries
        one_hop = isinstance(asked, Facts | SingleSteps)
        predicted = before | ({fact} if one_hop else set(_led_elsewhere(asked, facts, altered)))
        if predicted == before:
            continue  # vacuous: another fact
        wrong = set(found.wrong)
        some = ", ".join(facts.question(*query) for query in sorted(wrong)[:1])
        got = f"{how}: {len(wrong)} of {found.n_facts} wrong, {len(predicted)} predicted"
        return result(WRONG_ANSWER, got + (f"; {some}" if some else ""), ok=wrong == predicted)
    if not isinstance(sound, Margins):
        return wrong_answer(facts, "margins", again, at)  # what decides wherever counting does not
    return result(WRONG_ANSWER, f"{how}: no fact whose alteration shows", ok=False)


def _altered(facts: FactTable) -> Iterator[tuple[FactTable, tuple[int, int]]]:
    """The table with one fact altered, and which: subject and relation."""
    for r in range(facts.n_relations):
        for s in reversed(range(facts.n_subjects)):
            answer = (int(facts.answers[r, s]) + 1) % facts.n_attributes
            yield facts.altered(s, r, answer), (s, r)


def _led_elsewhere(queries: Queries, facts: FactTable, altered: FactTable) -> Iterator[tuple[int, ...]]:
    """The queries with another answer now; of chains of thought those with another answer at some step."""
    steps = isinstance(queries, UpTo)
    for number in range(prod(queries.shape)):
        subject, *relations = queries.query(number)
        here, there = subject, subject
        different = False
        for r in relations:
            here, there = int(facts.answers[r, there if steps else here]), int(altered.answers[r, there])
            different |= here != there
        if different if steps else here != there:
            yield subject, *relations
