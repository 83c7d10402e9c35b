"""Tables with headings, each in a box of its own that scrolls where the page is narrower."""

from collections.abc import Iterable, Sequence

from georecall.verify.report.markup import Markup, element, escape

NUMBERS = "number"  # the class of a column of numbers


def table(
    caption: str,
    heads: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    classes: Sequence[str] = (),
    name: str = "",
    hidden_caption: bool = True,
) -> Markup:
    """A table whose first column heads its rows.

    Args:
        caption: what it shows; also names the box for a screen reader.
        heads: the columns' headings.
        rows: cells; the first of each is the row's heading.
        classes: of each column; "" for none.
        name: class of the table.
        hidden_caption: whether the caption is for screen readers only.
    """
    kinds = [*classes, *[""] * (len(heads) - len(classes))]
    head = element(
        "tr",
        *(element("th", h, scope="col", class_=k or None) for h, k in zip(heads, kinds, strict=True)),
    )
    body = [
        element(
            "tr",
            element("th", row[0], scope="row", class_=kinds[0] or None),
            *(element("td", c, class_=k or None) for c, k in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows
    ]
    inside = element(
        "table",
        element("caption", caption, class_="unseen" if hidden_caption else None),
        element("thead", head),
        element("tbody", *body),
        class_=name or None,
    )
    return element("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)


def mark(ok: bool, right: str = "as predicted", wrong: str = "not as predicted") -> Markup:
    """A tick or a cross that also says what it means."""
    sign = element("span", "\u2713" if ok else "\u2717", aria_hidden="true")
    return element("span", sign, " ", right if ok else wrong, class_="good" if ok else "bad")


def badge(status: str) -> Markup:
    """A verdict, as a word in its colour."""
    return element("span", status, class_=f"badge {status}")


def lines(commands: Iterable[str]) -> Markup:
    """Commands, one a line, to be copied."""
    return element("pre", element("code", escape("\n".join(commands))), tabindex="0")
