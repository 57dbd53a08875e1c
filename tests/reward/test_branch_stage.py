"""Stages that train a branch: batches of one representation, and learning beside a frozen network."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.reward.branch_stage import one_representation_batches
from motionrft.reward.stages import load

from .tiny import section, training, write_labels


def test_batches_hold_one_representation_and_drop_the_rest():
    batches = one_representation_batches([11, 9, 7], 4, seed=1, epoch=0)
    assert len(batches) == 5
    assert len({i for b in batches for i in b}) == 20
    bounds = ((0, 11), (11, 20), (20, 27))
    assert all(any(all(lo <= i < hi for i in b) for lo, hi in bounds) for b in batches)
    assert batches != one_representation_batches([11, 9, 7], 4, seed=1, epoch=1)


@pytest.mark.parametrize("task", ["preference", "authenticity"])
def test_task_stage_learns_and_leaves_the_backbone(corpus, trained, tmp_path, task):
    network, _ = trained
    start = {k: v.clone() for k, v in network.state_dict().items()}
    value = section(noise={"probability": 0.2})
    value["stages"][task]["train"] |= {"steps": 40, "validate_every": 20, "lr": 1e-2}
    write_labels(tmp_path / "data", corpus, task)
    options = {"network": network, "data": tmp_path / "data"}
    branch, history = load(task).train(training(corpus, tmp_path / "c", value, **options))
    scores = history[history["name"] == "val/score"]["value"]
    assert scores.max() > 0.7
    assert all(torch.equal(v, start[k]) for k, v in network.state_dict().items())
    network.requires_grad_(True)
    assert len(branch.trained()) == len(branch.tensors())


def test_what_a_stage_needs_is_named(corpus, network, tmp_path):
    run = training(corpus, tmp_path / "c", section())
    with pytest.raises(InputError, match="--from: missing"):
        load("preference").train(run)
    run = training(corpus, tmp_path / "c", section(), network=network)
    with pytest.raises(InputError, match="--data: missing"):
        load("preference").train(run)
    with pytest.raises(InputError, match="'semantic' learns from the corpus alone"):
        load("semantic").given_data(None, [])
