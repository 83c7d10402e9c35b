"""Does it hold? Margins, verdicts, controls, command line."""

from typing import TYPE_CHECKING

from theory.lazy import lazy

if TYPE_CHECKING:
    from verify.check import UsageError, check, check_recall
    from verify.margins import Margins, Witness, margins
    from verify.recalls import assert_recalls
    from verify.verdict import Verdict

_HOMES = {
    "Margins": "verify.margins",
    "UsageError": "verify.check",
    "Verdict": "verify.verdict",
    "Witness": "verify.margins",
    "assert_recalls": "verify.recalls",
    "check": "verify.check",
    "check_recall": "verify.check",
    "margins": "verify.margins",
}

__all__ = [
    "Margins",
    "UsageError",
    "Verdict",
    "Witness",
    "assert_recalls",
    "check",
    "check_recall",
    "margins",
]
__getattr__, __dir__ = lazy("verify", _HOMES)
