"""The released checkpoints: read strictly, written back in their own layout."""

from __future__ import annotations

import pytest
import torch

from motionrft.cli import main
from motionrft.configuration import ROOT
from motionrft.errors import InputError
from motionrft.reward.files import save_network, stage_files
from motionrft.reward.lora import LoraSettings
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.official import (
    export_branch,
    export_network,
    load_official_branch,
    load_official_network,
)
from motionrft.reward.stages import load
from motionrft.reward.term import RewardContext

from .tiny import shake, tiny_network

LORA = LoraSettings(4, 8, 0.0)


@pytest.mark.parametrize("task", ["preference", "authenticity"])
def test_official_files_round_trip(tmp_path, motions, task):
    network = tiny_network(heads=4, projection_layers=3)
    features, lengths = motions
    branch = load(task).new_branch(network, LORA).freeze()
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
    branch = load("preference").new_branch(network, LORA).freeze()
    export_branch(tmp_path / "lora.pth", tmp_path / "head.pth", branch)
    value = torch.load(tmp_path / "lora.pth", weights_only=True)
    torch.save({**value, "lora_rank": 5}, tmp_path / "lora.pth")
    with pytest.raises(InputError, match="lora_A"):
        load_official_branch(tmp_path / "lora.pth", tmp_path / "head.pth", network, "preference")
    with pytest.raises(InputError, match="lora_state_dict"):
        load_official_branch(tmp_path / "head.pth", tmp_path / "head.pth", network, "preference")


def test_stages_are_imported_by_a_command_and_score_as_the_released_ones(tmp_path, motions):
    network = tiny_network(heads=4)
    branch = load("preference").new_branch(network, LORA).freeze()
    shake(branch)
    export_network(tmp_path / "backbone.pth", network)
    export_branch(tmp_path / "lora.pth", tmp_path / "head.pth", branch)
    semantic, preference = tmp_path / "semantic.safetensors", tmp_path / "preference.safetensors"
    call = ["import-reward", "--config", str(ROOT / "config" / "toy.yaml")]
    files = ["--checkpoint", str(tmp_path / "lora.pth"), str(tmp_path / "head.pth")]
    branch_call = [*call, "--stage", "preference", *files, "--out", str(preference)]
    assert main([*call, "--stage", "semantic", "--checkpoint", str(tmp_path / "backbone.pth"), "--out", str(semantic)]) == 0  # fmt: skip
    assert main([*branch_call, "--from", str(semantic)]) == 0
    stages = stage_files([preference, semantic])
    assert set(stages) == {"semantic", "preference"}
    reward = MotionReward.load(stages, {"preference": 1.0})
    assert not reward.clean_token
    features, lengths = motions
    context = RewardContext(torch.zeros(3, 8), None, "joint")
    with torch.no_grad():
        scored = reward(features, lengths, context)["preference"]
        latent = network.encode_motion(features, lengths, "joint", None, branch.adapter)
        expected = branch.head(latent.mean)[:, 0]
    assert torch.equal(scored, expected)
    assert main(branch_call) == 2
    own = tmp_path / "own.safetensors"
    save_network(own, network, {"stage": "semantic"})
    assert main([*branch_call, "--from", str(own)]) == 2


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
