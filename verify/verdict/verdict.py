"""What a check says: a status with its reasons, never a bare yes or no."""

import dataclasses
import math
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from georecall.theory.tools.version import VERSION
from georecall.verify.margins.lead import Witness

Status = Literal["holds", "refuted", "inconclusive", "hypotheses-not-met"]


# What every claim about a construction predicts and measures; null in JSON where it does not apply.
QUANTITIES = (
    *("d_model", "d_mlp", "d_mlp_per_layer", "n_layers"),
    *("min_margin", "subject_bits", "other_bits"),
)


@dataclass(frozen=True)
class Mismatch:
    """A quantity that is not what the claim predicts."""

    quantity: str
    predicted: Any
    measured: Any


@dataclass(frozen=True)
class ControlResult:
    """A negative control: what the theory says a broken instance shows, and what it showed."""

    name: str
    expected: str
    got: str
    ok: bool


@dataclass(frozen=True)
class HypothesisResult:
    """A hypothesis of the claim, and whether the instance meets it."""

    name: str
    holds: bool


@dataclass(frozen=True, repr=False)
class Verdict:
    """The outcome of a check; the fields are the keys of `check --json`.

    Args:
        claim: the claim's name, or "recall" where only positive margins were asked for.
        status: holds, refuted, inconclusive or hypotheses-not-met.
        reason: why, in one line, where it does not simply hold.
        n_facts: N R.
        n_queries: N R^k at k hops.
        min_margin: the least margin; where `exact` is false a certified lower bound, or the least so far of a
            table that was refuted before all facts were judged (`reason` says so).
        exact: whether every margin is known without error.
        method: how the margins were obtained (see `verify.margins.margins`).
        margins_of: what `min_margin`, `exact` and `method` are about where the claim is about a share of all
            draws: "draw 0"; a key of JSON only then.
        predicted: the claim's quantities at these parameters.
        measured: the same quantities, read off the weights.
        hypotheses: each, and whether it holds.
        controls: each, and what it showed.
        controls_at: the parameters of the companion instance that the controls run on.
        witness: the query, or the quantity, that refutes.
        parameters: everything that the instance was made from.
        seed: of the random draws.
        seconds: building and verifying the claim, without imports and controls.
        version: of georecall.
        facts: the table asked about, of a refutation; no key of JSON.
    """

    claim: str
    status: Status
    reason: str | None = None
    n_facts: int | None = None
    n_queries: int | None = None
    min_margin: Fraction | None = None
    exact: bool | None = None
    method: str | None = None
    margins_of: str | None = None
    predicted: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    hypotheses: tuple[HypothesisResult, ...] = ()
    controls: tuple[ControlResult, ...] = ()
    controls_at: dict[str, Any] | None = None
    witness: Witness | Mismatch | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    seconds: float | None = None
    version: str = VERSION
    facts: Any = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The verdict in JSON's own types; exact integers stay integers.

        `min_margin_exact`, the fraction as text, is there where the float `min_margin` is not exact.
        """
        plain = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "facts"}
        least = self.min_margin
        if isinstance(least, Fraction) and Fraction(plain["min_margin"]) != least:
            plain["min_margin_exact"] = "/".join(f"{Decimal(part)}" for part in least.as_integer_ratio())
        if self.margins_of is None:
            del plain["margins_of"]
        for which in ("predicted", "measured"):
            plain[which] = dict.fromkeys(QUANTITIES) | plain[which]
        return plain

    def __bool__(self) -> bool:
        """Refused: a verdict is one of four, and `assert check(...)` would assert nothing.

        Raises:
            TypeError: always.
        """
        raise TypeError("a verdict is no yes or no: ask for its status, or use verdict.assert_holds()")

    def assert_holds(self) -> None:
        """Passes if the claim holds.

        Raises:
            AssertionError: it does not; the message is the verdict.
        """
        if self.status != "holds":
            raise AssertionError(str(self))

    @property
    def how_exact(self) -> str:
        """What is known of the margins, in words."""
        if self.exact:
            return "exact"
        counted = self.method in ("codebook", "exhaustive")  # exact as far as it went: see `reason`
        return "in part" if counted else "with proved error bounds"

    def __str__(self) -> str:
        from georecall.verify.verdict.shown import Shown

        return Shown.of(self).text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """What a notebook shows; of a refutation the facts with the query marked, too."""
        from georecall.verify.verdict.shown import Shown

        return Shown.of(self).html()


def _nearest(value: Fraction) -> float:
    """The nearest float, but neither 0 nor infinite."""
    try:
        return float(value) or (math.ulp(0.0) if value > 0 else -math.ulp(0.0))
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else _nearest(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
