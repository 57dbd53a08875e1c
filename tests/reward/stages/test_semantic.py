"""Stage 1 on a tiny corpus: it learns, and resumes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.retrieval import embed, retrieval_scores
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages import load
from motionrft.reward.stages.semantic import new_network
from motionrft.text.features import TextCache
from tests.reward.tiny import DIMS, clips_of, section, training


def test_semantic_stage_learns_retrieval(corpus, trained):
    network, history = trained
    text = TextCache(corpus / "text.safetensors")
    clips = clips_of(corpus, "test")
    scores = retrieval_scores(embed(network, clips, text))
    untrained = new_network(RewardSettings.read(section()), clips, text).eval()
    random = retrieval_scores(embed(untrained, clips, text))
    mean = {k: np.mean([v["R@1"] for v in s.values()]) for k, s in (("t", scores), ("r", random))}
    # six kinds, two clips each in twelve: a perfect reader of kinds scores 50 %
    assert mean["t"] > 30 > mean["r"]
    assert set(scores) == {f"{way}/{name}" for way in ("t2m", "m2t") for name in DIMS}
    assert (history["name"] == "val/score").sum() == 2
    assert network.time_embedding.linear_1.weight.requires_grad


def test_resumed_equals_uninterrupted(corpus, tmp_path, monkeypatch):
    def run(name):
        return load("semantic").train(training(corpus, tmp_path / name, section()))

    whole, _ = run("a.pt")
    original = AlignedClips.batch_at

    def killed(self, step, *rest, **options):
        if step == 6:
            raise KeyboardInterrupt
        return original(self, step, *rest, **options)

    monkeypatch.setattr(AlignedClips, "batch_at", killed)
    with pytest.raises(KeyboardInterrupt):
        run("b.pt")
    monkeypatch.setattr(AlignedClips, "batch_at", original)
    resumed, _ = run("b.pt")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
