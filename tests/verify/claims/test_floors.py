"""The floors are not beaten, and a construction that stored less than it must would be seen to beat them."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from georecall import Storage, block_superposition
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims import counting, floors, margin
from georecall.verify.claims import hops as multi_hop
from georecall.verify.claims import multi_hop as multi_hop_floor
from georecall.verify.claims.check import EXPERIMENTS, check
from georecall.verify.margins.found import Margins
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.verdict.verdict import ControlResult

pytest.importorskip("flint", reason="floors are enclosed with python-flint, extra `certified`")

TABLE = random_bijections(32, 3, rng=np.random.default_rng(1))


def test_every_single_hop_construction_stands_above_the_counting_floor() -> None:
    verdict = check("counting-bound", TABLE)
    assert verdict.status == "holds"
    built = {name: row for name, row in verdict.measured.items() if row["recalls"]}
    assert len(built) == 5
    assert all(row["bits"] > verdict.predicted["table_bits"]["upper"] for row in built.values())
    assert all(control.ok for control in verdict.controls)


def test_in_place_is_ten_percent_above_the_floor_at_2_to_the_16() -> None:
    row = counting._by_formula(1 << 16, 8)
    assert 1.099 < row["times_floor"] < 1.0992


def test_a_model_that_hides_its_storage_is_seen_to_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declaring one coordinate does not help: the others are seen to vary."""
    (honest,) = (experiment for experiment in counting.FAMILY if experiment.name == "single-hop")

    def hiding(facts: FactTable, **options: object) -> object:
        return replace(honest.construct(facts, **options), storage=Storage(np.array([0]), 2))

    monkeypatch.setattr(counting, "FAMILY", [replace(honest, construct=hiding)])
    assert check("counting-bound", TABLE).measured["single-hop"]["bits"] == 32 * 3 * 5


def test_a_model_that_recalls_with_less_refutes_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "bits_used", lambda model, facts: 300)
    verdict = check("counting-bound", TABLE)
    assert verdict.status == "refuted"
    assert verdict.witness is not None
    assert verdict.witness.measured == 300


@pytest.mark.parametrize("claim", ["counting-bound", "margin-bound", "multi-hop-bound"])
def test_a_floor_does_not_hold_where_its_control_failed(claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = ControlResult("the control", "it breaks", "it did not", ok=False)
    monkeypatch.setitem(EXPERIMENTS, claim, replace(EXPERIMENTS[claim], broken=lambda: [failed]))
    verdict = check(claim, random_bijections(8, 2, rng=np.random.default_rng(1)))
    assert (verdict.status, verdict.reason) == ("inconclusive", "control not as predicted: the control")


def test_margins_cost_dimension() -> None:
    verdict = check("margin-bound", TABLE)
    assert verdict.status == "holds"
    rows = list(verdict.measured.values())
    assert rows[0]["unit_margin"] == Fraction(2, 5)
    assert all(row["floor"] <= row["readout_dimension"] for row in rows)
    assert all(row["selector_floor"] <= row["d_model"] for row in rows)
    assert all(control.ok for control in verdict.controls)


@pytest.mark.parametrize("claim", ["counting-bound", "multi-hop-bound"])
def test_counting_needs_bijections(claim: str) -> None:
    verdict = check(claim, FactTable([[0, 0, 1, 2]], n_attributes=4))
    assert (verdict.status, verdict.reason) == ("hypotheses-not-met", "not bijective")


def test_the_composed_embedding_is_close_to_the_multi_hop_floor() -> None:
    verdict = check("multi-hop-bound", random_bijections(64, 2, rng=np.random.default_rng(2)), hops=2)
    assert verdict.status == "holds"
    composed = verdict.measured["composed-hops, typed"]
    assert 0.9 < composed["subject_floor"] / composed["subject_bits"] <= 1


@pytest.mark.parametrize("N", [2, 4, 64])
@pytest.mark.parametrize(("R", "hops"), [(1, 1), (1, 3), (3, 1)])
def test_a_floor_of_whole_bits_is_met_and_not_beaten(N: int, R: int, hops: int) -> None:
    """R log2 N bits a subject, exactly what the construction stores: nothing is undecided about it."""
    verdict = check("multi-hop-bound", random_bijections(N, R, rng=np.random.default_rng(3)), hops=hops)
    assert verdict.status == "holds", verdict.reason
    composed = verdict.measured["composed-hops, typed"]
    assert composed["subject_floor"] == composed["subject_bits"] == R * np.log2(N)


SMALL = random_bijections(8, 2, rng=np.random.default_rng(4))


def refused(model: object, facts: object, alphabet: object, **_: object) -> object:
    raise PremiseError("scores depend on more than positions")


def sampled(model: Transformer, facts: FactTable, alphabet: NDArray[np.int64], **_: object) -> Margins:
    return margins(model, Chains(facts, alphabet, subjects=np.array([3])))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (refused, "32 queries are too many to enumerate, and no certificate applies: scores depend on more"),
        (sampled, "only 4 of 32 queries verified"),
    ],
)
def test_a_construction_not_verified_in_full_shows_nothing_of_the_multi_hop_floor(
    found: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi_hop, "all_margins", found)
    verdict = check("multi-hop-bound", SMALL)
    assert verdict.status == "inconclusive"
    assert verdict.reason is not None
    assert f"composed-hops, typed: {reason}" in verdict.reason
    assert {row["recalls"] for row in verdict.measured.values()} == {None}


@pytest.mark.parametrize("claim", ["counting-bound", "multi-hop-bound"])
def test_a_construction_that_does_not_recall_shows_nothing_of_a_floor(
    claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = {"counting-bound": "FAMILY", "multi-hop-bound": "MULTI_HOP"}[claim]
    home = counting if claim == "counting-bound" else multi_hop_floor
    sound = getattr(home, family)[0]

    def wrong(facts: FactTable, **options: Any) -> Transformer:
        return sound.construct(facts.altered(0, 0, int(facts.answers[0, 1])), **options)

    monkeypatch.setattr(home, family, [replace(sound, construct=wrong)])
    verdict = check(claim, SMALL)
    assert verdict.status == "inconclusive"
    assert verdict.reason is not None
    assert verdict.reason.endswith("wrong")
    assert next(iter(verdict.measured.values()))["recalls"] is False


def test_a_code_without_margin_shows_nothing_of_the_margin_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(facts: FactTable, **options: Any) -> Transformer:
        return block_superposition(facts.altered(0, 0, int(facts.answers[0, 1])), **options)

    own = EXPERIMENTS["margin-bound"].controls()
    monkeypatch.setitem(EXPERIMENTS, "margin-bound", replace(EXPERIMENTS["margin-bound"], broken=lambda: own))
    monkeypatch.setattr(margin, "block_superposition", wrong)
    verdict = check("margin-bound", SMALL)
    assert (verdict.status, verdict.measured) == ("inconclusive", {})
    assert verdict.reason == "C1 at distance 1: 1 of 16 facts wrong"


def test_the_multi_hop_floor_is_about_entities() -> None:
    verdict = check("multi-hop-bound", FactTable([[0, 1]], subjects=["a", "b"], attributes=["x", "y"]))
    assert (verdict.status, verdict.reason) == ("hypotheses-not-met", "not every attribute a subject")


def test_the_multi_hop_floor_says_how_many_hops_it_is_about() -> None:
    verdict = check("multi-hop-bound", SMALL)
    assert (verdict.parameters["hops"], verdict.n_facts, verdict.n_queries) == (2, 16, 32)
    assert check("multi-hop-bound", SMALL, hops=3).n_queries == 64
