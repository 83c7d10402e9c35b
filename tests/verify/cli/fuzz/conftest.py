"""Fuzzed input of every kind: never a traceback, the right exit status, one line, and no partial output.

CI runs 60 inputs of each of 14 kinds, of sweeps 20. With `--hypothesis-profile fuzz` it is 1,200 of each, of
sweeps 150, the same ones every time; with `--hypothesis-profile deep`, 2,000 other ones every time.
"""

import contextlib
import io
import pickle
from pathlib import Path

import pytest
from hypothesis import strategies as st

from georecall.verify.cli import run

JUNK = st.one_of(st.binary(max_size=80), st.sampled_from([b"", b"\xef\xbb\xbf", pickle.dumps({"W_E": 1})]))


def _asked(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(arguments)
    return status, out.getvalue(), err.getvalue()


def _assert_answers_properly(*arguments: str, statuses: tuple[int, ...] = (0, 1, 2, 3)) -> int:
    """A command line's exit status, which must be one of some; bad input gets one line."""
    status, out, err = _asked(*arguments)
    assert status in statuses, (arguments, err)
    assert "Traceback" not in out + err
    if status == 2:
        assert out == ""
        assert err.startswith("georecall: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
    return status


def _names_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@st.composite
def _damaged(draw, data: bytes) -> bytes:
    """Bytes with some changed, cut, doubled or put in."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(broken) - 1, 0)))
        match draw(st.sampled_from(["change", "cut", "insert", "remove", "double"])):
            case "change":
                broken[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del broken[at:]
            case "insert":
                broken[at:at] = draw(st.binary(max_size=5))
            case "remove":
                del broken[at : at + draw(st.integers(1, 9))]
            case "double":
                broken += broken[at : at + 20]
    return bytes(broken)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="session")
def asked():
    return _asked


@pytest.fixture(scope="session")
def assert_answers_properly():
    return _assert_answers_properly


@pytest.fixture(scope="session")
def names_in():
    """The files of a folder, as bytes by name."""
    return _names_in


@pytest.fixture(scope="session")
def damaged():
    """Of some bytes: such with some changed, cut, doubled or put in, or none of them."""
    return lambda data: _damaged(data) | JUNK
