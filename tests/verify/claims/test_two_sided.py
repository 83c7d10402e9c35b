"""C10 through `check`: predictions, hypotheses, controls."""

import pytest

from georecall.verify.claims import two_sided
from georecall.verify.claims.check import check
from georecall.verify.usage import UsageError


@pytest.mark.parametrize(
    "options",
    [
        {"subjects": 64, "relations": 3, "hops": 2},
        {"subjects": 16, "relations": 3, "hops": 3, "typed": True},
        {"subjects": 16, "relations": 2, "hops": 4, "merged": True},
        {"subjects": 16, "relations": 2, "hops": 5, "stages": 2},
        {"subjects": 16, "relations": 2, "hops": 5, "stages": 3, "merged": True, "typed": True},
        {"subjects": 16, "relations": 2, "hops": 3, "split": 0},
        {"subjects": 16, "relations": 2, "hops": 3, "split": 3, "table": "functions"},
        {"subjects": 20, "relations": 5, "hops": 1},
    ],
)
def test_every_predicted_quantity_is_the_measured_one(options):
    verdict = check("two-sided-hops", **options)
    assert verdict.status == "holds", verdict.reason
    assert verdict.measured == verdict.predicted
    assert verdict.exact
    assert all(control.ok for control in verdict.controls)


def test_the_must_shows():
    verdict = check("two-sided-hops", subjects=1000, relations=3, hops=2)
    assert (verdict.min_margin, verdict.measured["d_model"]) == (2, 39)
    assert verdict.measured["other_bits"] == 1000 * 3 * 10  # W_U
    assert verdict.measured["d_mlp"] < 1000


def test_a_split_single_hop_stores_less_in_embeddings_than_one_side_must():
    from georecall import bounds

    verdict = check("single-hop-split", subjects=2000, relations=5)
    assert verdict.status == "holds"
    assert bounds.bits_per_subject(2000, 5).below(verdict.measured["subject_bits"]) is False
    assert bounds.two_sided(2000, 5, 1).at_most(verdict.measured["subject_bits"]) is True


def test_functions_that_w_u_should_invert_are_outside_the_hypotheses():
    verdict = check("two-sided-hops", subjects=16, relations=2, table="functions")
    assert verdict.status == "hypotheses-not-met"
    assert "every relation that W_U inverts, and r*, is a bijection" in verdict.reason


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split": 5}, "split must be from 0"),
        ({"stages": 2}, "stages must be"),
        ({"split": -1}, "at least 0"),
    ],
)
def test_options_that_make_no_construction_are_refused(options, says):
    with pytest.raises(UsageError) as refused:
        check("two-sided-hops", subjects=8, relations=2, hops=2, **options)
    assert says in "".join(map(str, refused.value.args))


def test_a_control_that_sees_nothing_takes_the_verdict_back(monkeypatch):
    altered = two_sided._with_altered_column

    def blunt(options):
        wrong, expected = altered(options)
        return wrong & False, expected

    monkeypatch.setattr(two_sided, "_with_altered_column", blunt)
    verdict = check("two-sided-hops", subjects=8, relations=2, hops=2)
    assert verdict.status == "inconclusive"


def test_the_floor_holds_against_every_split_and_falls_to_a_smaller_model(monkeypatch):
    assert check("two-sided-bound", subjects=16, relations=2, hops=2).status == "holds"
    from georecall import bounds
    from georecall.verify.claims import two_sided_floor

    class Inflated:
        two_sided = staticmethod(lambda *a, **o: bounds.Enclosure.exactly(10**6, "bits").by("made up"))

    monkeypatch.setattr(two_sided_floor, "bounds", Inflated)
    assert check("two-sided-bound", subjects=16, relations=2, hops=2).status == "refuted"
