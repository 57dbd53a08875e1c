"""What the released code does otherwise, hook by hook."""

from __future__ import annotations

from motionrft.diffusion.schedules import step_table
from motionrft.finetune.released import hooks, sampler_timesteps, training_mode
from motionrft.finetune.settings import Settings

from .toy_run import SAMPLERS, Network, Reward


def test_the_sampler_s_own_timestep_capped_below_the_trained_range():
    table = step_table(SAMPLERS["flow"][1], "velocity")
    levels = sampler_timesteps(table, Reward().alphas, 500, True)
    assert [level.t for level in levels[1:]] == [499, 499, 499, 400, 200]
    assert all(level.trusted and level.scale == 1.0 for level in levels)


def test_only_what_holds_trained_weights_is_in_training_mode():
    network = Network(0.5).eval()
    training_mode(network, network.trainable())
    modes = {name: module.training for name, module in network.named_modules()}
    assert modes == {"": True, "first": True, "drop": True, "second": True, "frozen": False}


def test_a_run_without_switches_has_no_released_hook():
    chosen = hooks(Settings.read({"updates": 1}))
    assert {hook.__module__ for hook in vars(chosen).values()} <= {
        "motionrft.finetune.hooks",
        "motionrft.finetune.reward_timestep",
    }
