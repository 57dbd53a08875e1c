"""A feature store whose joints are plausible bodies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.corpus.store import FeatureStore
from motionrft.motion.skeleton import SMPL_22
from tests.reward.tiny import write_store


def joints_store(folder):
    """A feature store whose joint representation holds plausible bodies."""
    store = FeatureStore(folder)
    rest = SMPL_22.rest_offsets()
    parents = SMPL_22.parents
    body = torch.zeros(22, 3)
    for joint in range(1, 22):
        body[joint] = body[parents[joint]] + rest[joint]
    body = (body - body.min(0).values).numpy()
    values = np.load(folder / "joint.npy", mmap_mode="r+")
    time = np.arange(len(values))[:, None]
    moving = body.reshape(1, 66) + 0.05 * np.sin(time * 0.2 + np.arange(66)[None])
    values[:] = moving
    values.flush()
    return store


@pytest.fixture
def bodies(tmp_path):
    write_store(tmp_path / "features", clips=30)
    return joints_store(tmp_path / "features")
