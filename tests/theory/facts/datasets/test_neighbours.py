"""elements-neighbours.csv: closed under its relations, and re-derived from elements.csv."""

import csv
import io
from collections import Counter
from importlib.resources import files

import pytest

HEADER = ["subject", "next", "previous", "above", "below"]
UNKNOWN = "unknown"


def read(name):
    text = (files("georecall.theory.facts.datasets") / name).read_bytes().decode("utf-8")
    return text, list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


TEXT, ROWS = read("elements-neighbours.csv")
_, ELEMENTS = read("elements.csv")
NEIGHBOURS = {row["subject"]: row for row in ROWS}


def derived():
    """The whole table from elements.csv, by the rule of the README."""
    by_number = {int(element["atomic number"]): element["subject"] for element in ELEMENTS}
    place = {}  # subject -> column and row of the periodic table
    f_columns = Counter()
    for element in ELEMENTS:
        period = int(element["period"].removeprefix("period "))
        column = element["group"]
        if column == "none":
            f_columns[period] += 1
            column = f"column {f_columns[period]} of the f block"
        place[element["subject"]] = (column, period)
    occupant = {where: subject for subject, where in place.items()}
    assert len(occupant) == len(ELEMENTS)
    rows = []
    for number, subject in by_number.items():
        column, period = place[subject]
        cells = [
            subject,
            by_number.get(number + 1, UNKNOWN),
            by_number.get(number - 1, UNKNOWN),
            occupant.get((column, period - 1), UNKNOWN),
            occupant.get((column, period + 1), UNKNOWN),
        ]
        rows.append(dict(zip(HEADER, cells, strict=True)))
    return [*rows, dict.fromkeys(HEADER, UNKNOWN)]


def test_there_are_the_118_elements_and_unknown_under_the_stated_header():
    assert TEXT.splitlines()[0] == ",".join(HEADER)
    assert [row["subject"] for row in ROWS] == [element["subject"] for element in ELEMENTS] + [UNKNOWN]
    assert len(ROWS) == 119


def test_no_subject_occurs_twice():
    assert len({row["subject"].casefold() for row in ROWS}) == len(ROWS)


def test_every_attribute_is_a_subject():
    for row in ROWS:
        assert list(row) == HEADER
        assert set(row.values()) <= NEIGHBOURS.keys()


def test_unknown_is_mapped_to_itself():
    assert NEIGHBOURS[UNKNOWN] == dict.fromkeys(HEADER, UNKNOWN)


def test_the_table_follows_from_elements_csv_by_the_rule_of_the_readme():
    assert derived() == ROWS


@pytest.mark.parametrize(("there", "back"), [("next", "previous"), ("above", "below")])
def test_going_there_and_back_is_the_identity_wherever_there_is_a_neighbour(there, back):
    for row in ROWS:
        for go, come in [(there, back), (back, there)]:
            if row[go] != UNKNOWN:
                assert NEIGHBOURS[row[go]][come] == row["subject"]


# Two ends of `next` and `previous`; 18 columns have a top and a bottom, and so have the 14 of the f block.
@pytest.mark.parametrize(("relation", "count"), [("next", 1), ("previous", 1), ("above", 32), ("below", 32)])
def test_as_many_elements_lack_a_neighbour_as_the_table_has_edges(relation, count):
    assert sum(row[relation] == UNKNOWN for row in ROWS if row["subject"] != UNKNOWN) == count


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (["Carbon", "next", "below"], "Phosphorus"),
        (["Hydrogen", "below", "below", "next"], "Magnesium"),
        (["Helium", "below"], "Neon"),
        (["Boron", "above"], "unknown"),
        (["Scandium", "below", "below", "below"], "Lawrencium"),
        (["Lanthanum", "below"], "Actinium"),
        (["Lanthanum", "above"], "unknown"),
        (["Uranium", "above"], "Neodymium"),
        (["Oganesson", "next", "previous"], "unknown"),
    ],
)
def test_a_path_read_off_a_printed_periodic_table(path, answer):
    here, *hops = path
    for hop in hops:
        here = NEIGHBOURS[here][hop]
    assert here == answer
