"""The pages: theory, notebooks that run when the pages are built, how-tos, reference."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import georecall  # noqa: E402

copyright = "the georecall authors, MIT"  # noqa: A001 (the name that Sphinx reads)
project, author, release = "georecall", "The georecall authors", georecall.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
default_role = "code"
html_theme = "furo"
html_title = f"georecall {release}"
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": True}
suppress_warnings = ["myst.xref_missing"]  # pages also link to files of the repository, for readers there


def _mathml(self: Any, node: Any) -> None:
    block = node.tagname == "math_block"
    latex = re.sub(r"\||\\rvert", "|", node.astext())
    math = convert(latex, display="block" if block else "inline")
    self.body.append(f"<div class='math'>{math}</div>" if block else math)
    raise nodes.SkipNode


class PublicNames(SphinxDirective):
    """The documentation of every public name that has a docstring of its own."""

    def run(self) -> list[nodes.Node]:
        """One autodoc directive a name, made from the one list of what is public."""
        lines = []
        for name in georecall.__all__:
            public = getattr(georecall, name)
            kind = "class" if inspect.isclass(public) else "function" if inspect.isfunction(public) else None
            if issubclass(public, Exception) if inspect.isclass(public) else False:
                kind = "exception"
            if kind:
                lines += [f".. auto{kind}:: {public.__module__}.{public.__name__}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def _as_text(*event: Any) -> None:
    """Bars are bars: |A| is a number of attributes, no substitution; what stands in backticks is code."""
    lines: list[str] = event[-1]
    for number, line in enumerate(lines):
        pieces = line.split("`")
        lines[number] = "`".join(
            piece if i % 2 else piece.replace("|", "\\|").replace("*", "\\*")
            for i, piece in enumerate(pieces)
        )


def setup(app: Sphinx) -> None:
    """Formulas as MathML, which browsers show without a script or a network."""
    app.add_html_math_renderer("mathml", (_mathml, None), (_mathml, None))
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", _as_text, priority=100)  # before the sections are read
