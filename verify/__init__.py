"""Does it hold? Margins, verdicts, controls, command line.

The names load on first use, so that the command line can print its help without NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.check import UsageError, check, check_recall
    from verify.margins import Margins, Witness, margins
    from verify.verdict import Verdict

_HOME = {
    "Margins": "verify.margins",
    "UsageError": "verify.check",
    "Verdict": "verify.verdict",
    "Witness": "verify.margins",
    "check": "verify.check",
    "check_recall": "verify.check",
    "margins": "verify.margins",
}

__all__ = ["Margins", "UsageError", "Verdict", "Witness", "check", "check_recall", "margins"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'verify' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
