"""One claim on the page: what is stated, what came out, and how to see it again."""

from collections.abc import Mapping, Sequence
from typing import Any

from georecall.theory.claims.claim import Claim
from georecall.verify.report.checks import CheckedClaim
from georecall.verify.report.figures import Drawn
from georecall.verify.report.markup import Markup, element, join
from georecall.verify.report.mathematics import formula, symbol, text_with_formulas
from georecall.verify.report.prose import code, counted, listed, number, pretty, sentence
from georecall.verify.report.tables import NUMBERS, badge, lines, mark, table
from georecall.verify.verdict.shown import witness_of
from georecall.verify.verdict.verdict import Verdict


def claim_section(checked: CheckedClaim, figures: Sequence[Drawn], numbers: Mapping[str, int]) -> Markup:
    """A claim with everything that belongs to it.

    Args:
        checked: the claim and what its check said.
        figures: of the report.
        numbers: of the figures, by name.
    """
    claim = checked.claim
    own = [figure for figure in figures if figure.about[:1] == (claim.name,)]
    others = [figure for figure in figures if claim.name in figure.about[1:]]
    return element(
        "section",
        element(
            "h3",
            element("span", claim.label, class_="label"),
            " ",
            sentence(claim.title),
            id=claim.name,
        ),
        element("p", badge(checked.status), " ", code(claim.name), class_="name"),
        element(
            "p",
            element("b", f"Claim {claim.label}."),
            " ",
            text_with_formulas(claim.statement),
            class_="statement",
        ),
        _proof(claim.proof),
        _outcome(checked),
        _hypotheses(checked),
        _quantities(checked),
        _controls(checked),
        _trust(claim),
        *(figure_element(figure, numbers[figure.name]) for figure in own),
        _see_also(others, numbers),
        element("h4", "Reproduce"),
        lines([checked.command]),
        element("p", "Source: ", pretty(claim.source), ".", class_="source"),
        class_="claim",
        aria_labelledby=claim.name,
    )


def figure_element(figure: Drawn, n: int) -> Markup:
    """A figure with its number, caption, and the commands that make it again."""
    heading = element("b", f"Figure {n}.")
    if figure.svg is None:
        said = element("p", heading, f" {figure.title}: not drawn, for {figure.missing}.")
        return element("div", said, lines(figure.commands), class_="missing", id=f"figure-{figure.name}")
    return element(
        "figure",
        element(
            "div", figure.svg, class_="scroll picture", tabindex="0", role="group", aria_label=figure.title
        ),
        element("figcaption", heading, f" {figure.title}. ", pretty(figure.caption)),
        lines(figure.commands),
        id=f"figure-{figure.name}",
    )


def _proof(proof: str) -> Markup:
    end = "" if proof.startswith("None") else " \u220e"
    return element("p", element("i", "Proof."), " ", text_with_formulas(proof), end, class_="proof")


def _outcome(checked: CheckedClaim) -> Markup:
    verdict = checked.verdict
    if verdict is None:
        said = f"Stated, not checked here: {checked.missing}."
        return element("p", said, class_="outcome stated")
    parts: list[object] = [element("b", verdict.status.replace("-", " ").capitalize() + ".")]
    if verdict.reason:
        parts.append(pretty(f"{verdict.reason}."))
    if verdict.method:
        queries = counted(verdict.n_queries or 0, "query", "queries")
        how = f"{queries} verified ({verdict.method}, {verdict.how_exact})"
        parts.append(Markup(f"{how}; least margin {number(verdict.min_margin)}."))
    at = {**verdict.parameters, "seed": verdict.seed}
    parts.append(element("span", "Parameters: ", listed(at), ".", class_="at"))
    outcome = element("p", join(parts, " "), class_=f"outcome {verdict.status}")
    return join([outcome, _witness(verdict)])


def _witness(verdict: Verdict) -> Markup:
    said = witness_of(verdict)
    if not said:
        return Markup("")
    return element("p", element("b", "Witness."), f" {said}", class_="outcome refuted")


def _hypotheses(checked: CheckedClaim) -> Markup:
    conditions = {h.name: formula(h.condition) for h in checked.claim.hypotheses}
    met = {h.name: h.holds for h in checked.verdict.hypotheses} if checked.verdict is not None else {}
    rows = [
        (
            pretty(name),
            mark(met[name], "met", "not met") if name in met else "\u2013",
            conditions.get(name, ""),
        )
        for name in dict.fromkeys((*conditions, *met))
    ]
    return join(
        [
            element("h4", "Hypotheses"),
            table("Hypotheses", ("hypothesis", "here", "condition"), rows, name="hypotheses"),
        ]
    )


def _quantities(checked: CheckedClaim) -> Markup:
    claim, verdict = checked.claim, checked.verdict
    measured = verdict.measured if verdict is not None else {}
    predicted = verdict.predicted if verdict is not None else {}
    compared = bool(measured) and all(isinstance(row, dict) for row in measured.values())
    valued = bool(measured) and not compared
    rows: list[list[object]] = []
    for name, quantity in claim.predicted.items():
        if name == "d_mlp_per_layer" and claim.predicted.get("n_layers") == 1:
            continue  # the same as d_mlp
        unit = claim.units.get(name, "")
        values = [number(predicted.get(name)), number(measured.get(name))] if valued else []
        rows.append([code(name), *values, unit if unit != "1" else "", formula(quantity)])
    rows += [
        [code(name), "", number(value), "", ""]
        for name, value in measured.items()
        if valued and name not in claim.predicted and value is not None
    ]
    heads = ["quantity", *(["predicted", "measured"] if valued else []), "unit", "formula"]
    classes = ["", *([NUMBERS, NUMBERS] if valued else []), "unit", "formula"]
    title = "Predicted and measured" if measured else "Predicted"
    parts = [element("h4", title), table(title, heads, rows, classes=classes), _where(checked)]
    if compared:
        parts.append(_comparison(measured))
    return join(parts)


def _comparison(measured: Mapping[str, Mapping[str, Any]]) -> Markup:
    """The same quantities of several things, as the floors have them."""
    names = list(next(iter(measured.values())))
    heads = ["", *(name.replace("_", " ") for name in names)]
    rows = [[pretty(thing), *(number(row.get(name)) for name in names)] for thing, row in measured.items()]
    return table("What the constructions use", heads, rows, classes=["", *[NUMBERS] * len(names)])


def _where(checked: CheckedClaim) -> Markup:
    symbols = [(name, meaning) for name, meaning in checked.claim.symbols().items() if meaning]
    said = join([join([symbol(name), " ", pretty(meaning)]) for name, meaning in symbols], "; ")
    return element("p", "Here ", said, ".", class_="where") if symbols else Markup("")


def _controls(checked: CheckedClaim) -> Markup:
    verdict = checked.verdict
    if verdict is None or not verdict.controls:
        rows = [(pretty(c.name), pretty(c.expected), "not run", "\u2013") for c in checked.claim.controls]
        at = Markup("")
    else:
        rows = [(pretty(c.name), pretty(c.expected), pretty(c.got), mark(c.ok)) for c in verdict.controls]
        companion = listed(verdict.controls_at or {})
        said = ("Broken on purpose, at ", companion, ".")
        at = element("p", *said, class_="where") if companion else Markup("")
    heads = ("control", "the theory expects", "got", "outcome")
    return join(
        [element("h4", "Negative controls"), table("Negative controls", heads, rows, name="controls"), at]
    )


def _trust(claim: Claim) -> Markup:
    """How each step of the claim is known."""
    rows = [
        (pretty(step.what), step.how, join([code(name) for name in step.by], ", "), step.machine)
        if step.how == "proved"
        else (pretty(step.what), step.how, pretty(step.by[0]), step.machine)
        for step in claim.trust
    ]
    heads = ("step", "how it is known", "by", "machine")
    return (
        join([element("h4", "Trust"), table("How each step is known", heads, rows)]) if rows else Markup("")
    )


def _see_also(figures: Sequence[Drawn], numbers: Mapping[str, int]) -> Markup:
    links = [element("a", f"Figure {numbers[f.name]}", href=f"#figure-{f.name}") for f in figures]
    return element("p", "See also ", join(links, ", "), ".", class_="where") if links else Markup("")
