"""The `reward:` section."""

from __future__ import annotations

import pytest

from motionrft.errors import InputError
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.released import ReleasedNoiseLaw
from motionrft.reward.settings import RewardSettings
from motionrft.training.loop import TrainSettings

from .tiny import section


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
