"""The commands of the reward end to end."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from motionrft.cli import main
from motionrft.files import read_table, read_tensors
from motionrft.reward.motion_reward import MotionReward
from tests.reward.tiny import section, write_labels


@pytest.mark.processes
def test_commands_end_to_end(corpus, tmp_path, capsys):
    """Every file of the chain is written, and a fine-tuner can load what the stages wrote."""
    value = section()
    config = {
        "name": "t",
        "size": "small",
        "corpus": {"kind": "toy"},
        "backbones": [],
        "methods": [],
        "reward": value,
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    common = [
        "--config", str(tmp_path / "run.yaml"), "--features", str(corpus / "features"),
        "--text", str(corpus / "text.safetensors"), "--device", "cpu",
    ]  # fmt: skip
    files = {
        stage: tmp_path / f"{stage}.safetensors"
        for stage in ("semantic", "spl", "preference", "authenticity")
    }
    assert (
        main(["train-reward", *common, "--stage", "semantic", "--out", str(files["semantic"])]) == 0
    )
    start = ["--from", str(files["semantic"])]
    assert (
        main(["train-reward", *common, "--stage", "spl", *start, "--out", str(files["spl"])]) == 0
    )
    for task in ("preference", "authenticity"):
        write_labels(tmp_path / task, corpus, task)
        arguments = ["--stage", task, *start, "--data", str(tmp_path / task)]
        arguments += ["--out", str(files[task])]
        assert main(["train-reward", *common, *arguments]) == 0
    options = ["--reward", *map(str, files.values())]
    options += ["--data", *(str(tmp_path / task) for task in ("preference", "authenticity"))]
    assert (
        main(["evaluate-reward", *common, *options, "--out", str(tmp_path / "scores.parquet")]) == 0
    )
    scores, about = read_table(tmp_path / "scores.parquet")
    assert {"retrieval", "agreement", "preference", "authenticity", "reward"} == set(
        scores["table"]
    )
    assert {"semantic", "spl", "random"} <= set(scores[scores["table"] == "retrieval"]["model"])
    assert {"MotionReward", "random", "length only"} == set(
        scores[scores["table"] == "authenticity"]["model"]
    )
    assert about["labels"]["preference"] == "made, not human"
    blind, _ = read_table(tmp_path / "scores.faithfulness.parquet")
    assert {"grade", "jerk"} <= set(blind["against"])
    assert len(set(blind["kind"])) == 8
    curve, _ = read_table(tmp_path / "scores.calibration.parquet")
    assert curve.groupby(["table", "model"])["count"].sum().min() > 0
    drawn = ["--set", "reward.official.sampled=true", "--only-scores"]
    out = tmp_path / "drawn.parquet"
    assert main(["evaluate-reward", *common, *options, *drawn, "--out", str(out)]) == 0
    assert not out.with_suffix(".faithfulness.parquet").exists()
    means, draws = (
        frame[frame["metric"].isin(["R@1", "loss"]) & frame["model"].ne("random")]["value"]
        for frame in (scores, read_table(out)[0])
    )
    assert len(means) == len(draws)
    assert means.tolist() != draws.tolist()
    reward = MotionReward.load(files, value["weights"])
    assert reward.dimensions == ("semantic", "m2m", "preference", "authenticity")
    _, semantic = read_tensors(files["semantic"])
    assert semantic["provenance"]["seed"] == 0
    assert semantic["text"] == "toy"
    history, _ = read_table(tmp_path / "preference.history.parquet")
    assert isinstance(history, pd.DataFrame)
    assert "val/score" in set(history["name"])
    assert main(["train-reward", *common, "--stage", "preference", *start, "--out", "x"]) == 2
    assert "--data: missing" in capsys.readouterr().err
    misread = ["--stage", "semantic", *start, "--out", "x"]
    assert main(["train-reward", *common, *misread]) == 2
    assert "--from: 1 given, the stage reads 0" in capsys.readouterr().err
