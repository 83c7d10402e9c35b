"""Claims about a share of draws: each verdict, on planted draws and on the real ones."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from georecall import block_superposition
from georecall.theory.claims.symbols import failures
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.claims.check import EXPERIMENTS, UsageError, check, prepare
from georecall.verify.claims.instance import recalling
from georecall.verify.claims.promise import Promise, kept
from georecall.verify.margins.margins import margins
from georecall.verify.verdict.intervals import clopper_pearson
from georecall.verify.verdict.verdict import Mismatch, Verdict

CLAIMS = ("single-hop-dense", "linear-memory", "random-feature-memory")
TABLE = random_bijections(8, 2, rng=np.random.default_rng(0))
FOUND = margins(block_superposition(TABLE), TABLE)
ASKED = Verdict(claim="planted", status="inconclusive")
HOLDS = Verdict(claim="planted", status="holds")


def judged(rate: float, trials: int = 512) -> Verdict:
    rng = np.random.default_rng(1)
    drawn = rng.random(trials) < rate
    return kept(ASKED, FOUND, Promise(Fraction(9, 10), lambda i: bool(drawn[i]), trials))


def test_a_kept_promise_holds() -> None:
    verdict = judged(1.0)
    assert (verdict.status, verdict.exact, verdict.min_margin) == ("holds", True, FOUND.minimum[0])
    assert verdict.measured["success"] == 1
    assert verdict.measured["success_interval"][0] >= 0.9


def test_a_broken_promise_is_refuted_with_its_share() -> None:
    verdict = judged(0.5)
    assert verdict.status == "refuted"
    assert isinstance(verdict.witness, Mismatch)
    assert verdict.measured["success_interval"][1] <= 0.9
    assert "promised at least 0.9" in str(verdict.reason)


@pytest.mark.parametrize(("rate", "trials"), [(0.9, 512), (1.0, 8)])
def test_what_the_draws_do_not_decide_is_inconclusive(rate: float, trials: int) -> None:
    verdict = judged(rate, trials)
    assert verdict.status == "inconclusive"
    assert str(verdict.reason).endswith("0.9 is inside; more --trials decide")


def test_unless_told_otherwise_draws_go_on_to_a_cap_with_an_error_of_a_hundredth() -> None:
    """Nine draws of ten succeed, as promised: after each of eight looks, at an eighth of the error, go on."""
    told: list[tuple[int, int]] = []
    promise = Promise(Fraction(9, 10), lambda i: i % 10 != 9)
    verdict = kept(ASKED, FOUND, promise, progress=lambda *done: told.append(done))
    assert promise.looks == (73, 146, 292, 584, 1168, 2336, 4672, 9344)
    assert told == [(i, next(look for look in promise.looks if i <= look)) for i in range(1, 9345)]
    assert verdict.measured == {
        "success": Fraction(9344 - 934, 9344),
        "success_interval": list(clopper_pearson(9344 - 934, 9344, 0.01 / 8)),
        "success_error": 0.01,
        "trials": 9344,
        "draw_0": "16 of 16 recalled",
    }


def test_margins_that_are_not_decided_leave_a_promise_open_before_any_draw() -> None:
    signs = FOUND.signs.copy()
    signs[1, 3] = 0
    verdict = kept(HOLDS, replace(FOUND, signs=signs), Promise(Fraction(9, 10), lambda i: i < 1 // 0))
    assert verdict == replace(ASKED, reason="the sign of some margins is not decided")


def test_what_is_known_of_draw_0_is_in_the_verdict() -> None:
    found = replace(FOUND, minimum=(Fraction(3), Fraction(4)), exact=False, method="filtered")
    verdict = kept(ASKED, found, Promise(Fraction(9, 10), lambda i: True))
    assert (verdict.min_margin, verdict.exact, verdict.method) == (3, False, "filtered")
    assert (verdict.margins_of, verdict.to_json()["margins_of"]) == ("draw 0", "draw 0")


def test_a_promise_near_1_is_decided_and_one_that_no_feasible_number_decides_is_said_so() -> None:
    for level in (Fraction(99, 100), Fraction(999, 1000)):
        verdict = kept(ASKED, FOUND, Promise(level, lambda i: True))
        assert verdict.status == "holds"
    verdict = kept(ASKED, FOUND, Promise(1 - Fraction(1, 10**9), lambda i: bool(1 // 0)))
    assert (verdict.status, verdict.measured) == ("inconclusive", {})
    assert verdict.reason == "to decide 0.999999999 takes more draws than are made without --trials"


def test_the_default_number_of_draws_decides_what_512_left_open() -> None:
    verdict = check("single-hop-dense", subjects=12, relations=2)
    assert (verdict.status, verdict.measured["trials"]) == ("holds", 2336)


def test_of_a_draw_that_does_not_recall_another_is_exported() -> None:
    prepared = prepare("single-hop-dense", subjects=16, relations=2)
    first = prepared.instance.build()
    assert margins(first, prepared.facts).n_wrong == 2
    model, further = recalling(prepared.experiment.claim, prepared.instance)
    assert (margins(model, prepared.facts).n_wrong, further) == (0, 1)
    short = prepare("single-hop-dense", subjects=16, relations=2, code_length=3)
    model, further = recalling(short.experiment.claim, short.instance)
    assert further is None
    assert margins(model, short.facts).n_wrong > 0


def test_draw_0_is_the_instance_that_was_measured() -> None:
    wrong = margins(block_superposition(TABLE), TABLE.altered(0, 0, int(TABLE.answers[0, 0] + 1) % 8))
    asked = []

    def trial(i: int) -> bool:
        asked.append(i)
        return True

    verdict = kept(ASKED, wrong, Promise(Fraction(9, 10), trial, 64))
    assert verdict.measured["success"] == Fraction(63, 64)
    assert asked == list(range(1, 64))


@pytest.mark.parametrize("name", CLAIMS)
def test_the_claims_hold_on_small_tables(name: str) -> None:
    verdict = check(name, subjects=12, relations=3)
    assert (verdict.status, verdict.exact) == ("holds", True), verdict.reason
    for quantity, value in verdict.predicted.items():
        if quantity != "success":
            assert verdict.measured[quantity] == value
    assert all(control.ok for control in verdict.controls)


def test_the_exact_bound_is_nearly_tight_and_a_few_draws_do_not_decide_it() -> None:
    from georecall.theory.numbers.dense import exact_length

    length = exact_length(64, 64, 3, 0.1)
    assert (
        check("single-hop-dense", subjects=64, relations=3, code_length=length, trials=8).status
        == "inconclusive"
    )


@pytest.mark.parametrize("name", CLAIMS)
def test_too_short_a_draw_is_not_the_theorem(name: str) -> None:
    verdict = check(name, subjects=30, relations=3, code_length=12)
    assert verdict.status == "hypotheses-not-met"
    assert "failures" in str(verdict.reason) or "R p_m" in str(verdict.reason)


@pytest.mark.parametrize("name", CLAIMS)
def test_if_the_bound_lied_the_draws_would_say_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: a failure bound of 0 at a length that is far too short."""
    experiment = EXPERIMENTS[name]
    values = type(experiment).values

    def lying(self, *arguments):
        told = values(self, *arguments)
        return {s: Fraction(0) if s is failures else v for s, v in told.items()}

    monkeypatch.setattr(type(experiment), "values", lying)
    verdict = check(name, subjects=30, relations=3, code_length=12, trials=64)
    assert verdict.status == "refuted"


def test_one_attribute_has_no_margin() -> None:
    for name in CLAIMS:
        assert check(name, subjects=1, relations=2).status == "hypotheses-not-met"


@pytest.mark.parametrize(
    "options", [{"delta": 0.0}, {"delta": 1.0}, {"delta": -1.0}, {"trials": 0}, {"trials": 1.5}, {"bits": 3}]
)
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(UsageError):
        check("single-hop-dense", subjects=8, relations=2, **options)


def test_the_seed_decides_the_draws() -> None:
    def verdict(seed: int) -> Verdict:
        return replace(check("single-hop-dense", subjects=8, relations=2, seed=seed), seconds=None)

    one, again, other = verdict(3), verdict(3), verdict(4)
    assert one == again
    assert one.min_margin != other.min_margin or one.parameters != other.parameters


def test_a_gate_below_the_reach_of_the_sum_is_not_the_theorem() -> None:
    verdict = check("single-hop-dense", subjects=8, relations=4, gate=1.5)
    assert verdict.status == "hypotheses-not-met"
    assert "gate" in str(verdict.reason)


@pytest.mark.parametrize("embedding", ["zero-forced", "optimised"])
def test_other_embeddings_keep_what_is_proved_of_them(embedding: str) -> None:
    verdict = check("single-hop-dense", subjects=16, relations=2, embedding=embedding)
    assert (verdict.status, verdict.exact) == ("holds", True)
    assert verdict.parameters["embedding"] == embedding
    assert all(control.ok for control in verdict.controls)
    short = check("single-hop-dense", subjects=16, relations=2, embedding=embedding, code_length=8)
    assert short.status == "hypotheses-not-met"
    assert "the bound on failures" in str(short.reason)


def test_an_embedding_that_is_plain_is_no_zero_forced_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from georecall.constructions.embeddings import EMBEDDINGS

    monkeypatch.setitem(EMBEDDINGS, "zero-forced", lambda facts, u, _: u[facts.answers[0]])
    assert check("single-hop-dense", subjects=16, relations=2, embedding="zero-forced").status == "refuted"
