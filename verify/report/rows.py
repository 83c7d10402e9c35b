"""The rows of the page's tables, where they are more than a list that the content has."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from platform import python_version
from typing import Any

from markupsafe import Markup

from georecall.bounds import Enclosure
from georecall.theory.lemmas.lemma import Lemma
from georecall.theory.tools.version import VERSION, installed
from georecall.verify.margins.found import Margins
from georecall.verify.report.checks import CheckedClaim
from georecall.verify.report.mathematics import formula
from georecall.verify.report.prose import number
from georecall.verify.report.summaries import LemmaRow

_PACKAGES = ("numpy", "scipy", "sympy", "matplotlib", "pandas", "latex2mathml", "python-flint", "z3-solver")


@dataclass(frozen=True)
class Family:
    """Lemmas that differ in a size alone: which is shown, and how many of their hypotheses are needed."""

    name: str
    shown: Lemma
    size: int
    outcome: str
    needed: int
    hypotheses: int


def families(lemmas: Sequence[LemmaRow]) -> list[Family]:
    """Every lemma, families in one row: the general lemma or the largest is shown."""

    def family(row: LemmaRow) -> str:
        base, _, size = row.lemma.name.rpartition("-")
        return base if size.isdigit() else row.lemma.name

    rows = []
    for name, group in groupby(lemmas, key=family):
        members = list(group)
        shown = next((row.lemma for row in members if row.lemma.name == name), members[-1].lemma)
        statuses = {row.status for row in members}
        outcome = statuses.pop() if len(statuses) == 1 else "inconclusive"
        needed = sum(row.n_needed for row in members)
        hypotheses = sum(len(row.lemma.hypotheses) for row in members)
        rows.append(Family(name, shown, len(members), outcome, needed, hypotheses))
    return rows


def hypothesis_rows(checked: CheckedClaim) -> list[dict[str, Any]]:
    """Name, condition and outcome of every hypothesis, those that only the check has last."""
    conditions = {h.name: h.condition for h in checked.claim.hypotheses}
    met = {h.name: h.holds for h in checked.verdict.hypotheses} if checked.verdict is not None else {}
    return [
        {"name": name, "condition": conditions.get(name), "holds": met.get(name)}
        for name in dict.fromkeys((*conditions, *met))
    ]


def quantity_rows(checked: CheckedClaim) -> dict[str, Any]:
    """Every quantity, predicted and measured; `compared`: those of several things, as floors have them."""
    claim, verdict = checked.claim, checked.verdict
    measured = verdict.measured if verdict is not None else {}
    predicted = verdict.predicted if verdict is not None else {}
    compared = bool(measured) and all(isinstance(row, dict) for row in measured.values())
    valued = bool(measured) and not compared

    def row(name: str, unit: str = "", formula: object = "") -> dict[str, object]:
        values = (predicted.get(name), measured.get(name))
        before, after = map(number, values) if name in claim.predicted else ("", number(values[1]))
        return {"name": name, "predicted": before, "measured": after, "unit": unit, "formula": formula}

    rows = [
        row(name, unit if (unit := claim.units.get(name, "")) != "1" else "", formula(quantity))
        for name, quantity in claim.predicted.items()
        if not (name == "d_mlp_per_layer" and claim.predicted.get("n_layers") == 1)  # the same as d_mlp
    ]
    further = measured.keys() - claim.predicted.keys() if valued else ()
    rows += [row(name) for name, value in measured.items() if name in further and value is not None]
    return {
        "title": "Predicted and measured" if measured else "Predicted",
        "heads": ["quantity", *(["predicted", "measured"] if valued else []), "unit", "formula"],
        "classes": ["", *(["number", "number"] if valued else []), "unit", "formula"],
        "rows": rows,
        "valued": valued,
        "compared": measured if compared else None,
    }


def bound_value(value: Enclosure) -> Markup:
    """A bound's value, or its two ends, without its unit."""
    if value.is_exact and value.lower.denominator < 1000:
        return number(value.lower)
    return Markup(str(value).removesuffix(f" {value.unit}"))


def least_margin(found: Margins) -> Markup:
    """The least margin."""
    return number(found.minimum[0]) if found.exact else Markup(f"{float(found.minimum[0]):.6g}")


def versions() -> list[tuple[str, str]]:
    """What the page was made with."""
    beside = [(name, version) for name in _PACKAGES if (version := installed(name)) is not None]
    return [("georecall", VERSION), ("Python", python_version()), *beside]
