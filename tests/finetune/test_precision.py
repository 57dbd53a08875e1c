"""bf16 of decoder and reward: the gradient of an update stays what it is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.diffusion.sampler import SeededNoise
from motionrft.diffusion.schedules import step_table
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.cost import Meter, MeteredSampler
from motionrft.finetune.objective import Objective
from motionrft.finetune.settings import Loss
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.motion_reward import MotionReward
from motionrft.text.features import TextBatch
from tests.backbones.small_latent_models import condition, make
from tests.backbones.test_execution import SETTINGS, Casts, step_by_step
from tests.reward.tiny import TOKENS, tiny_network

LENGTHS = [24, 12, 8, 20]


def score(precision: str) -> tuple[Tensor, Tensor]:
    """Reward [] and dL/dz [B, …] of random latents."""
    backbone = make("mldpp")
    backbone.normaliser = Normaliser(torch.zeros(263), torch.ones(263))
    reward = MotionReward(tiny_network(), {}, {"semantic": 1.0})
    given = condition(LENGTHS)
    rows = len(LENGTHS)
    tokens = torch.randn(rows, 3, TOKENS, generator=torch.Generator().manual_seed(5))
    mask = torch.ones(rows, 3, dtype=torch.bool)
    words = TextBatch(tokens[:, 0], tokens, mask, torch.full((rows,), 2))
    batch = PromptBatch(
        given, words, None, given.lengths.tolist(), [0] * rows, backbone.sample_shape(24)
    )
    objective = Objective(backbone, reward, batch, Loss(), precision=precision)
    z = torch.randn(
        len(LENGTHS), *backbone.sample_shape(24), generator=torch.Generator().manual_seed(3)
    )
    scored = objective.score(z)
    assert scored.gradient is not None
    assert scored.gradient.dtype == torch.float32
    return scored.sums["total"], scored.gradient


def test_bf16_turns_the_gradient_by_less_than_a_tenth():
    """Random weights hold fewer bits than trained ones: at full size the difference is 6e-3 of the gradient."""
    (reward, exact), (rounded_reward, rounded) = score("fp32"), score("bf16")
    assert not torch.equal(rounded, exact)
    assert F.cosine_similarity(rounded.flatten(), exact.flatten(), dim=0) > 0.99
    assert (rounded - exact).norm() < 0.1 * exact.norm()
    torch.testing.assert_close(rounded_reward, reward, rtol=0, atol=0.05)


def test_the_network_is_left_in_fp32():
    """`precision` is of decoder and reward, `denoiser_precision` of the network."""
    from tests.finetune.toy_run import METHODS, toy_run

    for settings, seen in (
        ({"precision": "bf16"}, "fp32"),
        ({"denoiser_precision": "bf16"}, "bf16"),
    ):
        run = toy_run(METHODS["draft"], {"updates": 1, **settings})
        assert run.sampler.precision == seen
        assert run.objective(run.batch(0)).precision == settings.get("precision", "fp32")


@torch.no_grad()
def test_samples_that_training_draws_cast_the_weights_once():
    backbone, given = make("mld"), condition(LENGTHS)
    table = step_table({**SETTINGS, "steps": 3}, backbone.prediction)
    sampler = MeteredSampler(backbone, table, 1.0, Meter(), "bf16")
    noise = SeededNoise(range(len(LENGTHS)), backbone.sample_shape(24))
    with Casts() as apart:
        expected = step_by_step(sampler, given, noise)
    with Casts() as together:
        assert torch.equal(sampler.sample(given, noise), expected)
    layers = sum(isinstance(module, torch.nn.Linear) for module in backbone.denoiser.modules())
    assert apart.count - together.count >= 2 * layers
    sampler.precision = "fp32"
    assert not torch.equal(sampler.sample(given, noise), expected)
