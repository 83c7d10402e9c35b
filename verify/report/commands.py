"""The command line that measures again what a report shows."""

import shlex
from collections.abc import Mapping
from fractions import Fraction
from typing import Any


def command_line(*words: str, flags: Mapping[str, str] | None = None, **options: Any) -> str:
    """`georecall WORDS --option value ...`, quoted for a shell.

    Args:
        words: the command and its arguments.
        flags: how an option is spelled where that is not its name with hyphens.
        options: values; True is a flag of its own, None and False leave an option out.

    Example:
        >>> command_line("check", "single-hop-packed", subjects=1000, bits=4)
        'georecall check single-hop-packed --subjects 1000 --bits 4'
    """
    spelled = ["georecall", *words]
    for name, value in options.items():
        if value is None or value is False:
            continue
        spelled.append((flags or {}).get(name, f"--{name.replace('_', '-')}"))
        if value is not True:
            spelled.append(_written(value))
    return shlex.join(spelled)


def _written(value: Any) -> str:
    if isinstance(value, Fraction) and Fraction(float(value)) != value:
        exact = f"{float(value):g}"
        return exact if Fraction(exact) == value else str(value)
    return f"{float(value):g}" if isinstance(value, Fraction) else str(value)
