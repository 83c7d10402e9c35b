"""A fixed set of commands says and writes the same bytes as when its digests were taken.

A change that is meant to alter them takes them again: `python tests/verify/cli/test_fixed_set.py`.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
from pathlib import Path

import pytest

from georecall.verify.cli import run

DIGESTS = Path(__file__).with_suffix(".json")
COMMANDS = """
check single-hop --facts countries --json
check single-hop --subjects 300 --relations 5 --json
check single-hop --subjects 100 --relations 3 --gate 0.75 --json
check single-hop --subjects 64 --relations 3 --code-distance 4 --json
check single-hop --subjects 2^14 --relations 4 --implicit --json
check single-hop-in-place --facts elements
check single-hop-in-place --subjects 100 --relations 4 --table functions --json
check single-hop-narrow --subjects 200 --relations 4 --json
check single-hop-quantized --subjects 200 --relations 4 --bits 3 --json
check single-hop-packed --subjects 200 --relations 4 --bits 2 --json
check single-hop-dense --subjects 32 --relations 2 --json
check single-hop-split --subjects 100 --relations 3 --json
check disjoint-attributes --subjects 100 --relations 4 --json
check selector-necessary --subjects 50 --relations 2 --json
check chain-of-thought --subjects 100 --relations 3 --hops 8 --json
check chain-of-thought --facts elements-neighbours --hops 3
check composed-hops --subjects 32 --relations 2 --hops 3 --json
check composed-hops --subjects 16 --relations 2 --hops 2 --typed --json
check sequential-hops --subjects 33 --relations 3 --hops 3 --json
check sequential-hops --subjects 16 --relations 2 --hops 3 --merged --json
check hybrid-hops --subjects 16 --relations 2 --hops 4 --stages 2 --json
check two-sided-hops --subjects 16 --relations 2 --hops 2 --json
check parallel-hops --subjects 8 --relations 2 --hops 3 --json
check sign-code-memory --subjects 64 --relations 2 --json
check counting-bound --subjects 64 --relations 4 --json
check multi-hop-bound --subjects 16 --relations 2 --hops 2 --json
bound counting --subjects 2^16 --relations 8 --json
bound approximate-counting --subjects 256 --relations 8 --errors 614 --json
bound bits-per-subject --subjects 1000 --relations 4
bound margin --attributes 1000 --margin 0.5 --json
bound selector --attributes 100 --relations 4 --margin 0.5 --radius 2 --lipschitz 1 --json
bound multi-hop --subjects 256 --relations 2 --hops 2 --json
bound multi-hop-untyped --subjects 256 --relations 2 --hops 2 --json
bound two-sided --subjects 2^12 --relations 2 --hops 4 --json
bound hamming --length 10 --distance 3 --json
bound plotkin --length 8 --distance 4 --shortened --json
bound gilbert-varshamov --length 20 --distance 4 --json
bound welch --attributes 100 --dimension 10 --json
bound rankin --attributes 10 --dimension 4 --json
ask --facts elements "symbol of Carbon" --json
ask --facts elements-neighbours "below of next of carbon"
export single-hop --subjects 16 --relations 2 --out one.safetensors
export chain-of-thought --subjects 16 --relations 2 --hops 3 --out chain.safetensors
export composed-hops --subjects 8 --relations 2 --hops 2 --out hops.onnx
export single-hop-in-place --facts elements --dtype int8 --out small.safetensors
sweep capacity --construction single-hop-in-place --subjects 8 --relations 3 --out r.sqlite --rows r.csv
plot capacity r.sqlite --out capacity.svg --data drawn.csv
""".strip().splitlines()  # fmt: skip


def digest(data: str | bytes) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()[:16]


def taken(folder: Path) -> dict[str, str]:
    """What every command says, without how long it took, and every file that it writes."""
    found = {}
    with contextlib.chdir(folder):
        for line in COMMANDS:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                status = run(shlex.split(line))
            timeless = re.sub(r'"seconds": [0-9.e-]+|in [0-9.]+ s\b', "", said.getvalue())
            found[line] = f"{status} {digest(timeless)}"
        for file in sorted(folder.iterdir()):
            if file.suffix != ".sqlite":  # its pages hold times
                found[file.name] = digest(file.read_bytes())
    return found


@pytest.mark.slow
def test_the_fixed_set_says_and_writes_what_it_did(tmp_path: Path) -> None:
    assert len(COMMANDS) >= 40
    now, then = taken(tmp_path), json.loads(DIGESTS.read_text("utf-8"))
    assert {name: value for name, value in now.items() if then.get(name) != value} == {}
    assert now.keys() == then.keys()


if __name__ == "__main__":
    import tempfile

    os.environ.setdefault("COLUMNS", "100")
    with tempfile.TemporaryDirectory() as scratch:
        DIGESTS.write_text(json.dumps(taken(Path(scratch)), indent=1) + "\n", encoding="utf-8")
