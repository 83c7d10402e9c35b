"""`georecall doctor`: one installation, or a clear word that it is not."""

import json
from pathlib import Path

import pytest

import georecall
from georecall.verify.cli import doctor, run


def test_doctor_finds_one_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    assert Path(report["origin"]) == Path(georecall.__file__).resolve().parent
    assert report["dependencies"]["numpy"]
    assert all(pool["threads"] >= 1 for pool in report["blas"])


def test_doctor_sees_a_stale_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", lambda name: "0.0.1" if name == "georecall" else None)
    assert not doctor.examine()["ok"]
