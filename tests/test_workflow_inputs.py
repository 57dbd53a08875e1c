"""Inputs that a run lacks, each in one line."""

import pytest

from motionrft.configuration import resolve
from motionrft.configuration.files import available, read_yaml
from motionrft.workflow_inputs import missing_inputs


def missing(tmp_path, **changes):
    run = {
        "name": "t",
        "size": "paper",
        "corpus": {"kind": "humanml3d", "humanml3d_dir": str(tmp_path)},
        "backbones": ["mdm"],
        "methods": ["easytune"],
    }
    return {entry.key: entry for entry in missing_inputs(resolve(run | changes))}


def test_a_run_of_this_projects_own_making_lacks_nothing():
    assert missing_inputs(resolve(read_yaml("config/toy.yaml"))) == []


def test_what_is_not_named_is_said_with_what_follows(tmp_path):
    found = missing(tmp_path)
    assert list(found) == [
        "evaluator.checkpoint",
        "reward.stages.semantic.checkpoint",
        "reward.stages.preference.pairs",
        "backbones.mdm.checkpoint",
    ]
    line = str(found["backbones.mdm.checkpoint"])
    assert "pre-trains it in 600,000 steps" in line
    for words in ("model000750000.pt", "0.072 GB", "github.com/GuyTevet", "MIT", "override: "):
        assert words in line
    assert "\n" not in line


def test_what_is_named_and_absent_is_said_until_it_is_there(tmp_path):
    file = tmp_path / "model.pt"
    change = {"override": {"backbones": {"mdm": {"checkpoint": str(file)}}}}
    assert f"{file} is not there" in str(missing(tmp_path, **change)["backbones.mdm.checkpoint"])
    file.touch()
    assert "backbones.mdm.checkpoint" not in missing(tmp_path, **change)


def test_a_corpus_that_is_not_there_is_said(tmp_path):
    corpus = {"kind": "kit", "kit_dir": str(tmp_path / "kit")}
    found = missing(tmp_path, corpus=corpus)
    assert "--config kit_dir=" in str(found["corpus.kit_dir"])
    assert "No public one for kit" in str(found["backbones.mdm.checkpoint"])


def test_files_of_the_reward_that_are_not_there_are_said(tmp_path):
    stages = {
        "semantic": {"checkpoint": str(tmp_path / "stage1.pth")},
        "preference": {"pairs": [str(tmp_path / "pairs.csv"), str(tmp_path / "critic.pth")]},
    }
    found = missing(tmp_path, reward={"stages": stages})
    names = [key for key in found if key.startswith("reward.")]
    assert names == [
        "reward.stages.semantic.checkpoint",
        "reward.stages.preference.pairs.0",
        "reward.stages.preference.pairs.1",
    ]
    assert "stage1.pth is not there" in str(found[names[0]])
    assert "given by the authors" not in str(found[names[1]])
    assert "authors of MotionRFT" in str(found[names[2]])
    (tmp_path / "pairs.csv").touch()
    assert names[1] not in missing(tmp_path, reward={"stages": stages})


def test_an_evaluator_file_that_is_not_there_is_said(tmp_path):
    evaluator = {"checkpoint": str(tmp_path / "finest.tar")}
    line = str(missing(tmp_path, evaluator=evaluator)["evaluator.checkpoint"])
    assert "finest.tar is not there" in line
    assert "text-to-motion" in line


@pytest.mark.parametrize("name", available("backbones"))
def test_who_gives_a_checkpoint_trains_none_again(name):
    """What is said of the authors' file is nothing that a network is made from."""
    from motionrft.workflow_plan import AFTER_TRAINING

    official = read_yaml(f"config/backbones/{name}.yaml")["sizes"].get("paper", {}).get("official")
    assert name == "acmdm-raw" or official
    assert "official" in AFTER_TRAINING
