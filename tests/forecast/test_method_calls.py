"""What a trajectory is forecast to ask of network and reward, against the meter of one that runs."""

from __future__ import annotations

import pytest
import torch

from motionrft.finetune.loop import Training
from motionrft.finetune.methods.best_of_n import BestOfN
from motionrft.finetune.methods.reward_guidance import RewardGuidance
from motionrft.forecast.count import method_calls
from tests.finetune.toy_run import BY_VALUE, METHODS, prompts, toy_run

FIXED = ("draft", "draft-lv")  # whose counts no draw decides
CASES = [
    *((METHODS[name], "ddim") for name in FIXED),
    *((section, sampler) for section, samplers in BY_VALUE.values() for sampler in samplers),
]


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("kl", [0.0, 0.1])
@pytest.mark.parametrize(("section", "sampler"), CASES)
def test_a_trajectory_asks_what_was_counted(tmp_path, section, sampler, kl, guidance):
    settings = {"trajectories": 1, "kl": kl, "validate_every": 0, "select": "last"}
    tuning = toy_run(section, settings, sampler, guidance=guidance)
    Training(tuning, tmp_path / "checkpoint.pt").run()
    meter = tuning.sampler.meter
    calls = method_calls(tuning.method, guided=guidance != 1.0, kl=bool(kl))
    assert calls.forwards == pytest.approx(meter.forwards)
    assert calls.live == pytest.approx(meter.backwards)
    assert calls.scorings == meter.scorings


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("method", [BestOfN(5, n=1), BestOfN(5, n=3), RewardGuidance(5)])
def test_sampling_under_a_reward_asks_what_was_counted(method, guidance):
    tuning, batch = toy_run(METHODS["draft"], {"updates": 1}, guidance=guidance), prompts(0)
    objective = tuning.objective(batch)
    with torch.no_grad():
        method.sample(tuning.sampler, tuning.levels, objective)
    calls, meter = method_calls(method, guided=guidance != 1.0, kl=False), tuning.sampler.meter
    assert (calls.forwards, calls.live) == (meter.forwards, meter.backwards)
    assert calls.scorings == objective.scorings


@pytest.mark.parametrize("name", METHODS)
def test_every_method_that_leaves_its_steps_to_the_walk_is_counted(name):
    calls = method_calls(toy_run(METHODS[name], {"updates": 1}).method, guided=True, kl=False)
    assert 0 < calls.live <= calls.forwards
    assert calls.scorings >= 1
