"""The pages and the claims say the same: symbols, lemmas, tables of trust."""

import re
from pathlib import Path

import pytest

import georecall
from georecall.theory.claims import CLAIMS
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.notation import COMMON, letters_used
from georecall.theory.claims.trust import Step, steps_of_page
from georecall.theory.lemmas import LEMMAS
from georecall.theory.lemmas.analysis import IDENTITIES
from georecall.theory.tools.names import page_of

ROOT = Path(georecall.__file__).parent  # the pages ship with the package
PAGES = sorted((ROOT / "theory" / "pages").glob("c*.md"), key=lambda page: int(page.stem[1:]))
KNOWN = {*LEMMAS, *(identity.__name__.replace("_", "-") for identity in IDENTITIES)}
SECTIONS = ("Symbols", "Trust", "Figures", "History")


def section(page: str, name: str) -> str:
    """What stands under a heading of the second order."""
    return re.split(rf"^## {name}.*$", page, flags=re.M)[1].split("\n## ")[0]


def rows(page: str) -> list[list[str]]:
    """The table of trust, without its head."""
    lines = [line for line in section(page, "Trust").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def unexplained(claim: Claim, page: str) -> set[str]:
    """Letters of a claim that neither the page's list of symbols nor the common notation explains."""
    said = section(page, "Symbols")
    known = letters_used(said) | set(re.findall(r"`([^`]+)`", said)) | set(COMMON)
    written = {name: {name, rf"${name}$", name.strip("|"), rf"\{name}"} for name in claim.explained()}
    return {name for name, forms in written.items() if not forms & known and f"${name}$" not in said}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_symbol_of_a_claim_has_a_meaning(name: str) -> None:
    assert [letter for letter, meaning in CLAIMS[name].explained().items() if not meaning] == []


@pytest.mark.parametrize("name", CLAIMS)
def test_every_symbol_of_a_claim_is_explained_on_its_page(name: str) -> None:
    claim = CLAIMS[name]
    assert unexplained(claim, (ROOT / claim.page).read_text()) == set()


def test_a_symbol_that_nobody_explains_is_found() -> None:
    claim = CLAIMS["single-hop"]
    page = (ROOT / claim.page).read_text()
    strange = Claim(**{**vars(claim), "statement": claim.statement + r" for $\lambda$ and $Q$"})
    assert unexplained(strange, page) == {r"\lambda", "Q"}
    assert {letter for letter, meaning in strange.explained().items() if not meaning} == {r"\lambda", "Q"}
    assert "D" in unexplained(claim, page.replace("- $D$:", "- it is:"))


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_has_the_rows_of_its_page_that_name_it(name: str) -> None:
    claim = CLAIMS[name]
    named = [row[0] for row in rows((ROOT / claim.page).read_text()) if name in row[-1].split(", ")]
    assert [step.what for step in claim.trust] == named != []


@pytest.mark.parametrize("name", CLAIMS)
def test_every_lemma_that_a_claim_rests_on_exists(name: str) -> None:
    assert set(CLAIMS[name].lemmas) <= KNOWN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_complete_and_proves_by_lemmas_that_exist(page: Path) -> None:
    text = page.read_text()
    assert [name for name in SECTIONS if f"\n## {name}" not in text] == []
    of_page = {name for name, claim in CLAIMS.items() if claim.page.endswith(f"/{page.name}")}
    for what, how, by, machine, claims in rows(text):
        assert how in ("proved", "checked", "prose", "open"), what
        assert "" not in (by, machine), what
        assert claims == "none" or set(claims.split(", ")) <= of_page, what
        if how == "proved":
            assert set(by.split(", ")) <= KNOWN, what


def test_every_lemma_stands_on_the_page_of_its_claim() -> None:
    missing = [
        lemma.name for lemma in LEMMAS.values() if lemma.name not in (ROOT / page_of(lemma.claim)).read_text()
    ]
    assert missing == []


def test_a_row_is_a_step_with_its_lemmas_theorems_and_claims() -> None:
    steps = dict(steps_of_page("theory/pages/c8.md"))
    step = Step(
        "sign-code memory: one neuron fires",
        "proved",
        ("sign-product", "merged-neuron"),
        "memories.one_neuron_fires",
    )
    assert steps[step] == ("sign-code-memory",)
    assert step.theorems == ("memories.one_neuron_fires",)
    unchecked = Step("a step", "prose", ("by words, with a comma",))
    assert unchecked.theorems == ()
    assert str(unchecked) == "a step: prose, by words, with a comma (not machine-checked)"


def test_the_index_leads_to_every_page_and_every_claim() -> None:
    index = (ROOT / "theory" / "pages" / "README.md").read_text()
    assert [page.name for page in PAGES if f"({page.name})" not in index] == []
    assert [name for name in CLAIMS if f"`{name}`" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_mathematics_is_closed_and_tables_have_no_bars_in_it(page: Path) -> None:
    text = page.read_text()
    assert text.count("$") % 2 == 0
    for line in text.splitlines():
        if line.startswith("|"):
            assert [math for math in re.findall(r"\$[^$]*\$", line) if "|" in math] == []
