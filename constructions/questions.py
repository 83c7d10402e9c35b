"""Questions in words, answered by the weights, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from georecall.constructions.chain_of_thought import chain_of_thought
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.prompts import relations_first
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.tools.names import meant


@dataclass(frozen=True)
class Step:
    """One step of an answer.

    Args:
        prompt: the tokens that the model read, in words.
        said: the entity that it said, the argmax of its logits.
        margin: the largest logit less the second largest, in floats.
    """

    prompt: tuple[str, ...]
    said: str
    margin: float


def answer(
    facts: FactTable, subject: int, relations: Sequence[int], *, model: Transformer | None = None
) -> list[Step]:
    """The steps by which chain of thought answers a question; the last one's `said` is the answer.

    Args:
        facts: the table whose names are used; entities to entities (or made so, see `to_entities`).
        subject: its number.
        relations: relation numbers, the first hop first.
        model: with 2K positions, K at least the number of hops; default: C3's, built from the facts.

    Raises:
        FactsError: an attribute is no subject.
        ValueError: no relation, or more than the model has positions for.

    Example:
        >>> facts = FactTable([[1, 2, 0], [0, 0, 1]], subjects=["a", "b", "c"], attributes=["a", "b", "c"])
        >>> [(" ".join(step.prompt), step.said) for step in answer(facts, 0, [0, 1])]
        [('r0 r1 a', 'b'), ('r0 r1 a b', 'a')]
    """
    facts = facts.to_entities()
    if not relations:
        raise ValueError("a question needs at least one relation")
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
        logits = dense(model.logits(tokens, positions))[0]
        second, first = np.argsort(logits)[-2:]
        words = [*map(facts.relation_name, relations), *map(facts.subject_name, entities)]
        entities.append(int(first))
        steps.append(
            Step(tuple(words), facts.subject_name(int(first)), float(logits[first] - logits[second]))
        )
    return steps


def understand(facts: FactTable, question: str) -> tuple[int, list[int]]:
    """Subject and relations of a question like "below of next of carbon"; the first hop stands last.

    Names are compared without regard to case and to white space at their ends; they may contain " of ".

    Raises:
        FactsError: a part of the question is no name; the message says which.

    Example:
        >>> understand(FactTable([[1, 0], [0, 0]], subjects=["ann", "bob"]), "r1 of R0 of Ann")
        (0, [0, 1])
    """
    subjects = {facts.subject_name(s).casefold(): s for s in range(facts.n_subjects)}
    names = {facts.relation_name(r).casefold(): r for r in range(facts.n_relations)}
    rest, relations = question.strip().casefold(), list[int]()
    while rest not in subjects:
        fits = [name for name in names if rest.startswith(f"{name} of ")]
        if not fits:
            known = ", ".join(facts.relation_name(r) for r in range(min(facts.n_relations, 8)))
            like = meant(rest.partition(" of ")[0], names) or meant(rest, subjects)
            raise FactsError(
                f"{rest!r} is neither a subject nor begins with a relation ({known}) and ' of '{like}"
            )
        name = max(fits, key=len)
        relations.append(names[name])
        rest = rest[len(name) + len(" of ") :].strip()
    return subjects[rest], relations[::-1]
