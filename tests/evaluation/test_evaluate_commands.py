from __future__ import annotations

import json

import pytest
import torch
import yaml
from conftest import SETTINGS

import motionrft.configuration as configuration
from motionrft.cli import main
from motionrft.cli.evaluate import evaluator_text
from motionrft.cli.options import RunFile
from motionrft.corpus.samples import read_samples
from motionrft.evaluation.evaluators.t2m.model import Widths
from motionrft.evaluation.settings import EvaluateSettings, judge_settings
from motionrft.files import read_table, read_tensors, write_tensors
from motionrft.options import read_options
from motionrft.training.loop import TrainSettings

EVALUATE = {"replications": 2, "group": 16, "min_frames": 20, "samples": 3}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A resolved run file with this folder's sections."""
    resolved = {
        "resolved": True,
        "evaluator": SETTINGS,
        "evaluate": EVALUATE,
        "backbones": {"fake": {"sampler": {"kind": "ddim"}}},
    }
    monkeypatch.setattr(RunFile, "load", lambda run: resolved)
    return resolved


def test_train_then_evaluate_the_recorded_motions(run, store, text, tmp_path, capsys):
    model, out = tmp_path / "evaluator" / "model.safetensors", tmp_path / "out"
    shared = ["--features", str(store), "--text", str(text.path), "--device", "cpu"]
    assert main(["train-evaluator", *shared, "--out", str(model)]) == 0
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "history.parquet",
        "model.safetensors",
    ]
    assert main(["evaluate", *shared, "--evaluator", str(model), "--out", str(out)]) == 0
    assert "self-trained evaluator, protocol sound" in capsys.readouterr().out
    frame, about = read_table(out / "replications.parquet")
    assert set(frame["replication"]) == {0, 1}
    assert about["backbone"] == "real"
    assert about["evaluator"] == "self-trained"
    assert {"corpus_digest", "evaluator_digest", "provenance", "split"} <= set(about)
    assert len(read_samples(out / "samples.safetensors")) == 3
    again = tmp_path / "again"
    assert main(["evaluate", *shared, "--evaluator", str(model), "--out", str(again)]) == 0
    assert read_table(again / "replications.parquet")[0].equals(frame)


def test_an_evaluator_in_bf16_is_named(run, store, text, trained, tmp_path, capsys):
    shared = ["evaluate", "--features", str(store), "--text", str(text.path), "--device", "cpu"]
    shared += ["--evaluator", str(trained[0]), "--replications", "1", "--out"]
    headers = {}
    for precision in ("fp32", "bf16"):
        run["evaluate"] = {**EVALUATE, "precision": precision}
        assert main([*shared, str(tmp_path / precision)]) == 0
        said = " in bf16" if precision == "bf16" else ""
        assert f"self-trained evaluator{said}, protocol sound" in capsys.readouterr().out
        headers[precision] = read_table(tmp_path / precision / "replications.parquet")[1]
        assert headers[precision]["evaluator_precision"] == precision
    del run["evaluate"]["precision"]
    assert main([*shared, str(tmp_path / "default")]) == 0
    tables = [
        read_table(tmp_path / name / "replications.parquet")[0] for name in ("default", "fp32")
    ]
    assert tables[0].equals(tables[1])
    capsys.readouterr()
    run["evaluate"] = {**EVALUATE, "precision": "fp16"}
    assert main([*shared, str(tmp_path / "none")]) == 2
    [error] = capsys.readouterr().err.strip().splitlines()
    assert "evaluate.precision" in error
    assert "fp32, bf16" in error
    assert not (tmp_path / "none").exists()


def test_an_evaluator_opens_the_text_that_it_reads_and_no_other(text, trained, tmp_path):
    own_words = tmp_path / "own.safetensors"
    write_tensors(own_words, {"words.text": torch.zeros(1)}, {})
    assert evaluator_text(own_words, tmp_path / "absent", tmp_path / "absent") is None
    read = evaluator_text(trained[0], None, text.path)
    assert read is not None
    assert read.path == text.path


def test_a_models_text_is_asked_for(run, store, text, trained, tmp_path, capsys):
    shared = ["evaluate", "--features", str(store), "--evaluator", str(trained[0])]
    model = ["--backbone", "fake", "--model", str(tmp_path / "model.safetensors")]
    assert main([*shared, *model, "--out", str(tmp_path / "out")]) == 2
    assert "--text: missing" in capsys.readouterr().err
    assert main([*shared, "--evaluator-text", str(text.path), "--out", str(tmp_path / "out")]) == 0


def test_bad_calls_are_one_line_and_leave_nothing(run, store, text, trained, tmp_path, capsys):
    out = tmp_path / "out"
    shared = ["evaluate", "--features", str(store), "--text", str(text.path), "--out", str(out)]
    evaluator = ["--evaluator", str(trained[0])]
    for arguments, message in (
        ([*shared, *evaluator, "--replications", "0"], "0 replications"),
        ([*shared, *evaluator, "--backbone", "fake"], "--backbone and --model go together"),
        ([*shared, "--evaluator", str(tmp_path / "none")], "no such file"),
        ([*shared, *evaluator, "--device", "tpu"], "unknown device"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ")
        assert message in error
    run["evaluate"] = {**EVALUATE, "group": 500}
    assert main([*shared, *evaluator]) == 2
    assert "no group of 500" in capsys.readouterr().err
    assert not out.exists()


def test_an_official_checkpoint_needs_all_its_files(run, store, tmp_path, capsys):
    run["evaluator"] = {**SETTINGS, "checkpoint": str(tmp_path / "finest.tar")}
    call = ["train-evaluator", "--features", str(store), "--out", str(tmp_path / "m.safetensors")]
    assert main(call) == 2
    assert "evaluator.mean: needed with evaluator.checkpoint" in capsys.readouterr().err


def test_the_shipped_sections_follow_their_schemas():
    from motionrft.configuration.files import numbers
    from motionrft.configuration.schema import validate

    for section in ("evaluator", "evaluate"):
        for size in ("small", "paper"):
            path = configuration.ROOT / "config" / section / f"{size}.yaml"
            values = numbers(yaml.safe_load(path.read_text(encoding="utf-8")))
            validated = validate(json.loads(json.dumps(values)), section, path)
            for key, value in values.items():
                assert validated[key] == value or isinstance(value, dict)
            if section == "evaluate":
                read_options(EvaluateSettings, validated, where=path).rules()
            else:
                TrainSettings.read(validated["train"], str(path))
                Widths(**validated["widths"])


def test_a_judge_is_another_evaluator_and_always_self_trained(run, store, text, tmp_path, capsys):
    official = {"checkpoint": "finest.tar", "mean": "mean.npy", "std": "std.npy"}
    judge = {"seed": 3, "train": {"steps": 4}, "motion_noise": 0.1}
    section = {**SETTINGS, **official, "judge": judge}
    settings, seed = judge_settings(section, "run.yaml")
    assert seed == 3
    train = {**SETTINGS["train"], "steps": 4}
    assert settings == {**SETTINGS, "train": train, "motion_noise": 0.1}
    shared = ["--features", str(store), "--text", str(text.path), "--device", "cpu"]
    command = ["train-evaluator", "--judge", *shared, "--out"]
    assert main([*command, str(tmp_path / "none" / "model.safetensors")]) == 2
    assert "evaluator.judge" in capsys.readouterr().err
    run["evaluator"] = section
    assert main([*command, str(tmp_path / "judge" / "model.safetensors")]) == 0
    assert main(["train-evaluator", *shared, "--out", str(tmp_path / "official.safetensors")]) == 2
    about = read_tensors(tmp_path / "judge" / "model.safetensors")[1]
    assert about["label"] == "self-trained"
    assert about["provenance"]["seed"] == 3
