"""Checkpoints: a run that is cut off goes on to the same outcome, and never on other work."""

import json
import os

import numpy as np
import pytest

from georecall import block_superposition
from georecall.theory.facts.fact_table import random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.theory.tools.errors import CheckpointError
from georecall.verify.claims.check import check
from georecall.verify.margins.counting import checkpoint, partial_count
from georecall.verify.margins.counting.checkpoint import Keeper, begun, fingerprint
from georecall.verify.margins.counting.partial_count import PartialCount
from georecall.verify.usage import UsageError

SETTING = {"subjects": 1500, "relations": 3}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)  # 256 subjects
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)


def lasting(verdict):
    return {key: value for key, value in verdict.to_json().items() if key != "seconds"}


def stopping(after):
    """A progress callback that presses Ctrl-C once so many facts are done."""

    def report(done, total):
        if done >= after:
            raise KeyboardInterrupt

    return report


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("gate", [1.0, 0.25])
def test_a_run_that_was_interrupted_goes_on_to_the_same_verdict(tmp_path, implicit, gate):
    file = tmp_path / "run.json"
    name = "single-hop" if gate == 1.0 else "single-hop-in-place"
    whole = check(name, implicit=implicit, **SETTING)
    for after in (1, 2000):
        with pytest.raises(
            KeyboardInterrupt, match=r"of 4500 facts .* were counted, all recalled, least margin 2"
        ):
            check(name, implicit=implicit, checkpoint=file, progress=stopping(after), **SETTING)
    done = json.loads(file.read_text())["tally"]["n_subjects"]
    assert 512 <= done < 1500
    assert lasting(check(name, implicit=implicit, checkpoint=file, **SETTING)) == lasting(whole)
    assert json.loads(file.read_text())["tally"]["n_subjects"] == 1500
    assert lasting(check(name, implicit=implicit, checkpoint=file, **SETTING)) == lasting(whole)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("implicit", [False, True])
def test_an_interrupted_run_is_refuted_by_as_many_facts_as_an_uninterrupted_one(tmp_path, hopeless, implicit):
    whole = check("single-hop", implicit=implicit, **SETTING)
    assert whole.status == "refuted"
    assert "of the first 2304 of 4500 facts wrong" in whole.reason  # 768 subjects
    for interrupts in (1, 2, 3):  # after 256 subjects, after 512, and after the last
        work = {"implicit": implicit, "checkpoint": tmp_path / f"{interrupts}.json", **SETTING}
        for _ in range(interrupts):
            with pytest.raises(KeyboardInterrupt):
                check("single-hop", progress=stopping(1), **work)
        for _ in range(2):  # and again when nothing is left to do
            assert lasting(check("single-hop", **work)) == lasting(whole)
        assert json.loads(work["checkpoint"].read_text())["tally"]["n_subjects"] == 768


def test_how_many_facts_refute_does_not_depend_on_threads(tmp_path, hopeless, monkeypatch):
    found = []
    for cores in (1, 2, 3, 7):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        found.append(lasting(check("single-hop", **SETTING)))
        assert "of the first 2304 of 4500" in found[-1]["reason"]  # 3 pieces of 256 subjects
    assert all(verdict == found[0] for verdict in found)
    file = tmp_path / "run.json"  # begun by one machine, and finished by another
    with pytest.raises(KeyboardInterrupt):
        check("single-hop", checkpoint=file, progress=stopping(1), **SETTING)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert lasting(check("single-hop", checkpoint=file, **SETTING)) == found[0]


def test_what_a_checkpoint_counted_is_not_counted_again(tmp_path):
    file = tmp_path / "run.json"
    check("single-hop", checkpoint=file, **SETTING)
    content = json.loads(file.read_text())
    one_wrong = content["tally"] | {"n_recalled": 4499, "least": -2.0, "worst": (1, 7)}
    with Keeper(file, content["work"]) as keeper:
        keeper.keep(PartialCount(**one_wrong))
    verdict = check("single-hop", checkpoint=file, **SETTING)
    assert (verdict.status, verdict.reason) == ("refuted", "1 of 4500 facts wrong")


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"subjects": 1501},
        {"relations": 2},
        {"gate": 2.0},
        {"code_length": 12},
        {"implicit": True},
    ],
)
def test_a_checkpoint_of_other_work_is_refused(tmp_path, other):
    file = tmp_path / "run.json"
    check("single-hop", checkpoint=file, **SETTING)
    before = file.read_text()
    with pytest.raises(UsageError, match="begun for other work"):
        check("single-hop", checkpoint=file, **SETTING | other)
    assert file.read_text() == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"work": {}, "tally": {"n": 1}}',
        "\x00",
        "[" * 10**5,
        '{"work": [1], "tally": {"worst": []}}',
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path, content):
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"notes\.txt is no checkpoint"):
        check("single-hop", checkpoint=file, **SETTING)
    assert file.read_text() == content


def test_a_checkpoint_that_was_cut_short_or_changed_anywhere_is_refused(tmp_path):
    """One digit less is a table that is recalled and was refuted; a file is never believed by halves."""
    file = tmp_path / "run.json"
    check("single-hop", checkpoint=file, **SETTING)
    written = file.read_bytes()
    assert b'"n_recalled": 4500' in written
    for place in range(0, len(written), 7):
        for damaged in (
            written[:place],
            written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :],
        ):
            file.write_bytes(damaged)
            with pytest.raises(UsageError, match=r"run\.json (is no checkpoint|was begun for other work)"):
                check("single-hop", checkpoint=file, **SETTING)


def test_what_is_no_file_is_not_read(tmp_path):
    """A pipe that nobody writes to would be waited for, and /dev/zero has no end."""
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="is no checkpoint of georecall: it is no regular file"):
            check("single-hop", checkpoint=name, **SETTING)


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        check("single-hop", checkpoint=tmp_path / "nowhere" / "run.json", **SETTING)


def test_fingerprints_tell_weights_apart():
    facts = random_bijections(9, 2, rng=np.random.default_rng(0))
    models = [block_superposition(facts), block_superposition(facts, gate=2.0)]
    models += [block_superposition(facts.altered(3, 1, int(facts.answers[1, 4])))]
    assert len({fingerprint(model) for model in models}) == 3
    assert fingerprint(models[0]) == fingerprint(block_superposition(facts))


def test_fingerprints_of_weights_on_demand_read_both_ends():
    models = [block_superposition(KeyedBijections(2**40, 2, seed=seed)) for seed in (0, 1)]
    assert fingerprint(models[0]) != fingerprint(models[1])


def test_a_missing_file_is_no_checkpoint_yet(tmp_path):
    assert begun(tmp_path / "run.json", {}) is None
    with Keeper(tmp_path / "run.json", {"a": 1}):
        pass
    assert begun(tmp_path / "run.json", {"a": 1}) == PartialCount()
    with pytest.raises(CheckpointError, match=r"\(a\)"):
        begun(tmp_path / "run.json", {"a": 2})
