"""Habits of a command line: completion, labels, numbers as people write them, silence."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from georecall.constructions import CONSTRUCTIONS
from georecall.theory.claims import CLAIMS, claim_name
from georecall.verify.claims.check import check
from georecall.verify.cli import COMMANDS, georecall, run
from georecall.verify.figures import FIGURES
from georecall.verify.usage import UsageError


def completed(*words):
    """What the shell offers for the last word."""
    found = ShellComplete(georecall, {}, "georecall", "_GEORECALL_COMPLETE").get_completions(
        list(words[:-1]), words[-1]
    )
    return [item.value for item in found if item.type != "file"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ch"], ["check"]),
        (["check", "composed"], ["composed-hops"]),
        (["export", "chain"], ["chain-of-thought"]),
        (["claims", "C5"], ["C5(a)", "C5(b)", "C5(c)", "C5(d)"]),
        (["bound", "plot"], ["plotkin"]),
        (["check", "single-hop", "--facts", "cou"], ["countries", "countries-disjoint"]),
        (["ask", "--facts", "elements-"], ["elements-neighbours"]),
        (["plot", "capa"], ["capacity"]),
        (["check", "single-hop", "--table", "b"], ["bijections"]),
        (["sweep", "capacity", "--construction", "single-hop-na"], ["single-hop-narrow"]),
    ],
)
def test_the_shell_completes_what_is_begun(words, offered):
    assert completed(*words) == offered


def test_the_shell_offers_every_name():
    assert set(CLAIMS) <= set(completed("check", ""))
    assert completed("plot", "") == list(FIGURES)
    assert set(CONSTRUCTIONS) <= set(completed("sweep", "capacity", "--construction", ""))
    assert completed("") == list(COMMANDS)


def test_facts_are_completed_by_files_where_no_data_set_begins_so():
    found = ShellComplete(georecall, {}, "georecall", "X").get_completions(["ask", "--facts"], "my")
    assert [(item.value, item.type) for item in found] == [("my", "file")]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"_GEORECALL_COMPLETE": "zsh_source"}, "#compdef georecall"),
        (
            {"_GEORECALL_COMPLETE": "bash_complete", "COMP_WORDS": "georecall as", "COMP_CWORD": "1"},
            "plain,ask",
        ),
    ],
)
def test_shells_ask_through_the_environment(environment, says):
    code = "from georecall.verify.cli import main; main()"
    asked = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    assert says in asked.stdout


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.name)
def test_a_label_means_its_claim_unless_several_share_it(claim):
    sharing = [other.name for other in CLAIMS.values() if other.label == claim.label]
    spelt = claim.label, claim.label.lower(), claim.label.replace("(", "").replace(")", "")
    if len(sharing) == 1:
        assert {claim_name(label) for label in spelt} == {claim.name}
    else:
        with pytest.raises(ValueError, match=f"is the label of .*{claim.name}"):
            claim_name(claim.label)


def test_labels_are_taken_wherever_claims_are(capsys):
    assert check("C1", subjects=8, relations=2).claim == "single-hop"
    assert run(["check", "c1", "--subjects", "8", "--relations", "2"]) == 0
    assert run(["claims", "C5b"]) == 0
    assert capsys.readouterr().out.startswith("single-hop  holds")
    with pytest.raises(UsageError, match="C8 is the label of"):
        check("C8")
    with pytest.raises(UsageError, match="'C99' is no claim"):
        check("C99")


@pytest.mark.parametrize(
    ("written", "number"),
    [("1e3", 1000), ("1E3", 1000), ("2^10", 1024), ("2**10", 1024), ("1_000", 1000), ("10e0", 10)],
)
def test_whole_numbers_are_written_as_people_do(written, number, capsys):
    assert run(["bound", "counting", "--subjects", written, "--relations", "2", "--json"]) == 0
    assert f'"n_subjects": {number}' in capsys.readouterr().out


@pytest.mark.parametrize("written", ["1.5e3", "1e-3", "1e999", "e3", "2^", "64,128", "1e", ""])
def test_what_is_no_whole_number_is_refused(written, capsys):
    assert run(["check", "single-hop", "--subjects", written]) == 2
    assert "is not a whole number such as 1000, 1e6 or 2^20" in capsys.readouterr().err


def test_grids_take_several_numbers_at_once(tmp_path, capsys):
    sweep = ["sweep", "capacity", "--construction", "single-hop", "--relations", "2"]
    rows = []
    for number, sizes in enumerate((["--subjects", "8,16,32"], [f"--subjects={n}" for n in (8, 16, 32)])):
        path = tmp_path / f"{number}.csv"
        assert run([*sweep, *sizes, "--out", str(tmp_path / f"{number}.sqlite"), "--rows", str(path)]) == 0
        rows.append(path.read_text())
    assert rows[0] == rows[1]
    assert rows[0].count("single-hop") >= 3
    assert run([*sweep, "--subjects", "8,x", "--out", str(tmp_path / "a.sqlite")]) == 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["check", "single-hop", "--subjects", "8", "--relations", "2"], 0),
        (["check", "composed-hops", "--facts", "countries"], 3),
        (["bound", "plotkin"], 2),
        (["claims"], 0),
    ],
)
def test_quiet_commands_say_nothing_but_errors(arguments, status, capsys):
    assert run([*arguments, "--quiet"]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", int(status == 2))


def test_quiet_keeps_json_and_drops_notes(tmp_path, capsys):
    path = tmp_path / "facts.csv"
    path.write_text("subject,boss\nUS,Ann\nus,Ben\n")
    assert run(["ask", "-q", "--json", "--facts", str(path), "boss of US"]) == 0
    captured = capsys.readouterr()
    assert ('"answer": "Ann"' in captured.out, captured.err) == (True, "")
