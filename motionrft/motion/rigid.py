"""Bodies whose bones keep their length."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.motion.skeleton import SMPL_22, Skeleton

SHORTEST = 1e-4  # of a metre, below which a bone has no direction


def rigid(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """Joints [B, T, J, 3] with every bone as long in each frame as on average over its clip; directions and the root stay.

    Differentiable. Linear models of positions need it: the mean of two directions is shorter than either.
    """
    parents = list(skeleton.parents[1:])
    bones = joints[..., 1:, :] - joints[..., parents, :]
    size = bones.norm(dim=-1, keepdim=True).clamp_min(SHORTEST * skeleton.metre)
    valid = (torch.arange(joints.shape[1], device=joints.device) < lengths[:, None])[
        ..., None, None
    ]
    usual = (size * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True)
    output: Tensor = joints[..., :1, :] + skeleton.ancestors[:, 1:].to(joints) @ (
        bones / size * usual
    )
    return output
