"""What the proofs' files say, without Coq: a theorem that a claim names is there, and nothing is assumed."""

import re

import pytest

from georecall.theory.claims import CLAIMS
from georecall.theory.proofs import FOLDER, NAMES, in_order, theorems

ASSUMED = re.compile(r"\b(Axiom|Parameter|Conjecture|Admitted|admit|Abort)\b")


@pytest.mark.parametrize("name", CLAIMS)
def test_every_theorem_that_a_claim_names_is_in_its_file(name: str) -> None:
    for theorem in CLAIMS[name].theorems:
        assert theorem in theorems(theorem.split(".")[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_assumes_nothing_and_needs_files_that_exist(name: str) -> None:
    assert ASSUMED.search((FOLDER / f"{name}.v").read_text()) is None
    assert set(in_order(name)) <= set(NAMES)
    assert in_order(name)[-1] == name


def test_what_is_assumed_would_be_seen() -> None:
    assert ASSUMED.search("Lemma x : False. Admitted.")
