"""Words where a command, a question or a name should be."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from georecall.verify.cli import COMMANDS

ANYTHING = st.text(st.characters(exclude_characters="\0"), max_size=12)
WORDS = st.sampled_from(
    [
        "mother",
        "wife",
        "of",
        " of ",
        "Ann",
        "ANN",
        "dora",
        "Ben",
        "",
        "  ",
        "none",
        "of of",
        "\n",
        "r0",
        "s0",
        "É",
    ]
)
QUESTIONS = st.one_of(
    st.lists(WORDS, max_size=7).map(" ".join), st.lists(WORDS, max_size=5).map(" of ".join), ANYTHING
)


@given(question=QUESTIONS, missing=st.sampled_from([None, "unknown"]), as_json=st.booleans())
def test_a_question_is_answered_or_refused(
    folder, asked, assert_answers_properly, question, missing, as_json
):
    path = folder / "family.csv"
    path.write_text("subject,mother,wife\nAnn,Carla,\nBen,Carla,Dora\nDora,,Ann\nCarla,Ann,Ben\n")
    options = (["--missing", missing] if missing else []) + (["--json"] if as_json else [])
    status, out, _ = asked("ask", "--facts", str(path), *options, "--", question)
    assert_answers_properly("ask", "--facts", str(path), *options, "--", question, statuses=(0, 2))
    assert (status == 0) == bool(out)
    if as_json and status == 0:
        assert json.loads(out)["question"] == question


ODDS = st.one_of(
    st.sampled_from(
        ["--help", "-h", "--version", "--json", "--latex", "--", "-", "--out", "--facts", "elements", "."]
    ),
    ANYTHING,
)


LONG = ("bench", "prove", "report", "learn", "transfer")  # work for seconds: told one word that is none


@given(command=st.sampled_from([*COMMANDS, "nonesuch", "", "--", "-x"]), rest=st.lists(ODDS, max_size=3))
def test_any_words_at_all(folder, assert_answers_properly, names_in, command, rest):
    before = names_in(folder / "words") if (folder / "words").exists() else {}
    (folder / "words").mkdir(exist_ok=True)
    with contextlib.chdir(folder / "words"):
        if command == "check" and rest[:1] and rest[0].startswith("--constr"):
            return
        status = assert_answers_properly(command, *["--nonesuch"] * (command in LONG), *rest)
    if status == 2:
        assert names_in(folder / "words") == before
