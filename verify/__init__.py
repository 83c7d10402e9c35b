"""Does it hold? Margins, verdicts, controls, command line."""

from typing import TYPE_CHECKING

from theory.lazy import lazy

if TYPE_CHECKING:
    from verify.asked import UsageError
    from verify.checking import check, check_recall
    from verify.margin import Margins, Witness, margins
    from verify.own import Construction, ConstructionError
    from verify.recalls import assert_recalls, check_construction
    from verify.verdict import Verdict

_HOMES = {
    "Construction": "verify.own",
    "ConstructionError": "verify.own",
    "Margins": "verify.margin",
    "UsageError": "verify.asked",
    "Verdict": "verify.verdict",
    "Witness": "verify.margin",
    "assert_recalls": "verify.recalls",
    "check": "verify.checking",
    "check_construction": "verify.recalls",
    "check_recall": "verify.checking",
    "margins": "verify.margin",
}

__all__ = [
    "Construction",
    "ConstructionError",
    "Margins",
    "UsageError",
    "Verdict",
    "Witness",
    "assert_recalls",
    "check",
    "check_construction",
    "check_recall",
    "margins",
]
__getattr__, __dir__ = lazy("verify", _HOMES)
