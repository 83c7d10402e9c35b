"""Facts in separated columns: every form, everything that is refused, and where the message points."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.roles import ATTRIBUTE, RELATION, SUBJECT
from georecall.theory.facts.spelling import FactsWarning


@pytest.fixture
def read(tmp_path):
    """Writes a file (text as UTF-8) and reads it as facts."""

    def written_and_read(content, **options):
        path = tmp_path / "facts.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return FactTable.from_csv(path, **options)

    return written_and_read


def as_text(table):
    """The facts in words: {relation: {subject: attribute}}."""
    return {
        table.relation_name(r): {
            table.subject_name(s): table.attribute_name(int(a)) for s, a in enumerate(table.answers[r])
        }
        for r in range(table.n_relations)
    }


WIDE = "subject,symbol,period\nHydrogen,H,1\nHelium,He,1\nLithium,Li,2\n"
LONG = (
    "subject,relation,attribute\nHydrogen,symbol,H\nHydrogen,period,1\nHelium,period,1\nHelium,symbol,He\n"
    "Lithium,symbol,Li\nLithium,period,2\n"
)
FACTS = {
    "symbol": {"Hydrogen": "H", "Helium": "He", "Lithium": "Li"},
    "period": {"Hydrogen": "1", "Helium": "1", "Lithium": "2"},
}


@pytest.mark.parametrize("text", [WIDE, LONG])
def test_both_forms_say_the_same(read, text):
    table = read(text)
    assert as_text(table) == FACTS
    assert table.subjects == ("Hydrogen", "Helium", "Lithium")
    assert table.relations == ("symbol", "period")
    assert table.attributes == ("H", "He", "Li", "1", "2")  # first appearance, relation by relation
    assert table.answers.tolist() == [[0, 1, 2], [3, 3, 4]]


def test_attributes_are_identified_by_their_text_across_relations(read):
    table = read("subject,mother,friend\na,b,c\nb,c,a\n")
    assert table.attributes == ("b", "c", "a")
    assert table.answers.tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize(
    "text",
    [
        WIDE.replace("\n", "\r\n"),
        WIDE.replace("\n", "\r"),
        WIDE.rstrip("\n"),
        "\ufeff" + WIDE,
        "\ufeff" + LONG.replace("\n", "\r\n"),
        "\n\n" + WIDE.replace("\n", "\n\n"),
        WIDE.replace("\n", "\n  \n\t\n"),
        WIDE.replace(",", " ,\t "),
        WIDE.replace("subject", "Subject"),
        LONG.replace("subject,relation,attribute", "SUBJECT,Relation,attribute"),
        re.sub("^(.*),(.*),(.*)$", r"\3,\1,\2", LONG, flags=re.MULTILINE),
        re.sub("([^,\n]+)", r'"\1"', WIDE),
    ],
    ids=[
        "CRLF",
        "CR",
        "no last newline",
        "BOM",
        "BOM and CRLF, long",
        "blank lines",
        "lines of white space",
        "white space around cells",
        "capital header",
        "capital long header",
        "long columns in another order",
        "all cells quoted",
    ],
)
def test_spellings_of_the_same_file(read, text):
    assert as_text(read(text)) == FACTS


def test_unicode_quoted_commas_quotes_and_newlines_in_cells(read):
    table = read(
        'subject,capital,"known, for"\n"Côte d\'Ivoire","Ya""mous""soukro",cacao\n日本,東京,"a\nb"\n'
    )
    assert as_text(table) == {
        "capital": {"Côte d'Ivoire": 'Ya"mous"soukro', "日本": "東京"},
        "known, for": {"Côte d'Ivoire": "cacao", "日本": "a\nb"},
    }


def test_a_triple_that_is_repeated_does_not_matter(read):
    assert as_text(read(LONG + "Helium,period,1\n")) == FACTS


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]) | st.sampled_from(' ,"\n;'),
    min_size=1,
).map(str.strip)
ROLES = {name for role in (SUBJECT, RELATION, ATTRIBUTE) for name in role}
NAMES = WORDS.filter(lambda word: bool(word) and word.lower() not in ROLES)


@pytest.mark.filterwarnings("ignore::georecall.theory.facts.spelling.FactsWarning")
@given(
    subjects=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    relations=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    cells=st.lists(NAMES, min_size=12, max_size=12),
    form=st.sampled_from(["wide", "long"]),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, subjects, relations, cells, form, ending):
    facts = {
        r: {s: cells[i * len(subjects) + j] for j, s in enumerate(subjects)} for i, r in enumerate(relations)
    }
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=ending)
    if form == "wide":
        writer.writerow(["subject", *relations])
        writer.writerows([[s, *(facts[r][s] for r in relations)] for s in subjects])
    else:
        writer.writerow(["subject", "relation", "attribute"])
        writer.writerows([[s, r, facts[r][s]] for s in subjects for r in relations])
    path = tmp_path_factory.mktemp("csv") / "facts.csv"
    path.write_bytes(text.getvalue().encode())
    assert as_text(FactTable.from_csv(path)) == facts


FORMS = r"want `subject,<relation>,<relation>,\.\.\.` \(wide\) or `subject,relation,attribute` \(long\)"

REFUSED = {
    "empty file": ("", rf"facts\.csv is empty: {FORMS}"),
    "nothing but a BOM": (b"\xef\xbb\xbf", r"facts\.csv is empty"),
    "nothing but blank lines": ("\n \n\t\n", r"facts\.csv is empty"),
    "wide header only": ("subject,a,b\n", r"facts\.csv has a header but no subject"),
    "long header only": ("subject,relation,attribute\n\n", r"facts\.csv has a header but no subject"),
    "no relation": ("subject\na\n", rf"row 1: the header is 'subject': {FORMS}"),
    "header of neither form": ("name,symbol\nHydrogen,H\n", rf"row 1: the header is 'name,symbol': {FORMS}"),
    "no header": ("Hydrogen,H\nHelium,He\n", rf"row 1: the header is 'Hydrogen,H': {FORMS}"),
    "half a long header": ("subject,relation\na,b\n", r"row 1: the header is 'subject,relation'"),
    "a long header with a column more": (
        "subject,relation,attribute,source\na,b,c,d\n",
        "row 1: the header is 'subject,relation,attribute,source'",
    ),
    "subject is not the first column": ("symbol,subject\nH,Hydrogen\n", "row 1: the header is"),
    "blank lines count as rows": ("\n\nname,symbol\nHydrogen,H\n", r"row 3: the header is"),
    "a relation without a name": ("subject,a,,c\nx,1,2,3\n", "row 1, column 3: a relation without a name"),
    "a relation twice": ("subject,a,b,a\nx,1,2,3\n", "row 1, column 4: the relation 'a' stands twice"),
    "wide row too short": ("subject,a,b\nx,1,2\ny,1\n", r"row 3: 2 cells, where the header has 3"),
    "wide row too long": ("subject,a,b\nx,1,2,3\n", "row 2: 4 cells, where the header has 3"),
    "long row too short": (LONG + "Neon,period\n", "row 8: 2 cells, where the header has 3"),
    "long row too long": (LONG + "Neon,period,2,x\n", "row 8: 4 cells, where the header has 3"),
    "wide subject missing": ("subject,a\nx,1\n,2\n", "row 3, column subject: missing"),
    "long subject missing": (LONG + ",symbol,X\n", "row 8, column subject: missing"),
    "long relation missing": (LONG + "Neon, ,X\n", "row 8, column relation: missing"),
    "a row of separators": ("subject,a\nx,1\n,\n", "row 3, column subject: missing"),
    "a subject twice": (WIDE + "Helium,He,1\n", "row 5: the subject 'Helium' stands already in row 3"),
    "a subject twice, but for white space": (
        "subject,a\nx,1\n x ,2\n",
        "row 3: the subject 'x' stands already in row 2",
    ),
    "a contradiction": (
        LONG + "Helium,period,2\n",
        "row 8: period of Helium is '2', but '1' in row 4",
    ),
    "unterminated quote": ('subject,a\nx,1\ny,"2\nz,3\n', r"facts\.csv, row \d: "),
    "text after a quoted cell": ('subject,a\nx,"1"2\n', r"facts\.csv, row 2: "),
    "bytes that are not UTF-8": (b"subject,a\nx,1\ny,caf\xe9\n", r"row 3: byte 0xe9 is not UTF-8"),
    "bytes that are not UTF-8 in the header": (b"subject,\xff\nx,1\n", "row 1: byte 0xff is not UTF-8"),
    "UTF-16": ("subject,a\nx,1\n".encode("utf-16"), r"row 1: byte 0xf[ef] is not UTF-8"),
    "bytes that are not UTF-8 after a BOM": (
        b"\xef\xbb\xbfsubject,a\n\xff,1\n",
        "row 2: byte 0xff is not UTF-8",
    ),
    "bytes that are not UTF-8 after lone CRs": (b"subject,a\rx,\xff\r", "row 2: byte 0xff is not UTF-8"),
    "a UTF-8 sequence cut off": (b"subject,a\r\nx,\xe2\x82", "row 2: byte 0xe2 is not UTF-8"),
    "rows count the lines of quoted cells": (
        'subject,a\n"x\ny",1\nz,1,2\n',
        r"row 4: 3 cells, where the header has 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("missing", [None, "unknown"])
def test_refused(read, case, missing):
    content, message = REFUSED[case]
    with pytest.raises(FactsError, match=message) as caught:
        read(content, missing=missing)
    assert "facts.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


MISSING = {
    "wide": ("subject,a,b\nx,1,2\ny,,2\n", r"row 3, column a: missing .*--missing unknown"),
    "wide, white space": ("subject,a,b\nx,1,2\ny,1, \n", r"row 3, column b: missing"),
    "wide, quoted": ('subject,a,b\nx,"",2\ny,1,2\n', r"row 2, column a: missing"),
    "long, empty cell": (LONG + "Neon,period,\n", r"row 8, column attribute: missing"),
    "long, no triple": (LONG + "Neon,period,2\n", r"subject 'Neon' .*row 8.*, column symbol: missing"),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_missing_cell_is_refused(read, case):
    content, message = MISSING[case]
    with pytest.raises(FactsError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("case", "where"),
    [
        ("wide", ("a", "y")),
        ("wide, white space", ("b", "y")),
        ("wide, quoted", ("a", "x")),
        ("long, empty cell", ("period", "Neon")),
        ("long, no triple", ("symbol", "Neon")),
    ],
)
def test_missing_unknown_fills_a_missing_cell_with_one_more_attribute(read, case, where):
    relation, subject = where
    table = read(MISSING[case][0], missing="unknown")
    assert as_text(table)[relation][subject] == "unknown"
    assert table.attributes.count("unknown") == 1


def test_another_word_for_missing_cells_is_refused(read):
    with pytest.raises(ValueError, match="missing"):
        read(MISSING["wide"][0], missing="Unknown")


def test_unknown_is_one_attribute_for_all_relations(read):
    table = read("subject,a,b\nx,,1\ny,2,\n", missing="unknown")
    assert table.attributes == ("unknown", "2", "1")
    assert table.answers.tolist() == [[0, 1], [2, 0]]


def test_a_contradiction_of_an_empty_cell_is_one_even_where_missing_cells_are_allowed(read):
    with pytest.raises(FactsError, match="row 8: symbol of Helium is 'unknown', but 'He' in row 5"):
        read(LONG + "Helium,symbol,\n", missing="unknown")


SHAPES = {
    "long, other names": "head,predicate,tail\nAnn,mother,Zoe\nBen,mother,Eva\n",
    "long, single letters": "r,t,h\nmother,Zoe,Ann\nmother,Eva,Ben\n",
    "long, object": "subject,relation,object\nAnn,mother,Zoe\nBen,mother,Eva\n",
    "wide, head": "Head,mother\nAnn,Zoe\nBen,Eva\n",
    "semicolons": "subject;mother\nAnn;Zoe\nBen;Eva\n",
    "tabs": "subject\tmother\nAnn\tZoe\n\nBen\t Eva\n",
    "tabs, long": "Subject\tRelation\tObject\nAnn\tmother\tZoe\nBen\tmother\tEva\n",
    "triples": "Ann\tmother\tZoe\nBen\tmother\tEva\n",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("missing", [None, "unknown"])
def test_shapes_that_the_field_uses_say_the_same(read, shape, missing):
    assert as_text(read(SHAPES[shape], missing=missing)) == {"mother": {"Ann": "Zoe", "Ben": "Eva"}}


def test_triples_are_not_quoted(read):
    assert as_text(read('Ann\tsays\t"hm\nBen\tsays\tO"Hara\n')) == {"says": {"Ann": '"hm', "Ben": 'O"Hara'}}


NOT_MEANT_SO = {
    "a header again, wide": (
        "subject,boss\nAnn,Ben\nsubject,Boss\nBen,Ann\n",
        "row 3: the header stands here",
    ),
    "a header again, long": (LONG + "subject, relation,attribute\n", "row 8: the header stands here again"),
    "an index": (",subject,mother\n0,Ann,Zoe\n", "the first column has no name"),
    "an index, long": (",head,relation,tail\n0,Ann,mother,Zoe\n", "the first column has no name"),
    "an unusual header between tabs": ("item\trelation\tvalue\nAnn\tmother\tZoe\n", "the header is"),
    "a quote after a space": ('subject, boss\nAnn, "Carla"\n', "row 2, column boss: a quote after a space"),
    "a quote after a space, subject": ('subject,boss\n "Ann",Carla\n', "row 2, column subject: a quote"),
    "composed and decomposed": (
        "subject,a\nS\u00e3o,x\nx,Sa\u0303o\n",
        r"row 3, column a: 'Sa\\u0303o' and 'S\\xe3o'",
    ),
    "a zero-width space": ("subject,a\nAnn,Zoe\u200b\nBen,Zoe\n", r"'Zoe' and 'Zoe\\u200b' look the same"),
    "a no-break space": ("subject,a\nAnn,Z\u00a0e\nBen,Z e\n", r"'Z e' and 'Z\\xa0e' look the same"),
    "look-alike subjects": ("subject,a\nAnn,1\nAnn\u00ad,2\n", r"row 3: 'Ann\\xad' and 'Ann' look the same"),
    "look-alike relations": ("subject,a,a\u200d\nAnn,1,2\n", "look the same"),
    "nothing to be seen": ("subject,a\nAnn,\u200b\n", r"row 2, column a: '\\u200b' shows nothing"),
    "Latin-1": ("subject,a\nAnn,Zo\u00eb\n".encode("latin1"), "row 2: .*iconv -f LATIN1 -t UTF-8"),
    "UTF-16": ("subject,a\nAnn,Zo\u00eb\n".encode("utf-16"), "row 1: .*iconv -f UTF-16 -t UTF-8"),
    "UTF-16 without its mark": ("subject,a\nAnn,Zo\u00eb\n".encode("utf-16-le"), "row 2: .*iconv -f UTF-16"),
    "a zero byte": (b"subject,a\nAnn,x\0\n", "row 2: byte 0x00 is no text"),
    "a spreadsheet": (b"PK\x03\x04" + bytes(30), "is a ZIP archive or a spreadsheet; want text"),
    "arrays": (b"\x93NUMPY" + bytes(30), r"is NumPy's \.npy"),
}


@pytest.mark.parametrize("case", NOT_MEANT_SO)
@pytest.mark.parametrize("missing", [None, "unknown"])
def test_what_can_hardly_be_meant_so_is_refused_with_its_row(read, case, missing):
    content, message = NOT_MEANT_SO[case]
    with pytest.raises(FactsError, match=message) as caught:
        read(content, missing=missing)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("subject,boss\nAnn,Bob;Eve\nCid,Bob|Ann\n", "row 2, column boss: 'Bob;Eve' looks .* 1 more"),
        ("subject,boss\nAnn,Bob\nCid,Ann; Ben\n", "row 3, column boss: 'Ann; Ben' looks like several values"),
        ("subject,boss\nUS,Ann\nus,Ben\n", "row 3: 'us' and 'US' differ in case alone"),
        ("subject,boss,Boss\nUS,Ann,Ben\n", "'Boss' and 'boss' differ in case alone"),
        (
            "subject,boss\nUS,Ann\nFR,\u0410nn\n",
            r"row 3, column boss: '\\u0410nn' and 'Ann' differ in script alone",
        ),
    ],
)
def test_what_may_not_be_meant_so_is_read_as_it_stands_with_a_warning(read, content, message):
    with pytest.warns(FactsWarning, match=message):
        assert read(content).n_subjects >= 1


def test_names_that_differ_in_more_than_looks_are_left_alone(read):
    assert read("subject,a\nCo,x;\nC\u00f4,|\nCO\u2082,y\n").n_subjects == 3


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(FactsError, match=r"cannot read .*absent\.csv: No such file"):
        FactTable.from_csv(tmp_path / "absent.csv")
    with pytest.raises(FactsError, match=r"cannot read .*: Is a directory"):
        FactTable.from_csv(tmp_path)


def test_a_cell_of_any_length_is_read(read):
    name = "x" * 200_000  # the csv module's own limit is 131072
    assert read(f"subject,a\ny,{name}\n").attributes == (name,)


def test_many_rows_are_read(read):
    n = 20_000
    table = read("subject,next\n" + "".join(f"e{i},e{(i + 1) % n}\n" for i in range(n)))
    assert (table.n_subjects, table.n_attributes) == (n, n)
    assert table.bijective
    assert table.to_entities().compose([0, 0])[-1] == 1
