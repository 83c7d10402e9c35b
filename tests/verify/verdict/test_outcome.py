"""From margins to a verdict, step by step: each condition alone, on an instance of four facts."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from georecall import in_place_superposition
from georecall.theory.claims import CLAIMS
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.claims import check as checking
from georecall.verify.claims import instance as instances
from georecall.verify.claims.check import check
from georecall.verify.claims.floors import Floor
from georecall.verify.claims.options import EXPERIMENTS, Prepared, prepare
from georecall.verify.engines import engine as engines
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import margins
from georecall.verify.recall import weights as recall
from georecall.verify.recall.weights import check_recall
from georecall.verify.usage import UsageError
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch

FACTS = FactTable([[0, 1], [1, 0]])
PASSED, FAILED = (ControlResult("a control", "breaks", "broke", ok) for ok in (True, False))


class Stub:
    """An experiment whose controls come out as told."""

    def __init__(self, claim, *controls):
        self.claim, self.name, self._controls = claim, claim.name, controls

    def controls(self, **_):
        return list(self._controls)

    def controls_at(self, **_):
        return {"subjects": 2}


@pytest.fixture
def judged(monkeypatch):
    """The verdict on in-place recall of four facts, its instance and controls changed."""

    def verdict(facts=FACTS, controls=(PASSED,), **changes):
        prepared = prepare("single-hop-in-place", facts)
        claim = prepared.experiment.claim
        changes = {"counts": False, "companion": None} | changes  # margins one by one, no control of that
        changed = Prepared(
            Stub(claim, *controls), facts, replace(prepared.instance, **changes), prepared.parameters
        )
        monkeypatch.setattr(checking, "examined", lambda *_, **__: changed)
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
    assert (verdict.status, verdict.reason) == ("refuted", "at least 1 of 4 facts wrong, 2 not decided")


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


@pytest.fixture
def any_engine(monkeypatch):
    """Whether an engine is installed is not the question here."""
    monkeypatch.setattr(engines, "require", lambda name: None)


@pytest.mark.parametrize(
    ("claim", "options", "message"),
    [
        ("single-hop", {"engine": "onnxruntime", "implicit": True}, "for counting by NumPy"),
        ("single-hop", {"engine": "onnxruntime", "checkpoint": "x.json"}, "for counting by NumPy"),
        ("composed-hops", {"checkpoint": "x.json"}, "composed-hops has no option checkpoint; "),
        ("margin-bound", {"checkpoint": "x.json"}, "margin-bound has no option checkpoint; "),
        ("margin-bound", {"implicit": True}, "margin-bound has no option implicit; "),
        ("margin-bound", {"engine": "onnxruntime"}, "margin-bound is about all models; engine"),
        ("gradient-descent", {"engine": "onnxruntime"}, "gradient-descent is about trained models; engine"),
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
        with pytest.raises(UsageError, match="engine must be one of numpy, onnxruntime, jax, got 'abacus'"):
            ask()


@pytest.fixture
def judge(monkeypatch):
    """A comparison in a claim's place that says what it was asked."""
    asked = {}

    def put(name):
        def told(verdict, facts, progress, **options):
            asked.update(facts=facts, options=options)
            return replace(verdict, status="holds"), {}

        floor = Floor(CLAIMS[name], told, list, default_table=EXPERIMENTS[name].default_table)
        monkeypatch.setitem(EXPERIMENTS, name, floor)
        return asked

    return put


@pytest.mark.parametrize(
    ("claim", "sizes", "hops"),
    [("counting-bound", (1000, 8), 1), ("multi-hop-bound", (64, 3), 2), ("gradient-descent", (512, 2), 1)],
)
def test_a_claim_about_all_models_is_asked_of_a_table_as_the_others_are(judge, claim, sizes, hops):
    asked = judge(claim)
    verdict = check(claim)
    assert asked["facts"].answers.shape == sizes[::-1]
    assert (verdict.n_facts, verdict.n_queries) == (sizes[0] * sizes[1], sizes[0] * sizes[1] ** hops)
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


def test_a_comparison_is_told_the_options_and_the_seed_if_it_draws(judge):
    asked = judge("gradient-descent")
    verdict = check("gradient-descent", FACTS, trials=2, gate=None, seed=5)
    assert asked["options"] == {"trials": 2, "seed": 5}
    assert verdict.parameters["trials"] == 2
    asked = judge("multi-hop-bound")
    check("multi-hop-bound", FACTS, hops=2, seed=5)
    assert asked["options"] == {"hops": 2}
    with pytest.raises(UsageError, match="multi-hop-bound has no option gate; beside the facts it takes"):
        check("multi-hop-bound", FACTS, gate=1.0)


def test_a_comparison_that_lacks_a_library_is_a_usage_error(monkeypatch):
    def judge(verdict, facts, progress):
        raise ImportError("flint is not installed")

    monkeypatch.setitem(EXPERIMENTS, "margin-bound", replace(EXPERIMENTS["margin-bound"], compare=judge))
    with pytest.raises(UsageError, match="flint is not installed"):
        check("margin-bound", FACTS)


def test_memory_is_asked_for_before_weights_that_must_be_held(any_engine, monkeypatch):
    """Counting builds its weights on demand, and asks for memory only if that is not enough."""

    def refuse(facts, d_model, *, on_demand):
        if not on_demand:
            raise UsageError(f"no room for {d_model}")

    monkeypatch.setattr(instances, "require_memory_for_weights", refuse)
    assert check("single-hop", FACTS).status == "holds"
    for claim, engine in [("single-hop", "onnxruntime"), ("composed-hops", "numpy")]:
        with pytest.raises(UsageError, match="no room for"):
            check(claim, FACTS, engine=engine)


@pytest.mark.parametrize("ask", [check, check_recall])
def test_another_engine_is_asked_the_same_and_may_take_the_verdict_back(any_engine, monkeypatch, ask):
    def disagree(verdict, model, found, engine, progress, **_):
        if engine == "numpy":
            return verdict
        assert (engine, found.n_facts) == ("onnxruntime", 4)
        return replace(verdict, status="inconclusive", reason="it disagrees")

    for module in (instances, recall):
        monkeypatch.setattr(module, "in_engine", disagree)
    what = "single-hop-in-place" if ask is check else in_place_superposition(FACTS)
    assert ask(what, FACTS).status == "holds"
    verdict = ask(what, FACTS, engine="onnxruntime")
    assert (verdict.status, verdict.reason) == ("inconclusive", "it disagrees")
