"""`georecall claims`: every claim can be listed, read and printed."""

import json
import re

import pytest

from georecall.theory.claims import CLAIMS
from georecall.verify.cli import run


def test_all_claims_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claims"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in CLAIMS if name not in shown] == []


@pytest.mark.parametrize("name", CLAIMS)
def test_one_claim_is_shown_in_full(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claims", name]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("statement", "hypotheses", "predicted", "proof", "negative controls", "source"):
        assert part in shown
    assert run(["claims", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == name


def test_a_claim_says_plainly_how_far_it_is_machine_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claims", "single-hop-in-place"]) == 0
    assert "  in full: " in capsys.readouterr().out
    assert run(["claims", "chain-of-thought"]) == 0
    shown = capsys.readouterr().out
    assert "  in part: chain_of_thought." in shown
    assert "  steps with a theorem: " in shown
    assert "  steps without: " in shown
    assert run(["claims", "gradient-descent"]) == 0
    assert "  not: no theorem of Coq's stands behind it" in capsys.readouterr().out


@pytest.mark.parametrize("names", [[], *([name] for name in CLAIMS)])
def test_latex_is_a_balanced_document(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claims", *names, "--latex"]) == 0
    document = capsys.readouterr().out
    assert document.startswith(r"\documentclass")
    bare = re.sub(r"\\[\\{}$%&#_]", "", document)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    for environment in re.findall(r"\\begin\{(\w+)\}", document):
        assert document.count(rf"\begin{{{environment}}}") == document.count(rf"\end{{{environment}}}")
    assert not re.search(r"[_^&#%]", re.sub(r"\$[^$]*\$|\\usepackage.*|(?<=\\)[_&#%]", "", bare))
