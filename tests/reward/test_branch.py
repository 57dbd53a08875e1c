"""A branch trains exactly its adapter and its head."""

from __future__ import annotations

from motionrft.reward.lora import LoraSettings
from motionrft.reward.stages import load


def test_trainable_set_is_exactly_lora_and_head(network):
    branch = load("authenticity").new_branch(network, LoraSettings(4, 8, 0.0))
    trainable = {
        id(p)
        for m in (network, branch.adapter, branch.head)
        for p in m.parameters()
        if p.requires_grad
    }
    assert trainable == {id(p) for p in branch.trained()}
    assert len(branch.tensors()) == len(branch.trained())
