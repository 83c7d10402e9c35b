"""What all of verify's tests share: no lines of progress, and the proofs, compiled once.

Without Coq those are skipped, unless GEORECALL_REQUIRE_COQ=1 forbids it.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from georecall.theory.proofs import NAMES
from georecall.verify.cli import output
from georecall.verify.proofs import compiled


@pytest.fixture(scope="session", autouse=True)
def unhurried() -> Iterator[None]:
    """No line of progress stands beside what a command says because the machine has much else to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "_EVERY", 3600.0)
        yield


@pytest.fixture(scope="session")
def proofs() -> Iterator[Path]:
    """A folder with all proofs, compiled."""
    if shutil.which("coqc") is None:
        if os.environ.get("GEORECALL_REQUIRE_COQ"):
            pytest.fail("GEORECALL_REQUIRE_COQ is set, and there is no coqc")
        pytest.skip("no coqc: apt-get install coq libcoq-mathcomp-algebra libcoq-mathcomp-fingroup")
    with compiled(NAMES) as folder:
        yield folder
