"""What a person sees while work goes on: a bar on a terminal, also before anything is told; else nothing."""

import threading
import time

import pytest

from verify.cli import output
from verify.cli.output import progress_bar


def waited(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


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


def test_a_pipe_gets_nothing(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    before = threading.active_count()
    with progress_bar("verifying") as report:
        report(3, 10)
        assert threading.active_count() == before
    assert capsys.readouterr() == ("", "")


def test_short_work_and_failures_leave_no_thread(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(output, "_AFTER", 60.0)
    before = threading.active_count()
    with pytest.raises(KeyError), progress_bar("verifying"):
        raise KeyError
    assert threading.active_count() == before
    assert "verifying" not in capsys.readouterr().err
