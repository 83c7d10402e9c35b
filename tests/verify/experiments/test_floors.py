"""The floors are not beaten, and a construction that stored less than it must would be seen to beat them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from constructions import Storage
from theory import FactTable, random_bijections
from verify import check
from verify.experiments import floors
from verify.verdict import ControlResult

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
    row = floors._by_formula(1 << 16, 8)
    assert 1.099 < row["times_floor"] < 1.0992


def test_a_model_that_hides_its_storage_is_seen_to_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declaring one coordinate does not help: the others are seen to vary."""
    (honest,) = (experiment for experiment in floors.FAMILY if experiment.name == "single-hop")

    def hiding(facts: FactTable, **options: object) -> object:
        return replace(honest.construct(facts, **options), storage=Storage(np.array([0]), 2))

    monkeypatch.setattr(floors, "FAMILY", [replace(honest, construct=hiding)])
    assert check("counting-bound", TABLE).measured["single-hop"]["bits"] == 32 * 3 * 5


def test_a_model_that_recalls_with_less_refutes_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "_bits_used", lambda model, facts: 300)
    verdict = check("counting-bound", TABLE)
    assert verdict.status == "refuted"
    assert verdict.witness is not None
    assert verdict.witness.measured == 300


@pytest.mark.parametrize("claim", ["counting-bound", "margin-bound", "multi-hop-bound"])
def test_a_floor_does_not_hold_where_its_control_failed(claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = ControlResult("the control", "it breaks", "it did not", ok=False)
    monkeypatch.setattr(floors, "_stored_below_the_floor", lambda: failed)
    monkeypatch.setattr(floors, "_cut_below_the_floor", lambda: failed)
    monkeypatch.setattr(floors, "_dropped_block", lambda: failed)
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
