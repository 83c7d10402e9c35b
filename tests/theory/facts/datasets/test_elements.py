"""elements.csv: its shape, the rules of its README re-derived, and mendeleev cell by cell."""

import csv
import io
import sqlite3
from contextlib import closing
from importlib.resources import files
from importlib.util import find_spec
from itertools import combinations

import pytest

HEADER = ["subject", "symbol", "atomic number", "group", "period", "block", "category"]

TEXT = (files("georecall.theory.facts.datasets") / "elements.csv").read_bytes().decode("utf-8")
ROWS = list(csv.DictReader(io.StringIO(TEXT, newline=""), strict=True))

# How mendeleev names the categories.
SERIES = {
    "Actinides": "actinoid",
    "Alkali metals": "alkali metal",
    "Alkaline earth metals": "alkaline earth metal",
    "Halogens": "halogen",
    "Lanthanides": "lanthanoid",
    "Metalloids": "metalloid",
    "Noble gases": "noble gas",
    "Nonmetals": "nonmetal",
    "Poor metals": "post-transition metal",
    "Transition metals": "transition metal",
}

# (symbol, column) -> (the file, mendeleev, why).
SPELLING = "IUPAC's spelling, not the American one"
GROUP_3 = "group 3 is Sc, Y, Lu, Lr here and Sc, Y, La, Ac in mendeleev; IUPAC has not ruled"
COLLECTIVE = "IUPAC's collective names cover La to Lu and Ac to Lr"
NOT_IUPAC = "metalloid is no IUPAC term; the file keeps to the six elements that nearly all lists share"
DISAGREEMENTS = {
    ("Al", "subject"): ("Aluminium", "Aluminum", SPELLING),
    ("Cs", "subject"): ("Caesium", "Cesium", SPELLING),
    ("La", "group"): ("none", "group 3", GROUP_3),
    ("La", "block"): ("f-block", "d-block", GROUP_3),
    ("Ac", "group"): ("none", "group 3", GROUP_3),
    ("Ac", "block"): ("f-block", "d-block", GROUP_3),
    ("Lu", "group"): ("group 3", "none", GROUP_3),
    ("Lu", "block"): ("d-block", "f-block", GROUP_3),
    ("Lu", "category"): ("lanthanoid", "transition metal", COLLECTIVE),
    ("Lr", "group"): ("group 3", "none", GROUP_3),
    ("Lr", "block"): ("d-block", "f-block", GROUP_3),
    ("Lr", "category"): ("actinoid", "transition metal", COLLECTIVE),
    ("Po", "category"): ("post-transition metal", "metalloid", NOT_IUPAC),
}


def mendeleev_rows():
    """The same columns out of mendeleev's own database, which it ships as SQLite, by atomic number."""
    query = """
        SELECT elements.name, symbol, atomic_number, group_id, period, block, series.name
        FROM elements JOIN series ON series.id = series_id ORDER BY atomic_number
    """
    (folder,) = find_spec("mendeleev").submodule_search_locations  # importing it takes longer than this
    with closing(sqlite3.connect(f"file:{folder}/elements.db?mode=ro", uri=True)) as database:
        for name, symbol, number, group, period, block, series in database.execute(query):
            group = "none" if group is None else f"group {group}"
            cells = [name, symbol, str(number), group, f"period {period}", f"{block}-block", SERIES[series]]
            yield dict(zip(HEADER, cells, strict=True))


def layout():
    """Group, period and block of elements 1, 2, ... from the widths of the blocks alone."""
    s_block = [(f"group {group}", "s-block") for group in (1, 2)]
    f_block = [("none", "f-block")] * 14
    d_block = [(f"group {group}", "d-block") for group in range(3, 13)]
    p_block = [(f"group {group}", "p-block") for group in range(13, 19)]
    rows = [
        [("group 1", "s-block"), ("group 18", "s-block")],  # helium: 1s2, above neon
        *[s_block + p_block] * 2,
        *[s_block + d_block + p_block] * 2,
        *[s_block + f_block + d_block + p_block] * 2,
    ]
    return [(group, f"period {n}", block) for n, row in enumerate(rows, start=1) for group, block in row]


def category(row):
    """The rules of the README, in their order."""
    number = int(row["atomic number"])
    by_group = {
        "group 1": "alkali metal",
        "group 2": "alkaline earth metal",
        "group 17": "halogen",
        "group 18": "noble gas",
    }
    if row["symbol"] in {"H", "C", "N", "O", "P", "S", "Se"}:
        return "nonmetal"
    if row["symbol"] in {"B", "Si", "Ge", "As", "Sb", "Te"}:
        return "metalloid"
    if 57 <= number <= 71:
        return "lanthanoid"
    if 89 <= number <= 103:
        return "actinoid"
    if row["group"] in by_group:
        return by_group[row["group"]]
    return {"d-block": "transition metal", "p-block": "post-transition metal"}[row["block"]]


def test_there_are_118_rows_under_the_stated_header():
    assert TEXT.splitlines()[0] == ",".join(HEADER)
    assert len(ROWS) == 118


@pytest.mark.parametrize("column", ["subject", "symbol", "atomic number"])
def test_the_column_has_no_text_twice(column):
    assert len({row[column].casefold() for row in ROWS}) == len(ROWS)


def test_rows_are_in_order_of_atomic_number():
    assert [row["atomic number"] for row in ROWS] == [str(number) for number in range(1, 119)]


def test_no_two_columns_share_a_text():
    texts = {column: {row[column].casefold() for row in ROWS} for column in HEADER}
    assert [pair for pair in combinations(HEADER, 2) if texts[pair[0]] & texts[pair[1]]] == []


def test_group_period_and_block_follow_from_the_atomic_number():
    assert [(row["group"], row["period"], row["block"]) for row in ROWS] == layout()


def test_category_follows_from_the_rules_of_the_readme():
    assert [row["category"] for row in ROWS] == [category(row) for row in ROWS]


def test_mendeleev_agrees_in_every_cell_but_the_explained_ones():
    found = {
        (row["symbol"], column): (row[column], theirs[column])
        for row, theirs in zip(ROWS, mendeleev_rows(), strict=True)
        for column in HEADER
        if row[column] != theirs[column]
    }
    assert found == {cell: (ours, said) for cell, (ours, said, _) in DISAGREEMENTS.items()}
