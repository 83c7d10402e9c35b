"""Figures that stand together on a page do not disturb each other."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from georecall.theory.claims import CLAIMS
from georecall.verify.figures import FIGURES, plot
from georecall.verify.report.figures import Results, draw, draw_all, inlined


@pytest.fixture(scope="module")
def sources(files: tuple[Path, Path]) -> tuple[Results, ...]:
    return tuple(Results(path, path.name, None) for path in files)


def ids(svg: str) -> list[str]:
    return re.findall(r'\bid="([^"]*)"', svg)


def test_ids_of_all_figures_differ_and_every_reference_is_met(sources: tuple[Results, Results]) -> None:
    drawn = draw_all(dict(zip(("capacity", "hops"), sources, strict=True)))
    assert [figure.name for figure in drawn] == list(FIGURES)
    together = "".join(figure.svg or "" for figure in drawn)
    assert all(count == 1 for count in Counter(ids(together)).values())
    referred = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)|aria-labelledby="([^"]*)"', together)
    assert len(referred) > 100
    assert {name for names in referred for name in names if name} <= set(ids(together))


def test_ids_of_the_files_themselves_do_collide(sources: tuple[Results, Results], tmp_path: Path) -> None:
    for name in ("phase", "margins"):
        plot(name, sources[0].path, tmp_path / f"{name}.svg")
    raw = "".join((tmp_path / f"{name}.svg").read_text() for name in ("phase", "margins"))
    assert max(Counter(ids(raw)).values()) > 1


def test_a_figure_brings_no_rules_and_takes_its_colours_from_the_page(
    sources: tuple[Results, Results],
) -> None:
    figure = draw("capacity", sources[0])
    assert figure.svg is not None
    svg = ElementTree.fromstring(figure.svg)
    assert not {"style", "metadata"} & {part.tag for part in svg.iter()}
    assert svg.get("role") == "img"
    assert svg.find("title") is not None
    for colour in ("#000000", "#ffffff", "#e4e4e4"):
        assert colour not in figure.svg
    assert "var(--figure-ink)" in figure.svg
    assert not {"width", "height"} & set(svg.attrib)


def test_what_a_results_file_lacks_is_said_by_its_name_alone(sources: tuple[Results, Results]) -> None:
    figure = draw("capacity", sources[1])
    assert figure.svg is None
    assert figure.missing is not None
    assert "has no cells of constructions" in figure.missing
    assert str(sources[1].path.parent) not in figure.missing


def test_the_command_of_a_figure_makes_it(
    sources: tuple[Results, Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from georecall.verify.cli import run

    monkeypatch.chdir(sources[0].path.parent)
    figure = draw("margins", sources[0])
    (command,) = figure.commands
    words = command.split()
    assert words[-1] == "margins.svg"
    assert run([*words[1:-1], str(tmp_path / "margins.svg")]) == 0
    again = inlined((tmp_path / "margins.svg").read_text(), "margins", figure.figure.title)
    assert again == figure.svg


def test_a_figure_without_a_results_file_says_which_sweep_it_needs(
    sources: tuple[Results, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FIGURES, "learned", replace(FIGURES["phase"], sweep="learned"))
    (figure,) = (f for f in draw_all({"capacity": sources[0]}) if f.name == "learned")
    assert figure.svg is None
    assert figure.missing == "no results file of `georecall sweep learned` was given (--learned)"


def test_a_figure_that_is_new_is_drawn_from_the_file_of_its_sweep(
    sources: tuple[Results, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FIGURES, "new", replace(FIGURES["phase"], claims=()))
    files = {"hops": sources[1], "capacity": sources[0]}
    (figure,) = (f for f in draw_all(files) if f.name == "new")
    assert figure.svg is not None
    assert figure.figure.claims == ()


def test_every_figure_has_a_caption_a_sweep_and_a_claim() -> None:
    assert all(figure.caption for figure in FIGURES.values())
    assert {figure.sweep for figure in FIGURES.values()} <= {"capacity", "hops", "learned"}
    assert {claim for figure in FIGURES.values() for claim in figure.claims} <= set(CLAIMS)
