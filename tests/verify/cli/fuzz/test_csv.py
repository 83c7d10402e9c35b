"""Files of facts, good and bad."""

import gzip
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.spelling import FactsWarning
from georecall.verify.strategies import fact_tables

WIDE = "subject,mother,wife\nAnn,Carla,none\nBen,Carla,Dora\nDora,Eva,none\n"
LONG = "subject,relation,attribute\nAnn,boss,Ben\nBen,boss,Ann\nAnn,friend,Ann\nBen,friend,Ann\n"


CELLS = st.one_of(
    st.sampled_from(
        ["", "subject", "relation", "attribute", "Ann", "Ben", "unknown", '"', '"a,b"', " ", "x\ny"]
    ),
    st.text(max_size=5),
)
GRIDS = st.builds(
    lambda rows, separator, end: end.join(separator.join(row) for row in rows).encode(
        "utf-8", "surrogatepass"
    ),
    st.lists(st.lists(CELLS, max_size=4), max_size=6),
    st.sampled_from([",", ",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
HEADED = st.builds(
    lambda header, body: header.encode() + body, st.sampled_from([WIDE[:20], LONG[:27]]), GRIDS
)
MISSING = st.sampled_from([None, "unknown"])


TRIPLES = "Ann\tboss\tBen\nBen\tboss\tAnn\n"
JSON = '[{"subject": "Ann", "boss": "Ben"}, {"subject": "Ben", "boss": "Ann", "age": 7}]'
LINES = '{"name": "Ann", "boss": "Ben"}\n{"name": "Ben", "boss": null}\n'
SAMPLES = '{"name": "boss", "samples": [{"subject": "Ann", "object": "Ben"}]}'
GOOD = [text.encode() for text in (WIDE, LONG, TRIPLES, WIDE.replace(",", ";"), JSON, LINES, SAMPLES)]
GOOD += [gzip.compress(WIDE.encode(), mtime=0)]


def files(damaged):
    return st.one_of(GRIDS, HEADED, *map(damaged, GOOD))


def assert_read_or_refused(path, data, missing):
    path.write_bytes(data)
    refusal, table = None, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FactsWarning)
            table = FactTable.from_file(path, missing=missing)
    except FactsError as error:
        refusal = str(error)
    if table is None:
        assert str(path) in refusal
        assert len(refusal) < 2 * len(str(path)) + len(data) + 200
    else:
        assert table.n_facts >= 1
        assert table.answers.max() < table.n_attributes


@given(data=st.data(), missing=MISSING)
def test_a_csv_file_is_read_or_refused(folder, damaged, data, missing):
    assert_read_or_refused(folder / "facts.csv", data.draw(files(damaged)), missing)


@pytest.mark.parametrize(
    "data", [b"subject,a\n\0,b\n", b"subject,a\nx," + b"y" * 200000 + b"\n"], ids=["zero", "long"]
)
def test_a_csv_file_of_an_odd_cell_is_read_or_refused(folder, data):
    assert_read_or_refused(folder / "facts.csv", data, None)


@given(data=st.data(), missing=MISSING, hops=st.booleans())
def test_a_csv_file_on_the_command_line(
    folder, assert_answers_properly, names_in, damaged, data, missing, hops
):
    path = folder / "facts.csv"
    path.write_bytes(data.draw(files(damaged)))
    options = [] if missing is None else ["--missing", missing]
    before = names_in(folder)
    if hops:
        assert_answers_properly("ask", "mother of Ann", "--facts", str(path), *options, statuses=(0, 2))
    else:
        assert_answers_properly(
            "check", "single-hop-in-place", "--facts", str(path), *options, statuses=(0, 2, 3)
        )
    assert names_in(folder) == before


@given(facts=fact_tables(), form=st.booleans())
def test_what_is_written_as_csv_is_read_back(folder, facts, form):
    """The other side of refusing: no good file is refused."""
    path = folder / "good.csv"
    names = [facts.subject_name(s) for s in range(facts.n_subjects)]
    cell = lambda r, s: facts.attribute_name(int(facts.answers[r, s]))  # noqa: E731
    relations = range(facts.n_relations)
    if form:
        rows = [["subject", *map(facts.relation_name, relations)]]
        rows += [[name, *(cell(r, s) for r in relations)] for s, name in enumerate(names)]
    else:
        rows = [["subject", "relation", "attribute"]]
        rows += [[n, facts.relation_name(r), cell(r, s)] for r in relations for s, n in enumerate(names)]
    path.write_text("\n".join(map(",".join, rows)))
    read = FactTable.from_csv(path)
    for r in relations:
        for s in range(facts.n_subjects):
            assert read.attribute_name(int(read.answers[r, s])) == cell(r, s)
