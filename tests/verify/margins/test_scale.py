"""Millions of facts, each by a forward pass through the weights, in less than 1 GB."""

import json
import subprocess
import sys

import pytest

CHECK = """
import json, re, resource, sys
from pathlib import Path
from georecall.verify.claims.check import check
N, R, implicit = int(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3
verdict = check("single-hop", subjects=N, relations=R, implicit=implicit)
held = Path("/proc/self/status")  # maxrss counts what the parent held before this program began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
if held.exists():
    peak = 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", held.read_text())[1])
found = verdict.to_json()
found = {key: found[key] for key in ("status", "exact", "n_facts", "min_margin")}
json.dump(found | {"peak": peak}, sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("N", "R", "implicit"), [(2**16, 8, []), (2**20, 16, []), (2**22, 4, ["implicit"])])
def test_millions_of_facts_are_certified_in_less_than_1_gb(N, R, implicit):
    pytest.importorskip("resource")
    command = [sys.executable, "-c", CHECK, str(N), str(R), *implicit]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found.pop("peak") < 10**9
    assert found == {"status": "holds", "exact": True, "n_facts": N * R, "min_margin": 2}
