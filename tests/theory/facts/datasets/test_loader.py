"""The shipped data sets by name; their contents have tests of their own in `datasets`."""

import csv
import re
import unicodedata
from importlib.resources import files

import pytest

from georecall.theory.facts.datasets import load, names
from georecall.theory.facts.fact_table import FactsError, FactTable


def test_the_data_sets_are_listed_by_name():
    assert names() == sorted(names())
    assert {"countries", "elements", "elements-neighbours"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_every_data_set_loads_and_is_named_throughout(name):
    table = load(name)
    assert isinstance(table, FactTable)
    assert table.subjects is not None
    assert table.relations is not None
    assert table.attributes is not None
    assert len(table.occurring()) == table.n_attributes >= 2
    assert load(name) == table


@pytest.mark.parametrize("name", names())
def test_the_text_is_nfc_without_byte_order_mark_and_ends_each_line_with_a_line_feed(name):
    text = (files("georecall.theory.facts.datasets") / f"{name}.csv").read_bytes().decode("utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert not text.startswith("\ufeff")
    assert "\r" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("name", names())
def test_no_cell_is_missing_empty_or_padded(name):
    with (files("georecall.theory.facts.datasets") / f"{name}.csv").open(
        encoding="utf-8", newline=""
    ) as text:
        header, *rows = csv.reader(text, strict=True)
    for row in rows:
        assert len(row) == len(header)
        for cell in row:
            assert cell
            assert cell == cell.strip()


@pytest.mark.parametrize("name", ["planets", "Elements", "elements.csv", "", "../facts", "README"])
def test_another_name_is_refused_and_the_right_ones_are_listed(name):
    with pytest.raises(FactsError, match=re.escape(f"is called {name!r}") + ".*; there are countries"):
        load(name)


def test_elements_and_countries_have_the_shapes_of_their_subjects():
    elements, countries = load("elements"), load("countries")
    assert (elements.n_subjects, elements.question(0, 0)) == (118, "symbol of Hydrogen")
    assert countries.n_subjects == 249
    for table, relations in ((elements, ("symbol", "atomic number")), (countries, ("alpha-2", "alpha-3"))):
        for relation in relations:
            row = table.answers[table.relations.index(relation)]
            assert len(set(row.tolist())) == table.n_subjects  # one-to-one
