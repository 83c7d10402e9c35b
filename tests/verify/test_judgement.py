"""From margins to a verdict, step by step: each condition alone, on an instance of four facts."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from constructions import chain_of_thought, composed_hops, in_place_superposition, sequential_hops
from theory import FactTable
from theory.claims import CLAIMS
from verify import checking
from verify.asked import Prepared, UsageError, prepare
from verify.checking import check, check_recall
from verify.exact.induction import PremiseError
from verify.exact.margin import margins
from verify.exact.queries import Chains, sample
from verify.experiments.multi_hop import FAMILY
from verify.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

FACTS = FactTable([[0, 1], [1, 0]])
PASSED, FAILED = (ControlResult("a control", "breaks", "broke", ok) for ok in (True, False))


class Stub:
    """An experiment whose controls come out as told."""

    def __init__(self, claim, *controls):
        self.claim, self._controls = claim, controls

    def controls(self):
        return list(self._controls)

    def controls_at(self):
        return {"subjects": 2}


@pytest.fixture
def judged(monkeypatch):
    """The verdict on in-place recall of four facts, its instance and controls changed."""

    def verdict(facts=FACTS, controls=(PASSED,), **changes):
        prepared = prepare("single-hop-in-place", facts)
        claim = prepared.experiment.claim
        changes = {"counts": False} | changes  # margins one by one
        changed = Prepared(
            Stub(claim, *controls), facts, replace(prepared.instance, **changes), prepared.parameters
        )
        monkeypatch.setattr(checking, "prepare", lambda *_, **__: changed)
        return check("single-hop-in-place", facts)

    return verdict


def found_with(**changes):
    """Exact margins of the four facts, changed."""
    return lambda model, progress: replace(margins(model, FACTS), **changes)


def test_it_holds_when_all_is_as_predicted(judged):
    verdict = judged()
    assert (verdict.status, verdict.reason, verdict.witness) == ("holds", None, None)
    assert (verdict.n_facts, verdict.n_queries, verdict.seed) == (4, 4, 0)
    assert verdict.controls == (PASSED,)
    assert verdict.controls_at == {"subjects": 2}
    assert verdict.measured == verdict.predicted
    assert 0 < verdict.seconds < 100
    assert [h.name for h in verdict.hypotheses] == [h.name for h in CLAIMS[verdict.claim].hypotheses]


def test_one_wrong_fact_refutes_and_is_the_witness(judged):
    verdict = judged(build=lambda: in_place_superposition(FACTS, gate=0.25))
    assert (verdict.status, verdict.reason) == ("refuted", "2 of 4 facts wrong")
    assert verdict.witness.margin == verdict.min_margin == -1
    assert (verdict.exact, verdict.method) == (True, "exhaustive")


def test_an_undecided_sign_is_inconclusive_and_a_wrong_fact_beside_it_refutes(judged):
    signs = np.array([[1, 0], [1, 0]], dtype=np.int8)
    verdict = judged(margins=found_with(signs=signs))
    assert (verdict.status, verdict.reason) == ("inconclusive", "the sign of 2 margins is not decided")
    signs[0, 0] = -1
    verdict = judged(margins=found_with(signs=signs))
    assert (verdict.status, verdict.reason) == ("refuted", "1 of 4 facts wrong")


def test_a_least_margin_must_be_predicted_or_enclose_the_prediction(judged):
    for ends, agrees in [
        ((1, 3), True),
        ((2, 3), True),
        ((1, 2), True),
        ((1, 1.5), False),
        ((2.5, 3), False),
    ]:
        least = tuple(map(Fraction, ends))
        verdict = judged(margins=found_with(minimum=least, exact=False))
        assert verdict.status == ("holds" if agrees else "refuted"), ends
        assert (verdict.min_margin, verdict.exact) == (least[0], False)
        if not agrees:
            assert verdict.witness == Mismatch("min_margin", 2, least[0])
            assert verdict.reason == f"min_margin is {least[0]}, predicted 2"


def test_a_promise_is_kept_from_above(judged):
    for least, kept in [(Fraction(2), True), (Fraction(5, 2), True), (Fraction(3, 2), False)]:
        verdict = judged(margins=found_with(minimum=(least, least)), promises=("min_margin",))
        assert verdict.status == ("holds" if kept else "refuted"), least
    assert verdict.reason == "min_margin is 3/2, promised at least 2"


def test_queries_that_were_not_asked_leave_it_open_unless_a_certificate_stands_for_them(judged):
    for method in ("exhaustive", "codebook", "filtered"):
        verdict = judged(margins=found_with(method=method), n_queries=5)
        assert verdict.status == "inconclusive"
        assert verdict.reason.startswith("only 4 of 5 queries verified, all strings of 2 of the subjects")
    for method in ("induction", "transitions"):
        assert judged(margins=found_with(method=method), n_queries=5).status == "holds"
    assert judged(n_queries=3).status == "holds"
    broken = judged(build=lambda: in_place_superposition(FACTS, gate=0.25), n_queries=5)
    assert broken.status == "refuted"


def test_a_premise_that_fails_while_measuring_is_inconclusive(judged):
    def fails(model, progress):
        raise PremiseError("positions are read twice")

    verdict = judged(margins=fails, n_queries=10**9)
    assert verdict.status == "inconclusive"
    assert verdict.reason.endswith("no certificate applies: positions are read twice")
    assert "1000000000 queries are too many" in verdict.reason
    assert verdict.predicted


def test_premises_of_the_instance_are_named_where_they_fail(judged):
    fine, unmet = HypothesisResult("dyadic weights", True), HypothesisResult("small weights", False)
    assert judged(premises=(fine,)).status == "holds"
    verdict = judged(premises=(fine, unmet))
    assert (verdict.status, verdict.reason) == ("hypotheses-not-met", "not small weights")
    assert unmet in verdict.hypotheses
    assert fine not in verdict.hypotheses
    assert verdict.measured == {}
    assert 0 < verdict.seconds < 100


def test_premises_are_not_spoken_of_where_a_hypothesis_fails(judged):
    unmet = HypothesisResult("small weights", False)
    values = prepare("single-hop-in-place", FACTS, gate=0.25).instance.values
    verdict = judged(values=values, premises=(unmet,))
    assert verdict.status == "hypotheses-not-met"
    assert unmet not in verdict.hypotheses
    assert sum(not hypothesis.holds for hypothesis in verdict.hypotheses) == 1


def test_a_failed_control_takes_back_all_but_a_refutation(judged):
    verdict = judged(controls=(PASSED, FAILED))
    assert (verdict.status, verdict.reason) == ("inconclusive", "control not as predicted: a control")
    assert verdict.controls == (PASSED, FAILED)
    broken = judged(controls=(FAILED,), build=lambda: in_place_superposition(FACTS, gate=0.25))
    assert broken.status == "refuted"


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
        assert verdict.parameters == sizes | {"engine": "numpy"}
        assert 0 < verdict.seconds < 100


def test_recall_takes_the_longest_sample_and_needs_entities_only_for_several_hops():
    two = FactTable([[1, 2, 0], [0, 2, 1]])
    asked = [{"relations": [1, 0], "tokens": [0, 4, 3]}, {"relations": [0], "tokens": [0, 3]}]
    assert check_recall(composed_hops(two), two, asked=asked).n_queries == 12
    strangers = FactTable([[0, 0, 1], [1, 0, 1]])
    assert check_recall(in_place_superposition(strangers), strangers).status == "holds"


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
    ]:
        told = []
        check_recall(model, two, asked=asked, progress=lambda *done, told=told: told.append(done))
        assert told[-1] == (total, total)


def test_recall_says_which_premise_fails():
    facts = FactTable([[1, 2, 0], [0, 2, 1]])
    model = chain_of_thought(facts, max_hops=2)
    model = replace(model, W_pos=np.zeros_like(model.W_pos))
    asked = [sample(Chains(facts, np.array([[0, 1]]), step=1, max_hops=2), 0)]
    verdict = check_recall(model, facts, asked=asked)
    assert verdict.status == "inconclusive"
    assert "one largest score" in verdict.reason


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


@pytest.fixture
def any_engine(monkeypatch):
    """Whether an engine is installed is not the question here."""
    monkeypatch.setattr(checking, "require", lambda name: None)


@pytest.mark.parametrize(
    ("claim", "options", "message"),
    [
        ("single-hop", {"engine": "onnxruntime", "implicit": True}, "for counting by NumPy"),
        ("single-hop", {"engine": "onnxruntime", "checkpoint": "x.json"}, "for counting by NumPy"),
        ("composed-hops", {"checkpoint": "x.json"}, "composed-hops has no option 'checkpoint'"),
        ("margin-bound", {"checkpoint": "x.json"}, "margin-bound has no option 'checkpoint'"),
        ("margin-bound", {"implicit": True}, "margin-bound has no option 'implicit'"),
        ("margin-bound", {"engine": "onnxruntime"}, "margin-bound is about all models; --engine"),
        ("gradient-descent", {"engine": "onnxruntime"}, "gradient-descent is about trained models; --engine"),
    ],
)
def test_what_does_not_go_together_is_refused(any_engine, claim, options, message):
    with pytest.raises(UsageError, match=message):
        check(claim, FACTS, **options)


def test_an_engine_that_is_not_there_is_refused_before_the_work():
    for ask in (
        lambda: check("single-hop", FACTS, engine="abacus"),
        lambda: check_recall(in_place_superposition(FACTS), FACTS, engine="abacus"),
    ):
        with pytest.raises(UsageError, match="engine must be one of numpy, onnxruntime, got 'abacus'"):
            ask()


@pytest.fixture
def judge(monkeypatch):
    """A judge in a claim's place that says what it was asked."""
    asked = {}

    def put(name):
        def told(facts, progress, **options):
            asked.update(facts=facts, options=options)
            return Verdict(name, "holds")

        monkeypatch.setitem(checking.JUDGES, name, told)
        return asked

    return put


@pytest.mark.parametrize(
    ("claim", "sizes"),
    [("counting-bound", (1000, 8)), ("multi-hop-bound", (64, 3)), ("gradient-descent", (512, 2))],
)
def test_a_claim_with_a_judge_of_its_own_is_asked_of_a_table_as_the_others_are(judge, claim, sizes):
    asked = judge(claim)
    verdict = check(claim)
    assert asked["facts"].answers.shape == sizes[::-1]
    assert (verdict.n_facts, verdict.n_queries) == (sizes[0] * sizes[1],) * 2
    verdict = check(claim, subjects=6, relations=2, table="functions", seed=3)
    sizes = {"subjects": 6, "relations": 2, "attributes": 6, "table": "functions"}
    assert sizes.items() <= verdict.parameters.items()
    assert (
        verdict.parameters["facts_sha256"]
        == asked["facts"].digest
        != check(claim, subjects=6, relations=2).parameters["facts_sha256"]
    )
    assert (verdict.seed, verdict.n_facts) == (3, 12)
    assert 0 < verdict.seconds < 100
    check(claim, FACTS)
    assert asked["facts"] is FACTS


def test_a_judge_is_told_the_options_and_the_seed_if_it_draws(judge):
    asked = judge("gradient-descent")
    verdict = check("gradient-descent", FACTS, trials=2, gate=None, seed=5)
    assert asked["options"] == {"trials": 2, "seed": 5}
    assert verdict.parameters["trials"] == 2
    asked = judge("multi-hop-bound")
    check("multi-hop-bound", FACTS, hops=2, seed=5)
    assert asked["options"] == {"hops": 2}
    with pytest.raises(UsageError, match="multi-hop-bound has no option 'gate'"):
        check("multi-hop-bound", FACTS, gate=1.0)


def test_a_judge_that_lacks_a_library_is_a_usage_error(monkeypatch):
    def judge(facts, progress):
        raise ImportError("flint is not installed")

    monkeypatch.setitem(checking.JUDGES, "margin-bound", judge)
    with pytest.raises(UsageError, match="flint is not installed"):
        check("margin-bound", FACTS)


def test_memory_is_asked_for_before_weights_that_must_be_held(any_engine, monkeypatch):
    """Counting builds its weights on demand, and asks for memory only if that is not enough."""

    def refuse(facts, d_model):
        raise UsageError(f"no room for {d_model}")

    monkeypatch.setattr(checking, "require_memory_for_weights", refuse)
    assert check("single-hop", FACTS).status == "holds"
    for claim, engine in [("single-hop", "onnxruntime"), ("composed-hops", "numpy")]:
        with pytest.raises(UsageError, match="no room for"):
            check(claim, FACTS, engine=engine)


@pytest.mark.parametrize("ask", [check, check_recall])
def test_another_engine_is_asked_the_same_and_may_take_the_verdict_back(any_engine, monkeypatch, ask):
    def disagree(verdict, model, found, engine, progress):
        assert (engine, found.n_facts) == ("onnxruntime", 4)
        return replace(verdict, status="inconclusive", reason="it disagrees")

    monkeypatch.setattr(checking, "in_engine", disagree)
    what = "single-hop-in-place" if ask is check else in_place_superposition(FACTS)
    assert ask(what, FACTS).status == "holds"
    verdict = ask(what, FACTS, engine="onnxruntime")
    assert (verdict.status, verdict.reason) == ("inconclusive", "it disagrees")
