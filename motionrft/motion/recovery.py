"""From kinematic features back to joints: by positions (exact) or by rotations (needs the skeleton)."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.motion.compat import HUMANML3D, variant
from motionrft.motion.rotation import matrix_from_6d, turn
from motionrft.motion.skeleton import SMPL_22, Skeleton


def root(features: Tensor) -> tuple[Tensor, Tensor]:
    """Half-angle (cosine, sine) [B, T, 2] of the inverse heading and root positions [B, T, 3].

    Channel 0 holds half yaw steps: their running sum is the half-angle. The root starts over the origin.
    """
    zero = torch.zeros_like(features[:, :1, 0])
    angle = torch.cat([zero, features[:, :-1, 0].cumsum(dim=1)], dim=1)
    half = torch.stack([angle.cos(), angle.sin()], dim=-1)
    step = torch.stack(
        [features[:, :-1, 1], torch.zeros_like(features[:, :-1, 1]), features[:, :-1, 2]], dim=-1
    )
    walked = turn(step[:, :, None], half[:, 1:], back=True)[:, :, 0].cumsum(dim=1)
    floor = torch.cat([torch.zeros_like(features[:, :1, :3]), walked], dim=1)
    return half, torch.stack([floor[..., 0], features[..., 3], floor[..., 2]], dim=-1)


def joints_from_positions(features: Tensor, joints: int = 22) -> Tensor:
    """Features [B, T, dim] -> joints [B, T, J, 3], from the position channels (`recover_from_ric`)."""
    half, place = root(features)
    local = turn(features[..., 4 : 3 * joints + 1].unflatten(-1, (joints - 1, 3)), half, back=True)
    floor = place * place.new_tensor([1.0, 0.0, 1.0])
    return torch.cat([place[:, :, None], local + floor[:, :, None]], dim=2)


def joints_from_rotations(
    features: Tensor,
    skeleton: Skeleton = SMPL_22,
    compat: str = HUMANML3D,
    bone_lengths: Tensor | None = None,
) -> Tensor:
    """Features [B, T, dim] -> joints [B, T, J, 3], from the rotation channels (`recover_from_rot`).

    Only the variant that made the features reads them correctly: the arms start from its own parent.
    """
    count = len(skeleton)
    half, place = root(features)
    begin = 3 * count + 1
    local = matrix_from_6d(
        features[..., begin : begin + 6 * (count - 1)].unflatten(-1, (count - 1, 6)), "humanml3d"
    )
    offsets = (
        features.new_tensor(skeleton.directions)
        * skeleton.bone_lengths(bone_lengths).to(features)[:, None]
    )
    habits = variant(compat)
    turn_from = habits.rotation_parents(skeleton)
    # columns of the heading's rotation, then of every bone's
    basis = torch.eye(3, dtype=features.dtype, device=features.device).expand(
        *features.shape[:2], 3, 3
    )
    rotation: list[Tensor] = [habits.first_rotation(basis, half).transpose(-1, -2)] * count
    position: list[Tensor] = [place] * count
    for level in skeleton.levels:
        for joint in level:
            rotation[joint] = rotation[turn_from[joint]] @ local[:, :, joint - 1]
            position[joint] = position[skeleton.parents[joint]] + rotation[joint] @ offsets[joint]
    return torch.stack(position, dim=2)
