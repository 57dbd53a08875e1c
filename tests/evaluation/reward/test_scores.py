"""A reward's own scores."""

from __future__ import annotations

import pytest
import torch

from motionrft.evaluation.reward.scores import caption_rows
from motionrft.reward.retrieval import Embeddings


def test_nothing_retrieves_more_than_shared_captions_allow():
    captions = ["walk"] * 16 + [f"clip {index}" for index in range(16)]
    nothing = torch.zeros(32, 2)
    rows = caption_rows(Embeddings(nothing, {"joint": nothing}, captions, captions), top=(1, 8, 16))
    values = {entry["metric"]: entry["value"] for entry in rows if entry["setting"] == "t2m"}
    assert values == pytest.approx({"R@1": 100 * 17 / 32, "R@8": 75.0, "R@16": 100.0})
