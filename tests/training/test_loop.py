"""The shared loop: resumed equals uninterrupted, to the bit; bad input is named."""

import math

import pytest
import torch
from torch import nn

from motionrft.errors import InputError
from motionrft.training.loop import TrainSettings, fit, step_generator

TARGET = torch.tensor([[1.0, -2.0, 0.5]])


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 3))


def regression(module):
    def loss(step, generator):
        x = torch.randn(16, 4, generator=generator)
        return {"loss": (module(x) - TARGET).square().mean()}

    return loss


class KilledError(Exception):
    pass


def train(tmp_path, settings, die_at=None, name="run"):
    module = network()
    loss = regression(module)

    def fragile(step, generator):
        if step == die_at:
            raise KilledError
        return loss(step, generator)

    def validation(step):
        module_loss = (module(torch.ones(2, 4)) - TARGET).square().mean()
        return {"score": -module_loss.item()}

    path = tmp_path / f"{name}.checkpoint"
    if die_at is not None:
        with pytest.raises(KilledError):
            fit(
                module,
                list(module.parameters()),
                fragile,
                settings,
                path,
                label="t",
                validation=validation,
            )
        module = network()
        loss = regression(module)
    history = fit(
        module,
        list(module.parameters()),
        lambda s, g: loss(s, g),
        settings,
        path,
        label="t",
        validation=validation,
    )
    return module, history


@pytest.mark.parametrize("die_at", [1, 7, 10, 29])
def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path, die_at):
    settings = TrainSettings(
        steps=30,
        lr=1e-2,
        warmup=3,
        schedule="cosine",
        clip=1.0,
        ema=0.9,
        validate_every=6,
        checkpoint_every=5,
        checkpoint_minutes=0,
    )
    whole, history = train(tmp_path, settings, name="whole")
    resumed, again = train(tmp_path, settings, die_at=die_at, name="killed")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    keep = history[history["name"] != "train_s"].reset_index(drop=True)
    assert keep.equals(again[again["name"] != "train_s"].reset_index(drop=True))


def test_it_learns_and_keeps_the_best_validation_weights(tmp_path):
    module, history = train(tmp_path, TrainSettings(steps=200, lr=2e-2, validate_every=20))
    scores = history[history["name"] == "val/score"]["value"]
    kept = -(module(torch.ones(2, 4)) - TARGET).square().mean().item()
    assert kept == pytest.approx(scores.max(), abs=1e-7)
    assert scores.iloc[-1] > scores.iloc[0]


def test_generators_differ_by_step_and_seed_and_seed_dropout():
    draws = {
        float(torch.randn(1, generator=step_generator(seed, step)))
        for seed in range(3)
        for step in range(5)
    }
    assert len(draws) == 15
    step_generator(1, 2)
    first = torch.rand(1)
    step_generator(1, 2)
    assert torch.equal(first, torch.rand(1))


def test_bad_settings_and_checkpoints(tmp_path):
    with pytest.raises(InputError, match="unknown key 'learning_rate'"):
        TrainSettings.read({"steps": 3, "learning_rate": 1}, "methods.x")
    path = tmp_path / "broken.checkpoint"
    path.write_bytes(b"not a checkpoint")
    module = network()
    with pytest.raises(InputError, match=r"broken\.checkpoint.*delete it"):
        fit(
            module,
            list(module.parameters()),
            regression(module),
            TrainSettings(steps=2),
            path,
            label="t",
        )


def test_a_checkpoint_of_other_settings_is_not_continued(tmp_path):
    settings = TrainSettings(steps=12, lr=1e-2, checkpoint_every=5, checkpoint_minutes=0)
    module = network()

    def dies(step, generator):
        if step == 7:
            raise KilledError
        return regression(module)(step, generator)

    with pytest.raises(KilledError):
        fit(
            module,
            list(module.parameters()),
            dies,
            TrainSettings(steps=12, lr=3e-2, checkpoint_every=5, checkpoint_minutes=0),
            tmp_path / "run.checkpoint",
            label="t",
        )
    assert (tmp_path / "run.checkpoint").exists()
    again, _ = train(tmp_path, settings, name="run")
    fresh, _ = train(tmp_path, settings, name="fresh")
    for a, b in zip(again.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_gradient_that_is_not_finite_ends_the_job(tmp_path):
    module = network()

    def loss(step, generator):
        return {"loss": module(torch.ones(1, 4)).sum() * (math.inf if step == 2 else 1.0)}

    with pytest.raises(InputError, match="not finite at step 2"):
        fit(
            module,
            list(module.parameters()),
            loss,
            TrainSettings(steps=5),
            tmp_path / "c",
            label="exploding",
        )
