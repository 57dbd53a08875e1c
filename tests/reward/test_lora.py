"""LoRA views: they start as the backbone, share its weights, and train nothing else."""

from __future__ import annotations

import pytest
import torch

from motionrft.reward.lora import AdaptedLinear, LoraSettings, MotionAdapter
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.stages import load
from reference.tolerance import rounding

from .tiny import DIMS, shake, tiny_network

LORA = LoraSettings(4, 8, 0.0)


def branch_of(network, task="preference"):
    return load(task).new_branch(network, LORA)


def test_starts_as_the_backbone(network, motions):
    features, lengths = motions
    before = network.encode_motion(features, lengths, "joint").mean
    adapter = MotionAdapter(network, LORA).eval()
    adapted = network.encode_motion(features, lengths, "joint", None, adapter).mean
    torch.testing.assert_close(adapted, before, **rounding(network))


def test_shares_weights_and_leaves_the_backbone_alone(network, motions):
    features, lengths = motions
    names = set(network.state_dict())
    before = network.encode_motion(features, lengths, "joint").mean
    branch = branch_of(network).freeze()
    shake(branch)
    assert set(network.state_dict()) == names
    torch.testing.assert_close(
        network.encode_motion(features, lengths, "joint").mean, before, **rounding(network)
    )
    adapted = network.encode_motion(features, lengths, "joint", None, branch.adapter).mean
    assert (adapted - before).abs().max() > 1e-3
    with torch.no_grad():
        network.encoder.middle_block.linear1.weight.mul_(2)
    moved = network.encode_motion(features, lengths, "joint", None, branch.adapter).mean
    assert (moved - adapted).abs().max() > 1e-4


def test_adapters_do_not_meet(network, motions):
    features, lengths = motions
    first, second = (branch_of(network, task).freeze() for task in ("preference", "authenticity"))
    shake(first)
    before = network.encode_motion(features, lengths, "joint", None, first.adapter).mean
    shake(second)
    network.encode_motion(features, lengths, "joint", None, second.adapter)
    after = network.encode_motion(features, lengths, "joint", None, first.adapter).mean
    assert torch.equal(before, after)


def test_gradient_of_lora_is_the_finite_difference(motions):
    network, (features, lengths) = tiny_network().double(), motions
    branch = branch_of(network)
    branch.adapter.double().eval(), branch.head.double().eval()
    shake(branch)
    parameter = branch.adapter.adapter_tensors()["middle_block_attn.lora_k.lora_A"]

    def score() -> torch.Tensor:
        latent = network.encode_motion(features.double(), lengths, "joint", None, branch.adapter)
        return branch.head(latent.mean).sum()

    (gradient,) = torch.autograd.grad(score(), parameter)
    with torch.no_grad():
        parameter[0, 0] += 1e-6
        up = score()
        parameter[0, 0] -= 2e-6
        down = score()
    assert float(gradient[0, 0]) == pytest.approx(float((up - down) / 2e-6), rel=1e-5)


def test_an_adapted_linear_is_pefts():
    from peft import LoraConfig, inject_adapter_in_model

    base, x = torch.nn.Linear(6, 5), torch.randn(3, 6)
    ours = AdaptedLinear(base, LORA)
    torch.nn.init.normal_(ours.low_rank.lora_B)
    settings = LoraConfig(r=LORA.rank, lora_alpha=LORA.alpha, target_modules=["0"])
    theirs = inject_adapter_in_model(settings, torch.nn.Sequential(base))
    with torch.no_grad():
        theirs[0].lora_A["default"].weight.copy_(ours.low_rank.lora_A)
        theirs[0].lora_B["default"].weight.copy_(ours.low_rank.lora_B)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("rank", [16, 128])
def test_released_size(rank):
    network = RewardNetwork(NetworkSettings(DIMS, 1024))
    adapter = MotionAdapter(network, LoraSettings(rank, 2 * rank))
    tensors = adapter.adapter_tensors()
    assert len(tensors) == 48
    assert sum(p.numel() for p in tensors.values()) == {16: 216_320, 128: 1_730_560}[rank]
