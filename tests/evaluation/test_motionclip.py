from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.evaluation.motionclip import MotionCLIP, MotionTower, clip_score
from tests.same import SHARE, assert_same


@pytest.mark.usefixtures("float64")
def test_motion_tower_is_ragged_and_clip_embeddings_are_unit():
    torch.manual_seed(0)
    tower = MotionTower(67, 16, 4, 32, 2, 16).eval()
    x, lengths = torch.randn(2, 12, 67), torch.tensor([12, 5])
    assert_same(tower(x, lengths)[1], tower(x[1:, :5], lengths[1:])[0])
    clip = MotionCLIP(width=16, heads=4, feedforward=32, layers=2, vocabulary=50, tokens=7).eval()
    ids = torch.randint(0, 49, (2, 7))
    ids[0, 3], ids[1, 6] = 49, 49
    texts, motions = clip.encode_texts(ids), clip.encode_motions(x, lengths)
    assert_same(texts.norm(dim=1), torch.ones(2))
    assert clip_score(texts, texts) == pytest.approx(1.0, abs=SHARE)
    assert -1 <= clip_score(texts, motions) <= 1
    with pytest.raises(InputError, match="7 CLIP tokens"):
        clip.encode_texts(ids[:, :3])
