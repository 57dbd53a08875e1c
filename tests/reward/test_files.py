"""Own reward files, and the branches in them."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.reward.files import (
    load_branch,
    load_network,
    save_branch,
    save_network,
    stage_files,
)
from motionrft.reward.lora import LoraSettings
from motionrft.reward.stages import load

from .tiny import shake, tiny_network

LORA = LoraSettings(4, 8, 0.0)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_own_files_round_trip(tmp_path, motions, layers):
    network = tiny_network(projection_layers=layers)
    features, lengths = motions
    branch = load("preference").new_branch(network, LORA).freeze()
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


def test_wrong_files_are_named(tmp_path, network):
    branch = load("preference").new_branch(network, LORA).freeze()
    save_branch(tmp_path / "b.safetensors", branch, {})
    with pytest.raises(InputError, match="authenticity"):
        load_branch(tmp_path / "b.safetensors", network, "authenticity")
    with pytest.raises(InputError, match="not a semantic reward file"):
        load_network(tmp_path / "b.safetensors")
    other = tiny_network(layers=1)
    with pytest.raises(InputError, match="use the configuration the file was trained with"):
        load_branch(tmp_path / "b.safetensors", other, "preference")


def test_files_go_by_the_stage_in_their_headers(tmp_path, network):
    branch = load("preference").new_branch(network, LORA)
    semantic, spl, preference = (tmp_path / f"{i}.safetensors" for i in range(3))
    save_network(semantic, network, {"stage": "semantic"})
    save_network(spl, network, {"stage": "spl"})
    save_branch(preference, branch, {"stage": "preference"})
    assert stage_files([preference, spl, semantic]) == {
        "semantic": semantic, "spl": spl, "preference": preference,
    }  # fmt: skip
    assert stage_files([spl]) == {"semantic": spl, "spl": spl}
    with pytest.raises(InputError, match="no semantic stage"):
        stage_files([preference])
