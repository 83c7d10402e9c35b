"""The how-tos, followed literally in a copy of the project: so many files, all else takes it from there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import georecall

ROOT = Path(georecall.__file__).parent.parent
HOW_TO = ROOT / "docs" / "how-to"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HOW_TO.exists(), reason="the pages are in the repository alone"),
]

STEP = re.compile(r"(File|In) `([^`]+)`(?:, before `([^`]+)`)?:\n\n```python\n(.*?)```", re.DOTALL)


def follow(page: str, copy: Path) -> tuple[list[str], list[str]]:
    """Does what a how-to says in a copy of the project.

    Returns:
        The files that are new, and those that have further lines.
    """
    for floor in ("theory", "constructions", "bounds", "verify", "georecall"):
        shutil.copytree(
            ROOT / floor, copy / floor, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    new, changed = [], []
    for kind, name, anchor, text in STEP.findall((HOW_TO / f"{page}.md").read_text("utf-8")):
        path = copy / name
        if kind == "File":
            assert not path.exists()
            path.write_text(text, encoding="utf-8")
            new.append(name)
        else:
            before = path.read_text("utf-8")
            assert not anchor or before.count(anchor) == 1
            after = before.replace(anchor, text + anchor) if anchor else before + text
            path.write_text(after, encoding="utf-8")
            changed.append(name)
    return new, changed


def run(copy: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_construction_joins_by_three_files_and_a_line(tmp_path: Path) -> None:
    new, changed = follow("construction", tmp_path)
    assert [name.split("/")[0] for name in new] == ["theory", "constructions", "verify"]
    assert len({Path(name).name for name in new}) == 1
    assert changed == ["georecall/__init__.pyi"]
    shown = run(tmp_path, "georecall", "check", "single-hop-twice", "--subjects", "50", "--relations", "3")
    assert "single-hop-twice  holds" in shown
    assert re.search(r"min_margin +4 +4", shown)
    run(
        tmp_path,
        "georecall",
        "export",
        "single-hop-twice",
        "--subjects",
        "9",
        "--relations",
        "2",
        "--out",
        "t.safetensors",
    )
    assert "recall  holds" in run(
        tmp_path, "georecall", "check", "--model", "t.safetensors", "--answers", "t.answers.npy"
    )
    grid = ("--construction", "single-hop-twice", "--subjects", "8", "--relations", "2")
    assert "1 cells" in run(tmp_path, "georecall", "sweep", "capacity", *grid, "--out", "t.sqlite")
    assert "single-hop-twice" in run(tmp_path, "georecall", "claims")
    code = "import georecall as gr; gr.assert_recalls(gr.twice_superposition, min_margin=4)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 0


def test_a_bound_joins_by_one_file_and_two_lines(tmp_path: Path) -> None:
    new, changed = follow("bound", tmp_path)
    assert new == ["bounds/pigeonhole.py"]
    assert set(changed) == {"bounds/__init__.py"}
    assert (
        run(tmp_path, "georecall", "bound", "pigeonhole", "--attributes", "1024") == "pigeonhole: 10 bits\n"
    )
    assert "--attributes" in run(tmp_path, "georecall", "bound", "pigeonhole", "--help")


def test_a_figure_joins_by_one_file(tmp_path: Path) -> None:
    new, changed = follow("figure", tmp_path)
    assert (new, changed) == (["verify/figures/leads.py"], [])
    grid = ("--construction", "single-hop", "--subjects", "8", "--relations", "2")
    run(tmp_path, "georecall", "sweep", "capacity", *grid, "--out", "r.sqlite")
    run(tmp_path, "georecall", "plot", "leads", "r.sqlite", "--out", "leads.svg")
    assert "Margins do not shrink" in (tmp_path / "leads.svg").read_text()
    code = "from georecall.verify.figures import FIGURES as F; print(len(F['leads'].cells('quick', 0)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "3\n"
