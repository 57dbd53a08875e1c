"""The reward's own level of each sample, and the form that is scored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from motionrft.finetune.loop import Training
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.released import ReleasedEasyTune
from motionrft.finetune.reward_timestep import CLEAN, Level, reward_levels
from motionrft.finetune.window import Window
from reference.closed_form import RecordedModel

from .toy_run import toy_run


def test_noise_aware_scoring_gives_the_reward_its_own_level(tmp_path):
    method = {"family": "easytune", "options": {"window": {"kind": "all"}, "form": "noise_aware"}}
    run = toy_run(method, {"trajectories": 1}, sampler="flow")
    Training(run, tmp_path / "checkpoint").run()
    reward, table = run.reward, run.sampler.table
    levels = reward_levels(table, reward.alphas, 500, rescale=True)
    timesteps = [int(t[0]) for t in reward.seen[1:]]
    assert timesteps == [level.t if level.trusted else 0 for level in levels[1:]]
    for i, level in enumerate(levels[1:-1], start=1):
        abar = float(reward.alphas[level.t])
        assert abar / (1 - abar) == pytest.approx(
            float((table.signal[i] / table.noise[i]) ** 2), rel=0.05
        )
        assert level.scale == pytest.approx(abar**0.5 / float(table.signal[i]))


def test_noise_above_the_trained_range_falls_back_to_the_one_step_form(cases):
    toy = RecordedModel(cases["ddpm_x0_tanh"])
    levels = [Level(float(i), trusted=i >= 3) for i in range(6)]
    walk = replace(toy.walk(toy.backbone()), levels=levels)

    def scored(method):
        return [sample.level for sample in method.samples(walk)]

    method = EasyTune(5, window=Window("all"), form="noise_aware")
    assert scored(method) == [CLEAN, CLEAN, *levels[3:]]
    switched = ReleasedEasyTune(5, window=Window("all"), form="noise_aware", one_step_before=4)
    assert scored(switched) == [CLEAN] * 4 + [levels[5]]
    assert scored(EasyTune(5, window=Window("all"), form="one_step")) == [CLEAN] * 5
