"""What is said while work goes on: on a terminal a bar, before anything is told; else a line now and then."""

import threading
import time

import pytest

from georecall.verify.cli import output
from georecall.verify.cli.output import progress_bar


def waited(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def begun_since(before):
    """Threads by name, not by number: one that an earlier bar has stopped may end at any moment."""
    return {thread.name for thread in set(threading.enumerate()) - before}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(output, "_AFTER", 0.0)


def test_a_terminal_shows_a_bar_before_anything_is_told(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = []
    with progress_bar("verifying") as report:
        waited(lambda: shown.append(capsys.readouterr().err) or "verifying" in "".join(shown))
        report(3, 10)
    assert "3/10" in capsys.readouterr().err


def test_a_pipe_gets_nothing_of_short_work(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    before = set(threading.enumerate())
    with progress_bar("verifying") as report:
        report(3, 10)
    assert begun_since(before) == set()
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_a_line_now_and_then_also_while_nothing_is_told(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr(output, "_EVERY", 0.01)
    said = []

    def has_said(text):
        said.extend(capsys.readouterr().err.splitlines())
        return any(text in line for line in said)

    with progress_bar("verifying") as report:
        waited(lambda: has_said("georecall: verifying: 0 s so far"))
        report(9, 14)  # as a checkpoint has it: that says nothing of how fast the rest is
        waited(lambda: has_said("s so far, 9 of 14 done"))
        report(11, 14)
        waited(lambda: has_said("georecall: verifying: 11 of 14, about"))


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ((103.0, 0.0, 0, 0), "2 min so far"),
        ((40.0, 0.0, 9, 14), "40 s so far, 9 of 14 done"),
        ((12.0, 2 / 12, 2, 14), "2 of 14, about 72 s left"),
        ((400.0, 1 / 40, 10, 14), "10 of 14, about 3 min left"),
    ],
)
def test_a_line_says_how_long_the_rest_takes(state, line):
    assert output._so_far(*state) == line


def test_short_work_and_failures_leave_no_thread(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(output, "_AFTER", 60.0)
    before = set(threading.enumerate())
    with pytest.raises(KeyError), progress_bar("verifying"):
        raise KeyError
    assert begun_since(before) == set()
    assert "verifying" not in capsys.readouterr().err
