"""countries-disjoint.csv: the countries without their currencies, whose relations share no attribute."""

import pytest

from georecall.theory.facts.datasets import load
from georecall.verify.claims.check import check


def test_it_is_the_countries_without_their_currencies():
    part, whole = load("countries-disjoint"), load("countries")
    assert part.subjects == whole.subjects
    assert part.relations == tuple(name for name in whole.relations if name != "currency")
    for r, name in enumerate(part.relations):
        of_whole = whole.answers[whole.relations.index(name)]
        assert [part.attribute_name(a) for a in part.answers[r]] == [
            whole.attribute_name(a) for a in of_whole
        ]


@pytest.mark.parametrize(
    ("name", "disjoint", "status"),
    [("countries-disjoint", True, "holds"), ("countries", False, "hypotheses-not-met")],
)
def test_its_relations_are_recalled_without_an_mlp_and_those_of_all_countries_are_not(name, disjoint, status):
    facts = load(name)
    assert facts.disjoint_attributes == disjoint
    assert check("disjoint-attributes", facts).status == status
