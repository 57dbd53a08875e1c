"""Pairs of a real motion and a damaged copy."""

from __future__ import annotations

from motionrft.reward.data.labelled import write_labelled
from motionrft.reward.data.pairs import corruption_pairs


def test_corruption_pairs_stay_in_their_split_and_are_alike_in_length(bodies, tmp_path):
    pairs = list(corruption_pairs(bodies, 16, seed=0))
    split = dict(zip(bodies.clips["clip"], bodies.clips["split"], strict=True))
    assert len(pairs) == 16
    assert len({pair.kind for pair in pairs}) == 8
    for pair in pairs:
        assert pair.better.split == pair.worse.split == split[pair.better.clip]
        assert {len(f) for side in (pair.better, pair.worse) for f in side.features.values()} == {
            len(pair.better.features["joint"])
        }
        assert set(pair.better.features) == {"kinematic", "joint", "rotation"}
    write_labelled(tmp_path / "data", pairs, "preference", {})
