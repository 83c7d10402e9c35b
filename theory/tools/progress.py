"""Progress in a notebook: a bar of tqdm for whoever waits there; elsewhere callers say who is told."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Progress = Callable[[int, int], None]
P = ParamSpec("P")
T = TypeVar("T")

_AFTER = 1.0  # seconds of work that nobody needs to be told of
_watched = ContextVar("watched", default=False)  # a bar stands for all that is called below it


def watched(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """For functions that take `progress`: without one, in a notebook, a bar tells it."""

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if kwargs.get("progress") is not None or _watched.get() or not in_notebook():
                return function(*args, **kwargs)
            token = _watched.set(True)
            try:
                with bar(what) as report:
                    kwargs["progress"] = report
                    return function(*args, **kwargs)
            finally:
                _watched.reset(token)

        return call

    return decorated


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """A callback for progress, shown by `tqdm.auto` once the work has taken a second, and gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without widgets it shows text, which is no reason to warn
        from tqdm.auto import tqdm
    with tqdm(desc=what, total=1, delay=_AFTER, leave=False) as shown:

        def report(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield report
