"""One package is installed, and a user's own folders and files shadow nothing of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import georecall

HOME = str(Path(georecall.__file__).parent.parent)
MINE = """
import georecall as gr

def build(facts):
    return gr.in_place_superposition(facts)

def test_mine():
    gr.assert_recalls(build, gr.FactTable([[1, 0], [0, 1]]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder whose names are those of the floors."""
    for name in ("theory", "bounds", "constructions"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('the user s own {name}')")
    (tmp_path / "verify.py").write_text(MINE)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("georecall", "check", "--construction", "verify:build", "--subjects", "9", "--relations", "2"),
        ("georecall", "bound", "counting", "--subjects", "9", "--relations", "2"),
        ("georecall", "doctor"),
        ("pytest", "-q", "-p", "no:cacheprovider", "verify.py"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_everything_works_beside_a_users_own_theory_bounds_and_verify(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    path = os.pathsep.join((HOME, os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_clone_without_links_says_so_in_one_line(tmp_path: Path) -> None:
    door, clone = Path(georecall.__file__).parent, tmp_path / "georecall"
    clone.mkdir()
    for name in ("__init__.py", "__init__.pyi"):
        (clone / name).write_text((door / name).read_text("utf-8"))
    done = subprocess.run(
        [sys.executable, "-c", "import georecall"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "without symbolic links" in done.stderr.strip().splitlines()[-1]
