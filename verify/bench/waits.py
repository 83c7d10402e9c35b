"""What users wait for: whole commands, each beside what it must at least do, and beside another revision.

A wait is a command as it is typed, in a process of its own: interpreter, imports, controls and all. Its time
is processor time (user and system, of the command and the processes that it waits for), which other programs
disturb less than the clock, with BLAS in one thread, because threads that wait for each other spend it too;
the clock's is kept beside it. What it must at least do is divided by rates that are measured in the same run.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from georecall.theory.tools.version import VERSION
from georecall.verify.bench.commands import BATTERY, WAITS, Wait
from georecall.verify.bench.machine import Machine

_LIMIT = 240.0  # seconds after which a wait is ended: all of them twice take a quarter of an hour
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


_RUNNER = """
import atexit, os, re, resource, sys
def peak():
    held = open("/proc/self/status").read() if sys.platform == "linux" else ""
    own = re.search(r"VmHWM:\\s*(\\d+) kB", held)
    own = int(own[1]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    open(os.environ["PEAK"], "w").write(str(1024 * own))
atexit.register(peak)
if sys.argv[1] == "-c":
    exec(compile(sys.argv[2], "wait", "exec"))
else:
    if os.path.isdir(os.path.join(os.environ["TREE"], "georecall")):
        from georecall.verify.cli import main
    else:
        from verify.cli import main
    sys.argv[0] = "georecall"
    main()
"""


@dataclass(frozen=True)
class Waited:
    """How one command went.

    Args:
        cpu_seconds: user and system, of all its processes.
        seconds: by the clock.
        peak_bytes: the most that the command's own process held; None where it did not come to its end.
        status: its exit status; None if it was ended after `limit` seconds.
    """

    cpu_seconds: float
    seconds: float
    peak_bytes: int | None
    status: int | None


def waited(wait: Wait, tree: Path, *, limit: float = _LIMIT) -> Waited:
    """Runs one command of the source tree given, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "wide.py").write_text(BATTERY)
        peak = Path(folder, "peak")
        environment = os.environ | {"PYTHONPATH": f"{tree}{os.pathsep}{folder}", "TREE": str(tree)}
        environment |= {"PEAK": str(peak)} | dict.fromkeys(_THREADS, "1")
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", _RUNNER, *wait.command.split(), *filter(None, [wait.code])],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        status, usage = _ended(process, began + limit)
        seconds, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
        return Waited(cpu, seconds, int(peak.read_text()) if peak.exists() else None, status)


def _ended(process: "subprocess.Popen[bytes]", until: float) -> tuple[int | None, Any]:
    """The exit status and what the process used."""
    status: int | None = 0
    while True:
        pid, code, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(code)
            return (process.returncode if status is not None else None), usage
        if time.perf_counter() > until and status is not None:
            process.kill()
            status = None
        time.sleep(0.02)


def waits(
    names: Iterable[str] = (),
    *,
    against: str | None = None,
    limit: float = _LIMIT,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Runs the waits, alternately with those of another revision.

    Args:
        names: which; default all.
        against: a file of an earlier run, whose figures are quoted; or a revision of the repository that this
            is run from, whose commands are run in turn with these.
        limit: seconds after which one is ended.
        progress: called with the number of commands done and of all.

    Returns:
        In JSON's types: `revision`, `machine`, `waits` (each with `least_cpu_seconds` and, where something is
        beside it, `before` and `times`, the ratio of processor times).

    Raises:
        ValueError: an unknown wait, or neither a file nor a revision.
    """
    known = {wait.name: wait for wait in WAITS}
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is no wait; there are {', '.join(known)}")
    chosen = [known[name] for name in names] or list(WAITS)
    here = _tree()
    with _before(against, here) as (tree, recorded):
        machine, flops = Machine.here(), Machine.products()
        starts: dict[tuple[str, ...], float] = {}
        rows = []
        total = len(chosen) * (1 if tree is None else 2)
        for number, wait in enumerate(chosen):
            if wait.least.imports not in starts:
                start = Wait("start", "-c", wait.least, f"import {', '.join(wait.least.imports)}")
                starts[wait.least.imports] = waited(start, here).cpu_seconds
            old = recorded.get(wait.name) if tree is None else asdict(waited(wait, tree, limit=limit))
            new = waited(wait, here, limit=limit)
            least = wait.least.seconds(machine, flops, starts[wait.least.imports])
            row = {"name": wait.name, "command": wait.command} | asdict(new)
            row |= {"least_cpu_seconds": least, "least": wait.least.because, "before": old}
            if old is not None:
                row["times"] = old["cpu_seconds"] / new.cpu_seconds
            rows.append(row)
            if progress is not None:
                progress((number + 1) * total // len(chosen), total)
    return {
        "preset": "waits",
        "revision": revision(),
        "before": against,
        "machine": asdict(machine) | {"flops_per_second": flops},
        "waits": rows,
    }


@contextmanager
def _before(against: str | None, here: Path) -> Iterator[tuple[Path | None, dict[str, Any]]]:
    """A tree to run in turn, or what was recorded of one."""
    if against is None:
        yield None, {}
    elif Path(against).is_file():
        content = json.loads(Path(against).read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("preset") != "waits":
            raise ValueError(f"{against} was not written by `georecall bench --preset waits`")
        yield None, {row["name"]: row for row in content["waits"]}
    else:
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder, "before")
            packed = Path(folder, "before.tar")
            if _git(here, "archive", "--output", str(packed), against) is None:
                raise ValueError(f"{against} is neither a file nor a revision of a repository in {here}")
            with tarfile.open(packed) as archive:
                archive.extractall(tree, filter="data")
            yield tree, {}


def _tree() -> Path:
    """The folder that `georecall` is imported from."""
    import georecall

    return Path(str(georecall.__file__)).resolve().parent.parent


def revision() -> str:
    """The commit that runs, with a mark where files differ from it; outside a repository the version."""
    return _git(_tree(), "describe", "--always", "--dirty", "--abbrev=12") or VERSION


def _git(tree: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(tree), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
