"""`georecall doctor`: one installation, or a clear word that it is not."""

import json

import pytest

from verify.cli import doctor, run


def test_doctor_finds_one_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    assert set(report["origins"]) == {"theory", "constructions", "bounds", "verify"}
    assert len(set(report["origins"].values())) == 1
    assert report["dependencies"]["numpy"]
    assert all(pool["threads"] >= 1 for pool in report["blas"])


def test_doctor_sees_a_shadowed_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("theory", "json"))
    assert run(["doctor"]) == 2
    assert "different places" in capsys.readouterr().out


def test_doctor_sees_a_stale_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "0.0.1" if name == "georecall" else None)
    assert not doctor.examine()["ok"]
