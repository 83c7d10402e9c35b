"""What weights are asked: every number of hops that a sample query shows, in the form that it shows."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from georecall import (
    MLP,
    Attention,
    Block,
    Transformer,
    chain_of_thought,
    composed_hops,
    in_place_superposition,
    sequential_hops,
)
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.claims.hops import FAMILY
from georecall.verify.margins import hops as many_hops
from georecall.verify.margins.queries import Chains, sample
from georecall.verify.recall import weights as recall
from georecall.verify.recall.weights import _worst, check_recall
from georecall.verify.verdict.verdict import Verdict


def test_recall_asks_as_the_samples_show():
    four = FactTable([[1, 2, 0], [0, 2, 1], [2, 1, 0], [1, 0, 2]])
    two = FactTable(four.answers[:2])
    cases = [
        (in_place_superposition(two), two, [], 6, "codebook"),
        (composed_hops(two), two, Chains(two, np.array([[0, 1], [0, 1]])), 12, "codebook"),
        (sequential_hops(four, typed=True), four, Chains(four, np.array([[0, 1], [2, 3]])), 12, "codebook"),
        (
            chain_of_thought(two, max_hops=3),
            two,
            Chains(two, np.array([[0, 1]] * 3), step=1, max_hops=3),
            24,
            "induction",
        ),
    ]
    for model, facts, queries, n_queries, method in cases:
        asked = [sample(queries, queries.size - 1)] if queries else []
        verdict = check_recall(model, facts, asked=asked)
        assert (verdict.claim, verdict.status, verdict.method) == ("recall", "holds", method)
        assert (verdict.n_facts, verdict.n_queries) == (facts.n_facts, n_queries)
        sizes = {"subjects": 3, "relations": len(facts.answers), "attributes": 3}
        typed = {"assumed": {"typed": "as the samples show"}} if queries and not queries.step else {}
        assert verdict.parameters == sizes | {"engine": "numpy"} | typed
        assert 0 < verdict.seconds < 100


def test_recall_needs_entities_only_for_several_hops():
    strangers = FactTable([[0, 0, 1], [1, 0, 1]])
    assert check_recall(in_place_superposition(strangers), strangers).status == "holds"


def samples_of(facts, *lengths):
    return [sample(Chains(facts, np.tile(np.arange(facts.n_relations), (k, 1))), 0) for k in lengths]


def subject_at_any_length(facts):
    """Answers with the subject: the last position attends to all alike, and relations write nothing."""
    N, R = facts.answers.shape[::-1]
    W_E = np.vstack([np.eye(N), np.zeros((R, N))])
    zero, one = np.zeros((1, N, N)), np.eye(N)[None]
    block = Block(Attention(W_Q=zero, W_K=zero, W_V=one, W_O=one), None)
    return Transformer(W_E, np.zeros((8, N)), (block,), np.eye(N), np.zeros(N), attention="soft")


def test_every_number_of_hops_that_a_sample_has_is_asked():
    same = FactTable([[0, 1, 2], [0, 1, 2]])
    model = subject_at_any_length(same)
    for lengths in ((1,), (2,), (1, 2), (3, 1), (1, 2, 3)):
        verdict = check_recall(model, same, asked=samples_of(same, *lengths))
        assert (verdict.status, verdict.exact) == ("holds", True)
        assert verdict.n_queries == sum(3 * 2**k for k in lengths)
        assert verdict.min_margin == verdict.measured["min_margin"] == Fraction(1, 1 + max(lengths))


def test_the_worst_number_of_hops_decides():
    """A model of two hops knows nothing of one: to have a sample of either is to be asked both."""
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    assert check_recall(composed_hops(two), two, asked=samples_of(two, 2)).status == "holds"
    for lengths in ((1, 2), (2, 1)):
        verdict = check_recall(composed_hops(two), two, asked=samples_of(two, *lengths))
        assert (verdict.status, verdict.n_queries, verdict.reason) == ("refuted", 18, "5 of 6 facts wrong")
        assert verdict.min_margin == verdict.witness.margin == -4
    chain = sample(Chains(two, np.array([[0, 1]]), step=1, max_hops=1), 0)
    verdict = check_recall(composed_hops(two), two, asked=[*samples_of(two, 2), chain])
    assert (verdict.status, verdict.n_queries, verdict.witness.relations) == ("refuted", 18, (0,))


@pytest.mark.parametrize("at_two", [1, 4])
def test_where_several_numbers_of_hops_are_wrong_the_witness_is_of_the_least_margin(at_two):
    two = FactTable([[0, 1, 2], [0, 1, 2]])
    W_pos = np.zeros((8, 3))
    W_pos[1], W_pos[2] = [-2, 2, 0], [-at_two, at_two, 0]  # the last position of one hop, and of two
    model = replace(subject_at_any_length(two), W_pos=W_pos)
    one, both = (check_recall(model, two, asked=samples_of(two, *lengths)) for lengths in ((1,), (1, 2)))
    assert one.status == both.status == "refuted"
    assert both.witness.margin == pytest.approx(float(both.min_margin))
    assert len(both.witness.relations) == (1 if at_two == 1 else 2)
    assert (both.min_margin == one.min_margin) == (at_two == 1)


def test_the_worst_verdict_is_exact_if_all_are():
    exact = Verdict("recall", "holds", n_queries=6, min_margin=Fraction(1), exact=True)
    inexact = replace(exact, min_margin=Fraction(2), exact=False)
    assert _worst([exact, exact]).exact
    for several in ([exact, inexact], [inexact, exact]):
        assert (_worst(several).min_margin, _worst(several).exact) == (1, False)


def test_the_least_margin_is_of_all_whichever_verdict_is_worst():
    wrong = Verdict("recall", "refuted", n_queries=6, min_margin=Fraction(-1))
    open_ = replace(wrong, status="inconclusive", min_margin=Fraction(-2))
    assert (_worst([wrong, open_]).status, _worst([wrong, open_]).min_margin) == ("refuted", -2)


def test_an_engine_has_been_asked_every_number_of_hops():
    pytest.importorskip("onnxruntime")
    same = FactTable([[0, 1, 2], [0, 1, 2]])
    verdict = check_recall(
        subject_at_any_length(same), same, asked=samples_of(same, 1, 2), engine="onnxruntime"
    )
    assert (verdict.status, verdict.measured["engine_queries"]) == ("holds", verdict.n_queries)
    assert verdict.measured["engine_min_margin"] == pytest.approx(1 / 3)
    of_the_engine = [c.got for c in verdict.controls if c.name == "one weight of the graph negated"]
    assert [got.split(" on ")[-1] for got in of_the_engine] == [
        "2 of 6 queries",
        "4 of 12 queries",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"positions": [1, 0]},
        {"positions": [0]},
        {"subject": 1},
        {"relations": [1]},
        {"tokens": [0, 3, 4]},
        {"tokens": [3], "relations": [0, 1]},
        {"tokens": [0, 5], "relations": [2]},  # a token that there is not
        {"tokens": [0, 2], "relations": [-1]},  # a relation that there is not
    ],
)
@pytest.mark.parametrize("thinks", [False, True])
def test_samples_of_another_form_than_what_is_asked_are_refused(change, thinks):
    """Else weights would be judged by prompts that they are not made for."""
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    model = chain_of_thought(two, max_hops=1) if thinks else in_place_superposition(two)
    queries = Chains(two, np.array([[0, 1]]), step=1 if thinks else None, max_hops=int(thinks))
    asked = sample(queries, 0)
    assert check_recall(model, two, asked=[asked]).status == "holds"
    given = str(change.get("positions", asked.get("positions", "not given")))
    with pytest.raises(
        ValueError, match=rf"a sample query has tokens \[.*\] at positions {re.escape(given)}; "
    ):
        check_recall(model, two, asked=[asked | change])


def test_a_step_may_name_the_relations_so_far_or_all_of_its_chain():
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    model = chain_of_thought(two, max_hops=3)
    step = sample(Chains(two, np.array([[0, 1]] * 3), step=2, max_hops=3), 5)
    every = [r - 3 for r in step["tokens"][:3]]
    assert len(step["relations"]) == 2
    for relations in (step["relations"], every):
        assert check_recall(model, two, asked=[step | {"relations": relations}]).status == "holds"
    with pytest.raises(ValueError, match="a sample query has tokens"):
        check_recall(model, two, asked=[step | {"relations": every[:1]}])


def test_chains_shorter_than_the_model_allows_are_certified_up_to_what_it_allows():
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    asked = chain_samples(two, 2, 3)
    for samples in (asked, [{k: v for k, v in q.items() if k != "positions"} for q in asked]):
        verdict = check_recall(chain_of_thought(two, max_hops=3), two, asked=samples)
        assert (verdict.status, verdict.method, verdict.n_queries) == ("holds", "induction", 3 * 2**3)


def test_facts_of_words_are_counted_and_not_compared_with_every_answer(monkeypatch):
    monkeypatch.setattr(recall, "margins", None)
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    assert check_recall(in_place_superposition(two), two).status == "holds"


@pytest.mark.parametrize(
    ("relations", "n_relations", "n_queries"),
    [([0, 2], 4, 12), ([1, 3], 4, 12), ([2, 0], 4, 48), ([0, 1], 4, 48), ([0, 2], 3, 27), ([1, 1], 2, 12)],
)
def test_hops_are_typed_only_if_each_asks_for_relations_of_its_own(relations, n_relations, n_queries):
    """A sample such as [1, 0] or [0, 1] of four relations is untyped: all R^k strings are asked."""
    facts = FactTable([[1, 2, 0], [0, 2, 1], [2, 1, 0], [1, 0, 2]][:n_relations])
    asked = [{"relations": relations, "tokens": [0, *(3 + r for r in relations)]}]
    assert check_recall(composed_hops(facts), facts, asked=asked).n_queries == n_queries


def test_hops_that_are_said_to_be_typed_or_not_are_asked_so():
    """[0, 1] of two relations shows either: whoever knows says it."""
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    either = [sample(Chains(two, np.array([[0], [1]])), 0)]
    assert either[0]["relations"] == [0, 1]
    for typed, n_queries in ((None, 3), (True, 3), (False, 12)):
        model = composed_hops(two, typed=bool(typed))
        assert check_recall(model, two, asked=either, typed=typed).n_queries == n_queries
    assert check_recall(in_place_superposition(two), two, typed=True).n_queries == 6  # one hop is no chain


@pytest.mark.parametrize("relations", [[1, 1], [0, 0], [1, 0]])
def test_samples_that_typed_hops_cannot_ask_are_refused(relations):
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    asked = [{"relations": relations, "tokens": [0, *(3 + r for r in relations)]}]
    with pytest.raises(ValueError, match=r"typed hops of 2 relations never ask \[., .\]"):
        check_recall(composed_hops(two), two, asked=asked, typed=True)
    assert check_recall(composed_hops(two), two, asked=asked, typed=False).n_queries == 12
    three = FactTable([*two.answers, [2, 1, 0]])
    with pytest.raises(ValueError, match="3 relations do not divide among 2 hops"):
        check_recall(composed_hops(three), three, asked=asked, typed=True)


def test_recall_reports_its_progress_whatever_is_asked():
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    chain = [sample(Chains(two, np.array([[0, 1]]), step=1, max_hops=2), 0)]
    hops = [sample(Chains(two, np.array([[0, 1]] * 2)), 0)]
    for model, asked, total in [
        (in_place_superposition(two), [], 6),
        (composed_hops(two), hops, 12),
        (chain_of_thought(two, max_hops=2), chain, 6),
        (subject_at_any_length(two), [], 6),
    ]:
        told = []
        check_recall(model, two, asked=asked, progress=lambda *done, told=told: told.append(done))
        assert told[-1] == (total, total)


def lost(model):
    """The model without positions: no certificate applies, and relations are confused."""
    return replace(model, W_pos=np.zeros_like(model.W_pos))


def chain_samples(facts, hops, max_hops):
    return [
        sample(Chains(facts, np.tile(np.arange(facts.n_relations), (hops, 1)), step=i, max_hops=max_hops), 0)
        for i in range(1, hops + 1)
    ]


def test_recall_says_which_premise_fails_where_chains_are_too_many_to_run(monkeypatch):
    facts = FactTable([[1, 2, 0], [0, 2, 1]])
    model, asked = lost(chain_of_thought(facts, max_hops=2)), chain_samples(facts, 2, 2)
    assert check_recall(model, facts, asked=asked).status == "refuted"
    monkeypatch.setattr(many_hops, "_BUDGET", 1)
    verdict = check_recall(model, facts, asked=asked)
    assert (verdict.status, verdict.n_facts, verdict.min_margin) == ("inconclusive", 6, None)
    assert "one largest score" in verdict.reason


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
def test_chains_of_weights_that_no_certificate_fits_are_run_as_long_as_the_samples_are(engine):
    """Two more positions and an idle layer: the induction is about exactly 2K positions and one layer."""
    if engine != "numpy":
        pytest.importorskip(engine)
    facts = FactTable([[1, 2, 0], [0, 2, 1]])
    model = chain_of_thought(facts, max_hops=3)
    idle = MLP(
        np.zeros((model.d_model, 1)), np.zeros(1), np.zeros((1, model.d_model)), np.zeros(model.d_model)
    )
    more = np.vstack([model.W_pos, np.zeros((2, model.d_model))])
    for other in (replace(model, W_pos=more), replace(model, blocks=(*model.blocks, Block(None, idle)))):
        for hops in (1, 2, 3):
            asked = chain_samples(facts, hops, 3)
            verdict = check_recall(other, facts, asked=asked, engine=engine)
            assert (verdict.status, verdict.min_margin, verdict.exact) == ("holds", 2, True)
            assert (verdict.n_queries, verdict.method) == (3 * 2**hops, "codebook")
            if engine != "numpy":  # every step of every chain, each a prompt
                n_prompts = sum(k * 3 * 2**k for k in range(1, hops + 1))
                assert verdict.measured["engine_queries"] == n_prompts
    wrong = replace(model, W_pos=more, W_U=np.roll(model.W_U, 1, axis=1))
    assert check_recall(wrong, facts, asked=chain_samples(facts, 3, 3)).status == "refuted"


@pytest.mark.parametrize("experiment", FAMILY, ids=lambda experiment: experiment.name)
def test_wrong_answers_of_several_hops_are_queries(experiment):
    facts = FactTable([[1, 2, 0], [0, 2, 1]])
    instance = experiment.instance(facts, hops=2)
    model = instance.build()
    W_U = np.asarray(model.W_U)[:, ::-1].copy()  # entities 0 and 2 change places
    verdict = check_recall(replace(model, W_U=W_U), facts, asked=instance.samples())
    words = "facts" if experiment.name == "chain-of-thought" else "queries"
    assert verdict.status == "refuted"
    assert verdict.reason.endswith(f"{words} wrong")
