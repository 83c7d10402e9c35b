"""Claims C3 and C5 end to end: predictions met, controls seen to break."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall import chain_of_thought, composed_hops, sign_code
from georecall.constructions import hops, parallel, two_sided
from georecall.constructions.questions import answer, understand
from georecall.theory.facts import datasets
from georecall.theory.facts.fact_table import FactsError, FactTable, random_functions
from georecall.theory.facts.strings import letters
from georecall.verify.claims import chain_controls
from georecall.verify.claims import check as checking
from georecall.verify.claims import hops as multi_hop
from georecall.verify.claims.check import UsageError, check, prepare
from georecall.verify.claims.hop_controls import hop_controls
from georecall.verify.claims.hops import all_margins
from georecall.verify.margins import hops as many_hops
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.recall import weights as recall

SHOWN = {
    "sequential-hops": {"subjects": 33, "relations": 3, "hops": 3},
    "composed-hops": {"subjects": 64, "relations": 3, "hops": 3},
    "hybrid-hops": {"subjects": 64, "relations": 3, "hops": 4, "stages": 2},
    "chain-of-thought": {"subjects": 1000, "relations": 4, "hops": 16},
}


@pytest.mark.parametrize("table", ["bijections", "functions"])
@pytest.mark.parametrize("claim", SHOWN)
def test_what_must_be_shown(claim, table):
    verdict = check(claim, table=table, **SHOWN[claim])
    assert verdict.status == "holds", verdict.reason
    assert verdict.exact
    assert verdict.measured["min_margin"] == 2
    if claim == "sequential-hops":
        assert verdict.measured["n_layers"] == 5
    if claim == "chain-of-thought":
        assert (verdict.method, verdict.measured["d_model"]) == ("induction", 48)
    if claim == "composed-hops":
        assert verdict.n_queries == 1728
    assert all(control.ok for control in verdict.controls)


@settings(max_examples=settings.default.max_examples // 2)
@given(
    claim=st.sampled_from(["composed-hops", "sequential-hops", "hybrid-hops"]),
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    r=st.integers(1, 3),
    hops=st.integers(1, 3),
    typed=st.booleans(),
    flag=st.booleans(),
    gate=st.sampled_from([1.0, 1.1, 1.5, 4.0]),
    longer=st.integers(0, 2),
    table=st.sampled_from(["bijections", "functions"]),
)
def test_c5_holds_at_any_size(
    claim, seed, n, r, hops, typed, flag, gate, longer, table, monkeypatch_controls
):
    own = {
        "composed-hops": {"readout": "in-place" if flag else "separate"},
        "sequential-hops": {"merged": flag},
        "hybrid-hops": {"stages": 1 + seed % hops},
    }[claim]
    length = max(1, (n - 1).bit_length()) + longer
    verdict = check(
        claim, subjects=n, relations=r, hops=hops, typed=typed, gate=gate, seed=seed, table=table,
        code_length=length, **own,
    )  # fmt: skip
    assert verdict.status == "holds", verdict.reason
    assert verdict.n_queries == n * r**hops


@pytest.mark.parametrize("gate", [2.0**53 - 1, 2.0**53, 1e30, 2.0**499])
@pytest.mark.parametrize(
    ("claim", "own"),
    [
        ("chain-of-thought", {}),
        ("chain-of-thought", {"attention": "soft"}),
        ("composed-hops", {"readout": "in-place"}),
        ("sequential-hops", {"merged": True}),
        ("hybrid-hops", {"hops": 4}),
    ],
)
def test_where_floats_cannot_hold_the_weights_there_is_no_theorem(claim, own, gate):
    """The threshold 2 gate j + lo is odd, and above 2^53 no float is."""
    verdict = check(claim, subjects=9, relations=2, gate=gate, **own)
    assert verdict.status == "hypotheses-not-met"
    assert verdict.reason == "not biases that float64 holds exactly (a gate of few bits has them)"


@pytest.mark.parametrize("claim", ["chain-of-thought", "composed-hops", "sequential-hops", "hybrid-hops"])
def test_large_gates_that_floats_hold_are_decided(claim):
    assert check(claim, subjects=9, relations=2, hops=3, gate=2.0**49).status == "holds"


@settings(max_examples=settings.default.max_examples // 3)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    r=st.integers(1, 3),
    hops=st.integers(1, 9),
    readout=st.sampled_from(["in-place", "separate"]),
    soft=st.booleans(),
    table=st.sampled_from(["bijections", "functions"]),
)
def test_c3_holds_at_any_size(seed, n, r, hops, readout, soft, table, monkeypatch_controls):
    own = {"attention": "soft", "margin": 1.25, "gate": 1.5} if soft else {"gate": 1.5}
    verdict = check(
        "chain-of-thought", subjects=n, relations=r, hops=hops, readout=readout, seed=seed, table=table, **own
    )
    assert verdict.status == "holds", verdict.reason
    assert verdict.predicted["min_margin"] == (1.25 if soft else verdict.min_margin)


@pytest.fixture(scope="module")
def monkeypatch_controls():
    """Controls do not depend on the instance; elsewhere they are run once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(multi_hop, "chain_controls", lambda **_: [])
    patch.setattr(multi_hop, "hop_controls", lambda *_, **__: [])
    yield
    patch.undo()


AS_ASKED = [
    (family, asked)
    for family in multi_hop.FAMILY[1:]
    for asked in (
        {},
        {"typed": True},
        {"merged": True},
        {"typed": True, "merged": True},
        {"readout": "in-place"},
    )
    if set(asked) <= set(family.claim.parameters)
]


@pytest.mark.parametrize(("family", "asked"), AS_ASKED, ids=lambda value: getattr(value, "name", str(value)))
def test_controls_of_c5_build_what_was_asked_come_out_as_predicted_and_can_fail(family, asked):
    built = []

    def construct(facts, **options):
        built.append(options)
        return family.construct(facts, **options)

    found = hop_controls(family.claim, construct, family.controls_lengths, **asked)
    assert [(c.name, c.got) for c in found if not c.ok] == []
    assert len(found) == len(family.claim.controls)
    assert built
    assert all(asked.items() <= options.items() for options in built)
    assert asked.items() <= family.controls_at(**asked).items()
    constant = FactTable(np.tile(np.arange(10), (6 if asked.get("typed") else 3, 1)))  # nothing can leak
    if not (family.name == "hybrid-hops" and asked):
        seen = hop_controls(family.claim, construct, family.controls_lengths, constant, **asked)
        assert not all(c.ok for c in seen)


@pytest.mark.parametrize("readout", ["in-place", "separate"])
def test_controls_of_c3_build_the_readout_that_was_asked_for(readout, monkeypatch):
    built = []

    def construct(facts, **options):
        built.append(options["readout"])
        return chain_of_thought(facts, **options)

    monkeypatch.setattr(chain_controls, "chain_of_thought", construct)
    assert all(c.ok for c in chain_controls.chain_controls(readout=readout))
    assert set(built) == {readout}


def test_facts_of_other_things_do_not_meet_the_hypotheses():
    for claim in SHOWN:
        verdict = check(claim, datasets.load("elements"))
        assert verdict.status == "hypotheses-not-met"
        assert "every attribute a subject" in str(verdict.reason)
        unnamed = check(claim, FactTable([[0, 3], [1, 0]]), hops=2)
        assert "strangers = 1" in str(unnamed.reason)


@pytest.mark.parametrize(
    ("claim", "options", "says"),
    [
        ("hybrid-hops", {"hops": 3, "stages": 4}, "stages must be from 1 to the number of hops, 3, got 4"),
        ("composed-hops", {"stages": 2}, "no option stages; "),
        ("sequential-hops", {"hops": 0}, "hops must be at least 1"),
        ("chain-of-thought", {"attention": "warm"}, "hard, soft"),
        ("chain-of-thought", {"margin": 1.0}, "goes with attention soft"),
        ("two-sided-hops", {"attention": "warm"}, "hard, soft"),
        ("parallel-hops", {"margin": 1.0}, "goes with attention soft"),
    ],
)
def test_usage_errors_say_what_is_wrong(claim, options, says):
    with pytest.raises(UsageError, match=says):
        check(claim, subjects=8, relations=2, **options)


@pytest.mark.parametrize("claim", ["chain-of-thought", "composed-hops"])
def test_a_code_is_cut_to_the_entities_and_must_have_a_word_for_each(claim):
    assert check(claim, subjects=8, relations=2, hops=2, code=sign_code(9)).status == "holds"
    with pytest.raises(UsageError, match="the code has 7 words for 8 attributes"):
        check(claim, subjects=8, relations=2, code=sign_code(7))


@pytest.mark.parametrize(
    ("claim", "options", "unmet"),
    [
        ("chain-of-thought", {"attention": "soft", "gate": 1.0}, "gate above 1"),
        ("chain-of-thought", {"attention": "soft", "margin": 2.0}, "a margin between"),
        ("composed-hops", {"attention": "soft", "gate": 1.0}, "gate above 1"),
        ("two-sided-hops", {"attention": "soft", "gate": 1.0}, "gate above 1"),
        ("two-sided-hops", {"attention": "soft", "margin": 2.0}, "a margin between"),
        ("parallel-hops", {"attention": "soft", "margin": 2.0}, "a margin between"),
        ("composed-hops", {"gate": 0.75}, "half the spread"),
        ("sequential-hops", {"code_length": 2}, "injective"),
        ("composed-hops", {"subjects": 1}, "two attributes"),
    ],
)
def test_values_that_the_theorem_excludes(claim, options, unmet):
    verdict = check(claim, **({"subjects": 8, "relations": 2, "hops": 2} | options))
    assert verdict.status == "hypotheses-not-met"
    assert unmet in str(verdict.reason)


SOFT = {
    "composed-hops": {"hops": 2},
    "sequential-hops": {"hops": 3},
    "hybrid-hops": {"hops": 3},
    "parallel-hops": {"hops": 3},
    "two-sided-hops": {"hops": 2},
    "single-hop-split": {"relations": 3},
}


@pytest.mark.parametrize("claim", SOFT)
def test_softmax_keeps_the_margin_asked_for_and_says_how_much_more(claim):
    verdict = check(claim, **{"subjects": 8, "relations": 2, "attention": "soft"} | SOFT[claim])
    assert verdict.status == "holds", verdict.reason
    assert verdict.predicted["min_margin"] == verdict.parameters["margin"] == 1
    assert verdict.measured["times_promised"] == pytest.approx(float(verdict.min_margin))
    assert 1 <= verdict.min_margin < 2
    assert not verdict.exact


@pytest.mark.parametrize("claim", SOFT)
def test_a_scale_below_the_derived_one_is_refuted_or_not_certified(claim, monkeypatch):
    for module in (hops, parallel, two_sided):
        right = module.position_scale
        monkeypatch.setattr(module, "position_scale", lambda leak, k, right=right: right(leak, k) / 2)
    verdict = check(claim, **{"subjects": 8, "relations": 2, "attention": "soft"} | SOFT[claim])
    assert verdict.status in ("refuted", "inconclusive")
    softer = [control for control in verdict.controls if control.name == "softmax at half the scale"]
    assert not any(control.ok for control in softer)


def test_bounds_around_the_promise_neither_hold_nor_refute(monkeypatch):
    found = margins(composed_hops(FactTable([[1, 0]]), hops=1), Chains(FactTable([[1, 0]]), np.array([[0]])))
    between = replace(found, minimum=(Fraction(9, 10), Fraction(11, 10)), exact=False)
    monkeypatch.setattr(multi_hop, "all_margins", lambda *_, **__: between)
    verdict = check(
        "composed-hops", subjects=2, relations=1, hops=1, attention="soft", margin=1.0, controls=False
    )
    assert verdict.status == "inconclusive"
    assert verdict.reason == "min_margin is at least 9/10, promised at least 1"


def test_a_wrong_weight_refutes_with_a_witness(monkeypatch):
    """The check itself must be able to fail."""
    right = multi_hop.sequential_hops

    def wrong(facts, **options):
        return right(facts.altered(0, 0, int(facts.answers[0, 0] + 1) % facts.n_subjects), **options)

    experiment = multi_hop.Hops(multi_hop.SEQUENTIAL_HOPS, wrong, (1, 1))
    monkeypatch.setitem(checking.EXPERIMENTS, "sequential-hops", experiment)
    verdict = check("sequential-hops", subjects=8, relations=2, hops=2)
    assert verdict.status == "refuted"
    assert "queries wrong" in str(verdict.reason)
    assert verdict.witness.subject == 0 or 0 in verdict.witness.relations


def test_what_is_too_much_is_not_claimed(monkeypatch):
    monkeypatch.setattr(many_hops, "_BUDGET", 1 << 14)
    monkeypatch.setattr("georecall.verify.margins.transitions._LIMIT", 1 << 11)
    verdict = check("composed-hops", subjects=16, relations=3, hops=3)
    assert verdict.status == "inconclusive"
    assert "only 27 of 432 queries verified, all strings of 1 of the subjects" in str(verdict.reason)
    monkeypatch.setattr(many_hops, "_BUDGET", 1 << 8)
    verdict = check("composed-hops", subjects=16, relations=3, hops=3)
    assert verdict.status == "inconclusive"
    assert "no certificate applies: the residuals are too many" in str(verdict.reason)
    longer = check("sequential-hops", subjects=3, relations=2, hops=12)
    assert (longer.status, longer.method) == ("holds", "transitions")


def test_all_strings_of_some_subjects_have_the_same_margins_as_among_all():
    facts = random_functions(9, 2, rng=np.random.default_rng(4))
    model = multi_hop.hybrid_hops(facts, hops=3, gate=0.75)
    alphabet = letters(facts, 3)
    some = margins(model, multi_hop.Chains(facts, alphabet, subjects=np.array([2, 7])))
    np.testing.assert_array_equal(some.lower, all_margins(model, facts, alphabet).lower[..., [2, 7]])
    assert all(query[0] in (2, 7) for query in some.wrong)


def test_elements_answer_in_words_through_the_weights():
    facts = datasets.load("elements-neighbours").to_entities()
    steps = answer(facts, *understand(facts, "below of next of carbon"))
    assert [step.said for step in steps] == ["Nitrogen", "Phosphorus"]
    assert steps[1].prompt == ("next", "below", "Carbon", "Nitrogen")
    assert steps[1].margin == 2
    assert answer(facts, *understand(facts, "next of above of Hydrogen"))[-1].said == "unknown"
    with pytest.raises(FactsError, match="neither a subject nor begins with a relation"):
        understand(facts, "left of carbon")
    assert check("chain-of-thought", facts, hops=6).status == "holds"


def test_hops_without_number():
    """16 billion chains and more: numbers beyond an int64, and an export's samples all the same."""
    prepared = prepare("chain-of-thought", subjects=5, relations=4, hops=40)
    assert prepared.instance.n_queries == 5 * 4**40
    assert len(prepared.instance.samples()) == 40 * 41 // 2
    verdict = check("sequential-hops", subjects=5, relations=4, hops=40)
    assert (verdict.status, verdict.method, verdict.n_queries) == ("holds", "transitions", 5 * 4**40)


def test_samples_are_what_the_model_answers():
    for claim in SHOWN:
        prepared = prepare(claim, subjects=7, relations=2, hops=3)
        model = prepared.instance.build()
        for query in prepared.instance.samples():
            logits = model.logits(np.array([query["tokens"]]), np.array(query["positions"]))
            assert logits.argmax() == query["answer"] == prepared.facts.compose(query["relations"])[0]


def test_recall_of_some_subjects_is_not_recall_of_all(monkeypatch):
    """Where not all can be asked, what was asked is right, and the verdict says that it was not all."""
    facts = random_functions(12, 2, 12, rng=np.random.default_rng(4))
    prepared = prepare("composed-hops", facts, hops=2)
    model, asked = prepared.instance.build(), prepared.instance.samples()
    assert recall.check_recall(model, prepared.facts, asked=asked).status == "holds"

    def some(model, facts, alphabet, *, progress=None):
        return margins(model, Chains(facts, alphabet, subjects=np.array([1, 5])), progress=progress)

    monkeypatch.setattr(recall, "all_margins", some)
    verdict = recall.check_recall(model, prepared.facts, asked=asked)
    assert (verdict.status, verdict.n_queries) == ("inconclusive", 12 * 4)
    assert verdict.reason.startswith("only 8 of 48 queries verified")
