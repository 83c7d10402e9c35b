"""The README is short, and what it lists is what there is."""

import re
from pathlib import Path

import pytest

import georecall

README = Path(georecall.__file__).parent.parent / "README.md"
TEXT = README.read_text("utf-8") if README.exists() else ""
pytestmark = pytest.mark.skipif(not TEXT, reason="the README is in the repository, not in the wheel")


def test_it_is_at_most_150_lines() -> None:
    assert TEXT.count("\n") <= 150


def test_its_table_has_every_claim_as_it_is_titled() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (C[^|]*?) \| (.*) \|$", TEXT, re.MULTILINE)
    shown = {name: (label, title.replace(r"\|", "|")) for name, label, title in rows}
    assert shown == {claim.name: (claim.label, claim.title) for claim in georecall.claims.values()}


def test_every_file_that_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
