"""A command line in this process: what it said, and the one line with which it is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from georecall.verify.cli import run


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Exit status, standard output and standard error of a command line."""

    def ran(*arguments: Any) -> tuple[int, str, str]:
        status = run([*map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return ran


@pytest.fixture
def refused(said: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """The one line with which a bad command line is refused; standard output stays empty."""

    def line(*arguments: Any) -> str:
        status, out, err = said(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("georecall: ")
        assert err.count("\n") == 1
        return err

    return line
