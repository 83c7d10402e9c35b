"""Figures as `georecall plot` draws them, made fit to stand together inside one HTML page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from georecall.verify.figures import FIGURES, PlotError, plot
from georecall.verify.figures.style import COLOURS
from georecall.verify.report.commands import command
from georecall.verify.report.markup import Markup

# The claims that a figure is about; it stands with the first. A figure not named here stands by itself.
ABOUT = {
    "capacity": ("single-hop-in-place", "single-hop", "single-hop-quantized", "single-hop-dense"),
    "phase": ("single-hop-dense",),
    "margins": ("single-hop-dense",),
    "comparison": ("linear-memory", "best-linear-memory", "single-hop-in-place"),
    "bits": ("counting-bound", "single-hop-in-place", "linear-memory", "sign-code-memory"),
    "depth": ("hybrid-hops", "composed-hops", "sequential-hops"),
    "plane": ("multi-hop-bound", "hybrid-hops"),
    "learned": ("gradient-descent",),
    "dimensions": ("gradient-descent", "linear-memory"),
}
CAPTIONS = {
    "capacity": "Curves are formulas, markers are measured: diamonds recalled every fact, hollow markers are "
    "the dimension at which half of the random draws recall, with 95% intervals. Nothing lies left of the "
    "counting floor of its precision.",
    "phase": "Share of random draws that recall every fact. Both bounds of C2 promise half of the draws.",
    "margins": "One draw far below the bound and one at it. The margin of a fact is the signal of its "
    "answer's own word plus the crosstalk of all others; left of the dashed line the fact is lost.",
    "comparison": "Left: in place, the number of subjects grows exponentially in the dimension. Right: a "
    "linear memory's grows as a power of it; the outer product is C8's, the best one is trained on the same "
    "keys and words. Intervals are 95%.",
    "bits": "What a table of bijections is worth, over the non-zero parameters (left) and over the bits that "
    "the stored weights could hold (right). Codes of one bit a coordinate coincide on the right.",
    "depth": "Every hybrid construction, from one stage (a single layer) to one stage per hop. Curves are "
    "C5(c), markers are models built and asked.",
    "plane": "Every hybrid construction for the most hops, against what no model can do with less of both.",
    "learned": "Trained models over dimensions and table sizes, means over the runs.",
    "dimensions": "The dimension that training needs to recall every fact, beside what constructions need.",
}
# The sweep that a figure is drawn from; one not named here is tried with every results file there is.
SWEPT = {
    "depth": "hops",
    "plane": "hops",
    "learned": "learned",
    "dimensions": "learned",
    **dict.fromkeys(("capacity", "phase", "margins", "comparison", "bits"), "capacity"),
}

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
        title: what it is called.
        caption: what it shows.
        svg: an `svg` element for HTML; None where the results file lacks what it needs.
        missing: why there is none.
        commands: what makes it again, from nothing or from the file that was given.
        about: the claims that it is about; it stands with the first.
    """

    name: str
    title: str
    caption: str
    svg: Markup | None
    missing: str | None
    commands: tuple[str, ...]
    about: tuple[str, ...]


def draw(name: str, results: Results) -> Drawn:
    """Draws one figure from a results file, as `georecall plot` does.

    Raises:
        StoreError: it cannot be read.
    """
    title, _ = FIGURES[name]
    svg, missing = None, None
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.svg"
        try:
            plot(name, results.path, path)
        except PlotError as error:
            missing = str(error).replace(str(results.path), results.called)
        else:
            svg = inlined(path.read_text(encoding="utf-8"), name, title)
    again = (results.swept_by, command("plot", name, results.called, out=f"{name}.svg"))
    return Drawn(
        name,
        title,
        CAPTIONS.get(name, ""),
        svg,
        missing,
        tuple(line for line in again if line),
        ABOUT.get(name, ()),
    )


def draw_all(files: Mapping[str, Results]) -> list[Drawn]:
    """Every figure of `verify.figures.FIGURES`, from results files by the sweep that made them."""
    drawn = []
    for name in FIGURES:
        wanted = SWEPT.get(name)
        chosen = [results for sweep, results in files.items() if wanted in (None, sweep)]
        drawn.append(_first_drawn(name, chosen) if chosen else _without_results(name, str(wanted)))
    return drawn


def _first_drawn(name: str, files: Sequence[Results]) -> Drawn:
    tried = [draw(name, files[0])]
    for results in files[1:]:
        if tried[-1].svg is None:
            tried.append(draw(name, results))
    return next((drawn for drawn in tried if drawn.svg is not None), tried[0])


def _without_results(name: str, sweep: str) -> Drawn:
    title, _ = FIGURES[name]
    missing = f"no results file of `georecall sweep {sweep}` was given (--{sweep})"
    again = (
        command("sweep", sweep, preset="quick", out=f"{sweep}.sqlite"),
        command("plot", name, f"{sweep}.sqlite", out=f"{name}.svg"),
    )
    return Drawn(name, title, CAPTIONS.get(name, ""), None, missing, again, ABOUT.get(name, ()))


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
