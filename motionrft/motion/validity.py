"""Whether kinematic features of a motion are defined: every bone has a length, none points against its raw direction.

A bone of almost no length takes its direction from noise, and the retargeted body swings by whole limbs; a bone
exactly opposite to its raw direction has no minimal rotation, which the released variant answers with NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.motion.compat import HUMANML3D
from motionrft.motion.kinematic import canonicalise, process
from motionrft.motion.skeleton import SMPL_22, Skeleton

SHORTEST = 0.005  # of a leg's length: 4 mm of an adult
OPPOSITE = 1e-6  # of 1 + cosine: so close to the raw direction's opposite that float32 may find no rotation


def _bones(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """[T, J-1, 3] of joints [T, J, 3]."""
    return joints[:, 1:] - joints.index_select(1, torch.tensor(skeleton.parents[1:]))


def bone_name(skeleton: Skeleton, joint: int) -> str:
    return f"{skeleton.joints[skeleton.parents[joint]]} to {skeleton.joints[joint]}"


def leg_length(joints: Tensor, skeleton: Skeleton = SMPL_22) -> float:
    """Of joints [T, J, 3], in their unit: the two bones that set the retargeting scale, their median over time."""
    bones = _bones(joints, skeleton)[:, [bone - 1 for bone in skeleton.scale_bones]]
    return float(bones.norm(dim=-1).sum(-1).median())


def short_bone(joints: Tensor, skeleton: Skeleton = SMPL_22) -> str | None:
    """The shortest bone of joints [T, J, 3], in words, if it is too short to have a direction."""
    lengths = _bones(joints, skeleton).norm(dim=-1)
    legs = leg_length(joints, skeleton)
    shares = lengths / max(legs, 1e-12)
    frame, bone = divmod(int(shares.argmin()), shares.shape[1])
    if legs > 0 and float(shares[frame, bone]) >= SHORTEST:
        return None
    return (
        f"the bone from {bone_name(skeleton, bone + 1)} is {float(lengths[frame, bone]):.2g} long in frame {frame}, "
        f"a leg {legs:.2g}: too short to have a direction"
    )


def undefined_bone(
    joints: Tensor,
    skeleton: Skeleton = SMPL_22,
    compat: str = HUMANML3D,
    bone_lengths: Tensor | None = None,
) -> str | None:
    """The first bone of joints [T, J, 3] whose features are not finite, in words; None if all are."""
    bones = _bones(canonicalise(joints[None], skeleton)[0], skeleton)
    raw = torch.tensor(skeleton.directions, dtype=joints.dtype)[1:]
    away = 1 + (bones * raw).sum(-1) / bones.norm(dim=-1)
    if bool((away > OPPOSITE).all()):
        return None
    features, _ = process(
        joints[None],
        torch.tensor([len(joints)]),
        skeleton=skeleton,
        compat=compat,
        bone_lengths=bone_lengths,
    )
    begin = 3 * len(skeleton) + 1
    rotations = features[0, :, begin : begin + 6 * (len(skeleton) - 1)].unflatten(-1, (-1, 6))
    broken = (~rotations.isfinite()).any(-1).nonzero()
    if not len(broken):
        return None
    frame, bone = broken[0].tolist()
    return f"the bone from {bone_name(skeleton, bone + 1)} points exactly against its raw direction in frame {frame}"
