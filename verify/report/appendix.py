"""What stands after the claims: lemmas, bounds, constructions, and how to make the page again."""

from fractions import Fraction
from importlib import metadata
from itertools import groupby
from platform import python_version

from georecall.theory.tools.version import VERSION
from georecall.verify.report.content import Content
from georecall.verify.report.markup import Markup, element, join
from georecall.verify.report.mathematics import text_with_formulas
from georecall.verify.report.prose import code, commanded, counted, number, pretty
from georecall.verify.report.summaries import RELATIONS, SUBJECTS, LemmaRow
from georecall.verify.report.tables import NUMBERS, badge, lines, table

_PACKAGES = ("numpy", "scipy", "sympy", "matplotlib", "pandas", "latex2mathml", "python-flint", "z3-solver")


def lemmas(content: Content) -> Markup:
    """Every lemma, families in one row, and the identities."""

    def family(row: LemmaRow) -> str:
        base, _, size = row.lemma.name.rpartition("-")
        return base if size.isdigit() else row.lemma.name

    rows = []
    for name, group in groupby(content.lemmas, key=family):
        members = list(group)
        shown = next((row.lemma for row in members if row.lemma.name == name), members[-1].lemma)
        hypotheses = sum(len(row.lemma.hypotheses) for row in members)
        needed = sum(row.n_needed for row in members)
        statuses = {row.status for row in members}
        outcome = statuses.pop() if len(statuses) == 1 else "inconclusive"
        several = f"{len(members)} lemmas, " if len(members) > 1 else ""
        needs = f"{several}{needed} of {counted(hypotheses, 'hypothesis', 'hypotheses')} needed"
        served = element("small", badge(outcome), " ", shown.claim)
        heading = join([code(name), served, element("small", needs)])
        rows.append((heading, text_with_formulas(shown.statement)))
    reasons = {row.reason for row in content.lemmas if row.reason}
    checked = [
        (
            join([code(identity.name), element("small", identity.claim)]),
            text_with_formulas(identity.statement),
        )
        for identity in content.identities
    ]
    return join(
        [
            element(
                "p",
                "Proved for all real inputs by an SMT solver. A hypothesis is needed if an exact "
                "counterexample exists without it. Of a family, the general lemma or the largest is shown.",
                *(f" {reason}." for reason in sorted(reasons)),
            ),
            table("Lemmas", ("lemma", "statement"), rows, classes=("", "prose"), name="lemmas"),
            element("p", "Identities that SymPy reduces, symbol by symbol, behind C2 and C4:"),
            table("Identities", ("identity", "statement"), checked, classes=("", "prose"), name="lemmas"),
        ]
    )


def bounds(content: Content) -> Markup:
    """Every bound at its parameters."""
    rows = []
    for row in content.bounds:
        value: object = row.missing
        if row.value is not None:
            exact = row.value.is_exact and row.value.lower.denominator < 1000
            ends = number(row.value.lower) if exact else str(row.value).removesuffix(f" {row.value.unit}")
            value = join([ends, element("small", row.value.unit) if row.value.unit != "1" else ""])
        says = element("small", pretty(row.says), class_="says")
        rows.append((join([code(row.name), says, element("small", commanded(row.command))]), value))
    heads = ("bound", "value")
    return join(
        [
            element("p", "How little could ever do. Each value is enclosed between two exact numbers."),
            table("Bounds", heads, rows, classes=("", NUMBERS), name="bounds"),
        ]
    )


def constructions(content: Content) -> Markup:
    """Every construction on one table of facts."""
    rows: list[tuple[object, ...]] = []
    for row in content.constructions:
        if row.found is None:
            rows.append((code(row.name), pretty(row.says), "", "", "", "", row.missing, ""))
            continue
        found = row.found
        least = found.minimum[0] if found.exact else Fraction(float(found.minimum[0]))
        rows.append(
            (
                code(row.name),
                pretty(row.says),
                *(number(size) for size in row.shape.values()),
                f"{number(found.n_recalled)} of {number(found.n_facts)}",
                number(least) if found.exact else f"{float(least):.6g}",
            )
        )
    heads = ("construction", "what it is", "d_model", "d_mlp", "layers", "parameters", "recalled")
    return join(
        [
            element(
                "p",
                f"Every construction on the same table, {RELATIONS} random bijections of {SUBJECTS} "
                "entities, at its defaults (those with hops at their own default number of hops).",
            ),
            table(
                "Constructions",
                (*heads, "least margin"),
                rows,
                classes=("", "prose", *[NUMBERS] * 6),
                name="constructions",
            ),
        ]
    )


def reproduce(content: Content) -> Markup:
    """The command, and the versions that it ran with."""
    versions = {name: _version(name) for name in _PACKAGES}
    rows = [(name, version) for name, version in versions.items() if version]
    return join(
        [
            element(
                "p",
                "The same versions and seed give the same page, byte for byte; timings are not on it. Each "
                "claim, figure and bound has its own command beside it.",
            ),
            lines([content.again]),
            table(
                "Versions",
                ("software", "version"),
                [("georecall", VERSION), ("Python", python_version()), *rows],
                name="versions",
            ),
            element(
                "p",
                "The source document is arXiv 2605.12426, ",
                element("i", "Geometric Factual Recall in Transformers"),
                ", of which only the abstract was at hand: every constant is derived by this project.",
            ),
        ]
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
