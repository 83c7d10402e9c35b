"""HTML from functions: what is text is escaped, what is markup says so by its type."""

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Any text as HTML; markup stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=False))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Texts and markup in a row."""
    return Markup(between.join(escape(part) for part in parts))


def element(tag: str, *children: object, **attributes: str | bool | None) -> Markup:
    """An element; `class_` is class, `aria_label` is aria-label, None and False leave an attribute out.

    Example:
        >>> element("a", "R < 2", href="#c1", class_="link")
        '<a href="#c1" class="link">R &lt; 2</a>'
    """
    given = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{tag}{given}>{join(children)}</{tag}>")
