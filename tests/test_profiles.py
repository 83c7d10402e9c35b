"""Hypothesis profiles: a test that wants few examples takes a share, so that every profile counts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
COUNTING = """
from hypothesis import given, settings, strategies as st

asked = []

@given(st.integers())
def test_usual(n):
    asked.append("usual")

@settings(max_examples=settings.default.max_examples // 3)
@given(st.integers())
def test_few(n):
    asked.append("few")

def test_told():
    print("asked", asked.count("usual"), asked.count("few"))
"""


def fixed_numbers(source: str) -> list[str]:
    """The settings in a source that ask for the same number of examples whatever the profile."""
    return re.findall(r"settings\([^)]*max_examples=\d+[,)]", source)


def test_no_test_asks_for_a_fixed_number_of_examples() -> None:
    found = {str(path): fixed_numbers(path.read_text("utf-8")) for path in TESTS.rglob("test_*.py")}
    assert len(found) > 100
    del found[str(Path(__file__))]
    assert {path: fixed for path, fixed in found.items() if fixed} == {}


def test_a_fixed_number_is_seen() -> None:
    assert len(fixed_numbers("@settings(deadline=None, max_examples=20)\n@settings(max_examples=7)")) == 2
    assert fixed_numbers("@settings(max_examples=settings.default.max_examples // 3)") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "asked 50 16\n"), (["--hypothesis-profile", "deep"], "asked 2000 666\n")],
)
def test_the_profile_decides_before_shares_are_taken(arguments: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "test_counting.py").write_text(COUNTING, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-s", "--import-mode=importlib", *arguments]
    done = subprocess.run(
        [
            *command,
            "-p",
            "no:cacheprovider",
            "-o",
            f"pythonpath={TESTS}",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert told in done.stdout
