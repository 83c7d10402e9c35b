"""Workers are quiet: interrupts reach the parent alone, and they end with it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from georecall.theory.tools.processes import processes

pytestmark = pytest.mark.slow

SCRIPT = """
import os, time
from georecall.theory.tools.processes import processes

if __name__ == "__main__":
    try:
        with processes(3) as pool:
            asleep = [pool.submit(time.sleep, 60) for _ in range(2)]
            print("starting", flush=True)
            print(pool.submit(os.getpid).result(), flush=True)
            asleep += [pool.submit(time.sleep, 60) for _ in range(8)]
            asleep[0].result()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def started(tmp_path: Path) -> "subprocess.Popen[str]":
    (tmp_path / "pool.py").write_text(SCRIPT)
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "pool.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=found,
        start_new_session=True,
    )


def nobody_left(group: int) -> bool:
    """Whether all processes of a group are gone, after a while."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("whole_group", [False, True])
def test_an_interrupt_ends_workers_at_once_and_without_a_word(
    tmp_path: Path, lines: int, whole_group: bool
) -> None:
    """While they start, and while they work; of the terminal, which reaches them too, and of `kill -INT`."""
    process = started(tmp_path)
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT) if whole_group else process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert (out, errors, process.returncode) == ("interrupted\n", "", 0)
    assert nobody_left(process.pid)


def test_workers_of_a_killed_parent_end(tmp_path: Path) -> None:
    process = started(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "starting\n"
    assert int(process.stdout.readline()) != process.pid
    process.kill()
    process.communicate(timeout=120)
    assert nobody_left(process.pid)


def test_a_worker_that_is_ended_from_outside_is_said() -> None:
    with (
        pytest.raises(ChildProcessError, match="a worker process was ended from outside"),
        processes(1) as pool,
    ):
        pool.submit(os._exit, 1).result()


def test_an_error_of_the_work_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError), processes(1) as pool:
        pool.submit(divmod, 1, 0).result()
