"""What a command will take, told before it takes long: operations from its sizes, at measured rates.

Rates are of one core of an AMD EPYC, and a forecast is meant to tell seconds from minutes from hours. Where
no rate is known nothing is told: then the bar or the lines of progress say it.
"""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from threading import Timer
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from georecall.constructions.training.recipe import Recipe
    from georecall.verify.sweep import Cell

_LONG, _AFTER = 10.0, 0.5  # seconds that nobody needs to be told of beforehand; in which errors are found
_NS = 1e-9
_COUNTED, _DRAWN, _VERIFIED = 30 * _NS, 100 * _NS, 8e3 * _NS  # a fact: counted, its table drawn, one by one
_DRAW, _LOOKS = 1e-3, 5  # of a random instance, beside its products; draws of a threshold, per trial
_DRAWS = 300  # that usually decide a promise
_TRAINED, _RUN = 0.22 * _NS, 4.0  # a product of training; compiling and measuring one run
_LAYER, _MODEL = 0.7, 25.0  # probes of a language model's layer; reading and asking it
_HOPS = 30e-6  # a query of several hops, in composed and hybrid constructions
_CLAIMS = {  # seconds by N and R of claims about one model, or none
    "best-linear-memory": lambda N, R: 1.7e-6 * (N * R) ** 2,
    "chain-of-thought": lambda N, R: 9e3 * _NS * N * R,
    "disjoint-attributes": lambda N, R: 10 * _NS * (N * R) ** 2,
    "margin-bound": lambda N, R: 5e4 * _NS * N * R,
    "sign-code-memory": lambda N, R: 2.2 * _NS * (N * R) ** 2,
    "single-hop-split": lambda N, R: 12 * _NS * N**2 * R,
}
_REPORT = {"quick": 45.0, "paper": 240.0}  # beside its sweeps


def tell(seconds: float, workers: int = 1) -> None:
    """Says on standard error about how long it takes, if that is long; not beside JSON.

    Half a second later, if the command still runs: one that is refused says that alone.
    """
    from georecall.verify.cli.output import duration

    seconds /= max(1, min(workers, os.cpu_count() or 1))
    context = click.get_current_context()
    if seconds > _LONG and not context.params.get("as_json"):
        said = f"georecall: this takes about {duration(seconds)}"
        later = Timer(_AFTER, lambda: click.echo(said, err=True))
        later.daemon = True
        later.start()
        context.call_on_close(later.cancel)


def of_cells(cells: "Iterable[Cell]") -> float:
    """Seconds that a sweep's cells take, one after the other."""
    total, asked = 0.0, 0.0
    for cell in cells:
        total += _cell(cell.kind, dict(cell.parameters))
        asked = _MODEL if cell.kind == "language-model" else asked
    return total + asked


def of_report(preset: str, cells: "Iterable[Cell]") -> float:
    """Seconds of a report: its claims and tables, and the cells of the sweeps that it makes itself."""
    return _REPORT[preset] + of_cells(cells)


def of_training(recipe: "Recipe", n_subjects: int, n_relations: int, n_attributes: int) -> float:
    """Seconds of a run of `georecall learn`."""
    batch = min(recipe.batch or n_subjects, n_subjects)
    per_prompt = recipe.dimension * (2 * recipe.width + n_attributes)
    return _RUN + 3 * _TRAINED * recipe.steps * batch * n_relations * per_prompt  # 3: there and back


def of_check(claim: str, table: Any, given: dict[str, Any]) -> float:
    """Seconds of a claim's verdict; 0 where no rate is known.

    Raises:
        UsageError: there is no such claim.
    """
    from georecall.theory.claims import family

    N, R = (table.n_subjects, table.n_relations) if table is not None else _sizes(claim, given)
    if claim == "gradient-descent":
        if find_spec("optax") is None:
            return 0.0  # there will be no training: one line says so
        from georecall.constructions.training.recipe import recipe_for
        from georecall.theory.facts.fact_table import FactTable

        facts = table if table is not None else FactTable([range(min(N, 1 << 16))] * R)
        one = of_training(recipe_for(facts), N, R, facts.n_attributes)
        return float((given.get("trials", 3) + 2) * one)  # two controls are trained too
    if claim in _CLAIMS and given.get("attention") != "soft":
        return float(_CLAIMS[claim](N, R))
    if family(claim) in ("dense", "memories"):  # what draws takes long to load
        from georecall.verify.claims.readouts import READOUTS

        if claim in READOUTS:
            d = given.get("code_length") or _dimension(claim, N, R)
            return float(given.get("trials", _DRAWS) * _draw(claim, N, R, d))
    if "hops" in given or "bound" in claim:
        return 0.0
    return N * R * (_COUNTED if given.get("implicit") else _COUNTED + _DRAWN)


def _sizes(claim: str, given: dict[str, Any]) -> tuple[int, int]:
    N, R = 1000, 8
    if claim == "gradient-descent":
        from georecall.verify.claims.gradient_descent import DEFAULT_TABLE

        N, R = DEFAULT_TABLE
    return given.get("subjects", N), given.get("relations", R)


def _cell(kind: str, at: dict[str, Any]) -> float:
    """Seconds of one cell."""
    N, R = int(at.get("n_subjects", 1)), int(at.get("n_relations", 1))
    steps = float(at.get("steps", 0))
    if kind in ("threshold", "success"):
        d = at.get("dimension") or _dimension(at["construction"], N, R)
        draws = float(at["trials"] * (_LOOKS if kind == "threshold" else 1))
        return draws * _draw(at["construction"], N, R, d)
    if kind == "recall":
        return N * R * _VERIFIED
    if kind == "hops":
        return float(min(N * R ** at["hops"], 1 << 22) * _HOPS)
    if kind in ("learned", "proof-size"):
        from georecall.constructions.training.recipe import Recipe

        settings = Recipe(dimension=at["dimension"], width=at["width"], batch=at["batch"], steps=at["steps"])
        return of_training(settings, at["n_attributes"] * at["tables"], R, at["n_attributes"])
    if kind.startswith("learned"):  # several runs, until the least dimension is found; chains of relations
        return _RUN + steps * (5e-5 * float(at["n_attributes"]) if "n_attributes" in at else 0.01)
    return _LAYER


def _draw(construction: str, N: int, R: int, d: float) -> float:
    """Seconds of one draw of a random construction."""
    if construction.endswith("optimised"):
        return 2.3e-5 * N * R * R
    if construction.startswith("best"):
        return float(_CLAIMS["best-linear-memory"](N, R))
    if construction.startswith("single-hop"):
        return _DRAW + 0.025 * _NS * N * N * R * d  # most are given up at the first wrong fact
    return _DRAW + 0.12 * _NS * (N * R) ** 2 * d


def _dimension(construction: str, N: int, R: int) -> float:
    """About how many dimensions the draws of a random construction have."""
    from georecall.theory.numbers.dense import closed_form_length

    if construction.startswith("single-hop"):
        return float(closed_form_length(N, N, R, 0.5))
    n = N * R
    return float((8 * n * max(1, n.bit_length())) ** 0.5)
