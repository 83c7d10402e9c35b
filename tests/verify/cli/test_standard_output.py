"""What becomes of a command whose output cannot be written: its status still says the outcome."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
GEORECALL = f"{sys.executable} -m georecall"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not FULL.exists(), reason="a device that is always full")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("claims > /dev/full", 2, "georecall: cannot read or write: No space left on device\n"),
        ("check --help > /dev/full", 2, "georecall: cannot read or write: No space left on device\n"),
        ("nonesuch 2> /dev/full", 2, ""),
    ],
)
def test_a_full_disk_is_said_in_one_line(arguments: str, status: int, said: str) -> None:
    done = shell(f"{GEORECALL} {arguments}")
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("claims >&-", 0),
        ("claims >&- 2>&-", 0),
        ("nonesuch >&- 2>&-", 2),
        ("ask --facts elements-neighbours hydrogen nonesuch 2>&-", 2),
    ],
)
def test_without_standard_output_or_error_the_status_is_the_outcome(arguments: str, status: int) -> None:
    done = shell(f"{GEORECALL} {arguments}")
    assert (done.returncode, done.stderr) == (status, "")


def test_a_reader_who_leaves_is_no_error() -> None:
    with subprocess.Popen([*GEORECALL.split(), "claims"], stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
