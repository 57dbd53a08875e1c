"""The `reward:` section."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from motionrft.errors import InputError
from motionrft.reward import stages, terms
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.released import ReleasedNoiseLaw
from motionrft.reward.settings import RewardSettings
from motionrft.training.loop import TrainSettings

from .tiny import section

ROOT = Path(__file__).resolve().parents[2]


def test_settings_mistakes_are_named():
    with pytest.raises(InputError, match="'lambda'"):
        RewardSettings.read(section(losses={"lambda": 1}))
    with pytest.raises(InputError, match="'sematic'"):
        RewardSettings.read(section(stages={"sematic": {}}))
    without = section()
    del without["weights"]
    with pytest.raises(InputError, match=r"reward\.weights: missing"):
        RewardSettings.read(without)
    with pytest.raises(InputError, match=r"reward\.stages\.spl\.train"):
        RewardSettings.read(section(stages={"semantic": {}})).train("spl")
    assert isinstance(RewardSettings.read(section()).train("spl"), TrainSettings)


def test_the_released_step_law_comes_with_the_noise_switch():
    assert type(RewardSettings.read(section()).noise) is NoiseLaw
    assert type(RewardSettings.read(section(official={"noise": True})).noise) is ReleasedNoiseLaw


@pytest.mark.parametrize("size", ["small", "paper"])
def test_what_the_configuration_names_has_a_file(size):
    path = ROOT / "config" / "reward" / f"{size}.yaml"
    settings = RewardSettings.read(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    assert sorted(settings.stages) == stages.names()
    assert sorted(settings.weights) == terms.names()
    for name in settings.weights:
        assert terms.branch_of(name) in (None, *settings.stages)
    for name in settings.stages:
        assert stages.load(name).name == name
