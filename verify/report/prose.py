"""Plain text and numbers as a page sets them."""

import html
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from markupsafe import Markup, escape

from georecall.verify.usage import show

_THIN = "\u202f"  # a narrow space that does not break, between groups of three digits
_SIGNS = {">=": "\u2265", "<=": "\u2264", "->": "\u2192", " - ": " \u2212 "}
_GREEK = {"mu": "\u03bc", "delta": "\u03b4", "rho": "\u03c1", "sum": "\u2211"}
_LEGIBLE = 1000  # the largest denominator of a fraction that is shown as one
_HIDDEN = ("facts_sha256",)


def pretty(text: str) -> Markup:
    """One line of plain text, with the powers, indices, logarithms and ceilings in it set as such.

    Example:
        >>> str(pretty("R^k log2 N bits, R^ceil(k/c) blocks, p_m"))
        'R<sup>k</sup> log<sub>2</sub> N bits, R<sup>⌈k/c⌉</sup> blocks, p<sub>m</sub>'
    """
    for plain, sign in _SIGNS.items():
        text = text.replace(plain, sign)
    text = re.sub(r"\bceil\(([^()]*(?:\([^()]*\)[^()]*)*)\)", "\u2308\\1\u2309", text)
    text = re.sub(r"\bsqrt\(([^()]*)\)", "\u221a(\\1)", text)
    text = re.sub(r"\b(mu|delta|rho|sum(?=_))(?=\b|_)", lambda found: _GREEK[found[1]], text)
    made = re.sub(r"\blog2\b", "log<sub>2</sub>", html.escape(text, quote=False))
    made = re.sub(r"\b([dn]_[a-z]{3,})\b", r"<code>\1</code>", made)
    made = re.sub(r"(?<![a-z_])(\w|\u2211)_(?:(\w)(?!\w)|\{([^}]*)\})", r"\1<sub>\2\3</sub>", made)
    return Markup(re.sub(r"\^(\u2308[^\u2309]*\u2309|-?\w+|\([^()]*\))", r"<sup>\1</sup>", made))


def sentence(text: str) -> Markup:
    """The same, beginning with a capital where it begins with a word."""
    begins = re.match(r"[a-z]{2,}|a ", text)
    return pretty(text[0].upper() + text[1:] if begins else text)


def number(value: Any) -> Markup:
    """A value for a table: whole numbers in groups of three digits, fractions and intervals as they are."""
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    if isinstance(value, Fraction) and value.denominator > _LEGIBLE:
        return Markup(f"{float(value):.6g}")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        return Markup(grouped(value))
    if isinstance(value, list | tuple):
        return Markup("[" + ", ".join(number(item) for item in value) + "]")
    if value is None:
        return Markup("\u2013")
    return escape(show(value))


def grouped(value: int) -> str:
    """12 345 678, with narrow spaces; up to four digits stay together."""
    return f"{value:,}".replace(",", _THIN) if abs(value) >= 10_000 else str(value)


def listed(parameters: Mapping[str, Any]) -> Markup:
    """Parameters in a row, as 'subjects 1000, relations 8'."""
    shown = [
        f"{name.removeprefix('n_').replace('_', ' ')} {number(value)}"
        for name, value in parameters.items()
        if value is not None and value is not False and name not in _HIDDEN
    ]
    return Markup(", ".join(shown))


def how_many(n: int, noun: str, plural: str | None = None) -> str:
    """'1 claim', '2 claims'."""
    return f"{grouped(n)} {noun if n == 1 else plural or noun + 's'}"
