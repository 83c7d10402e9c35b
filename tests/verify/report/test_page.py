"""The page says everything that was found, in HTML that holds together."""

import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from georecall.bounds import BOUNDS
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.claims import CLAIMS
from georecall.theory.lemmas import LEMMAS
from georecall.verify.cli import run
from georecall.verify.executors import working
from georecall.verify.figures import FIGURES
from georecall.verify.proofs.standing import standing
from georecall.verify.report import Content, gather, page
from georecall.verify.report.checks import check_claim
from georecall.verify.verdict.verdict import Mismatch


def parsed(html: str) -> ElementTree.Element:
    """The document as a tree: every element that is not void must have been closed."""
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    return ElementTree.fromstring(re.sub(r"<(meta|link)([^>]*)>", r"<\1\2/>", html.split("\n", 1)[1]))


def test_every_claim_figure_lemma_bound_and_construction_is_there(content: Content, html: str) -> None:
    tree = parsed(html)
    there = {part.get("id") for part in tree.iter()}
    assert set(CLAIMS) <= there
    assert {f"figure-{name}" for name in FIGURES} <= there
    drawn = {figure.name for figure in content.figures if figure.svg is not None}
    assert {name for name in FIGURES if FIGURES[name].sweep in ("capacity", "hops")} <= drawn
    assert len(tree.findall(".//figure/div/svg")) == len(drawn)
    said = {"".join(part.itertext()) for part in tree.iter("code")}
    assert {*BOUNDS, *CONSTRUCTIONS} <= said
    assert [row.lemma.name for row in content.lemmas] == list(LEMMAS)
    for checked in content.claims:
        assert checked.command in said
    glance = next(t for t in tree.iter("table") if t.get("class") == "glance")
    assert len(glance.findall("tbody/tr")) == len(CLAIMS)


@pytest.mark.slow
def test_all_is_well_at_the_quick_parameters(quick: Content) -> None:
    test_all_is_well(quick)


def test_all_is_well(content: Content) -> None:
    wrong = {
        c.claim.name: c.missing or c.verdict for c in content.claims if c.status not in ("holds", "stated")
    }
    assert wrong == {}
    assert {row.status for row in content.lemmas} == {"proved"}
    assert all(row.n_needed == len(row.lemma.hypotheses) for row in content.lemmas)
    assert [row.name for row in content.bounds if row.value is None] == []
    recalled = {
        row.name: row.found and row.found.n_recalled == row.found.n_facts for row in content.constructions
    }
    assert all(recalled.values()), recalled


def test_every_control_stands_with_what_was_expected_and_got(content: Content, html: str) -> None:
    sections = {part.get("aria-labelledby"): part for part in parsed(html).iter("section")}
    for checked in content.claims:
        tables = {t.get("class"): t for t in sections[checked.claim.name].iter("table")}
        rows = tables["controls"].findall("tbody/tr")
        assert (
            len(rows)
            == len(checked.claim.controls if checked.verdict is None else checked.verdict.controls)
            > 0
        )
        assert all(len("".join(row.itertext())) > 30 for row in rows)


def test_every_step_of_a_claim_stands_with_how_it_is_known(content: Content, html: str) -> None:
    sections = {part.get("aria-labelledby"): part for part in parsed(html).iter("section")}
    for checked in content.claims:
        section = sections[checked.claim.name]
        machine = [b for b in section.iter("b") if "achine-checked" in "".join(b.itertext())]
        assert [b.text for b in machine] == [
            "Not machine-checked."
            if standing(checked.claim).checked == "not"
            else f"Machine-checked {standing(checked.claim).checked}"
        ]
        tables = {t.findtext("caption"): t for t in section.iter("table")}
        rows = tables["How each step is known"].findall("tbody/tr")
        assert [row.findtext("td") for row in rows] == [step.how for step in checked.claim.trust] != []
        assert {"".join(part.itertext()) for row in rows for part in row.iter("code")} == set(
            checked.claim.lemmas
        )


def test_ids_are_unique_and_links_lead_somewhere(html: str) -> None:
    tree = parsed(html)
    ids = Counter(part.get("id") for part in tree.iter() if part.get("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    links = [part.get("href", "") for part in tree.iter("a")]
    assert len(links) > 2 * len(CLAIMS)
    assert {link.removeprefix("#") for link in links} <= set(ids)
    labels = {part.get("aria-labelledby") for part in tree.iter()} - {None}
    assert labels <= set(ids)


def test_the_page_needs_no_network_and_no_other_file(html: str) -> None:
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', html) == []
    assert re.findall(r"https?://[^\"' <]*", html.replace("http://www.w3.org/", "")) == []
    assert "@import" not in html
    assert "<script" not in html
    assert "default-src 'none'" in html


def test_headings_descend_one_level_at_a_time_and_tables_have_heads(html: str) -> None:
    tree = parsed(html)
    levels = [int(part.tag[1]) for part in tree.iter() if re.fullmatch(r"h[1-6]", part.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for part in tree.iter("table"):
        assert part.find("caption") is not None
        width = len(part.findall("thead/tr/th[@scope='col']"))
        assert width > 1
        for row in part.findall("tbody/tr"):
            assert row[0].tag == "th"
            assert len(row) == width


def test_the_same_content_gives_the_same_page_and_timings_are_not_on_it(content: Content, html: str) -> None:
    slower = tuple(
        replace(
            c,
            seconds=c.seconds + 1,
            verdict=None if c.verdict is None else replace(c.verdict, seconds=99.125),
        )
        for c in content.claims
    )
    assert page(replace(content, claims=slower, seconds=content.seconds + 1)) == html


def test_what_is_not_well_is_said_plainly(content: Content) -> None:
    claims = list(content.claims)
    verdict = claims[0].verdict
    assert verdict is not None
    refuted = replace(
        verdict, status="refuted", reason="d_mlp is 7", witness=Mismatch("d_mlp", 6, Fraction(7, 2))
    )
    broken = replace(verdict.controls[0], ok=False, got="<nothing>")
    open_ = replace(verdict, status="inconclusive", controls=(broken,), reason="control not as predicted")
    unmet = replace(verdict, status="hypotheses-not-met", measured={}, predicted={}, controls=())
    claims[:4] = [
        replace(claims[0], verdict=refuted),
        replace(claims[1], verdict=open_),
        replace(claims[2], verdict=unmet),
        replace(claims[3], verdict=None, missing="it needs <what is not here>"),
    ]
    missing = [replace(figure, svg=None, missing="the file is empty") for figure in content.figures[:1]]
    made = page(replace(content, claims=tuple(claims), figures=(*missing, *content.figures[1:])))
    text = " ".join("".join(parsed(made).itertext()).split())
    assert "refuted 1 claim" in text
    assert "Refuted. d_mlp is 7." in text
    assert "Witness. d_mlp: predicted 6, measured 3.5" in text
    assert "not as predicted" in text
    assert "<nothing>" in text
    assert "Hypotheses not met." in text
    assert "Stated, not checked here: it needs <what is not here>." in text
    assert "not run" in text
    assert "not drawn, for the file is empty" in text


def test_a_figure_of_no_claim_gets_a_place_of_its_own(content: Content) -> None:
    placed = tuple(figure for figure in content.figures if figure.figure.claims)
    content = replace(content, figures=placed)
    assert "More figures" not in page(content)
    homeless = replace(content.figures[0], name="new", figure=replace(content.figures[0].figure, claims=()))
    made = page(replace(content, figures=(*content.figures, homeless)))
    assert "More figures" in made
    assert f"Figure {len(placed) + 1}." in made


def test_a_claim_joins_by_being_listed_and_has_its_default_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from georecall.verify.claims.options import EXPERIMENTS

    new = replace(CLAIMS["single-hop"], name="single-hop-new")
    monkeypatch.setitem(CLAIMS, new.name, new)
    assert check_claim(new.name).status == "stated"
    assert check_claim(new.name).missing == "it has no check yet"
    monkeypatch.setitem(EXPERIMENTS, new.name, replace(EXPERIMENTS["single-hop"], claim=new))
    checked = check_claim(new.name, seed=3)
    assert checked.status == "holds"
    assert checked.command == "georecall check single-hop-new --seed 3"


@pytest.mark.parametrize("name", BOUNDS)
def test_the_command_of_a_bound_gives_its_value(
    content: Content, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = next(row for row in content.bounds if row.name == name)
    assert row.value is not None
    assert run([*shlex.split(row.command)[1:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["lower"] <= float(row.value.lower) <= again["upper"]
    assert again["unit"] == row.value.unit


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_the_command_of_a_claim_gives_its_verdict(
    quick: Content, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = next(c for c in quick.claims if c.claim.name == name)
    status = run([*shlex.split(checked.command)[1:], "--json"])
    captured = capsys.readouterr()
    if checked.verdict is None:
        assert status == 2
        return
    again, here = json.loads(captured.out), checked.verdict.to_json()
    assert status == 0
    for verdict in (again, here):
        verdict.pop("seconds")
    assert again == json.loads(json.dumps(here))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_page(quick: Content, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert page(gather(tmp_path, results=files[0], hops=files[1])) == page(quick)


@pytest.mark.slow
def test_the_page_is_the_same_whoever_works(quick: Content, files: tuple[Path, Path], tmp_path: Path) -> None:
    with working(2, None) as executor:
        assert page(gather(tmp_path, results=files[0], hops=files[1], executor=executor)) == page(quick)
