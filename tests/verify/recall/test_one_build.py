"""One build, one truth: what is said is about the model that was judged, and about what it was asked."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from georecall import block_superposition
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.recall.assert_recalls import assert_recalls, check_construction

FACTS = random_bijections(5, 2, rng=np.random.default_rng(0))


def wrong_at_first():
    """Wrong the first time it is built, right from then on."""
    times = []

    def build(facts: FactTable):
        times.append(facts)
        model = block_superposition(facts)
        return replace(model, W_U=-np.asarray(model.W_U)) if len(times) == 1 else model

    return build


def test_a_counterexample_is_of_the_build_that_was_judged_and_says_that_another_differs():
    verdict = check_construction(wrong_at_first(), FACTS)
    assert (verdict.status, verdict.witness.margin) == ("refuted", verdict.min_margin)
    assert verdict.min_margin < 0
    assert verdict.reason == "10 of 10 facts wrong; building again gives another model"
    with pytest.raises(AssertionError, match=r"10 of 10 facts wrong; .*; building again gives another model"):
        assert_recalls(wrong_at_first(), FACTS)


def right_at_two_hops_alone(facts: FactTable):
    def logits(tokens):
        out = np.zeros((len(tokens), facts.n_attributes))
        for row, line in zip(out, tokens.tolist(), strict=True):
            relations = [x - facts.n_subjects for x in line if x >= facts.n_subjects]
            entities = [x for x in line if x < facts.n_subjects]
            answer = facts.answers[relations[len(entities) - 1], entities[-1]]
            row[answer] = 1 if len(relations) == 2 else -1
        return out

    return logits


def test_chains_are_counted_as_they_were_asked():
    verdict = check_construction(right_at_two_hops_alone, FACTS, hops=2, chain_of_thought=True)
    assert (verdict.status, verdict.reason) == ("refuted", "10 of 30 queries wrong")
    assert len(verdict.witness.relations) == 1


def test_embeddings_may_be_sparse():
    def sparse(facts):
        model = block_superposition(facts)
        return replace(model, W_E=csr_array(model.W_E), W_pos=csr_array(model.W_pos))

    verdict = check_construction(sparse, FACTS)
    assert (verdict.status, verdict.min_margin) == ("holds", 2)
    assert_recalls(sparse)
