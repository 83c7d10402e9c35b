"""Does it hold? Margins, verdicts, controls, command line."""

from typing import TYPE_CHECKING

from theory.lazy import lazy

if TYPE_CHECKING:
    from verify.checking import check
    from verify.exact.margin import Margins, Witness, margins
    from verify.kit.own import Construction, ConstructionError
    from verify.kit.recalls import assert_recalls, check_construction
    from verify.limits import UsageError
    from verify.recall import check_recall
    from verify.verdict import Verdict

_HOMES = {
    "Construction": "verify.kit.own",
    "ConstructionError": "verify.kit.own",
    "Margins": "verify.exact.margin",
    "UsageError": "verify.asked",
    "Verdict": "verify.verdict",
    "Witness": "verify.exact.margin",
    "assert_recalls": "verify.kit.recalls",
    "check": "verify.checking",
    "check_construction": "verify.kit.recalls",
    "check_recall": "verify.recall",
    "margins": "verify.exact.margin",
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
