"""Questions in words, answered by the weights, step by step."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.chain_of_thought import chain_of_thought
from georecall.constructions.single_hop import in_place_superposition
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.prompts import relations_first, subject_first
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.tools.names import inert, meant, quoted, seen


@dataclass(frozen=True)
class _Step:
    """One step of an answer."""

    prompt: tuple[str, ...]  # the tokens that the model read, in words
    said: str  # the attribute that it said, the argmax of its logits
    margin: float  # the largest logit less the second largest, in floats


def answer(
    facts: FactTable, subject: int, relations: Sequence[int], *, model: Transformer | None = None
) -> list[_Step]:
    """The steps by which weights answer a question; the last one's `said` is the answer.

    One hop goes through C1 in place; several are a chain of thought (C3), whose attributes are subjects.

    Args:
        facts: the table whose names are used; for several hops made one of entities (see `to_entities`).
        subject: its number.
        relations: relation numbers, the first hop first.
        model: with 2K positions, K at least the number of hops; default: built from the facts.

    Raises:
        FactsError: several hops, and an attribute is no subject.
        ValueError: no relation, or more than the model has positions for.

    Example:
        >>> facts = FactTable([[1, 2, 0], [0, 0, 1]], subjects=["a", "b", "c"], attributes=["a", "b", "c"])
        >>> [(" ".join(step.prompt), step.said) for step in answer(facts, 0, [0, 1])]
        [('r0 r1 a', 'b'), ('r0 r1 a b', 'a')]
    """
    if not relations:
        raise ValueError("a question needs at least one relation")
    if model is None and len(relations) == 1:
        return [_one_hop(facts, subject, relations[0])]
    facts = facts.to_entities()
    if model is None:
        model = chain_of_thought(facts, max_hops=len(relations))
    max_hops = model.n_ctx // 2
    if len(relations) > max_hops:
        raise ValueError(
            f"{len(relations)} hops are more than the {max_hops} that the model has positions for"
        )
    asked, entities = np.array([relations]), [subject]
    steps = []
    for _ in relations:
        tokens, positions = relations_first(facts.n_subjects, asked, np.array([entities]), max_hops=max_hops)
        words = [*map(facts.relation_name, relations), *map(facts.subject_name, entities)]
        said, margin = _said(model, tokens, positions)
        entities.append(said)
        steps.append(_Step(tuple(words), facts.subject_name(said), margin))
    return steps


def answer_in_a_pass(facts: FactTable, subject: int, relations: Sequence[int], model: Transformer) -> _Step:
    """The one step by which a model of C5 or C10 answers `[s, r_1, ..., r_k]`, of entities."""
    words = (facts.subject_name(subject), *map(facts.relation_name, relations))
    tokens = subject_first(facts.n_subjects, np.array([subject]), *relations)
    said, margin = _said(model, tokens, np.arange(len(words)))
    return _Step(words, facts.subject_name(said), margin)


def _one_hop(facts: FactTable, subject: int, relation: int) -> _Step:
    """One hop through C1 in place: attributes need not be subjects."""
    prompt = (facts.subject_name(subject), facts.relation_name(relation))
    model = in_place_superposition(facts)
    said, margin = _said(model, np.array([[subject, facts.n_subjects + relation]]), np.arange(2))
    return _Step(prompt, facts.attribute_name(said), margin)


def _said(model: Transformer, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> tuple[int, float]:
    """The token that a model says, and its lead; without another token the lead is its logit."""
    logits = dense(model.logits(tokens, positions))[0]
    *_, first = order = np.argsort(logits)
    return int(first), float(logits[first] - (logits[order[-2]] if len(order) > 1 else 0))


def understand(facts: FactTable, question: str) -> tuple[int, list[int]]:
    """Subject and relations of a question like "below of next of carbon"; the first hop stands last.

    Names are meant as they are written, else without regard to case and invisible differences. They may
    contain " of ", and stand in double quotes.

    Raises:
        FactsError: a part of the question is no name, or the question can be read in several ways; the
            message says which.

    Example:
        >>> understand(FactTable([[1, 0], [0, 0]], subjects=["ann", "bob"]), "r1 of R0 of Ann")
        (0, [0, 1])
    """
    question = question.strip()
    subjects = _Names(map(facts.subject_name, range(facts.n_subjects)))
    relations = _Names(map(facts.relation_name, range(facts.n_relations)))
    ends = [match.span(1) for match in _OF.finditer(question)]
    readings: dict[int, list[_Reading]] = {}  # of what stands from a place on
    for n_after, start in enumerate([end for _, end in reversed(ends)] + [0]):
        rest = question[start:] if n_after <= subjects.most_of else ""  # no name has so many " of "
        found: list[_Reading] = [(inexact, s, ()) for s, inexact in subjects.find(rest)]
        later = [(stop, end) for stop, end in ends if stop >= start and end in readings]
        for stop, end in later[: relations.most_of + 1]:
            for relation, inexact in relations.find(question[start:stop]):
                found += [(inexact + more, s, (*rs, relation)) for more, s, rs in readings[end]]
        readings[start] = sorted(set(found))[:_READINGS]
    best = [reading for reading in readings[0] if reading[0] == readings[0][0][0]]
    if not best:
        raise FactsError(_not_understood(facts, question, ends, subjects, relations))
    if len(best) > 1:
        ways = " or ".join(
            " of ".join([*(f'"{facts.relation_name(r)}"' for r in rs[::-1]), f'"{facts.subject_name(s)}"'])
            for _, s, rs in best[:3]
        )
        raise FactsError(f"{quoted(question)} may be read as {ways}: write names as they are, in quotes")
    _, subject, asked = best[0]
    return subject, list(asked)


_OF = re.compile(r"(?<!\s)(?=(\s+of\s+))", re.IGNORECASE)  # they may overlap: "head of of Ann"
_WORD_OF = re.compile(r"(?<!\S)of(?!\S)", re.IGNORECASE)
_READINGS = 8  # that are kept of each part: enough to see that there are several
_Reading = tuple[int, int, tuple[int, ...]]  # names not as written, subject, relations (first hop first)


class _Names:
    """Names by what is written: as they are, in quotes, or but for case."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self.exact = {name: i for i, name in enumerate(self.names)}
        self.alike = defaultdict[str, list[int]](list)
        for i, name in enumerate(self.names):
            self.alike[seen(name).casefold()].append(i)
        self.most_of = max(len(_WORD_OF.findall(name)) for name in self.names)

    def find(self, text: str) -> list[tuple[int, int]]:
        """The names that a text may mean: number, and 1 where it is not written so."""
        for written in (text, text[1:-1] if len(text) > 2 and text[0] == text[-1] == '"' else text):
            if written in self.exact:
                return [(self.exact[written], 0)]
        return [(i, 1) for i in self.alike.get(seen(text).casefold(), [])]

    def meant(self, text: str) -> str:
        """What a message says behind a text that is no name."""
        return meant(seen(text).casefold(), self.alike, lambda like: self.names[self.alike[like][0]])


def _not_understood(
    facts: FactTable, question: str, ends: Sequence[tuple[int, int]], subjects: _Names, relations: _Names
) -> str:
    """Which part of a question is no name: what is left when as many relations as possible are taken off."""
    left, starts = {0}, [0, *(end for _, end in ends)]
    for i, (stop, end) in enumerate(ends):
        near = starts[max(0, i - relations.most_of) : i + 1]
        if any(relations.find(question[start:stop]) for start in near if start in left and start <= stop):
            left.add(end)
    rest = question[max(left) :]
    known = ", ".join(inert(facts.relation_name(r)) for r in range(min(facts.n_relations, 8)))
    until = _OF.search(rest)
    like = relations.meant(rest[: until.start()] if until else rest) or subjects.meant(rest)
    return f"{quoted(rest)} is neither a subject nor begins with a relation ({known}) and ' of '{like}"
