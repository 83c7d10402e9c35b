"""Several hops need answers that are entities, on every path; outputs beyond them are never right."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from georecall import block_superposition, chain_of_thought, composed_hops, sequential_hops
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.strings import letters
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.hops import enumeration
from georecall.verify.margins.induction import induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, over_entities, sample
from georecall.verify.margins.transitions import transitions
from georecall.verify.recall.weights import check_recall

TABLE = FactTable([[1, 2, 3, 0], [3, 2, 1, 0]])
STRANGE = FactTable([[1, 2, 5, 0], [3, 2, 1, 0]], n_attributes=6)  # 5 is the token of relation r1
PATHS = {
    "induction": lambda model, facts: induction(model, facts, max_hops=model.n_ctx // 2),
    "enumeration": lambda model, facts: enumeration(model, facts, 2, max_hops=model.n_ctx // 2),
    "transitions": lambda model, facts: transitions(model, facts, letters(facts, 2)),
    "one-pass": lambda model, facts: margins(model, Chains(facts, letters(facts, 2))),
}
MODELS = {
    "induction": lambda **more: chain_of_thought(TABLE, max_hops=2, **more),
    "soft induction": lambda: chain_of_thought(TABLE, max_hops=2, attention="soft"),
    "enumeration": lambda: chain_of_thought(TABLE, max_hops=2),
    "transitions": lambda: sequential_hops(TABLE, hops=2),
    "one-pass": lambda: composed_hops(TABLE),
}


def wide(model, *biases):
    """Logits for more tokens: zero columns and these biases."""
    W_U = np.hstack([np.asarray(model.W_U), np.zeros((model.d_model, len(biases)))])
    return replace(model, W_U=W_U, b_U=np.append(model.b_U, biases))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("facts", [TABLE, FactTable(TABLE.answers, n_attributes=6)])
def test_logits_for_the_whole_vocabulary_are_judged_on_every_path(name, facts):
    model, path = MODELS[name](), PATHS[name.split()[-1]]
    narrow, right, wrong = (path(m, facts) for m in (model, wide(model, -99, -99), wide(model, -99, 99)))
    assert np.allclose(np.float64(narrow.minimum), np.float64(right.minimum), rtol=1e-12)
    assert narrow.minimum[0] > 0
    assert wrong.n_recalled == 0  # an output that is no entity has the largest logit everywhere
    assert (wrong.worst.got, wrong.worst.got_name) == (5, "output 5")


@pytest.mark.parametrize("name", MODELS)
def test_an_answer_that_is_no_entity_is_refused_on_every_path(name):
    model, path = wide(MODELS[name](), -99, -99), PATHS[name.split()[-1]]
    for facts in (STRANGE, FactTable(np.where(STRANGE.answers == 5, 4, STRANGE.answers), n_attributes=6)):
        with pytest.raises(FactsError, match=r"r0 of s2 is a[45], which is none of the 4 subjects"):
            path(model, facts)


@pytest.mark.parametrize("name", ["induction", "one-pass"])
def test_a_file_whose_answers_are_no_entities_is_refused_in_one_line(name):
    model = wide(MODELS[name](), -99, -99)
    step = {"step": 1, "max_hops": 2} if name == "induction" else {}
    asked = [sample(Chains(TABLE, letters(TABLE, 2), **step), 0)]
    assert check_recall(model, TABLE, asked=asked).status == "holds"
    assert check_recall(model, FactTable(TABLE.answers, n_attributes=6), asked=asked).status == "holds"
    with pytest.raises(FactsError, match="none of the 4 subjects"):
        check_recall(model, STRANGE, asked=asked)


def test_one_hop_of_strangers_is_judged_with_logits_for_everything():
    facts = FactTable([[0, 5, 1, 2], [3, 4, 5, 0]])
    model = block_superposition(facts)
    for judge in (margins, count):
        assert judge(wide(model, -99), facts).minimum == judge(model, facts).minimum
        found = judge(wide(model, 99), facts)
        assert (found.n_recalled, found.worst.got_name) == (0, "output 6")
    assert check_recall(wide(model, -99.5), facts).min_margin == Fraction(2)


def test_names_that_are_not_the_subjects_do_not_compose():
    names = ["a", "b", "c", "d"]
    own = FactTable(TABLE.answers, subjects=names, attributes=[*names, "e"])
    assert over_entities(own) == FactTable(TABLE.answers, subjects=names, attributes=names)
    for attributes in (["a", "b", "d", "c"], ["w", "x", "y", "z"]):
        with pytest.raises(FactsError, match=re.escape("use to_entities()")):
            over_entities(FactTable(TABLE.answers, subjects=names, attributes=attributes))
