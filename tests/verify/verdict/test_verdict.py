"""Verdicts: the keys of `check --json`, numbers as JSON has them, and what a notebook shows."""

import json
from fractions import Fraction

import pytest

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.version import VERSION
from georecall.verify.claims.check import check
from georecall.verify.recall.weights import check_recall
from georecall.verify.usage import show
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

KEYS = [
    *("claim", "status", "reason", "n_facts", "n_queries", "min_margin", "exact", "method", "predicted"),
    *("measured", "hypotheses", "controls", "controls_at", "witness", "parameters", "seed", "seconds"),
    "version",
]
QUANTITIES = ["d_model", "d_mlp", "d_mlp_per_layer", "n_layers", "min_margin", "subject_bits", "other_bits"]


def as_json(verdict):
    return json.loads(json.dumps(verdict.to_json(), allow_nan=False))


@pytest.fixture(scope="module")
def verdicts():
    facts = FactTable([[0, 1, 2], [2, 2, 1]])
    from georecall import block_superposition

    return {
        "holds": check("single-hop", facts),
        "refuted": check_recall(block_superposition(facts), facts.altered(0, 0, 1)),
        "hypotheses-not-met": check("single-hop", facts, gate=0.9),
        "bare": Verdict(claim="single-hop", status="inconclusive"),
    }


@pytest.mark.parametrize("which", ["holds", "refuted", "hypotheses-not-met", "bare"])
def test_the_keys_are_always_all_there(verdicts, which):
    found = as_json(verdicts[which])
    assert sorted(found) == sorted(KEYS)
    assert found["version"] == VERSION
    for quantities in (found["predicted"], found["measured"]):
        assert sorted(quantities) == sorted(QUANTITIES)


def test_a_verdict_that_holds_in_json(verdicts):
    found = as_json(verdicts["holds"])
    expected = {
        "claim": "single-hop",
        "status": "holds",
        "reason": None,
        "n_facts": 6,
        "n_queries": 6,
        "min_margin": 2,
        "exact": True,
        "method": "codebook",
        "witness": None,
        "seed": 0,
    }
    assert {key: found[key] for key in expected} == expected
    quantities = {"d_model": 6, "d_mlp": 4, "d_mlp_per_layer": [4], "n_layers": 1}
    quantities |= {"min_margin": 2, "subject_bits": 4, "other_bits": 0}
    assert found["predicted"] == found["measured"] == quantities
    assert all(set(h) == {"name", "holds"} for h in found["hypotheses"])
    assert all(set(c) == {"name", "expected", "got", "ok"} for c in found["controls"])
    assert [h["holds"] for h in found["hypotheses"]] == [True] * 3
    assert [c["ok"] for c in found["controls"]] == [True] * 5
    assert found["controls_at"]["subjects"] > 1
    assert found["seconds"] > 0
    assert found["parameters"]["gate"] == 1


def test_a_witness_in_json(verdicts):
    assert as_json(verdicts["refuted"])["witness"] == {
        "subject": 0,
        "relations": [0],
        "answer": 1,
        "got": 0,
        "margin": -2,
        "question": "r0 of s0",
        "answer_name": "a1",
        "got_name": "a0",
    }


def test_unmet_hypotheses_in_json(verdicts):
    found = as_json(verdicts["hypotheses-not-met"])
    assert [h["holds"] for h in found["hypotheses"]] == [True, True, False]
    assert (found["min_margin"], found["exact"], found["method"], found["controls"]) == (None, None, None, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(2), "2"),
        (Fraction(1, 2), "0.5"),
        (2.0, "2"),
        (-3.5, "-3.5"),
        (True, "true"),
        (2**70, str(2**70)),
        (float(2**70), str(2**70)),
        (Fraction(2**70), str(2**70)),
    ],
)
def test_exact_integers_print_as_integers(value, text):
    verdict = Verdict(claim="c", status="holds", min_margin=value, parameters={"nested": [{"x": value}]})
    found = verdict.to_json()
    assert json.dumps(found["min_margin"]) == text
    assert json.dumps(found["parameters"]) == f'{{"nested": [{{"x": {text}}}]}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**60 - 1, "9" * 60),
        (10**60, "1.00000e+60"),
        (-(10**60), "-1.00000e+60"),
        ([3 * 10**5000], "[3.00000e+5000]"),
        ([2, 2**400], "[2, 2.58225e+120]"),
        ({"d_model": 2**400}, "d_model 2.58225e+120"),
    ],
)
def test_of_a_whole_number_that_is_no_line_a_person_sees_the_size(value, text):
    assert show(value) == text


def test_a_mismatch_is_a_witness_too():
    verdict = Verdict(claim="c", status="refuted", witness=Mismatch("d_model", Fraction(6), 7))
    assert as_json(verdict)["witness"] == {"quantity": "d_model", "predicted": 6, "measured": 7}


def test_verdicts_are_never_a_bare_yes_or_no(verdicts):
    assert {verdict.status for verdict in verdicts.values()} <= {
        *("holds", "refuted", "inconclusive", "hypotheses-not-met")
    }
    assert verdicts["hypotheses-not-met"].reason is not None
    with pytest.raises(AttributeError, match="cannot assign"):
        verdicts["holds"].status = "refuted"


@pytest.mark.parametrize(
    ("least", "number", "exact"),
    [
        (Fraction(3, 2), 1.5, None),
        (Fraction(1, 3), 1 / 3, "1/3"),
        (Fraction(1, 10**1900), 5e-324, f"1/1{'0' * 1900}"),
        (Fraction(-1, 10**5000), -5e-324, f"-1/1{'0' * 5000}"),
        (Fraction(10**400, 3), 1.7976931348623157e308, f"1{'0' * 400}/3"),
    ],
)
def test_a_least_margin_is_a_number_and_the_fraction_where_that_is_not_exact(least, number, exact):
    found = as_json(Verdict(claim="recall", status="holds", min_margin=least))
    assert (found["min_margin"], found.get("min_margin_exact")) == (number, exact)


def test_a_verdict_reads_as_its_table(verdicts):
    text = str(verdicts["holds"])
    assert repr(verdicts["holds"]) == text
    for line in (
        "single-hop  holds",
        "  d_mlp            4         4",
        "  ok hypothesis: at least two attributes",
        "  controls at subjects 10, relations 4, table bijections:",
    ):
        assert line in text.splitlines(), text
    assert "ok control: weak gate: expected: every margin is the predicted one, some are not" in text


def test_a_refutation_shows_its_table_of_facts_with_the_query_marked(verdicts):
    text, page = str(verdicts["refuted"]), verdicts["refuted"]._repr_html_()
    for shown in (text, page):
        assert "r0 of s0: right a1, got a0" in shown
        assert "s0  [a1]" in shown
        assert "N = 3, R = 2, |A| = 3" in shown
    assert "<pre>" in page
    assert "<pre>" not in verdicts["holds"]._repr_html_()
    assert "facts" not in as_json(verdicts["refuted"])
    with pytest.raises(AssertionError, match=r"recall  refuted\n  1 of 6 facts wrong"):
        verdicts["refuted"].assert_holds()


def test_a_verdict_is_no_yes_or_no_and_is_asserted_by_name(verdicts):
    with pytest.raises(TypeError, match=r"ask for its status, or use verdict.assert_holds\(\)"):
        assert verdicts["holds"]
    verdicts["holds"].assert_holds()
    for which in ("refuted", "hypotheses-not-met", "bare"):
        with pytest.raises(AssertionError):
            verdicts[which].assert_holds()


def test_a_notebook_shows_status_quantities_and_controls_escaped():
    verdict = Verdict(
        claim="<claim>",
        status="inconclusive",
        reason="a < b",
        predicted={"d_model": 6},
        measured={"d_model": 7},
        hypotheses=(HypothesisResult("h", True),),
        controls=(ControlResult("weak", "leaks", "<nothing>", False), ControlResult("x", "y", "y", True)),
    )
    html = verdict._repr_html_()
    assert "<claim>" not in html
    assert "&lt;claim&gt;" in html
    assert "inconclusive (a &lt; b)" in html
    assert "7 (predicted 6)" in html
    assert "&lt;nothing&gt; (NOT as expected)" in html
    assert "y (as expected)" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (3, "3"),
        (Fraction(2), "2"),
        (Fraction(1, 2), "0.5"),
        (Fraction(1, 3), "1/3"),
        ([Fraction(1, 2), 4], "[0.5, 4]"),
        ("codebook", "codebook"),
    ],
)
def test_numbers_for_a_person(value, text):
    assert show(value) == text


@pytest.mark.parametrize(
    ("method", "exact", "words"),
    [
        ("codebook", True, "exact"),
        ("filtered", True, "exact"),
        ("filtered", False, "with proved error bounds"),
        ("induction", False, "with proved error bounds"),
        ("exhaustive", False, "in part"),  # refuted before all facts were judged
    ],
)
def test_what_is_known_of_the_margins_in_words(method, exact, words):
    assert Verdict(claim="recall", status="refuted", method=method, exact=exact).how_exact == words
