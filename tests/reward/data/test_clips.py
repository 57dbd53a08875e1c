"""Batches that show the same clips in every representation."""

from __future__ import annotations

import torch

from tests.reward.tiny import clips_of


def test_aligned_batches_show_the_same_clips(corpus):
    clips = clips_of(corpus, "train")
    batch = clips.batch_at(3, 12, seed=1)
    again = clips.batch_at(3, 12, seed=1)
    assert batch.captions == again.captions
    for name, features in batch.features.items():
        assert torch.equal(features, again.features[name])
        assert features.shape[:2] == next(iter(batch.features.values())).shape[:2]
    halves = [clips.batch_at(3, 12, seed=1, rank=r, world=2) for r in range(2)]
    assert halves[0].clips + halves[1].clips == batch.clips
    assert halves[0].captions + halves[1].captions == batch.captions
    assert torch.equal(torch.cat([h.lengths for h in halves]), batch.lengths)
