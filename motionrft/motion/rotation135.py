"""The rotation representation: root position and 22 local rotations as 6D, 135 numbers a frame (HY-Motion).

Layout [translation 3 | 22 x 6D], 6D row-major of the first two matrix columns; joint 0's rotation is global,
the others are relative to the parent joint. `decode` is forward kinematics from the rest pose of the skeleton.

What joints do not tell: positions fix where bones point, not how they are twisted about themselves. `encode`
therefore gives, exactly where the data let it,
  pelvis and chest   the rotation that fits their three rigid children (hips and spine; collars and neck)
  every other joint  the swing that takes the rest bone to the bone, with no twist relative to its parent
  ends of chains     no rotation
so that `decode(encode(joints))` returns the joints of a body whose pelvis and chest are those of the rest
pose, and 135-dim data made elsewhere from body-model poses decodes here but is not what `encode` would give.
On another body the hips' midpoint keeps its place, pelvis and chest take the rest pose's shape, and the bones
aim at the given joints from there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from motionrft.motion import kinematic
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.rotation import matrix_from_6d, matrix_to_6d, swing
from motionrft.motion.skeleton import SMPL_22, Skeleton

ORDER = "hymotion"


def forward_kinematics(
    translation: Tensor, local: Tensor, offsets: Tensor, parents: tuple[int, ...]
) -> Tensor:
    """Joints [..., J, 3] of local rotations [..., J, 3, 3] on rest offsets [J, 3] (offset 0 adds to the root)."""
    world = [local[..., 0, :, :]]
    place = [translation + offsets[0]]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        place.append(place[parent] + world[parent] @ offsets[joint])
        world.append(world[parent] @ local[..., joint, :, :])
    return torch.stack(place, dim=-2)


def joints_from_135(features: Tensor, offsets: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Features [..., 3 + 6 J] -> joints [..., J, 3] on any body's rest offsets [J, 3]."""
    local = matrix_from_6d(features[..., 3:].unflatten(-1, (len(parents), 6)), ORDER)
    return forward_kinematics(features[..., :3], local, offsets, parents)


def _frame(left: Tensor, right: Tensor, up: Tensor) -> Tensor:
    """[..., 3, 3] with columns: towards the left child, upwards, and their normal."""
    x = functional.normalize(left - right, dim=-1)
    y = functional.normalize(up - (up * x).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def fit(joints: Tensor, skeleton: Skeleton, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Translation [..., 3] and local rotations [..., J, 3, 3] whose forward kinematics follows joints [..., J, 3].

    Bones aim at where the next joint is, so that another body's differences do not add up along a limb.
    """
    parents = skeleton.parents
    children = {
        joint: [child for child, above in enumerate(parents) if above == joint]
        for joint in range(len(parents))
    }
    clusters = {joint: rest for joint, *rest in skeleton.clusters}
    eye = torch.eye(3, dtype=joints.dtype, device=joints.device).expand(*joints.shape[:-2], 3, 3)
    local, world, place = (
        [eye] * len(parents),
        [eye] * len(parents),
        [joints[..., 0, :]] * len(parents),
    )
    for joint, parent in enumerate(parents):
        above = world[parent] if joint else eye
        if joint:
            place[joint] = place[parent] + above @ offsets[joint]
        if joint in clusters:
            bones = [joints[..., child, :] - joints[..., joint, :] for child in clusters[joint]]
            rest = _frame(*(offsets[child] for child in clusters[joint]))
            local[joint] = above.transpose(-1, -2) @ _frame(*bones) @ rest.T
        elif children[joint]:
            child = children[joint][0]
            bone = functional.normalize(joints[..., child, :] - place[joint], dim=-1)
            here = (above.transpose(-1, -2) @ bone[..., None])[..., 0]
            local[joint] = swing(functional.normalize(offsets[child], dim=-1), here)
        world[joint] = above @ local[joint]
        if joint == 0:
            left, right, _ = clusters[0]
            hips = joints[..., [left, right], :].mean(-2)
            place[0] = hips - world[0] @ offsets[[left, right]].mean(0)
    return place[0], torch.stack(local, dim=-3)


class Rotation:
    """`encode` goes through the kinematic features, as `joint` does, and has as many frames."""

    name = "rotation"

    def __init__(
        self,
        skeleton: Skeleton = SMPL_22,
        compat: str = HUMANML3D,
        bone_lengths: Tensor | None = None,
    ):
        self.skeleton = skeleton
        self.dim = 3 + 6 * len(skeleton)
        self.source = kinematic.Kinematic(skeleton, compat, bone_lengths)
        self.bone_lengths = bone_lengths

    def offsets(self, like: Tensor) -> Tensor:
        return self.skeleton.rest_offsets(self.bone_lengths).to(like)

    def encode(self, joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Joints [B, T, J, 3], lengths [B] -> features [B, T-1, 3 + 6 J], lengths - 1."""
        features, frames = self.source.encode(joints, lengths)
        return self.from_canonical(self.source.decode(features), frames), frames

    def from_canonical(self, joints: Tensor, lengths: Tensor) -> Tensor:
        """Joints that are canonical already [B, T, J, 3] -> features [B, T, 3 + 6 J], zero after each length."""
        joints = kinematic.hold(joints, lengths)
        translation, local = fit(joints, self.skeleton, self.offsets(joints))
        features = torch.cat([translation, matrix_to_6d(local, ORDER).flatten(-2)], dim=-1)
        return kinematic.blank(features, lengths)

    def decode(self, features: Tensor) -> Tensor:
        """Features [B, T, 3 + 6 J] -> joints [B, T, J, 3]."""
        return joints_from_135(features, self.offsets(features), self.skeleton.parents)


REPRESENTATION = Rotation()
