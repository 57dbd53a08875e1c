"""What the graph of a method holds, step by step."""

from __future__ import annotations

import pytest
import torch

from motionrft.finetune.analysis.memory import graph_bytes

from ..toy_run import METHODS, toy_run


def test_graphs_grow_for_draft_and_stay_level_for_easytune():
    held = {}
    for method in ("draft", "easytune"):
        frame = graph_bytes(toy_run(METHODS[method], {"updates": 1}))
        held[method] = frame[frame["phase"] == "denoise"].set_index("step")["bytes"]
        assert set(frame["phase"]) == {"denoise", "score", "backward"}
    live = list(held["draft"][[2, 3, 4]])
    assert held["draft"][[0, 1]].max() == 0
    assert live[0] > 0
    assert live[1] - live[0] == pytest.approx(live[0], rel=0.1)
    assert live[2] - live[1] == live[1] - live[0]
    assert held["easytune"][3] == held["easytune"][4]


def test_a_loss_that_asks_no_reward_is_held_and_let_go():
    run = toy_run({"family": "pretraining"}, {"updates": 1})
    network = run.backbone

    def loss(batch, condition, stage, generator):
        t = torch.zeros(len(batch.features), dtype=torch.long)
        return {"loss": network.predict(batch.features, t, condition).square().mean()}

    network.pretrain_loss = loss
    frame = graph_bytes(run)
    assert list(frame["phase"]) == ["backward"]
    assert frame["bytes"].item() > 0
    assert all(parameter.grad is None for parameter in run.trained)
