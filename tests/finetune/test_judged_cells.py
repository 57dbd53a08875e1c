"""Who judges while a cell trains: `judge_factory` and `evaluator_points`, for `finetune` and `tune` alike."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.io import load_backbone
from motionrft.cli import main
from motionrft.configuration import load_run
from motionrft.errors import InputError
from motionrft.finetune.prompt_data import Sources
from motionrft.finetune.reward_hacking import INDEPENDENT
from motionrft.finetune.setup import prepare
from motionrft.text.features import TextCache
from tests.finetune.tiny_cell import files

__all__ = ["files"]


def test_the_judge_watches_the_validation_split(files, tmp_path):
    from motionrft.cli.finetune import JudgeFiles, judge_factory
    from motionrft.cli.options import CellFiles
    from motionrft.evaluation.evaluator_file import save_evaluator
    from motionrft.evaluation.evaluators.t2m.training import train_evaluator
    from motionrft.evaluation.settings import validation_rules

    widths = ("movement_hidden", "movement", "motion_hidden", "text_hidden", "embedding")
    settings = {
        "loss": "infonce",
        "margin": 10.0,
        "min_frames": 20,
        "text_dropout": 0.0,
        "motion_noise": 0.0,
        "widths": dict.fromkeys(widths, 8),
        "train": {"steps": 2, "batch_size": 8},
    }
    evaluator, about, _ = train_evaluator(
        settings,
        files / "features",
        TextCache(files / "text.safetensors"),
        tmp_path / "checkpoint",
        "cpu",
    )
    save_evaluator(tmp_path / "evaluator.safetensors", evaluator, about)
    cell = CellFiles(
        base=files / "mdm.safetensors",
        reward=[],
        features=files / "features",
        text=files / "text.safetensors",
    )
    judge = JudgeFiles(evaluator=tmp_path / "evaluator.safetensors")
    sampler = load_run(files / "run.yaml")["backbones"]["mdm"]["sampler"]
    backbone, _ = load_backbone(files / "mdm.safetensors")
    # nothing is opened before a validation asks for it
    absent = JudgeFiles(evaluator=tmp_path / "absent.safetensors")
    cpu, rules = torch.device("cpu"), validation_rules({})
    assert judge_factory(cell, absent, "mdm", sampler, cpu, rules, "val") is not None
    judge_of = judge_factory(cell, judge, "mdm", sampler, cpu, rules, "val")
    numbers = judge_of(backbone)()
    assert set(INDEPENDENT) <= set(numbers)
    # of hits with share p among n prompts
    hits, n = numbers["R-Precision Top-1"], 32
    error = numbers["R-Precision Top-1 error"]
    assert error == pytest.approx((hits * (1 - hits) / (n - 1)) ** 0.5)
    assert 0 < numbers["MM-Dist error"] < numbers["MM-Dist"]
    assert numbers["FID error"] > 0
    # a corpus too small for groups of 32 is judged in those that the run asks for
    larger = validation_rules({"group": 1000})
    with pytest.raises(InputError, match="make no group of 1000"):
        judge_factory(cell, judge, "mdm", sampler, cpu, larger, "val")(backbone)()
    assert validation_rules({"group": 8, "min_frames": None}).group == 8


def test_tuning_judges_a_cell_as_its_fine_tuning_does(files, tmp_path, monkeypatch):
    """On the split of its validations, in the space that its method ranks by: both from one place."""
    import motionrft.cli.finetune as command

    splits, ranked = [], []

    def points(raw, lengths, captions):
        ranked.append(len(raw))
        return torch.zeros(len(raw), 2), torch.zeros(len(raw), 2)

    monkeypatch.setattr(command, "judge_factory", lambda *given: splits.append(given[-1]))
    monkeypatch.setattr(command, "evaluator_points", lambda *given: lambda backbone: points)
    words = [
        *(
            "tune",
            "--config",
            str(files / "run.yaml"),
            "--backbone",
            "mdm",
            "--method",
            "ddpo-rank",
        ),
        *("--set", "finetune.validate_split=test", "--set", "finetune.batch_size=8"),
        *("--set", "finetune.updates=1", "--set", "finetune.validate_every=1", "--device", "cpu"),
        *("--base", str(files / "mdm.safetensors"), "--features", str(files / "features")),
        *(
            "--text",
            str(files / "text.safetensors"),
            "--reward",
            str(files / "semantic.safetensors"),
        ),
    ]
    assert main([*words, "--rates", "1e-3", "--out", str(tmp_path / "tune.json")]) == 0
    assert splits == ["test"]
    assert ranked


def test_an_evaluator_with_words_of_its_own_serves_methods_that_do_not_rank(files, tmp_path):
    """It is opened where a value asks for its space, and not before."""
    from motionrft.cli.finetune import JudgeFiles, evaluator_points
    from motionrft.cli.options import CellFiles

    cell = CellFiles(base=tmp_path, reward=[], features=files / "features", text=tmp_path)
    of = evaluator_points(cell, JudgeFiles(evaluator=tmp_path / "none.safetensors"), torch.device("cpu"))  # fmt: skip
    run = load_run(files / "run.yaml")
    sources = Sources(
        files / "mdm.safetensors",
        [files / "semantic.safetensors"],
        files / "features",
        files / "text.safetensors",
    )
    rest = (0, sources, torch.device("cpu"), None, of)
    run["finetune"] |= {"batch_size": 8}
    assert prepare(run, "mdm", "ddpo-skating", *rest).method.group == 8
    with pytest.raises(InputError, match="no such file"):
        prepare(run, "mdm", "ddpo-rank", *rest)
