"""The pages: they build without a warning, every cell runs, and a browser shows them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import georecall

DOCS = Path(georecall.__file__).parent.parent / "docs"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DOCS / "conf.py").exists(), reason="the pages are in the repository, not in the wheel"
    ),
]
PAGES = [
    str(page.relative_to(DOCS).with_suffix(".html"))
    for folder in ("", "notebooks", "how-to", "theory")
    for page in sorted((DOCS / folder).glob("*.md"))
]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built; GEORECALL_SITE names a folder where they are built already."""
    if built := os.environ.get("GEORECALL_SITE"):
        return Path(built)
    pytest.importorskip("myst_nb")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_asks_for_nothing_elsewhere_and_fits_a_phone(
    site: Path, chromium: Any, page: str
) -> None:
    chromium.open(site / page)
    assert chromium.complaints == []
    assert [url for url in chromium.requested if not url.startswith(("file:", "data:"))] == []
    assert chromium.value("document.querySelector('h1').innerText.length") > 3
    boxes = chromium.value("[...document.querySelectorAll('math')].map(e => e.getBoundingClientRect().width)")
    assert min(boxes, default=9) > 0
    for scheme in ("light", "dark"):
        chromium.open(site / page, width=390, height=800, scheme=scheme)
        assert chromium.value("document.documentElement.scrollWidth") <= 390


def test_no_formula_is_left_as_latex(site: Path) -> None:
    for page in (site / "theory").glob("*.html"):
        text = page.read_text("utf-8")
        body = text[text.index("<article") : text.index("</article>")]
        assert "\\frac" not in body, page
        assert "$" not in body.replace("$ ", ""), page


def test_every_public_function_has_its_reference(site: Path) -> None:
    text = (site / "reference.html").read_text("utf-8")
    for name in ("check", "assert_recalls", "FactTable", "block_superposition", "plot", "UsageError"):
        assert f'.{name}"' in text, name
