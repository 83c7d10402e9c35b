"""Cells of learning chains of relations: in one pass, or step by step, on the same budget (C3 against C5).

A fifth of all pairs of a subject and a string of k relations is held out. *Direct* training sees the answers
to the other strings, x = e_s plus a letter's embedding for each hop. *Chain of thought* sees the steps of the
same chains, one relation at a time, and reads its own answers back. Both have the same dimension, width and
number of steps.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.training.loop import train
from georecall.constructions.training.model import as_used, logits
from georecall.constructions.training.recipe import Recipe
from georecall.theory.facts.fact_table import FactTable, several_bijections
from georecall.theory.facts.strings import letters, spelled, string_answers
from georecall.theory.tools.randomness import generator
from georecall.verify.sweep.cell import Cell, grid

HELD_OUT = 0.2
SETTINGS: dict[str, Any] = {"learning_rate": 0.01, "weight_decay": 0.01, "noise": 0.0, "steps": 2000}


def learned_hops_cell(
    n_entities: int, n_relations: int, hops: int, dimension: int, width: int, seed: int, **settings: Any
) -> dict[str, Any]:
    """Accuracy on the chains trained on, and on those held out; settings are the other fields of `Recipe`.

    Returns:
        `direct`, `direct_held_out`, `thought` and `thought_held_out`, shares of pairs of subject and string.
    """
    facts = several_bijections(n_entities, n_relations, 1, seed=seed)
    alphabet = letters(facts, hops)
    answers = string_answers(facts, alphabet)
    rng = generator(seed, "held-out compositions", n_entities, n_relations, hops)
    asked = rng.random(answers.shape) >= HELD_OUT
    recipe = Recipe(dimension=dimension, width=width, seed=seed, **settings)

    composed = FactTable(answers, n_attributes=n_entities)
    direct = answered(composed, recipe, hops, asked) == answers
    strings = spelled(np.arange(len(answers)), alphabet)
    steps = answered(facts, recipe, 1, steps_of(facts, strings, asked))
    thought = chained(steps, strings) == answers
    return {
        "direct": float(direct[asked].mean()),
        "direct_held_out": float(direct[~asked].mean()),
        "thought": float(thought[asked].mean()),
        "thought_held_out": float(thought[~asked].mean()),
    }


def answered(facts: FactTable, recipe: Recipe, hops: int, asked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What a model trained on some of the facts answers to all of them: shape (R, N)."""
    recipe = replace(recipe, hops=hops)
    found = train(facts, recipe, asked=asked).parameters
    read = np.asarray(logits(found, as_used(found["subjects"], recipe.subjects), recipe))
    return np.asarray(read.argmax(axis=-1), dtype=np.int64)


def steps_of(facts: FactTable, strings: NDArray[np.int64], asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which single steps, shape (R, N), chains take of strings (R^k, k) and the subjects asked (R^k, N)."""
    taken = np.zeros(facts.answers.shape, dtype=bool)
    for string, subjects in zip(strings, asked, strict=True):
        reached = np.flatnonzero(subjects)
        for r in string:
            taken[r, reached] = True
            reached = facts.answers[r, reached]
    return taken


def chained(steps: NDArray[np.int64], strings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where single steps, each reading the last answer back, lead every subject: shape (R^k, N)."""
    reached = np.tile(np.arange(steps.shape[1]), (len(strings), 1))
    for letter in strings.T:
        reached = steps[letter[:, None], reached]
    return reached


def chains(hops: tuple[int, ...], *, seeds: int = 3, seed: int = 0) -> list[Cell]:
    """The cells behind the README's figures: N = 64, R = 2."""
    at: dict[str, Any] = {"n_entities": 64, "n_relations": 2, "hops": hops, "dimension": 64, "width": 256}
    return grid("learned-hops", **SETTINGS, **at, seed=range(seed, seed + seeds))
