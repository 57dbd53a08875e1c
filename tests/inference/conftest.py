"""A tiny run for every test of this folder, and a recorded motion with one of rotations."""

import pytest
import torch

import motionrft
from motionrft.corpus.kinds.toy import make_clip
from motionrft.motion.representation import representation
from tests.tiny_run import model_file, reward_folder, run

__all__ = ["model_file", "reward_folder", "run"]


@pytest.fixture(scope="session")
def joints():
    return torch.from_numpy(make_clip(3, {"seed": 0})[0]).float()


@pytest.fixture(scope="session")
def rotation_motion(joints):
    kind = representation("rotation")
    features, _ = kind.encode(joints[None], torch.tensor([len(joints)]))
    # any rotations will do, twists and all
    noise = 0.3 * torch.randn(features[0, :, 3:].shape, generator=torch.Generator().manual_seed(0))
    features[0, :, 3:] += noise
    return motionrft.Motion(
        kind.decode(features)[0], 20.0, representation="rotation", features=features[0]
    )
