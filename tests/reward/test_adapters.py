"""LoRA views: they start as the backbone, share its weights, and train nothing else."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.reward.files import load_branch, load_network, new_branch, save_branch, save_network
from motionrft.reward.lora import LoraSettings, MotionAdapter
from motionrft.reward.official import (
    export_branch,
    export_network,
    load_official_branch,
    load_official_network,
)

from .conftest import tiny_network

LORA = LoraSettings(4, 8, 0.0)


def shake(branch) -> None:
    """Non-zero B, so that the adapter does something."""
    with torch.no_grad():
        for parameter in branch.trained():
            parameter.add_(0.1 * torch.randn_like(parameter))


def test_starts_as_the_backbone(network, motions):
    features, lengths = motions
    before = network.encode_motion(features, lengths, "joint").mean
    adapter = MotionAdapter(network, LORA).eval()
    adapted = network.encode_motion(features, lengths, "joint", None, adapter).mean
    torch.testing.assert_close(adapted, before)


def test_shares_weights_and_leaves_the_backbone_alone(network, motions):
    features, lengths = motions
    names = set(network.state_dict())
    before = network.encode_motion(features, lengths, "joint").mean
    branch = new_branch(network, "preference", LORA).freeze()
    shake(branch)
    assert set(network.state_dict()) == names
    torch.testing.assert_close(network.encode_motion(features, lengths, "joint").mean, before)
    adapted = network.encode_motion(features, lengths, "joint", None, branch.adapter).mean
    assert (adapted - before).abs().max() > 1e-3
    with torch.no_grad():
        network.encoder.middle_block.linear1.weight.mul_(2)
    moved = network.encode_motion(features, lengths, "joint", None, branch.adapter).mean
    assert (moved - adapted).abs().max() > 1e-4


def test_trainable_set_is_exactly_lora_and_head(network):
    branch = new_branch(network, "authenticity", LORA)
    trainable = {
        id(p)
        for m in (network, branch.adapter, branch.head)
        for p in m.parameters()
        if p.requires_grad
    }
    assert trainable == {id(p) for p in branch.trained()}
    assert len(branch.tensors()) == len(branch.trained())


def test_adapters_do_not_meet(network, motions):
    features, lengths = motions
    first, second = (
        new_branch(network, task, LORA).freeze() for task in ("preference", "authenticity")
    )
    shake(first)
    before = network.encode_motion(features, lengths, "joint", None, first.adapter).mean
    shake(second)
    network.encode_motion(features, lengths, "joint", None, second.adapter)
    after = network.encode_motion(features, lengths, "joint", None, first.adapter).mean
    assert torch.equal(before, after)


def test_gradient_of_lora_is_the_finite_difference(motions):
    network, (features, lengths) = tiny_network().double(), motions
    branch = new_branch(network, "preference", LORA)
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


@pytest.mark.parametrize("rank", [16, 128])
def test_released_size(rank):
    from motionrft.reward.network import NetworkSettings, RewardNetwork

    from .conftest import DIMS

    network = RewardNetwork(NetworkSettings(DIMS, 1024))
    adapter = MotionAdapter(network, LoraSettings(rank, 2 * rank))
    tensors = adapter.adapter_tensors()
    assert len(tensors) == 48
    assert sum(p.numel() for p in tensors.values()) == {16: 216_320, 128: 1_730_560}[rank]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_own_files_round_trip(tmp_path, motions, layers):
    network = tiny_network(projection_layers=layers)
    features, lengths = motions
    branch = new_branch(network, "preference", LORA).freeze()
    shake(branch)
    save_network(tmp_path / "n.safetensors", network, {})
    save_branch(tmp_path / "b.safetensors", branch, {})
    other, _ = load_network(tmp_path / "n.safetensors")
    loaded, _ = load_branch(tmp_path / "b.safetensors", other, "preference")
    scores = [
        b.head(n.encode_motion(features, lengths, "joint", None, b.adapter).mean)
        for n, b in ((network, branch), (other, loaded))
    ]
    assert torch.equal(*scores)
    assert not any(p.requires_grad for p in loaded.trained())


@pytest.mark.parametrize("task", ["preference", "authenticity"])
def test_official_files_round_trip(tmp_path, motions, task):
    network = tiny_network(heads=4, projection_layers=3)
    features, lengths = motions
    branch = new_branch(network, task, LORA).freeze()
    shake(branch)
    export_network(tmp_path / "backbone.pth", network)
    export_branch(tmp_path / "lora.pth", tmp_path / "head.pth", branch)
    other, report = load_official_network(tmp_path / "backbone.pth")
    loaded, reports = load_official_branch(
        tmp_path / "lora.pth", tmp_path / "head.pth", other, task
    )
    assert "0 missing, 0 unexpected" in str(report)
    assert [len(r.matched) for r in reports] == [len(branch.adapter.adapter_tensors()), 8]
    scores = [
        b.head(n.encode_motion(features, lengths, "joint", None, b.adapter).mean)
        for n, b in ((network, branch), (other, loaded))
    ]
    assert torch.equal(*scores)


def test_foreign_keys_are_ignored_and_missing_ones_are_errors(tmp_path):
    network = tiny_network()
    path = tmp_path / "backbone.pth"
    export_network(path, network)
    value = torch.load(path, weights_only=True)
    state = value["state_dict"]
    state["clip.model.weight"] = torch.zeros(2)
    state["encoder.middle_block.linear1.original_linear.weight"] = state.pop(
        "encoder.middle_block.linear1.weight"
    )
    torch.save(value, path)
    _, report = load_official_network(path)
    assert report.ignored == ["clip.model.weight"]
    del state["dist_layer.bias"]
    torch.save(value, path)
    with pytest.raises(InputError, match=r"dist_layer.bias.*1 tensors missing"):
        load_official_network(path)


def test_wrong_rank_and_wrong_file_are_named(tmp_path, network):
    branch = new_branch(network, "preference", LORA).freeze()
    export_branch(tmp_path / "lora.pth", tmp_path / "head.pth", branch)
    value = torch.load(tmp_path / "lora.pth", weights_only=True)
    torch.save({**value, "lora_rank": 5}, tmp_path / "lora.pth")
    with pytest.raises(InputError, match="lora_A"):
        load_official_branch(tmp_path / "lora.pth", tmp_path / "head.pth", network, "preference")
    with pytest.raises(InputError, match="lora_state_dict"):
        load_official_branch(tmp_path / "head.pth", tmp_path / "head.pth", network, "preference")
    save_branch(tmp_path / "b.safetensors", branch, {})
    with pytest.raises(InputError, match="authenticity"):
        load_branch(tmp_path / "b.safetensors", network, "authenticity")
    with pytest.raises(InputError, match="not a semantic reward file"):
        load_network(tmp_path / "b.safetensors")


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_code_in_a_checkpoint_is_refused(tmp_path, capsys):
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="files that run code when opened are refused"):
        load_official_network(tmp_path / "evil.pth")
    assert "code ran" not in capsys.readouterr().out


def test_a_patched_network_has_no_official_layout(tmp_path):
    with pytest.raises(InputError, match="4 frames a token"):
        export_network(tmp_path / "x.pth", tiny_network(patch=4))
