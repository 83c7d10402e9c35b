"""`georecall learn` and `georecall transfer`, small."""

import json

import numpy as np
import pytest

from georecall.verify.cli import run

SMALL = ["--subjects", "16", "--dimension", "16", "--steps", "250"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    files = {"out": folder / "m.safetensors", "answers": folder / "m.answers.npy", "run": folder / "run.npz"}
    arguments = ["learn", *SMALL, "--out", str(files["out"]), "--checkpoint", str(files["run"])]
    assert run(arguments) == 0
    return files


def test_a_learned_model_is_saved_and_judged_like_any_weights(saved, capsys):
    assert run(["check", "--model", str(saved["out"]), "--answers", str(saved["answers"]), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["status"], verdict["n_facts"]) == ("holds", 32)
    assert np.load(saved["answers"]).shape == (2, 16)


def test_learn_reports_recall_structure_and_transfer_as_json(saved, capsys, tmp_path):
    again = tmp_path / "again.safetensors"
    arguments = ["learn", *SMALL, "--checkpoint", str(saved["run"]), "--out", str(again), "--json"]
    assert run(arguments) == 0  # the finished checkpoint is not trained again
    report = json.loads(capsys.readouterr().out)
    assert report["facts"] == {"subjects": 16, "relations": 2, "attributes": 16}
    assert report["recipe"]["dimension"] == 16
    assert report["recipe"]["width"] == 64
    (found,) = report["runs"]
    assert (found["n_recalled"], found["n_facts"], found["recall"]) == (32, 32, 1.0)
    for name in ("r2", "probe", "swap", "transfer", "transfer_untrained", "probe_interval"):
        assert name in found
    assert again.read_bytes() == saved["out"].read_bytes()


@pytest.mark.slow
def test_transfer_of_a_saved_model_names_what_does_not_discriminate(saved, capsys):
    arguments = ["transfer", "--model", str(saved["out"]), "--answers", str(saved["answers"])]
    assert run([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["procedures"].keys() == {"superposition", "inverse", "training"}
    assert not report["procedures"]["training"]["discriminates"]
    assert report["procedures"]["training"]["untrained"] > 0.5
    assert run([*arguments, "--procedure", "training"]) == 0
    assert "an untrained MLP does it too" in capsys.readouterr().out


def test_the_help_names_the_defaults_that_are_used():
    from georecall.constructions.training.recipe import recipe_for
    from georecall.theory.facts.fact_table import random_bijections
    from georecall.verify.cli.learn import command as learn
    from georecall.verify.cli.sweep import learned
    from georecall.verify.sweep.learned_grids import BASE

    recipe = recipe_for(random_bijections(512, 2, rng=np.random.default_rng(0)))
    for command, used in ((learn, recipe.described()), (learned, BASE)):
        told = {option.name: option.help for option in command.params}
        for name in ("noise", "weight_decay", "steps", "batch"):
            if name in told:
                assert told[name].endswith(f"default {used[name]:g}.")


def test_an_interrupt_keeps_the_checkpoint(monkeypatch, tmp_path, capsys):
    import georecall.verify.learned.run as training_run

    checkpoint = tmp_path / "run.npz"
    train = training_run.trained

    def stopped(facts, recipe, *, checkpoint, progress):
        def stop(done, total):
            if done:
                raise KeyboardInterrupt

        return train(facts, recipe, checkpoint=checkpoint, progress=stop)

    monkeypatch.setattr(training_run, "trained", stopped)
    arguments = ["learn", *SMALL[:4], "--steps", "300", "--checkpoint", str(checkpoint)]
    assert run(arguments) == 130
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "georecall: interrupted\n")
    assert checkpoint.exists()
    monkeypatch.setattr(training_run, "trained", train)
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["recall"] == 1.0


def test_a_checkpoint_of_another_run_is_one_line(saved, refused):
    line = refused("learn", *SMALL, "--seed", "1", "--checkpoint", str(saved["run"]))
    assert "run.npz is the checkpoint of another run" in line


def test_a_missing_extra_is_one_line(monkeypatch, refused):
    import sys

    monkeypatch.setitem(sys.modules, "optax", None)
    for arguments in (
        ["learn", *SMALL],
        ["transfer", *SMALL],
        ["check", "gradient-descent", "--subjects", "8"],
    ):
        assert "pip install 'georecall[learn]'" in refused(*arguments)


@pytest.mark.slow
def test_the_map_is_drawn_from_a_small_sweep(tmp_path, capsys, refused):
    out, figure = tmp_path / "r.sqlite", tmp_path / "f.svg"
    sweep = ["sweep", "learned", "--subjects", "8", "--subjects", "12", "--dimension", "4", "--seeds", "1"]
    assert run([*sweep, "--steps", "250", "--out", str(out)]) == 0
    assert run(["plot", "learned", str(out), "--out", str(figure)]) == 0
    first = figure.read_bytes()
    assert run(["plot", "learned", str(out), "--out", str(figure)]) == 0
    assert figure.read_bytes() == first
    assert b"n_attributes" in first
    capsys.readouterr()
    line = refused("plot", "dimensions", str(out), "--out", str(figure))
    assert "no learned-dimension cells" in line


@pytest.mark.slow
def test_several_runs_are_the_same_whoever_trains(capsys):
    several = ["learn", *SMALL, "--seeds", "2", "--json"]
    assert run(several) == 0
    here = capsys.readouterr().out
    assert run([*several, "--workers", "2"]) == 0
    assert capsys.readouterr().out == here


def test_one_run_is_not_shared(refused):
    for by in (["--workers", "2"], ["--scheduler", "tcp://127.0.0.1:1"]):
        assert "one alone is not divided" in refused("learn", *SMALL, *by)
