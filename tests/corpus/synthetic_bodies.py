"""Small articulated motions for the tests of this room: rest bodies that walk along a curve and swing limbs."""

import numpy as np
import torch

from motionrft.motion.rotation import matrix_to_6d
from motionrft.motion.rotation135 import Rotation
from motionrft.motion.skeleton import SMPL_22, Skeleton


def motion(
    frames: int, seed: int, skeleton: Skeleton = SMPL_22, lengths: torch.Tensor | None = None
) -> np.ndarray:
    """[T, J, 3] float32 of a rigid body of the skeleton, in its unit."""
    import roma

    generator = torch.Generator().manual_seed(seed)
    count = len(skeleton)
    time = torch.arange(frames)[:, None, None] / skeleton.fps
    speed = 1 + 2 * torch.rand(1, count, 1, generator=generator)
    turn = 0.25 * torch.randn(1, count, 3, generator=generator) * torch.sin(speed * time + 1)
    turn[:, 0] = torch.tensor([0.0, 1.0, 0.0]) * 0.4 * time[:, 0]
    local = roma.rotvec_to_rotmat(turn)
    path = torch.cat([torch.sin(time[:, 0]), 0.9 + 0 * time[:, 0], time[:, 0]], -1) * skeleton.metre
    features = torch.cat([path, matrix_to_6d(local, "hymotion").flatten(-2)], -1)
    return Rotation(skeleton, bone_lengths=lengths).decode(features[None])[0].numpy()
