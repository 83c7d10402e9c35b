"""The page: one HTML document that needs nothing beside it, from the templates beside this file."""

import re
from collections import Counter
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from georecall.theory.tools.version import VERSION
from georecall.verify.proofs.standing import standing
from georecall.verify.report import mathematics, prose, rows, summaries
from georecall.verify.report.content import Content
from georecall.verify.verdict.shown import Shown

_TEMPLATES = resources.files("georecall.verify.report").joinpath("templates")


def page(content: Content) -> str:
    """The whole document; the same content gives the same text."""
    order = [checked.claim.name for checked in content.claims] + [""]
    figures = sorted(content.figures, key=lambda f: order.index(next(iter(f.figure.claims), "")))
    verdicts = [checked.verdict for checked in content.claims if checked.verdict is not None]
    return template("page.html").render(
        content=content,
        numbers={figure.name: n for n, figure in enumerate(figures, start=1)},
        outcomes=Counter(checked.status for checked in content.claims),
        controls=[control.ok for verdict in verdicts for control in verdict.controls],
        families=rows.families(content.lemmas),
        versions=rows.versions(),
        style=Markup(_TEMPLATES.joinpath("page.css").read_text("utf-8")),
    )


def template(name: str) -> Template:
    """A template of the page; what it is given is escaped unless its type says that it is HTML."""
    return _templates().get_template(name)


@cache
def _templates() -> Environment:
    environment = Environment(loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined)
    of_text = (prose.pretty, prose.sentence, prose.number, prose.listed, rows.bound_value, rows.least_margin)
    of_formulas = (mathematics.text_with_formulas, mathematics.formula, mathematics.symbol)
    environment.filters |= {function.__name__: function for function in of_text + of_formulas}
    environment.globals |= {
        "VERSION": VERSION,
        "SUBJECTS": summaries.SUBJECTS,
        "RELATIONS": summaries.RELATIONS,
        "how_many": prose.how_many,
        "hypotheses": rows.hypothesis_rows,
        "quantities": rows.quantity_rows,
        "standing": standing,
        "shown": Shown.of,
    }
    return environment


def _source(name: str) -> str:
    """A template without the line ends that only its reader needs: beside a tag nothing, in text a space."""
    text = _TEMPLATES.joinpath(name).read_text("utf-8").strip()
    return re.sub(r"\n\s*", " ", re.sub(r"(?<=[>}])\n\s*|\n\s*(?=[<{])", "", text))
