"""Figures as `georecall plot` draws them, made fit to stand together inside one HTML page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from markupsafe import Markup

from georecall.verify.figures import FIGURES, PlotError, plot
from georecall.verify.figures.figure import Plot
from georecall.verify.figures.style import COLOURS
from georecall.verify.report.commands import command_line

_THEMED = {COLOURS["black"]: "ink", COLOURS["grey"]: "grey", "#ffffff": "paper", "#e4e4e4": "grid"}
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Results:
    """A results file, as the page names it and, if the report swept it, the command that makes it."""

    path: Path
    called: str
    swept_by: str | None


@dataclass(frozen=True)
class Drawn:
    """A figure of a report.

    Args:
        name: of `verify.figures.FIGURES`.
        figure: what it is; it stands with the first of its claims.
        svg: an `svg` element for HTML; None where the results file lacks what it needs.
        missing: why there is none.
        commands: what makes it again, from nothing or from the file that was given.
    """

    name: str
    figure: Plot
    svg: Markup | None
    missing: str | None
    commands: tuple[str, ...]


def draw(name: str, results: Results | None) -> Drawn:
    """Draws one figure from a results file, if there is one, as `georecall plot` does.

    Raises:
        StoreError: it cannot be read.
    """
    figure, svg, missing = FIGURES[name], None, None
    if results is None:
        made = f"{figure.sweep}.sqlite"
        results = Results(Path(made), made, command_line("sweep", figure.sweep, preset="quick", out=made))
        missing = f"no results file of `georecall sweep {figure.sweep}` was given (--{figure.sweep})"
    else:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.svg"
            try:
                plot(name, results.path, path)
                svg = inlined(path.read_text(encoding="utf-8"), name, figure.title)
            except PlotError as error:
                missing = str(error).replace(str(results.path), results.called)
    again = filter(None, (results.swept_by, command_line("plot", name, results.called, out=f"{name}.svg")))
    return Drawn(name, figure, svg, missing, tuple(again))


def draw_all(files: Mapping[str, Results]) -> list[Drawn]:
    """Every figure of `verify.figures.FIGURES`, from the results file of the sweep that makes its cells."""
    return [draw(name, files.get(figure.sweep)) for name, figure in FIGURES.items()]


def inlined(svg: str, name: str, title: str) -> Markup:
    """An SVG document as an element of a page.

    Its ids get the figure's name before them, so that those of two figures differ; ink, paper and grid become
    variables of the page's style; metadata and rules of style, which would apply to the whole page, go.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style", f"{_SVG}title"):
                parent.remove(child)
    for part in root.iter():
        part.tag = part.tag.removeprefix(_SVG)
        reference = part.attrib.pop(_HREF, None)
        if reference is not None:
            part.set("href", reference)
        for attribute, value in part.attrib.items():
            if attribute == "id":
                value = f"{name}-{value}"
            elif attribute == "href" and value.startswith("#"):
                value = f"#{name}-{value[1:]}"
            value = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", value)
            if attribute == "style":
                value = _themed(value)
            part.set(attribute, value)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    heading = ElementTree.Element("title", {"id": f"{name}-title"})
    heading.text = title
    root.insert(0, heading)
    return Markup(re.sub(r">\s+<", ">\n<", ElementTree.tostring(root, encoding="unicode")))


def _themed(style: str) -> str:
    for colour, variable in _THEMED.items():
        style = style.replace(colour, f"var(--figure-{variable})")
    return style
