"""Headless Chromium, spoken to over a pipe in the DevTools protocol: no driver, no further dependency.

Without a Chromium the tests that need it are skipped; with GEORECALL_REQUIRE_CHROMIUM=1 they fail.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from georecall.verify.report import Content, gather, page
from georecall.verify.sweep import Cell, Store, hop_cells, sweep

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"),
)
PATIENCE = 120.0  # seconds for one answer: the machine may be busy
_LAUNCH = (  # the browser reads from 3 and writes to 4
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); "
    "os.execvp(sys.argv[3], sys.argv[3:])"
)


class Chromium:
    """A browser with one page.

    Args:
        binary: what to start.
        profile: an empty folder for its user data.
    """

    def __init__(self, binary: str, profile: Path) -> None:
        theirs_in, self._to = _pipe()
        self._from, theirs_out = _pipe()
        arguments = [str(theirs_in), str(theirs_out), binary, *FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, *arguments, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._asked, self.events = b"", 0, []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol answers; events that come meanwhile are kept."""
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Opens a file, in a window of that size and colour scheme, and waits until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())
        self.value("1")

    def value(self, expression: str) -> Any:
        """What an expression is worth on the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    @property
    def complaints(self) -> list[str]:
        """What the console has said since the page was opened: errors, warnings, exceptions."""
        said = []
        for event in self.events:
            parameters = event.get("params", {})
            match event.get("method"):
                case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                    said.append(str(parameters["args"]))
                case "Runtime.exceptionThrown":
                    said.append(str(parameters["exceptionDetails"].get("text")))
                case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                    said.append(parameters["entry"]["text"])
        return said

    @property
    def requested(self) -> list[str]:
        """The addresses that the page asked for, itself included."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def picture(self, out: Path, top: int, height: int, width: int) -> None:
        """A piece of the page as PNG."""
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        out.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Ends the browser that was started here."""
        os.close(self._to)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium did not answer within {PATIENCE:.0f} s"
            read = os.read(self._from, 1 << 16)
            assert read, "Chromium ended"
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are numbered from 10, out of the way of the browser's own 3 and 4."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        if os.environ.get("GEORECALL_REQUIRE_CHROMIUM"):
            pytest.fail("GEORECALL_REQUIRE_CHROMIUM is set, and no Chromium is installed")
        pytest.skip("no Chromium: apt-get install chromium")
    browser = Chromium(binary, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Small results files, of capacity and of hops, that every figure can be drawn from."""
    folder = tmp_path_factory.mktemp("results")
    at = {"seed": 0, "trials": 12}
    cells = [
        Cell.of("threshold", construction=name, n_subjects=N, n_relations=r, level=0.5, precision=0.2, **at)
        for name, r in (("single-hop-dense", 4), ("linear-memory", 1))
        for N in (8, 64)
    ]
    cells += [
        Cell.of("success", construction="single-hop-dense", n_subjects=N, n_relations=4, dimension=d, **at)
        for N in (4, 8)
        for d in (40, 80)
    ]
    for name, r in (("single-hop", 4), ("single-hop-in-place", 4), ("single-hop-in-place", 16)):
        cells += [Cell.of("recall", construction=name, n_subjects=N, n_relations=r, seed=0) for N in (8, 16)]
    cells += [
        Cell.of("margins", construction="single-hop-dense", n_subjects=16, n_relations=4, dimension=d, seed=0)
        for d in (30, 70)
    ]
    for path, measured in (("capacity", cells), ("hops", hop_cells(8, 3, 2))):
        with Store(folder / f"{path}.sqlite") as store:
            sweep(measured, store)
    return folder / "capacity.sqlite", folder / "hops.sqlite"


@pytest.fixture(scope="session")
def content(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Content:
    """A whole report at the quick parameters, its figures from small results files."""
    return gather(tmp_path_factory.mktemp("swept"), results=files[0], hops=files[1])


@pytest.fixture(scope="session")
def html(content: Content) -> str:
    return page(content)
