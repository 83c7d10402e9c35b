"""Every way that decides a verdict is controlled: broken alone, it is seen, and the verdict is inconclusive.

The table of tests/MUTATIONS.md lists the same faults.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import EXACT, OPTIONS

from georecall import block_superposition, chain_of_thought, composed_hops, parallel_hops, sign_code_memory
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims import floors, hops, path_control, promise, readouts
from georecall.verify.claims.check import check
from georecall.verify.claims.path_control import WRONG_ANSWER, small_table, wrong_answer
from georecall.verify.engines import engine
from georecall.verify.engines.agreement import Agreement
from georecall.verify.margins import codebook, contexts, decide, induction, ledger, transitions, windows
from georecall.verify.margins import hops as many_hops
from georecall.verify.margins import margins as margins_
from georecall.verify.margins.additive_layer import memory_residuals
from georecall.verify.margins.counting import exact
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, sample
from georecall.verify.recall import assert_recalls
from georecall.verify.recall.weights import check_recall
from georecall.verify.verdict.intervals import Estimate

TWO = random_bijections(12, 2, rng=np.random.default_rng(0))


def right(found):
    """The same margins, all of them 2."""
    two = np.full_like(found.lower, 2.0)
    least = Fraction(2), Fraction(2)
    signs = np.ones_like(found.signs)
    return replace(found, lower=two, upper=two, signs=signs, minimum=least, exact=True)


def always_right(decide):
    return lambda *args, **options: right(decide(*args, **options))


def counted_right(self, start, stop):
    for _ in self.facts.block(start, stop):
        yield 2.0, stop - start


def settles_all(self, x, answers):
    return np.ones(len(answers), dtype=bool)


def bounds_right(logits, answers):
    return np.full(len(answers), 2.0), np.full(len(answers), 2.0)


def remembers(model, facts):
    """The residuals of weights that recall whatever is asked."""
    other = sign_code_memory(facts)
    return memory_residuals(other if other.d_model == model.d_model else model, facts)


def agrees(model, asked, engine, **_):
    n = sum(int(np.prod(queries.shape)) for queries in asked)
    return Agreement(n, n, n, 0, 0, 2.0, None)


def above(trial, level, *, trials, error, **_):
    return Estimate(trials[-1], trials[-1], 1.0, 1.0, error, "above")


def transitions_alone(patch):
    patch.setattr(many_hops, "_BUDGET", 0)
    patch.setattr(many_hops, "transitions", always_right(transitions.transitions))


def windows_alone(patch):
    patch.setattr(many_hops, "_BUDGET", 0)
    patch.setattr(many_hops, "windows", always_right(windows.windows))


def filtered_alone(patch):
    patch.setattr(decide, "_MANY", 0)
    patch.setattr(decide, "count", lambda *_, **__: None)
    patch.setattr(decide, "filtered", lambda *args, **_: right(replace(margins(*args), path="filtered")))


def inexact(facts):
    model = block_superposition(facts)
    return replace(model, W_U=0.7 * np.asarray(model.W_U), b_U=0.7 * np.asarray(model.b_U))


CHAIN = [sample(Chains(TWO, np.tile([0, 1], (2, 1)), step=2, max_hops=3), 5)]
HOPS = [sample(Chains(TWO, np.tile([0, 1], (2, 1))), 5)]
SMALL = {"subjects": 12, "relations": 2}

# For each way: what is decided, the fault planted in it, and the control that sees it.
FAULTS = {
    "counting": (
        lambda: check("single-hop", **SMALL),
        (exact.ExactMargins, "by_relation", counted_right),
        WRONG_ANSWER.name,
    ),
    "codebook": (
        lambda: check("sequential-hops", **SMALL, hops=2),
        (codebook.Codebook, "settles", settles_all),
        WRONG_ANSWER.name,
    ),
    "exhaustive": (
        lambda: check("linear-memory", **SMALL),
        (ledger, "_bounds", bounds_right),
        WRONG_ANSWER.name,
    ),
    "what memories leave": (
        lambda: check("sign-code-memory", **SMALL),
        (margins_, "memory_residuals", remembers),
        WRONG_ANSWER.name,
    ),
    "filtered": (lambda: check_recall(inexact(TWO), TWO), filtered_alone, WRONG_ANSWER.name),
    "transitions": (lambda: check("sequential-hops", **SMALL, hops=4), transitions_alone, WRONG_ANSWER.name),
    "transitions, merged": (
        lambda: check("sequential-hops", **SMALL, hops=4, merged=True),
        transitions_alone,
        WRONG_ANSWER.name,
    ),
    "transitions, typed": (
        lambda: check("hybrid-hops", **SMALL, hops=3, typed=True),
        transitions_alone,
        WRONG_ANSWER.name,
    ),
    "windows": (
        lambda: check("parallel-hops", subjects=6, relations=2, hops=3),
        windows_alone,
        WRONG_ANSWER.name,
    ),
    "windows, of anyone's weights": (
        lambda: check_recall(parallel_hops(TWO, hops=2), TWO, asked=HOPS),
        windows_alone,
        WRONG_ANSWER.name,
    ),
    "induction, hard": (
        lambda: check("chain-of-thought", **SMALL),
        (hops, "induction", always_right(induction.induction)),
        WRONG_ANSWER.name,
    ),
    "induction, soft": (
        lambda: check("chain-of-thought", **SMALL, attention="soft"),
        (hops, "induction", always_right(induction.induction)),
        WRONG_ANSWER.name,
    ),
    "the box of soft induction": (
        lambda: check("chain-of-thought", **SMALL, attention="soft"),
        (contexts.Box, "margins", lambda self, block: np.full(len(block), 2.0)),
        "softmax at half the scale",
    ),
    "what draws read": (
        lambda: check("single-hop-dense", subjects=16, relations=2),
        (readouts, "n_wrong", lambda *_, **__: 0),
        "dimension far below the bound",
    ),
    "what draws read, packed": (
        lambda: check("single-hop-dense", subjects=16, relations=2),
        (readouts, "n_wrong_of_turns", lambda *_, **__: 0),
        "dimension far below the bound",
    ),
    "the search over draws": (
        lambda: check("single-hop-dense", subjects=16, relations=2),
        (promise, "sequential_test", above),
        "dimension far below the bound",
    ),
    "the search over draws of a memory": (
        lambda: check("linear-memory", **SMALL),
        (promise, "sequential_test", above),
        "dimension far below the bound",
    ),
    "an engine": (
        lambda: check("single-hop", **SMALL, engine="onnxruntime"),
        (engine, "agreement", agrees),
        "one weight of the graph negated",
    ),
    "a floor": (
        lambda: check("counting-bound", **SMALL),
        (floors, "against", lambda *_: None),
        "stored below the floor",
    ),
    "a floor of margins": (
        lambda: check("margin-bound", **SMALL),
        (floors, "against", lambda *_: None),
        "fewer dimensions than the floor",
    ),
    "a floor of hops": (
        lambda: check("multi-hop-bound", **SMALL),
        (floors, "against", lambda *_: None),
        "one block of the subjects' embeddings dropped",
    ),
    "weights, chains": (
        lambda: check_recall(chain_of_thought(TWO, max_hops=3), TWO, asked=CHAIN),
        (many_hops, "induction", always_right(induction.induction)),
        WRONG_ANSWER.name,
    ),
    "weights, hops": (
        lambda: check_recall(composed_hops(TWO), TWO, asked=HOPS),
        (codebook.Codebook, "settles", settles_all),
        WRONG_ANSWER.name,
    ),
    "a function of tokens": (
        lambda: assert_recalls.check_construction(lambda facts: block_superposition(facts).logits, TWO),
        (assert_recalls.Asking, "_measured", always_right(assert_recalls.Asking._measured)),
        WRONG_ANSWER.name,
    ),
}


@pytest.mark.parametrize("path", FAULTS)
def test_a_way_that_is_broken_alone_is_seen_by_a_control_that_goes_it(path, monkeypatch):
    decided, fault, seen_by = FAULTS[path]
    if callable(fault):
        fault(monkeypatch)
    else:
        monkeypatch.setattr(*fault)
    verdict = decided()
    failed = [control.name for control in verdict.controls if not control.ok]
    assert verdict.status == "inconclusive", (verdict.reason, [c.got for c in verdict.controls])
    assert verdict.reason.startswith("control not as predicted: ")
    assert seen_by in failed


@pytest.mark.parametrize("path", FAULTS)
def test_without_a_fault_the_same_way_holds_with_all_controls(path):
    verdict = FAULTS[path][0]()
    assert verdict.status == "holds", verdict.reason
    assert [control.got for control in verdict.controls if not control.ok] == []


@pytest.mark.parametrize("claim", EXACT)
def test_every_claim_about_weights_is_controlled_the_way_it_is_decided(claim):
    verdict = check(claim, **SMALL, **OPTIONS.get(claim, {}))
    assert [c.ok for c in verdict.controls if c.name == WRONG_ANSWER.name] == [True], verdict.controls


def test_a_companion_is_no_larger_than_the_facts_and_of_their_kind():
    for N, A in ((1, 2), (2, 2), (3, 300), (300, 3), (300, 300)):
        small = small_table(FactTable(np.zeros((1, N), dtype=int), n_attributes=A))
        assert (small.n_subjects, small.n_relations) == (min(N, 8), 2)
        assert small.n_attributes == min(A, 8)


def asked(model):
    return lambda facts, path: margins(model, facts)


def test_an_alteration_that_does_not_show_gives_way_to_one_that_does():
    """Of a model with one fact wrong that fact is not the one altered."""
    sound = block_superposition(TWO)
    wrong = TWO.altered(11, 0, (int(TWO.answers[0, 11]) + 1) % 12)
    assert (
        wrong_answer(wrong, "margins", asked(sound)).got
        == "margins at subjects 12, relations 2: 2 of 24 wrong, 2 predicted; r0 of s10"
    )


def test_what_shows_nowhere_or_does_not_apply_is_not_as_predicted():
    silent = replace(block_superposition(TWO), W_U=np.zeros((block_superposition(TWO).d_model, 12)))
    shown = wrong_answer(TWO, "margins", asked(silent))
    assert (shown.ok, shown.got) == (
        False,
        "margins at subjects 12, relations 2: no fact whose alteration shows",
    )
    shown = wrong_answer(TWO, "filtered", lambda facts, path: None)
    assert (shown.ok, shown.got) == (False, "filtered at subjects 12, relations 2 does not apply")


def test_controls_that_are_not_asked_for_do_not_run(monkeypatch):
    monkeypatch.setattr(path_control, "wrong_answer", None)
    for claim in ("single-hop", "counting-bound"):
        verdict = check(claim, **SMALL, controls=False)
        assert (verdict.status, verdict.controls, verdict.controls_at) == ("holds", (), None)
    verdict = check("single-hop", **SMALL, controls=False, engine="onnxruntime")
    assert (verdict.status, verdict.controls) == ("holds", ())
