"""Motions for other programs: BVH with constant bones, plain joints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.bvh.writer import write_bvh
from motionrft.files import atomic
from motionrft.inference.motion import Motion
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.representation import ROTATION, representation
from motionrft.motion.rotation import matrix_from_6d
from motionrft.motion.rotation135 import ORDER, Rotation, fit, forward_kinematics


def rotations_of(motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    """Rest offsets [J, 3], root [T, 3] and local rotations [T, J, 3, 3] whose forward kinematics is the motion.

    Those of the rotation representation are its own. Other motions are fitted (`rotation135.fit`): bones keep their
    median lengths in the motion and the directions of the rest pose; pelvis and chest are turned as their three rigid
    children are, every other bone by the minimal rotation that aims it at its joint; twist is nowhere invented.
    """
    if motion.representation == ROTATION and motion.features is not None:
        facts = motion.about.get("corpus", {})
        own = cast(
            Rotation,
            representation(
                ROTATION,
                motion.skeleton.name,
                facts.get("compat", HUMANML3D),
                facts.get("bone_lengths"),
            ),
        )
        local = matrix_from_6d(
            motion.features[:, 3:].unflatten(-1, (len(motion.skeleton), 6)), ORDER
        )
        return own.offsets(motion.features), motion.features[:, :3], local
    above = torch.tensor([max(parent, 0) for parent in motion.skeleton.parents])
    joints = motion.joints.float()
    lengths = (joints - joints[:, above]).norm(dim=-1).median(dim=0).values
    offsets = motion.skeleton.rest_offsets(lengths)
    translation, local = fit(joints, motion.skeleton, offsets)
    return offsets, translation, local


def export_bvh(path: str | Path, motion: Motion) -> str:
    """Writes the file; how far its joints are from the motion's."""
    offsets, translation, local = rotations_of(motion)
    metre = motion.skeleton.metre
    write_bvh(
        path,
        motion.skeleton.joints,
        motion.skeleton.parents,
        offsets / metre,
        translation / metre,
        local,
        motion.fps,
    )
    rebuilt = forward_kinematics(translation, local, offsets, motion.skeleton.parents)
    return joint_error(rebuilt, motion)


def joint_error(rebuilt: Tensor, motion: Motion) -> str:
    """What an export loses: the mean distance of its joints [T, J, 3] from the motion's."""
    distance = (rebuilt - motion.joints).norm(dim=-1).mean() * 1000 / motion.skeleton.metre
    return f"{len(rebuilt)} frames, joints {float(distance):.2f} mm off on average"


def export_joints(path: str | Path, motion: Motion) -> str:
    """[T, J, 3] as .npy; nothing is lost."""
    with atomic(path) as temporary, open(temporary, "wb") as out:
        np.save(out, motion.joints.numpy())
    return joint_error(motion.joints, motion)
