"""The best linear memory under test: found, proved not to exist, or neither."""

import numpy as np
import pytest

from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims import best_memory
from georecall.verify.claims.check import check
from georecall.verify.usage import UsageError

FACTS = random_bijections(32, 1, rng=np.random.default_rng(0))


def test_a_memory_that_is_found_holds_by_its_margins() -> None:
    verdict = check("best-linear-memory", FACTS, code_length=16)
    assert (verdict.status, verdict.exact) == ("holds", True)
    assert verdict.measured["other_bits"] == verdict.predicted["other_bits"] == 22 * 256
    assert len(verdict.controls) == 5
    assert all(control.ok for control in verdict.controls)


def test_a_memory_that_cannot_be_is_refuted_with_a_proof() -> None:
    verdict = check("best-linear-memory", FACTS, code_length=6, controls=False)
    assert verdict.status == "refuted"
    assert "multipliers prove it" in str(verdict.reason)


def test_two_subjects_of_one_key_and_a_training_that_fails_are_inconclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = check("best-linear-memory", FACTS, code_length=1, controls=False)
    assert verdict.status in ("refuted", "inconclusive")  # words of one sign collide
    monkeypatch.setattr(best_memory, "no_linear_memory", lambda *_: False)
    verdict = check("best-linear-memory", FACTS, code_length=6, controls=False)
    assert verdict.status == "inconclusive"
    assert "no proof that none recalls was found" in str(verdict.reason)
    assert verdict.witness is None


def test_a_proof_that_takes_too_much_memory_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(n_bytes: int, what: str) -> None:
        if "proof" in what:
            raise UsageError(f"{what} would take too much")

    monkeypatch.setattr(best_memory, "require_memory", refuse)
    verdict = check("best-linear-memory", FACTS, code_length=6, controls=False)
    assert verdict.status == "inconclusive"
    assert "would take too much" in str(verdict.reason)


def test_a_proof_that_proves_everything_is_caught_by_the_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best_memory, "no_linear_memory", lambda *_: True)
    verdict = check("best-linear-memory", FACTS, code_length=16)
    assert verdict.status == "inconclusive"
    assert "multipliers" in str(verdict.reason)


def test_the_draw_is_that_of_the_seed() -> None:
    verdicts = [
        check("best-linear-memory", FACTS, code_length=11, seed=seed, controls=False) for seed in (0, 1)
    ]
    assert verdicts[0].min_margin != verdicts[1].min_margin
    assert check("best-linear-memory", FactTable([[0, 0]]), controls=False).status == "hypotheses-not-met"
