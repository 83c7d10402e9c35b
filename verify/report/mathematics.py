"""Formulas as MathML: LaTeX through latex2mathml, SymPy expressions through their LaTeX.

latex2mathml is given what browsers (MathML Core) set well: words are one identifier, brackets stand where
they belong, a long formula is cut after its relations so that a line may end there, and a formula that stays
long stands on a line of its own. Every command must be one that it knows.
"""

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import sympy
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from georecall.theory.claims.latex import latex_of

INLINE, PIECE = 18, 30  # most characters of a formula that is not cut, and of a piece of one that is
_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_RELATIONS = frozenset("=≠<>≤≥≪≫∈→≈,:")
_OPENING, _CLOSING = frozenset("([{⌊⌈⟨"), frozenset(")]}⌋⌉⟩")
_FUNCTIONS = frozenset(("log", "ln", "exp", "cosh", "tanh", "max", "min", "inf", "lim", "mod"))
_TERMS = frozenset(("mi", "mn", "msub", "msup", "msubsup", "mfrac", "msqrt", "munder"))
_TIGHT = {"lspace": "0", "rspace": "0"}
_THIN = {"width": "0.167em"}


class UnknownCommandError(ValueError):
    """LaTeX that the converter does not know; the message shows it."""


def mathml(latex: str, *, display: bool = False) -> Markup:
    r"""One formula as a `math` element.

    Raises:
        UnknownCommandError: a command that the converter would print as text.

    Example:
        >>> str(mathml(r"\mathrm{ReLU}(x)"))
        '<math><mi>ReLU</mi><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo></math>'
    """
    return _math(_row(latex), display=display)


def text_with_formulas(latex: str) -> Markup:
    """LaTeX text, its mathematics between dollar signs, as the content of a paragraph.

    Raises:
        UnknownCommandError: a command in a formula that the converter does not know, or one in the text.
        ValueError: a dollar sign is missing.
    """
    parts = latex.replace("\n", " ").split("$")
    if len(parts) % 2 == 0:
        raise ValueError(f"a dollar sign is missing in {latex!r}")
    made = []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            if "\\" in part:
                raise UnknownCommandError(f"a command outside a formula: {part!r}")
            made.append(escape(part))
            continue
        after = re.match(r"[.,;:)]+", parts[i + 1])  # stays on the formula's line
        made.append(_in_text(part, after[0] if after else ""))
        if after:
            parts[i + 1] = parts[i + 1][after.end() :]
    return Markup("").join(made)


def formula(quantity: Any) -> Markup:
    """A SymPy expression or relation, a list of them, or a `PerLayer`, as MathML."""
    return mathml(latex_of(quantity))


def symbol(name: str) -> Markup:
    """A symbol by its name."""
    return mathml(latex_of(sympy.Symbol(name)))


def _row(latex: str) -> str:
    """The children of a `math` element."""
    strange = set(re.findall(r"\\begin{(\w+)}", latex)) - {"cases"}
    if strange:
        raise UnknownCommandError(f"no MathML for the environment {strange.pop()} of {latex!r}")
    root = ElementTree.fromstring(convert(latex))
    for part in root.iter():
        part.tag = part.tag.removeprefix(_NAMESPACE)
    row = root[0] if len(root) == 1 and root[0].tag == "mrow" else root
    _tidy(row)
    made = "".join(ElementTree.tostring(child, encoding="unicode") for child in row)
    if "\\" in made:
        raise UnknownCommandError(f"no MathML for {latex!r}: {made}")
    return made


def _tidy(row: ElementTree.Element) -> None:
    """Words as one identifier, brackets and strokes as operators, names of functions set apart."""
    for part in row:
        _tidy(part)
        letters = [child.text or "" for child in part if child.get("mathvariant") == "normal"]
        if part.tag == "mrow" and 1 < len(letters) == len(part):
            part.tag, part.text = "mi", "".join(letters)
            part[:] = []
        text = (part.text or "").strip()
        if part.tag == "mi" and (text == ":" or text in _OPENING | _CLOSING):
            part.tag, part.attrib = "mo", {} if text == ":" else {"stretchy": "false"}
        elif part.tag == "mo" and (text in _FUNCTIONS - {"mod"} or text == "\u2026"):
            part.tag, part.attrib = "mi", {}
        elif part.tag == "mo" and text in ("|", "/", "."):
            part.attrib.update(_TIGHT)
        if part.get("minsize", "").startswith("2"):  # a binomial's brackets: as tall as it is
            del part.attrib["minsize"], part.attrib["maxsize"]
    if row.tag in ("math", "mrow", "mtd", "msqrt"):
        row[:] = _spaced(list(row))


def _spaced(parts: list[ElementTree.Element]) -> list[ElementTree.Element]:
    """A thin space between a word or function and the term beside it."""
    spaced = parts[:1]
    for before, part in pairwise(parts):
        closes = before.tag == "mo" and (before.text or "").strip() in _CLOSING
        beside = part.tag in _TERMS and (before.tag in _TERMS or closes)
        if beside and (_is_word(before) or _is_word(part)):
            spaced.append(ElementTree.Element("mspace", _THIN))
        spaced.append(part)
    return spaced


def _is_word(part: ElementTree.Element) -> bool:
    if part.tag in ("msub", "msup", "msubsup", "munder"):
        return (part[0].text or "").strip() in _FUNCTIONS
    return part.tag == "mi" and len((part.text or "").strip()) > 1


def _math(row: str, *, display: bool = False) -> Markup:
    return Markup(f'<math display="block">{row}</math>' if display else f"<math>{row}</math>")


def _in_text(latex: str, after: str) -> Markup:
    """A formula in running text, with the punctuation that follows it."""
    row = _row(latex)
    if _size(row) <= INLINE:
        return _kept_together(_math(row), after)
    pieces = _pieces(row)
    if any(_size(piece) > PIECE for piece in pieces):
        return Markup('<span class="display">{}{}</span>').format(_math(row, display=True), after)
    made = [_math(piece) for piece in pieces[:-1]]
    return Markup(" ").join([*made, _kept_together(_math(pieces[-1]), after)])


def _kept_together(math: Markup, after: str) -> Markup:
    return Markup('<span class="kept">{}{}</span>').format(math, after) if after else math


def _pieces(row: str) -> list[str]:
    """A row cut after each relation and comma that stands in no bracket."""
    pieces, depth = [""], 0
    for child in ElementTree.fromstring(f"<math>{row}</math>"):
        text = (child.text or "").strip()
        ends = False
        if child.tag == "mo":
            depth += (text in _OPENING) - (text in _CLOSING)
            if depth == 0 and text in _RELATIONS:
                ends = True
                child.set("rspace", "0")  # the space between two pieces is the text's
        elif child.tag in ("msup", "msub", "msubsup") and len(child):
            depth -= (child[0].text or "").strip() in _CLOSING
        pieces[-1] += ElementTree.tostring(child, encoding="unicode")
        if ends:
            pieces.append("")
    return [piece for piece in pieces if piece]


def _size(row: str) -> int:
    """About how many characters wide a row is."""
    return len("".join(ElementTree.fromstring(f"<math>{row}</math>").itertext()))
