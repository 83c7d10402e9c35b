"""Code of the user's own: what it raises, and where."""

import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import georecall

_OURS = Path(georecall.__file__).parent
_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]


class ConstructionError(ValueError):
    """A construction that cannot be judged: it raises, or what it gives has no margins."""


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of theirs returns; what it raises, as one line that says where."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        raise ConstructionError(f"{type(error).__name__}: {error}{where(error)}") from error


def where(error: BaseException) -> str:
    """Where an exception was raised, in the user's own code if it passed there: ', at a.py:12 in build'."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
    foreign = [f for f in frames if not Path(f.filename).is_relative_to(_OURS)]
    theirs = [f for f in foreign if not any(Path(f.filename).is_relative_to(home) for home in _LIBRARIES)]
    last = (theirs or foreign[:1] or frames)[-1:]
    return "".join(f", at {f.filename}:{f.lineno} in {f.name}" for f in last)
